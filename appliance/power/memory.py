"""A switch that is a value in memory: for tests, and for a fleet of simulated machines."""

from dataclasses import dataclass, field

from appliance.power_switch import PowerError, PowerState


@dataclass(slots=True)
class MemorySwitch:
    """Does at once what it is told, and writes it down."""

    state: PowerState = PowerState.OFF
    failing: PowerError | None = None
    """Raised by every call while it is set."""
    refusing: dict[str, PowerError] = field(default_factory=dict)
    """Raised by the call of that name, as long as it stands here."""
    deaf: bool = False
    """Takes every order and obeys none, as controllers do that hang."""
    network_once: bool | None = None
    """Whether the next start is from the network: as UEFI (True), as BIOS (False), or not (None)."""
    asked: list[str] = field(default_factory=list)
    """The names of all calls, in their order."""
    booted: list[bool | None] = field(default_factory=list)
    """One of ``network_once`` for each start."""

    async def observe(self) -> PowerState:
        """The state it was brought to."""
        self._take("observe")
        return self.state

    async def on(self) -> None:
        """On, at once."""
        self._take("on")
        self._turn(PowerState.ON)

    async def off(self) -> None:
        """Off, at once."""
        self._take("off")
        self._turn(PowerState.OFF)

    async def cycle(self) -> None:
        """Off and on."""
        self._take("cycle")
        self._turn(PowerState.OFF)
        self._turn(PowerState.ON)

    async def check_start(self, network: bool, uefi: bool) -> None:
        """Nothing speaks against it, but what was set to."""
        self._take("check_start")

    async def boot_network_once(self, uefi: bool) -> None:
        """Remembered for the next start."""
        self._take("boot_network_once")
        self.network_once = uefi

    def _take(self, what: str) -> None:
        self.asked.append(what)
        if trouble := self.failing or self.refusing.get(what):
            raise trouble

    def _turn(self, state: PowerState) -> None:
        if self.deaf or self.state is state:
            return
        self.state = state
        if state is PowerState.ON:
            self.booted.append(self.network_once)
            self.network_once = None

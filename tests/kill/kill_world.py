"""The appliance, its user, its machines, and the means to end any of them at a chosen moment."""

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kill_api import User
from kill_daemon import DaemonProcess, Record, until
from kill_machine import PlayedMachine
from kill_network import Network, ip

LIVE = "SELECT doc FROM attempts WHERE status = 'live' AND machine = (SELECT machine FROM machine_macs WHERE mac = ?)"
EVERY = "SELECT doc FROM attempts WHERE machine = (SELECT machine FROM machine_macs WHERE mac = ?) ORDER BY rowid"
EVENTS = "SELECT doc FROM events WHERE machine = (SELECT machine FROM machine_macs WHERE mac = ?) ORDER BY id"


class World:
    """One appliance with its network; machines come and go."""

    def __init__(self, directory: Path, image: Path) -> None:
        self.directory = directory
        self.network = Network()
        with self.network.inside():
            ip("link add br0 type bridge")
            ip("address add 10.77.0.1/24 dev br0")
            ip("link set br0 up")
        self.daemon = DaemonProcess(directory, self.network)
        self.daemon.start()
        self.machines: list[PlayedMachine] = []
        self._still: list[PlayedMachine] = []
        self.user = User(self.network, self.daemon.state, self._stand_still)
        self.add_image("demo", image.read_bytes())
        self._numbers = itertools.count(1)
        self._names = itertools.count(1)
        self._leased: dict[str, set[str]] = {}
        """Addresses of all machines that there ever were."""

    def add_image(self, name: str, content: bytes, kind: str = "raw") -> int:
        """An image of the catalogue; its id."""
        path = f"/images?name={name}&format={kind}"
        return int(self.user.call("POST", path, content, "application/octet-stream")["id"])

    def new_machine(self, firmware: str = "bios", *, disks: int = 1) -> PlayedMachine:
        """A machine that is off, with empty disks."""
        number = next(self._numbers)
        directory = self.directory / f"machine{number}"
        machine = PlayedMachine(directory, number, self.network, firmware, lambda: self.daemon.rests)
        self.machines.append(machine)
        for _ in range(disks):
            machine.add_disk()
        return machine

    def idle_machine(self, firmware: str = "bios", **options: Any) -> PlayedMachine:
        """A machine that waits in the maintenance stack and may be used."""
        machine = self.new_machine(firmware, **options)
        self.enlist(machine)
        return machine

    def enlist(self, machine: PlayedMachine) -> None:
        """Power on, wait for idle, switch maintenance off."""
        machine.power_on()
        self.reach(machine, "idle")
        self.user.patch(f"/machines/{self.id_of(machine)}", maintenance=False)

    def id_of(self, machine: PlayedMachine) -> str:
        """The appliance's id of the machine."""
        return str(self._record(machine)["id"])

    def state(self, machine: PlayedMachine) -> str:
        """The state that is stored; empty for one that nobody knows."""
        found = self.daemon.documents(MACHINE, machine.mac)
        return str(found[0]["state"]) if found else ""

    def _record(self, machine: PlayedMachine) -> Record:
        return self.daemon.documents(MACHINE, machine.mac)[0]

    def failure(self, machine: PlayedMachine) -> tuple[str, str]:
        """Code and reason of the machine's failure."""
        record = self._record(machine)
        return str(record["failed_code"]), str(record["failed_reason"])

    def live(self, machine: PlayedMachine) -> Record | None:
        """The attempt that is going on."""
        found = self.daemon.documents(LIVE, machine.mac)
        return found[0] if found else None

    def attempts(self, machine: PlayedMachine) -> list[Record]:
        """All attempts, oldest first."""
        return self.daemon.documents(EVERY, machine.mac)

    def events(self, machine: PlayedMachine, kind: str = "") -> list[Record]:
        """The timeline, oldest first."""
        return [event for event in self.daemon.documents(EVENTS, machine.mac) if kind in ("", event["kind"])]

    def deploy(self, machine: PlayedMachine, **options: Any) -> str:
        """Make a deployment for this machine and start it; its name."""
        name = self.create(machine, **options)
        self.user.act(name, "start")
        return name

    def create(self, machine: PlayedMachine, **options: Any) -> str:
        """Make a deployment; its name."""
        name = f"web-{next(self._names)}"
        body = {"name": name, "image": "demo", "machine": self.id_of(machine), **options}
        self.user.post("/deployments", **body)
        return name

    def active(self, machine: PlayedMachine, **options: Any) -> str:
        """A deployment that runs on the machine; its name."""
        name = self.deploy(machine, **options)
        self.reach(machine, "active")
        return name

    def reach(self, machine: PlayedMachine, *states: str, seconds: float = 60) -> str:
        """Let everything go on until the machine is in one of ``states``; which one."""

        def reached() -> str | None:
            self.tend()
            state = self.state(machine)
            return state if state in states else None

        return str(until(reached, lambda: f"not {states}\n{self.told(machine)}", seconds))

    def next_event(self, machine: PlayedMachine, kind: str, **detail: Any) -> Record:
        """Let everything go on until the timeline has one more event of this kind than now; that event."""
        before = len(self.events(machine, kind))

        def more() -> list[Record]:
            self.tend()
            return self.events(machine, kind)[before:]

        found: list[Record] = until(more, lambda: f"no {kind}\n{self.told(machine)}")
        return found[0]

    def moment(self, machine: PlayedMachine, right: Callable[[Record], bool]) -> Record:
        """Let everything go on until the live attempt is ``right``, and hold the daemon there.

        The attempt as it then is: nobody has heard of it, nor is anything kept that was reported after it.
        """

        def there() -> bool:
            attempt = self.live(machine)
            return attempt is not None and right(attempt)

        self.daemon.hold_when(there, self.tend, lambda: f"the moment never came\n{self.told(machine)}")
        attempt = self.live(machine)
        assert attempt is not None
        return attempt

    def lose_power(self, machine: PlayedMachine) -> None:
        """Off at the moment that ``moment`` holds, then on."""
        machine.power_cut()
        self.daemon.thaw()
        machine.power_on()

    def restart_daemon(self) -> None:
        """kill -9, and a new one on what the old one left."""
        self.daemon.kill()
        self._stand_still()
        self.daemon.start()

    def _stand_still(self) -> None:
        """No machine goes on before the next turn: what is wished now cannot be past when somebody waits for it."""
        self._still = [machine for machine in self.machines if machine.is_on]
        for machine in self._still:
            machine.hold()

    def tend(self) -> None:
        """One turn for every machine."""
        while self._still:
            self._still.pop().go_on()
        for machine in self.machines:
            machine.tend()

    def told(self, machine: PlayedMachine) -> str:
        """What is known about a machine, for a person."""
        lines = [f"{each['kind']}: {each['text']} ({each['reason']})" for each in self.events(machine)]
        log = self.daemon.log.read_text(errors="replace")[-1500:]
        doing = machine.screen.splitlines()[-8:]
        return "\n".join([f"{machine.mac} {machine.phase}", *lines[-30:], *doing, machine.console[-1500:], log])

    def check_rules(self, machine: PlayedMachine) -> None:
        """What holds after every story: no step done twice or out of turn, one address for each machine."""
        done = [(e["detail"]["attempt"], e["detail"]["step"]) for e in self.events(machine, "step.done")]
        assert len(done) == len(set(done)), done
        for attempt in self.attempts(machine):
            order = [step for which, step in done if which == attempt["id"]]
            assert order == attempt["steps"][: len(order)], (attempt, order)
        self._leased[machine.mac] = set(machine.leases)
        assert len(self._leased[machine.mac]) == 1, machine.leases
        held = [address for addresses in self._leased.values() for address in addresses]
        assert len(held) == len(set(held)), self._leased

    def clear(self) -> None:
        """No machine is left, the daemon runs."""
        for machine in self.machines:
            machine.close()
        self.daemon.thaw()
        self.daemon.start()

    def close(self) -> None:
        """End everything."""
        self.clear()
        self.daemon.stop()
        self.network.close()


MACHINE = "SELECT doc FROM machines WHERE id = (SELECT machine FROM machine_macs WHERE mac = ?)"


def compressed(image: Path) -> bytes:
    """The image as ``raw.zst``."""
    return subprocess.run(["zstd", "-q", "-c", str(image)], capture_output=True, check=True).stdout

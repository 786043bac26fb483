"""The checks in their order: observe, then judge. Findings come as soon as they are known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface

from appliance.probe.finding import Finding, Status
from appliance.probe.judge import names as judge_names
from appliance.probe.judge import neighbours, offers, path, servers, spanning_tree, transfers
from appliance.probe.kinds import BY_NAME, KINDS, Wants
from appliance.probe.observe import arp, link, web
from appliance.probe.observe import names as observe_names
from appliance.probe.observe import path as observe_path
from appliance.probe.observe import transfers as observe_transfers
from appliance.probe.observe.discover import ask_boot_server, listen, made_up_mac
from appliance.probe.observe.wire import Wire
from appliance.probe.observed import Bounce, Heard, Interface, Offer
from appliance.probe.recognise import appliance_of, base_url, offers_of

STACK_BYTES = 16 * 1024 * 1024
"""How much of a stack's file is fetched: enough for an estimate of the speed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asked for."""

    interface: Interface
    checks: frozenset[str]
    timeout: float
    """Seconds to listen."""
    server: str | None
    bounce: bool
    """Whether the link may be taken down."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known when the checks begin."""

    plan: Plan
    wire: Wire
    heard: Heard
    bounce: Bounce | None
    appliance: str | None

    @property
    def offers(self) -> list[Offer]:
        """What the appliance offered."""
        return offers_of(self.heard.offers, self.appliance)

    @property
    def addressed(self) -> list[Offer]:
        """Offers of an address: the appliance's, else, beside a proxy, those of whoever gives the addresses."""
        return [each for each in self.offers or self.heard.offers if each.address] or [
            each for each in self.heard.offers if each.address
        ]


class Examination:
    """One run. ``reachable`` tells afterwards whether any server answered, or nobody had to be asked."""

    def __init__(self, plan: Plan, tell: Callable[[str], None]) -> None:
        self._plan, self._tell = plan, tell
        self.reachable = not _asks(plan)

    def run(self) -> Iterator[Finding]:
        """All findings; raises OSError and ApplianceError where the interface itself is the trouble."""
        plan = self._plan
        bounce = self._bounced() if plan.bounce else None
        with Wire(plan.interface.name) as wire:
            heard = self._heard(wire)
            appliance = appliance_of(heard.offers, plan.server)
            self.reachable |= bool(heard.offers)
            scene = Scene(plan, wire, heard, bounce, appliance)
            for name, check in CHECKS.items():
                if name in plan.checks:
                    self._tell(f"checking {name}")
                    yield from self._noted(check(scene))

    def _noted(self, findings: Iterator[Finding]) -> Iterator[Finding]:
        """The same; a server that nobody offers may answer all the same."""
        for finding in findings:
            self.reachable |= _reached(finding)
            yield finding

    def _bounced(self) -> Bounce:
        self._tell("taking the link down and up, and waiting for the first DHCP answer (up to 70 s)")
        return link.bounce(self._plan.interface, made_up_mac())

    def _heard(self, wire: Wire) -> Heard:
        self._tell(f"listening on {self._plan.interface.name} for {self._plan.timeout:g} s")
        return listen(wire, KINDS if _asks(self._plan) else (), made_up_mac(), self._plan.timeout)


def _asks(plan: Plan) -> bool:
    """Whether any check needs offers."""
    return plan.checks != {spanning_tree.CHECK}


def _reached(finding: Finding) -> bool:
    """Whether it shows that a server answered, be it by a narrow path."""
    answered = finding.status in (Status.OK, Status.WARNING) or bool(finding.details.get("mtu"))
    return answered and finding.check != spanning_tree.CHECK


def _servers(scene: Scene) -> Iterator[Finding]:
    yield from servers.servers(scene.heard, scene.appliance, told=scene.plan.server is not None)
    source = _source(scene, scene.appliance) if scene.appliance else None
    if scene.appliance and source and scene.offers and not any(each.address for each in scene.offers):
        frame = (scene.offers[0].mac, scene.plan.interface.mac)
        answer = ask_boot_server(scene.wire, BY_NAME["bios"], frame, (scene.appliance, source))
        yield servers.boot_server(scene.appliance, answer)


def _offers(scene: Scene) -> Iterator[Finding]:
    if scene.appliance is None or not scene.offers:
        yield _unknown(offers.CHECK)
        return
    yield from offers.offers(scene.offers)


def _tftp(scene: Scene) -> Iterator[Finding]:
    files = {(each.tftp_server, each.boot_file): None for each in scene.offers if each.boot_file}
    wanted = [(server, name) for server, name in files if "://" not in name]
    if not wanted:
        yield _unknown(transfers.TFTP)
    for server, name in wanted:
        source = _source(scene, server)
        if source is None:
            yield _no_address(transfers.TFTP, scene)
            return
        seen = observe_transfers.transfer(server, name, source)
        yield transfers.transfer(seen)
        if seen.trouble in transfers.HOPELESS:
            return


def _http(scene: Scene) -> Iterator[Finding]:
    base = base_url(scene.offers) or (f"http://{scene.plan.server}" if scene.plan.server else None)
    urls = {each.boot_file: None for each in scene.offers if _loads_url(each)}
    if base is None and not urls:
        yield _unknown(transfers.HTTP)
        return
    source = _source(scene, scene.appliance or "")
    if source is None:
        yield _no_address(transfers.HTTP, scene)
        return
    for url in [*urls, *([f"{base}/boot/start.ipxe"] if base else [])]:
        yield transfers.fetch(web.fetch(url, source))
    if base:
        yield from _stack(base, source)


def _loads_url(offer: Offer) -> bool:
    """The script that iPXE is offered is left alone: asking for it counts as a boot of a machine."""
    return "://" in offer.boot_file and any(k.name == offer.kind and k.wants is Wants.URL for k in KINDS)


def _stack(base: str, source: str) -> Iterator[Finding]:
    paths = web.document(f"{base}/boot/stack.json", source)
    found = [value for name in ("vmlinuz", "initrd") if isinstance(value := paths.get(name), str)]
    if not found:
        yield Finding(transfers.HTTP, Status.SKIPPED, "the server does not tell where its maintenance stack is")
    for value in found:
        yield transfers.fetch(web.fetch(base + value, source, STACK_BYTES))


def _dns(scene: Scene) -> Iterator[Finding]:
    offering = scene.addressed
    offered = {server: None for each in offering for server in each.dns}
    if scene.appliance is None or not offered:
        text = "no DNS server is offered" if offering else "no offer tells of a DNS server"
        yield Finding(judge_names.CHECK, Status.SKIPPED, text)
        return
    for server in offered:
        source = _source(scene, server)
        if source is None:
            yield _no_address(judge_names.CHECK, scene)
            return
        answers = observe_names.ask(server, source, scene.appliance, offering[0].address)
        yield from judge_names.names(server, scene.appliance, answers)


def _mtu(scene: Scene) -> Iterator[Finding]:
    if scene.appliance is None:
        yield _unknown(path.CHECK)
        return
    source = _source(scene, scene.appliance)
    if source is None:
        yield _no_address(path.CHECK, scene)
        return
    yield path.path(observe_path.path_mtu(scene.appliance, source, scene.plan.interface.mtu))


def _stp(scene: Scene) -> Iterator[Finding]:
    yield from spanning_tree.spanning_tree(scene.heard, scene.bounce)


def _addresses(scene: Scene) -> Iterator[Finding]:
    mac = scene.plan.interface.mac
    if scene.appliance is None:
        yield _unknown(neighbours.CHECK)
    elif not _near(scene, scene.appliance):
        text = f"{scene.appliance} is on another network, where ARP does not reach"
        yield Finding(neighbours.CHECK, Status.SKIPPED, text)
    else:
        macs = arp.who_has(scene.wire, mac, scene.appliance)
        yield neighbours.holder(scene.appliance, macs, sorted({each.mac for each in scene.offers}))
    gateways = {router: None for each in scene.addressed for router in each.routers}
    if not gateways:
        yield neighbours.no_gateway()
    for gateway in gateways:
        yield neighbours.gateway(gateway, arp.who_has(scene.wire, mac, gateway))


CHECKS: dict[str, Callable[[Scene], Iterator[Finding]]] = {
    servers.CHECK: _servers,
    offers.CHECK: _offers,
    transfers.TFTP: _tftp,
    transfers.HTTP: _http,
    judge_names.CHECK: _dns,
    path.CHECK: _mtu,
    spanning_tree.CHECK: _stp,
    neighbours.CHECK: _addresses,
}
"""Name, and what it does; in the order in which they run."""


def _source(scene: Scene, server: str) -> str | None:
    try:
        return scene.plan.interface.source_for(server)
    except ValueError:
        return None


def _near(scene: Scene, address: str) -> bool:
    """Whether an address is on this network, as our own address or an offered one tells."""
    offered = [
        IPv4Interface(f"{each.address}/{each.mask}") for each in scene.heard.offers if each.address and each.mask
    ]
    return any(IPv4Interface(address) in each.network for each in (*scene.plan.interface.addresses, *offered))


def _unknown(check: str) -> Finding:
    hint = "See the check dhcp; --server ADDRESS names the appliance."
    return Finding(check, Status.SKIPPED, "nothing to look at: no offer of an appliance came", hint=hint)


def _no_address(check: str, scene: Scene) -> Finding:
    name = scene.plan.interface.name
    offered = next((each for each in scene.addressed if each.mask), None)
    example = f"{offered.address}/{_bits(offered)}" if offered else "ADDRESS/BITS"
    return Finding(
        check,
        Status.SKIPPED,
        f"{name} has no IPv4 address, and this needs one",
        "The probe takes none by itself: it would be one less for the machines.",
        f"Give it a free one of this network for the moment: ip address add {example} dev {name}",
    )


def _bits(offer: Offer) -> int:
    return IPv4Interface(f"{offer.address}/{offer.mask}").network.prefixlen

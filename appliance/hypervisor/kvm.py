"""A host reached through libvirt: ``qemu:///system``, ``qemu+ssh://root@host/system``; ``test:///default`` in tests."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from appliance.errors import ApplianceError
from appliance.hypervisor.capabilities_xml import abilities
from appliance.hypervisor.connection import Connection, Libvirt, library
from appliance.hypervisor.domain_reading import read
from appliance.hypervisor.domain_revision import revised
from appliance.hypervisor.domain_xml import BARE_TAG, NAMESPACE, Accel, definition
from appliance.hypervisor.driver import Hears
from appliance.hypervisor.kvm_consoles import KvmConsoles
from appliance.hypervisor.kvm_media import KvmMedia
from appliance.hypervisor.libvirt_words import NO_DOMAIN, STATES, WHY
from appliance.hypervisor.libvirt_xml import tree_of
from appliance.hypervisor.media_xml import gives_away, owners_kept
from appliance.hypervisor.screenshots import KvmScreenshots
from appliance.hypervisor.statistics import KvmStatistics
from appliance.vm import TRANSITIONS, Bus, Firmware, Order, Vm, VmId, VmState, is_to_be_done, wrong_state
from appliance.vm_check import check_id, checked
from appliance.vm_host import Change, Found, Host, Seen, agent_silent, check_unchanged, foreign, name_taken
from appliance.vm_usage import Usage

SECONDS = 15.0
"""For a call."""
SLOW: Mapping[Order, float] = {Order.START: 90.0, Order.OFF: 60.0, Order.ASK_AGENT: 30.0}
"""Seconds for those that take their time: libvirt gives a process half a minute to end."""
LOOK_AGAIN = 10.0
"""Seconds between questions whether the host is there, where nothing is heard from it."""
EVERYTHING = frozenset(Bus) - {Bus.NVME}
_Domain = Any
"""A ``libvirt.virDomain``."""


class KvmHost:
    """``owner`` is the appliance whose VMs are not foreign."""

    def __init__(self, address: str, owner: str) -> None:
        self._owner = owner
        self._connection = Connection(address)
        self._statistics = KvmStatistics(self._connection)
        self._screenshots = KvmScreenshots(self._connection)
        self.consoles = KvmConsoles(self._connection, self._own)
        self.media = KvmMedia(self._connection, self._own, self._store)

    async def look(self) -> Host:
        """What it says of itself."""
        return await self._connection.ask(_look, SECONDS)

    async def vms(self) -> tuple[Seen, ...]:
        """One question for all states, and two for each VM."""
        return await self._connection.ask(self._seen_all, SECONDS)

    async def read(self, key: VmId) -> Found:
        """Both of its definitions."""
        check_id(key)
        return await self._connection.ask(lambda on: self._read(on, key), SECONDS, key)

    async def define(self, vm: Vm, was: Vm | None = None) -> None:
        """Checked by libvirt against its schema, before it is stored."""
        new = checked(vm)
        await self._connection.ask(lambda on: self._define(on, new, was), SECONDS, new.name)

    async def order(self, key: VmId, order: Order) -> None:
        """Once; where it failed, but is as it was to be, it is done."""
        check_id(key)
        await self._connection.ask(lambda on: self._order(on, key, order), SLOW.get(order, SECONDS), key)

    async def undefine(self, key: VmId) -> None:
        """With all that libvirt keeps for it."""
        check_id(key)
        await self._connection.ask(lambda on: self._undefine(on, key), SECONDS, key)

    async def statistics(self) -> tuple[Usage, ...]:
        """Whatever can be told at once."""
        return await self._statistics.read()

    async def screenshot(self, key: VmId) -> bytes:
        """As its first screen is now."""
        return await self._screenshots.take(key)

    async def watch(self, hears: Hears) -> None:
        """Asks now and then whether the host is there, which also opens a lost connection anew."""
        self._connection.listen(hears)
        away: str | None = None
        try:
            while True:
                try:
                    await self._connection.ask(lambda on: on.getLibVersion(), SECONDS)
                    if away != "":
                        hears(Change(None, "the host answers"))
                    away = ""
                except ApplianceError as error:
                    if error.message != away:
                        hears(Change(None, error.message))
                    away = error.message
                await asyncio.sleep(LOOK_AGAIN if not away else LOOK_AGAIN / 5)
        finally:
            self._connection.deafen()

    async def close(self) -> None:
        """Its threads end by themselves."""
        await self._connection.close()

    def _seen_all(self, on: Libvirt) -> tuple[Seen, ...]:
        libvirt = library()
        fleeting = {each.UUIDString() for each in on.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT)}
        seen = []
        for domain, said in on.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0):
            with _unless_gone(libvirt):
                state = (said.get("state.state", 0), said.get("state.reason", 0))
                seen.append(self._seen(domain, state, domain.UUIDString() not in fleeting))
        return tuple(sorted(seen, key=lambda each: each.name))

    def _seen(self, domain: _Domain, state: tuple[int, int], stored: bool) -> Seen:
        _, most, _, cpus, _ = domain.info()
        return Seen(
            VmId(domain.UUIDString()),
            domain.name(),
            STATES.get(state[0], VmState.UNKNOWN),
            self._is_ours(domain),
            cpus,
            most << 10,
            WHY.get(state, ""),
            stored,
        )

    def _is_ours(self, domain: _Domain) -> bool:
        libvirt = library()
        try:
            tag = domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
                return False
            raise
        return tree_of(tag, BARE_TAG).get("owner") == self._owner

    def _own(self, on: Libvirt, key: VmId) -> _Domain:
        domain = on.lookupByUUIDString(key)
        if not self._is_ours(domain):
            raise foreign(domain.name())
        return domain

    def _read(self, on: Libvirt, key: VmId) -> Found:
        domain = on.lookupByUUIDString(key)
        kept, runs = bool(domain.isPersistent()), bool(domain.isActive())
        stored = read(domain.XMLDesc(library().VIR_DOMAIN_XML_INACTIVE)) if kept else None
        live = read(domain.XMLDesc(0)) if runs else None
        state, reason = domain.state()
        beyond = stored.beyond if stored else live.beyond if live else ()
        seen = self._seen(domain, (state, reason), kept)
        return Found(seen, stored.vm if stored else None, live.vm if live else None, beyond)

    def _define(self, on: Libvirt, vm: Vm, was: Vm | None) -> None:
        libvirt = library()
        there = _found(libvirt, lambda: on.lookupByUUIDString(vm.id))
        other = _found(libvirt, lambda: on.lookupByName(vm.name))
        if other is not None and other.UUIDString() != vm.id:
            raise name_taken(vm.name)
        if there is not None:
            self._redefine(on, self._own(on, vm.id), vm, was)
            return
        check_unchanged(vm.name, None, was)
        on.defineXMLFlags(_said(on, definition(vm, self._owner, _accel(on))), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)

    def _redefine(self, on: Libvirt, there: _Domain, vm: Vm, was: Vm | None) -> None:
        libvirt, name = library(), there.name()
        had = there.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        check_unchanged(name, read(had).vm, was)
        if name != vm.name and there.isActive():
            raise wrong_state("another name", _state(there), name, "switch it off first")
        wanted = revised(had, replace(vm, name=name), self._owner, _accel(on))
        there = on.defineXMLFlags(_said(on, wanted), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        if name != vm.name:
            there.rename(vm.name, 0)

    def _store(self, on: Libvirt, there: _Domain, vm: Vm) -> None:
        self._redefine(on, there, vm, None)

    def _order(self, on: Libvirt, key: VmId, order: Order) -> None:
        libvirt, domain = library(), self._own(on, key)
        name = domain.name()
        if not is_to_be_done(order, _state(domain), name):
            return
        try:
            _carry_out(on, domain, order, name)
        except libvirt.libvirtError:
            if _state(domain) not in TRANSITIONS[order].done:
                raise

    def _undefine(self, on: Libvirt, key: VmId) -> None:
        libvirt = library()
        if (domain := _found(libvirt, lambda: on.lookupByUUIDString(key))) is None:
            return
        self._own(on, key)
        if (state := _state(domain)) is not VmState.OFF:
            raise wrong_state("to delete it", state, domain.name(), "switch it off first")
        kinds = ("MANAGED_SAVE", "SNAPSHOTS_METADATA", "CHECKPOINTS_METADATA", "NVRAM", "TPM")
        flags = sum(getattr(libvirt, f"VIR_DOMAIN_UNDEFINE_{each}") for each in kinds)
        domain.undefineFlags(flags if _is_qemu(on) else 0)


def _said(on: Libvirt, text: str) -> str:
    return owners_kept(text) if gives_away(on.getURI()) else text


def _look(on: Libvirt) -> Host:
    _, memory, cpus, *_ = on.getInfo()
    number, accel = on.getLibVersion(), _accel(on)
    version = (number // 1_000_000, number // 1000 % 1000, number % 1000)
    kvm = accel is Accel.KVM
    if not _is_qemu(on):
        return Host(on.getHostname(), cpus, memory << 20, version, kvm, EVERYTHING, frozenset(Firmware), True)
    able = abilities(on.getDomainCapabilities(None, "x86_64", "q35", str(accel), 0))
    return Host(on.getHostname(), cpus, memory << 20, version, kvm, *able)


def _is_qemu(on: Libvirt) -> bool:
    """Only its driver knows the flags that are about firmware, and ways to shut down."""
    return bool(on.getType() == "QEMU")


def _accel(on: Libvirt) -> Accel:
    if not _is_qemu(on):
        return Accel.TEST
    libvirt = library()
    with contextlib.suppress(libvirt.libvirtError):
        on.getDomainCapabilities(None, "x86_64", "q35", str(Accel.KVM), 0)
        return Accel.KVM
    return Accel.QEMU


def _state(domain: _Domain) -> VmState:
    return STATES.get(domain.state()[0], VmState.UNKNOWN)


def _carry_out(on: Libvirt, domain: _Domain, order: Order, name: str) -> None:
    match order:
        case Order.START:
            domain.create()
        case Order.PAUSE:
            domain.suspend()
        case Order.RESUME:
            domain.pMWakeup(0) if _state(domain) is VmState.ASLEEP else domain.resume()
        case Order.RESET:
            domain.reset(0)
        case Order.OFF:
            domain.destroy()
        case Order.ASK_AGENT | Order.ASK_ACPI:
            _ask(on, domain, order, name)


def _ask(on: Libvirt, domain: _Domain, order: Order, name: str) -> None:
    libvirt = library()
    if not _is_qemu(on):
        if order is Order.ASK_AGENT:
            raise agent_silent(name)
        domain.shutdown()
        return
    agent = order is Order.ASK_AGENT
    domain.shutdownFlags(
        libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT if agent else libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
    )


def _found(libvirt: Any, look: Callable[[], _Domain]) -> _Domain | None:
    """None where there is no such VM."""
    try:
        return look()
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_DOMAIN:
            raise
        return None


@contextlib.contextmanager
def _unless_gone(libvirt: Any) -> Any:
    """For a list during which others delete what is in it."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_DOMAIN:
            raise

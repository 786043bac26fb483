"""Hosts of VMs under test, looked at and changed past their drivers: values, libvirt's driver for tests, a libvirtd."""

import contextlib
import functools
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import controllers
import libvirt

from appliance.hypervisor import event_thread
from appliance.hypervisor.domain_xml import Accel, definition
from appliance.hypervisor.kvm import KvmHost
from appliance.hypervisor.memory import Kept, Memory, MemoryHost
from appliance.vm import Order, Vm, VmId, VmState

OURS, THEIRS = "0123456789abcdef", "fedcba9876543210"
FOREIGN = Vm(VmId("11111111-2222-4333-8444-555555555555"), "theirs", memory=64 << 20)


class MemoryBench:
    """The fake."""

    shuts_down = True
    """Whether its VMs have a system that shuts down when it is asked to."""

    def __init__(self):
        self.now = 1000.0
        self.memory = Memory(lambda: self.now)
        self.disk = "/srv/disk.raw"

    def host(self):
        return MemoryHost(self.memory, OURS)

    def put_foreign(self):
        self.memory.kept[FOREIGN.id] = Kept(THEIRS, FOREIGN)

    def outside(self, order, key):
        """Somebody uses another program on the same host."""
        self.memory.put(key, VmState.RUNNING if order is Order.START else VmState.OFF)

    def delete_outside(self, key):
        del self.memory.kept[key]
        self.memory.tell(key, "undefined")

    def lose(self):
        self.memory.leave()

    def bring_back(self):
        self.memory.come_back()

    def close(self):
        pass


class LibvirtBench:
    """A libvirt that somebody else uses, too."""

    shuts_down, accel = True, Accel.TEST
    disk = "/srv/disk.raw"

    def __init__(self, address="test:///default"):
        self.address = address
        self.open()

    def open(self):
        event_thread.hold()
        self.other = libvirt.open(self.address)

    def let_go(self):
        self.other.close()
        event_thread.release()

    def host(self):
        return KvmHost(self.address, OURS)

    def put_foreign(self):
        self.other.defineXML(definition(FOREIGN, THEIRS, self.accel))

    def outside(self, order, key):
        vm = self.other.lookupByUUIDString(key)
        {Order.START: vm.create, Order.OFF: vm.destroy}[order]()

    def delete_outside(self, key):
        self.other.lookupByUUIDString(key).undefine()

    def close(self):
        self._delete_all()
        self.let_go()

    def _delete_all(self):
        """On its own, since a VM that somebody has in hand keeps its connection open."""
        for vm in self.other.listAllDomains():
            if vm.name() != "test":  # what libvirt's driver for tests begins with
                with contextlib.suppress(libvirt.libvirtError):
                    vm.destroy()
                vm.undefine()


class QemuBench(LibvirtBench):
    """A real libvirtd of an ordinary user, with real QEMU: that of root is the whole computer's."""

    shuts_down, accel = False, Accel.QEMU

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="qrm-vms-", dir="/tmp"))
        self.disk = str(self.directory / "disk.raw")
        Path(self.disk).write_bytes(bytes(1 << 20))
        self._environment = {**os.environ, "HOME": str(self.directory)}
        for name in ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME"):
            (self.directory / name).mkdir(mode=0o700)
            self._environment[f"XDG_{name}"] = str(self.directory / name)
        settings = self.directory / "CONFIG_HOME" / "libvirt"
        settings.mkdir()
        (settings / "qemu.conf").write_text('security_driver = "none"\n')  # no profile of the computer's
        self._argv = [shutil.which("libvirtd", path=f"{os.environ['PATH']}:/usr/sbin") or "libvirtd"]
        if os.geteuid() == 0:
            self._argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *self._argv]
            for place in (self.directory, *self.directory.rglob("*")):
                os.chown(place, 65534, 65534)
        self._socket = self.directory / "RUNTIME_DIR/libvirt/libvirt-sock"
        self.bring_back(opened=False)
        super().__init__(f"qemu:///session?socket={self._socket}")

    def lose(self):
        """Killed, as by the kernel; its VMs run on."""
        self.let_go()
        self._process.kill()
        self._process.wait()
        self._running.close()

    def bring_back(self, opened=True):
        address = f"qemu:///session?socket={self._socket}"
        virsh = ["virsh", "--quiet", "--connect", address]
        self._running = contextlib.ExitStack()
        ready = functools.partial(controllers.answers_virsh, virsh)
        running = controllers.running(self._argv, self.directory, ready, env=self._environment)
        self._process = self._running.enter_context(running)
        if opened:
            self.open()

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def close(self):
        super().close()
        self._running.close()
        end = time.monotonic() + 10
        while True:
            try:
                return shutil.rmtree(self.directory)
            except OSError:  # QEMU that ends just now wrote there once more
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

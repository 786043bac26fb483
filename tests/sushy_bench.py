"""The Redfish emulator of sushy-tools with one system: a ``BenchMachine``, or that of a ``LabButton``.

Arguments: its directory, a port.
"""

import ssl
import sys

from bench_machine import BenchMachine
from lab_button import LabButton
from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems import fakedriver

UUID = "27946b59-9e44-4fa7-8e91-f3527a1ef094"
DEVICES = {"Pxe": "pxe", "Hdd": "default"}


class BenchDriver(fakedriver.FakeDriver):
    """Everything but power and the next boot is the emulator's own."""

    machine = None

    def get_power_state(self, identity):
        return "On" if self.machine.is_on() else "Off"

    def set_power_state(self, identity, state):
        if state in ("ForceOff", "GracefulShutdown", "ForceRestart", "GracefulRestart"):
            self.machine.off()
        if state in ("On", "ForceOn", "ForceRestart", "GracefulRestart"):
            self.machine.on()

    def get_boot_device(self, identity):
        return "Pxe" if self.machine.boot.exists() else "Hdd"

    def set_boot_device(self, identity, boot_source):
        self.machine.boot.write_text(DEVICES[boot_source])


if __name__ == "__main__":
    BenchDriver.machine = LabButton(sys.argv[1]) if LabButton.is_in(sys.argv[1]) else BenchMachine(sys.argv[1])
    fakedriver.FakeDriver = BenchDriver
    main.app.configure(
        extra_config={
            "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_AUTH_FILE": "users",
            "SUSHY_EMULATOR_STATE_DIR": ".",
        }
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    main.app.run(host="127.0.0.1", port=int(sys.argv[2]), ssl_context=context)

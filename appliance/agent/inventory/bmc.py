"""The board management controller's own address, from ipmitool."""

from pathlib import Path

from ..commandline import mac_of
from ..run import run

DEVICES = (Path("/dev/ipmi0"), Path("/dev/ipmi/0"), Path("/dev/ipmidev/0"))


def read_bmc() -> dict[str, str] | None:
    """`bmc` of an inventory; None where there is no such controller. Raises ProgramFailed."""
    if not any(device.exists() for device in DEVICES):
        return None
    return parse_lan(run(["ipmitool", "lan", "print"], timeout=30))


def parse_lan(text: str) -> dict[str, str] | None:
    """Address and MAC from `ipmitool lan print` (pure); None when the controller has no address."""
    pairs = (line.partition(":") for line in text.splitlines())
    said = {key.strip(): value.strip() for key, _, value in pairs}
    mac = mac_of(said.get("MAC Address", ""))
    address = said.get("IP Address", "")
    return {"address": address, "mac": mac or ""} if address not in ("", "0.0.0.0") else None

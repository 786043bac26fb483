"""Agent control: the JSON that agents and residents send, and inventories with anything in them."""

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec

from appliance.errors import ApplianceError
from appliance.machine import meaningful_serial, meaningful_uuid, parse_mac
from appliance.netboot.control import (
    ActiveBody,
    MessagesBody,
    NeighboursBody,
    ObeyBody,
    RedeemBody,
    ReportBody,
    SystemMessagesBody,
)
from appliance.netboot.router import solicitor
from appliance.reconcile.inventory import checked
from tests.fuzz.mutation import Chance

BODIES = (RedeemBody, ReportBody, ActiveBody, ObeyBody, MessagesBody, NeighboursBody, SystemMessagesBody)
MAC = "52:54:00:00:00:01"
INVENTORY = {
    "firmware": "uefi",
    "secure_boot": None,
    "boot_mac": MAC,
    "system": {"manufacturer": "Acme", "product": "Box", "serial": "0", "uuid": "ffffffff-ffff-ffff-ffff-ffffffffffff"},
    "cpu": {"model": "x", "sockets": 1, "cores": 2, "threads": 4, "mhz": 1000, "flags": ["vmx"]},
    "memory": {"bytes": 1 << 34, "modules": [{"locator": "A1", "bytes": 1 << 34}]},
    "disks": [{"name": "sda", "serial": "S1", "bytes": 1 << 40, "content": {"empty": True, "fingerprint": ""}}],
    "nics": [{"name": "eth0", "mac": MAC, "addresses": ["10.77.0.50"], "link": True}],
}
SAID: tuple[dict[str, Any], ...] = (
    {"boot_token": "a" * 64, "machine_token": "b" * 64, "nonce": "c", "mac": MAC, "macs": [MAC], "uuid": None},
    {"attempt": "a", "step": "grow", "status": "running", "progress": 0.5, "message": "m", "result": {"size": 1}},
    {"boot_id": "1", "hostname": "web1", "host_keys": ["ssh-ed25519 AAAA"], "addresses": ["10.77.0.50"]},
    {"attempt": "a", "status": "done", "message": "m"},
    {"text": "[    0.000000] Linux\n", "boot_id": "1"},
    {"neighbours": [{"nic": MAC, "chassis": "00:1d:aa:00:00:01", "port": "Gi1/0/1", "system": "sw1", "vlan": 7}]},
    INVENTORY,
)


@dataclass
class ControlFuzz:
    """What stands between the bytes of a body and the fleet."""

    real: list[bytes] = field(default_factory=lambda: [json.dumps(each).encode() for each in SAID])

    def feed(self, data: bytes, chance: Chance) -> None:
        """One body arrives, taken for each kind."""
        solicitor(data)
        for kind in BODIES:
            try:
                body = msgspec.json.decode(data, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if isinstance(body, RedeemBody):
                _identity(body)
        try:
            checked(msgspec.json.decode(data, type=dict[str, Any]))
        except (msgspec.DecodeError, UnicodeDecodeError, ApplianceError):
            return


def _identity(body: RedeemBody) -> None:
    meaningful_uuid(body.uuid)
    meaningful_serial(body.nonce)
    for text in (body.mac, *body.macs):
        try:
            parse_mac(text)
        except ApplianceError:
            continue

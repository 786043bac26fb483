"""The lab's switch: a bridge in its own network namespace, one tap per network interface of a machine."""

from collections.abc import Iterable

from appliance.lab.plan import (
    APPLIANCE_ADDRESS,
    BRIDGE,
    BRIDGE_MAC,
    DESK_ADDRESS,
    MANAGEMENT_BRIDGE,
    PREFIX_LENGTH,
    VISITOR_ADDRESS,
    LabPlan,
    MachinePlan,
    Nic,
)
from appliance.lab.process import run


def switch_commands(machines: Iterable[MachinePlan], *, appliance_apart: bool = False) -> list[str]:
    """Lines for ``ip -batch`` that make the whole network.  Pure.

    Without spanning tree and forward delay a port forwards at once; firmware gives DHCP only a few seconds. A bridge
    without an address of its own takes that of a port, and changes it whenever ports come and go.
    """
    ours = VISITOR_ADDRESS if appliance_apart else APPLIANCE_ADDRESS
    desk = f"address add {DESK_ADDRESS}/{PREFIX_LENGTH} dev {MANAGEMENT_BRIDGE}"
    return [
        "link set lo up",
        *_bridge_commands(BRIDGE),
        f"address add {ours}/{PREFIX_LENGTH} dev {BRIDGE}",
        *([*_bridge_commands(MANAGEMENT_BRIDGE), desk] if appliance_apart else []),
        *(line for machine in machines for nic in machine.nics for line in _port_commands(nic)),
    ]


def _bridge_commands(name: str) -> list[str]:
    mac = f" address {BRIDGE_MAC}" if name == BRIDGE else ""
    return [f"link add {name}{mac} type bridge stp_state 0 forward_delay 0 mcast_snooping 0", f"link set {name} up"]


def _port_commands(nic: Nic) -> list[str]:
    plug = [f"link set {nic.tap} master {nic.bridge}"] if nic.connected else []
    return [f"tuntap add dev {nic.tap} mode tap", *plug, f"link set {nic.tap} up"]


async def build_switch(plan: LabPlan) -> None:
    """Make the network in the namespace this process is in; raises ``lab-command`` with what ``ip`` said."""
    batch = "\n".join(switch_commands(plan.machines, appliance_apart=plan.appliance_apart)) + "\n"
    (await run(["ip", "-batch", "-"], stdin=batch)).check("making the lab's network")

"""The lab's switch: a bridge in its own network namespace, one tap per network interface of a machine."""

from collections.abc import Iterable

from appliance.lab.plan import APPLIANCE_ADDRESS, BRIDGE, BRIDGE_MAC, PREFIX_LENGTH, MachinePlan, Nic
from appliance.lab.process import run


def switch_commands(machines: Iterable[MachinePlan]) -> list[str]:
    """Lines for ``ip -batch`` that make the whole network.  Pure.

    Without spanning tree and forward delay a port forwards at once; firmware gives DHCP only a few seconds. A bridge
    without an address of its own takes that of a port, and changes it whenever ports come and go.
    """
    return [
        "link set lo up",
        f"link add {BRIDGE} address {BRIDGE_MAC} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        f"address add {APPLIANCE_ADDRESS}/{PREFIX_LENGTH} dev {BRIDGE}",
        f"link set {BRIDGE} up",
        *(line for machine in machines for nic in machine.nics for line in _port_commands(nic)),
    ]


def _port_commands(nic: Nic) -> list[str]:
    plug = [f"link set {nic.tap} master {BRIDGE}"] if nic.connected else []
    return [f"tuntap add dev {nic.tap} mode tap", *plug, f"link set {nic.tap} up"]


async def build_switch(machines: Iterable[MachinePlan]) -> None:
    """Make the network in the namespace this process is in; raises ``lab-command`` with what ``ip`` said."""
    batch = "\n".join(switch_commands(machines)) + "\n"
    (await run(["ip", "-batch", "-"], stdin=batch)).check("making the lab's network")

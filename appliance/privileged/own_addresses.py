"""Whether machines are to reach volumes at an address of ours: that follows from what its network is for."""

import msgspec

from appliance.decoding import decoded
from appliance.errors import Conflict
from appliance.privileged.computer import Computer
from appliance.privileged.network_state import NetworkState


class _Address(msgspec.Struct):
    local: str = ""


class _Link(msgspec.Struct):
    ifname: str = ""
    addr_info: list[_Address] = []


async def check_served(on: Computer, address: str) -> None:
    """Raises Conflict ``address-not-served`` where it is none of ours, or one whose network is not for storage.

    Before anybody has said what the networks are for, each is good.
    """
    kept = NetworkState(on.roots)
    trial = kept.tried()
    layout = trial.layout if trial else kept.confirmed()
    links = decoded(await on.run(["ip", "-json", "-4", "address", "show"]), list[_Link])
    having = [each.ifname for each in links if any(of.local == address for of in each.addr_info)]
    if not having:
        raise _refused(f"{address} is no address of this appliance")
    if layout and not {each.name for each in layout.with_role("storage")} & set(having):
        raise _refused(f"{having[0]}, which has {address}, is not for storage")


def _refused(text: str) -> Conflict:
    hint = "name one of a network that is for storage: the page of the appliance's own networks says which"
    return Conflict("address-not-served", text, hint, "server")

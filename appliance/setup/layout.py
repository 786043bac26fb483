"""The networks of a set-up as the layout that the privileged helper puts on. Pure."""

from appliance.networking.layout import Interface, Layout, Method, Role
from appliance.setup.value import BY_DHCP, Management, SetUp


def layout(set_up: SetUp, present: Layout) -> Layout:
    """Every NIC of ``present`` with what set-up says of it, and nothing where it says nothing; interfaces are to be
    there by name already.

    Bonds, bridges and VLANs are left out: they are made afterwards, under Network.
    """
    nics = (each for each in present.interfaces if each.kind == "nic")
    return Layout(
        tuple(_interface(each, set_up) for each in nics),
        nat=set_up.provisioning is not None and set_up.provisioning.nat,
    )


def _interface(nic: Interface, set_up: SetUp) -> Interface:
    provisioning = set_up.provisioning
    roles: list[Role] = []
    if nic.name == set_up.management.nic:
        roles.append("management")
    if provisioning is not None and nic.name == provisioning.nic:
        roles += ["provisioning", "storage"]  # machines that boot there reach their volumes there
    if "management" in roles:
        return _addressed(nic, set_up.management, roles)
    if roles and provisioning is not None:
        return _addressed(nic, Management(nic.name, provisioning.address), roles)
    return Interface(nic.name, mac=nic.mac)


def _addressed(nic: Interface, where: Management, roles: list[Role]) -> Interface:
    method: Method = "dhcp" if where.address == BY_DHCP else "static"
    return Interface(
        nic.name,
        mac=nic.mac,
        method=method,
        addresses=(where.address,) if method == "static" else (),
        gateway=where.gateway,
        dns=where.dns,
        roles=tuple(roles),
    )

"""Layouts that tests begin with."""

from appliance.networking.layout import Interface, Layout

MAC = "52:54:00:00:00:0{}"


def nic(number=0, **values):
    return Interface(f"nic{number}", mac=MAC.format(number), **values)


MANAGEMENT = nic(0, method="static", addresses=("192.0.2.5/24",), gateway="192.0.2.1", dns=("192.0.2.53",),
                 roles=("management",))  # fmt: skip
PROVISIONING = nic(1, method="static", addresses=("10.77.0.1/24",), roles=("provisioning",))
TWO = Layout((MANAGEMENT, PROVISIONING))
DHCP = Layout((nic(0, method="dhcp", roles=("management",)), nic(1)))

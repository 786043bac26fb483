"""A VM's definition with the network first, and everything else as it was."""

from xml.etree import ElementTree

import pytest

from appliance.power.domain_xml import network_first
from appliance.power_switch import PowerError

LIST = "<domain><os><type>hvm</type>{boots}</os><devices><disk/><interface/></devices></domain>"
BESIDE = """<domain><os><type>hvm</type></os><devices>
<disk id='a'><boot order='1'/></disk><disk id='b'/><interface id='c'/><interface id='d'>{second}</interface>
<disk id='e'><boot order='3'/></disk></devices></domain>"""


def listed(definition):
    return [each.get("dev") for each in ElementTree.fromstring(definition).findall("./os/boot")]


def beside(definition):
    devices = ElementTree.fromstring(definition).findall("./devices/*[boot]")
    return [each.get("id") for each in sorted(devices, key=lambda each: int(each.find("boot").get("order")))]


@pytest.mark.parametrize(
    ("boots", "wanted"),
    [
        ("", ["network"]),
        ("<boot dev='hd'/>", ["network", "hd"]),
        ("<boot dev='hd'/><boot dev='network'/><boot dev='cdrom'/>", ["network", "hd", "cdrom"]),
    ],
)
def test_an_order_in_one_list(boots, wanted):
    assert listed(network_first(LIST.format(boots=boots))) == wanted


def test_an_order_beside_the_devices():
    assert beside(network_first(BESIDE.format(second=""))) == ["c", "d", "a", "e"]
    assert beside(network_first(BESIDE.format(second="<boot order='2'/>"))) == ["d", "a", "e"]
    assert listed(network_first(BESIDE.format(second=""))) == [], "libvirt takes one kind of order, not both"


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ("<domain><os/><devices><disk/></devices></domain>", "power-unsupported"),
        ("<domain", "power-failed"),
        ("", "power-failed"),
        ("<domain><devices><interface/></devices></domain>", "power-failed"),
    ],
)
def test_definitions_that_cannot_boot_from_the_network(definition, code):
    with pytest.raises(PowerError) as caught:
        network_first(definition)
    assert caught.value.code == code

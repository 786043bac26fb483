"""What an inventory suggests as a power switch, and what no agent may suggest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.power_found import proposed
from appliance.power_switch import PowerKind, PowerSettings


@pytest.mark.parametrize(
    ("bmc", "settings"),
    [
        ({"kind": "ipmi", "address": "10.0.0.9", "mac": "x"}, PowerSettings(PowerKind.IPMI, "10.0.0.9")),
        ({"kind": "redfish", "address": "10.0.0.9", "port": 8443}, PowerSettings(PowerKind.REDFISH, "10.0.0.9", 8443)),
        ({"kind": "redfish", "address": "2001:db8::7", "port": None}, PowerSettings(PowerKind.REDFISH, "2001:db8::7")),
        ({"address": "10.0.0.9"}, PowerSettings(PowerKind.IPMI, "10.0.0.9")),
        ({"kind": "ipmi", "address": "10.0.0.9", "port": 8443}, PowerSettings(PowerKind.IPMI, "10.0.0.9")),
    ],
)
def test_a_controller_is_suggested(bmc, settings):
    assert proposed({"bmc": bmc}) == settings


@pytest.mark.parametrize(
    "inventory",
    [
        None,
        {},
        {"bmc": None},
        {"bmc": "10.0.0.9"},
        {"bmc": {"kind": "ipmi", "address": ""}},
        {"bmc": {"kind": "ipmi", "address": 167772169}},
        {"bmc": {"kind": "ipmi", "address": "127.0.0.1"}},
        {"bmc": {"kind": "ipmi", "address": "169.254.0.17"}},
        {"bmc": {"kind": "ipmi", "address": "224.0.0.1"}},
        {"bmc": {"kind": "ipmi", "address": "appliance.lab.test"}},
        {"bmc": {"kind": "ipmi", "address": "-oProxyCommand=x"}},
        {"bmc": {"kind": "redfish", "address": "10.0.0.9", "port": 70000}},
    ],
)
def test_nothing_is_suggested(inventory):
    assert proposed(inventory) is None


def test_no_kind_that_runs_elsewhere_is_suggested():
    found = proposed({"bmc": {"kind": "libvirt", "address": "10.0.0.9"}})
    assert found == PowerSettings(PowerKind.IPMI, "10.0.0.9")


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["ipmi", "redfish", "10.0.0.9", "::1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "address", "port"]), inner),
)


@given(_anything)
def test_no_inventory_does_harm(bmc):
    found = proposed({"bmc": bmc})
    assert found is None or found.kind in (PowerKind.IPMI, PowerKind.REDFISH)

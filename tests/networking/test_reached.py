"""Which addresses the console's certificate is for."""

from appliance.networking.layout import Interface, Layout
from appliance.networking.reached import MOST, Held, families, managed_by, reached_by, sits_at_it, told

HELD = [
    Held("br0", "10.77.0.1"), Held("nic0", "192.0.2.5"), Held("nic0", "2001:db8::5"), Held("nic1", "198.51.100.1"),
    Held("lo", "10.0.0.1"),
]  # fmt: skip
LAYOUT = Layout(
    (
        Interface("nic0", method="dhcp", roles=("management",)),
        Interface("nic1", roles=("storage", "vms")),
        Interface("br0", kind="bridge", roles=("provisioning",)),
    )
)


def test_those_of_management_alone() -> None:
    """The firewall lets nobody to the console from elsewhere."""
    assert reached_by(HELD, LAYOUT, {4}) == ("192.0.2.5",)
    assert reached_by(reversed(HELD), LAYOUT, {4, 6}) == ("192.0.2.5", "2001:db8::5")
    assert reached_by(HELD, LAYOUT, ()) == ()


def test_every_one_where_no_network_is_known() -> None:
    assert len(reached_by(HELD, None, {4})) == 4
    assert len(reached_by(HELD, Layout((Interface("nic1", roles=("vms",)),)), {4})) == 4


def test_a_computer_with_very_many() -> None:
    assert len(reached_by([Held("a", f"10.1.{x}.1") for x in range(200)], None, {4})) == MOST


def test_where_all_addresses_are_listened_at() -> None:
    assert families(["0.0.0.0", "192.0.2.1"]) == {4}
    assert families(["::", "127.0.0.1"]) == {6}
    assert families(["192.0.2.1"]) == frozenset()


def test_where_a_layout_has_the_console() -> None:
    live = {"nic0": ["192.0.2.5/24"], "nic1": ["198.51.100.1/24"], "nic2": ["203.0.113.9/24"]}
    assert managed_by(LAYOUT, live) == ("192.0.2.5",)
    assert managed_by(LAYOUT, {}) == ()
    fixed = Interface("nic2", method="static", addresses=("203.0.113.1/24", "2001:db8::1/64"), roles=("management",))
    both = Layout((*LAYOUT.interfaces, fixed))
    assert managed_by(both, live) == ("192.0.2.5", "203.0.113.1", "2001:db8::1"), "not what is left of before"


def test_who_came_over_no_network() -> None:
    assert [sits_at_it(each) for each in ("", "127.0.0.1", "::1", "192.0.2.5", "fe80::1")] == [True] * 3 + [False] * 2


def test_what_is_told() -> None:
    assert told(("a",), ("a", "b", "c")) == "the console's certificate is for b, c from now on"
    assert told(("a", "b"), ("c",)) == "the console's certificate is for c from now on and not for a, b any more"

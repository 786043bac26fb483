"""What of a link that goes and comes is told, and when: cables are moved by hand, in a time of the test's own."""

from appliance.links import Link
from appliance.reconcile.link_news import SETTLE_SECONDS, START_SECONDS, Condition, LinkNews, reach

LATER = START_SECONDS
NIC = Link(2, "nic1", up=True, carrier=True, hardware=True)


def world(*links):
    return {each.index: each for each in links}


def nic(*, up=True, carrier=True):
    return world(Link(2, "nic1", up=up, carrier=up and carrier, hardware=True))


def texts(news, now):
    return [(each.text, each.reason) for each in news.settled(now)]


CUT = ("no link on nic1: no machine can boot over it", "plug the cable in, or switch the switch on")


def test_a_pulled_cable_is_told_once_and_that_it_is_back():
    news = LinkNews(["nic1"], 0.0)
    news.see(nic(), 1.0)
    assert news.due() is None
    news.see(nic(carrier=False), LATER)
    assert news.due() == LATER + SETTLE_SECONDS
    assert texts(news, LATER + SETTLE_SECONDS - 0.1) == []
    assert texts(news, LATER + SETTLE_SECONDS) == [CUT]
    assert news.due() is None
    news.see(nic(carrier=False), LATER + 50)
    assert texts(news, LATER + 60) == []
    news.see(nic(), LATER + 90)
    assert texts(news, LATER + 90) == []
    assert news.told["nic1"].condition is Condition.CUT
    assert texts(news, LATER + 92) == [("link on nic1 again", "it was without one for 90 s")]
    assert news.told["nic1"].condition is Condition.LINKED


def test_a_link_that_is_back_at_once_is_nothing():
    news = LinkNews(["nic1"], 0.0)
    news.see(nic(carrier=False), LATER)
    news.see(nic(), LATER + 1)
    assert news.due() is None
    news.see(nic(carrier=False), LATER + 2)
    assert news.due() == LATER + 2 + SETTLE_SECONDS, "it begins anew"
    assert texts(news, LATER + 3) == []


def test_a_start_without_a_link_is_told_but_not_while_both_ends_still_agree():
    news = LinkNews(["nic1"], 0.0)
    news.see(nic(carrier=False), 0.5)
    assert news.due() == START_SECONDS
    assert texts(news, START_SECONDS - 0.1) == []
    assert texts(news, START_SECONDS) == [CUT]
    news.see(nic(), START_SECONDS + 1)
    assert texts(news, START_SECONDS + 3) == [("link on nic1 again", "it was without one for 10 s")]


def test_a_link_that_comes_after_the_start_is_nothing_and_that_it_goes_then_is_told_soon():
    news = LinkNews(["nic1"], 0.0)
    news.see(nic(carrier=False), 0.5)
    news.see(nic(), 5.0)
    assert news.due() is None
    news.see(nic(carrier=False), 6.0)
    assert texts(news, 6.0 + SETTLE_SECONDS) == [CUT]


def test_how_a_link_is_lost_is_told_with_what_to_do():
    news = LinkNews(["nic1"], -100.0)
    news.see(nic(up=False), 0.0)
    off = "the interface nic1 is switched off: no machine can boot over it"
    assert texts(news, 2.0) == [(off, "switch it on: ip link set nic1 up")]
    news.see(world(), 3.0)
    ((text, hint),) = texts(news, 5.0)
    assert text == "the interface nic1 is gone: no machine can boot over it"
    assert "until it is back" in hint
    news.see(nic(carrier=False), 6.0)
    news.see(nic(), 7.0)
    assert texts(news, 8.0) == [("link on nic1 again", "it was without one for 6 s")]


def test_a_bridge_is_told_by_its_ports_that_end_in_a_cable():
    """The tap of a virtual machine keeps the bridge's own carrier, and brings nobody else to us."""
    bridge = Link(1, "br0", "bridge", up=True, carrier=True)
    tap = Link(3, "vnet0", "tun", up=True, carrier=True, master=1)
    port = Link(2, "nic1", up=True, carrier=False, master=1, hardware=True)
    news = LinkNews(["br0"], -100.0)
    news.see(world(bridge, tap, port), 0.0)
    assert [text for text, _ in texts(news, 2.0)] == ["no link on br0 (nic1): no machine can boot over it"]
    second = Link(4, "nic2", up=True, carrier=True, master=1, hardware=True)
    news.see(world(bridge, tap, port, second), 3.0)
    assert [text for text, _ in texts(news, 5.0)] == ["link on br0 (nic1, nic2) again"]


def test_a_bridge_of_virtual_machines_is_never_told_of():
    bridge = Link(1, "br0", "bridge", up=True, carrier=False)
    tap = Link(3, "vnet0", "tun", up=True, carrier=False, master=1)
    news = LinkNews(["br0"], -100.0)
    for now, links in enumerate([world(bridge), world(bridge, tap), world(bridge)]):
        news.see(links, now * 10.0)
        assert texts(news, now * 10.0 + 5) == []
    assert news.told["br0"].condition is Condition.UNSAID
    nic1 = Link(2, "nic1", up=True, carrier=True, master=1, hardware=True)
    news.see(world(bridge, nic1), 50.0)
    assert texts(news, 55.0) == [], "it was never told to be without"


def test_what_is_to_be_switched_on_is_named():
    port = Link(2, "nic1", hardware=True, master=1)
    for up, name in ((True, "nic1"), (False, "br0")):
        found = reach("br0", world(Link(1, "br0", "bridge", up=up), port))
        assert found.condition is Condition.OFF
        assert found.hint() == f"switch it on: ip link set {name} up"


def test_interfaces_wait_each_for_itself():
    news = LinkNews(["nic1", "nic2"], -100.0)
    both = world(Link(2, "nic1", up=True), Link(3, "nic2", up=True, carrier=True))
    news.see(both, 0.0)
    news.see(world(Link(2, "nic1", up=True), Link(3, "nic2", up=True)), 1.0)
    assert [each.interface for each in news.settled(2.0)] == ["nic1"]
    assert [each.interface for each in news.settled(3.0)] == ["nic2"]

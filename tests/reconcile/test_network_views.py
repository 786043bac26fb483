"""The names that DNS gives, as they are shown."""

from ipaddress import IPv4Address, IPv4Network

from appliance.netboot.dns.records import Text
from appliance.netboot.dns.zone import Zone
from appliance.reconcile.network_views import NetworkViews

ADDRESS = IPv4Address("10.77.0.50")


def given(views):
    return {each.name: each for each in views.names() if each.hidden_by is None}


def test_names_follow_the_zone_and_what_has_not_changed_is_not_made_again():
    zone = Zone("lab.test", [IPv4Network("10.77.0.0/24")], "appliance", [IPv4Address("10.77.0.1")], 60)
    views = NetworkViews(None, lambda: 10.0, [], [], zone)
    zone.publish("machine:m1", "node-1", ADDRESS, None, "machine")
    zone.publish("lease:br0/1", "laptop", ADDRESS, 100.0, "lease")
    zone.publish("lease:br0/2", "node-1", ADDRESS, 100.0, "lease")
    zone.publish("lease:br0/3", "gone", ADDRESS, 9.0, "lease")
    first = given(views)
    assert {name: each.owner for name, each in first.items()} == {
        "appliance.lab.test": "own",
        "laptop.lab.test": "lease",
        "node-1.lab.test": "machine",
    }
    zone.publish("lease:br0/1", "laptop", ADDRESS, 200.0, "lease")
    second = given(views)
    assert second["node-1.lab.test"] is first["node-1.lab.test"]
    assert second["laptop.lab.test"].until == 200.0
    zone.withdraw("lease:br0/1")
    assert "laptop.lab.test" not in {each.name for each in views.names()}


def test_a_name_that_somebody_else_has_says_whose_it_is():
    zone = Zone("lab.test", [IPv4Network("10.77.0.0/24")], "appliance", [IPv4Address("10.77.0.1")], 60)
    views = NetworkViews(None, lambda: 10.0, [], [], zone)
    zone.publish("lease:br0/2", "printer", ADDRESS, 100.0, "lease")
    zone.publish("machine:m1", "printer", ADDRESS + 1, None, "machine")
    assert [(each.of, each.hidden_by) for each in views.names() if each.name == "printer.lab.test"] == [
        ("m1", None),
        ("br0/2", "machine"),
    ]
    zone.publish_record("record:1", "printer", Text((b"on the second floor",)))
    hidden = {each.of: each.hidden_by for each in views.names() if each.name == "printer.lab.test"}
    assert hidden == {"1": None, "m1": "record", "br0/2": "record"}
    zone.withdraw("record:1")
    zone.withdraw("machine:m1")
    assert given(views)["printer.lab.test"].owner == "lease"

"""The names that DNS gives, as they are shown."""

from ipaddress import IPv4Address, IPv4Network

from appliance.netboot.dns.zone import Zone
from appliance.reconcile.network_views import NetworkViews

ADDRESS = IPv4Address("10.77.0.50")


def test_names_follow_the_zone_and_what_has_not_changed_is_not_made_again():
    zone = Zone("lab.test", [IPv4Network("10.77.0.0/24")], "appliance", [IPv4Address("10.77.0.1")], 60)
    views = NetworkViews(None, lambda: 10.0, [], [], zone)
    zone.publish("machine:m1", "node-1", ADDRESS, None, "machine")
    zone.publish("lease:br0/1", "laptop", ADDRESS, 100.0, "lease")
    zone.publish("lease:br0/2", "node-1", ADDRESS, 100.0, "lease")
    zone.publish("lease:br0/3", "gone", ADDRESS, 9.0, "lease")
    first = {each.name: each for each in views.names()}
    assert {name: each.owner for name, each in first.items()} == {
        "appliance.lab.test": "own",
        "laptop.lab.test": "lease",
        "node-1.lab.test": "machine",
    }
    zone.publish("lease:br0/1", "laptop", ADDRESS, 200.0, "lease")
    second = {each.name: each for each in views.names()}
    assert second["node-1.lab.test"] is first["node-1.lab.test"]
    assert second["laptop.lab.test"].until == 200.0
    zone.withdraw("lease:br0/1")
    assert "laptop.lab.test" not in {each.name for each in views.names()}

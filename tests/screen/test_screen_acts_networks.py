"""Networks that are tried at the screen, kept, and taken back, with a helper and without one."""

import time

from paper_network import PaperNetwork
from screen_acting import LAYOUT, MAC, Helper, Person
from screen_person import Person as AtKeys

from appliance.errors import Conflict
from appliance.networking.layout import Interface, Layout
from appliance.privileged.client import missing
from appliance.privileged.verbs import network
from appliance.screen import act, orders
from appliance.screen.orders import Failed, NetworkTried

FIXED = Layout((Interface("nic0", mac=MAC, method="static", addresses=("10.0.0.2/24",), roles=("management",)),))
STATUS = network.NetworkStatus(LAYOUT, None, None, ())
TRY = orders.TryNetwork(LAYOUT, FIXED, ("nic0: 10.0.0.2/24",))


async def test_settings_are_tried_and_told(tmp_path):
    person = Person(tmp_path, Helper(Status=STATUS, Apply=network.Trial(FIXED, 777.0)))
    assert await person.orders(TRY) == NetworkTried(777.0, TRY.told)
    assert person.acting.helper.asked[-1] == network.Apply(FIXED)


async def test_what_the_helper_refuses_is_told_with_its_field(tmp_path):
    refused = Conflict("network-same", "the network is like this already", "change something first", "method")
    person = Person(tmp_path, Helper(Status=STATUS, Apply=refused))
    assert await person.orders(TRY) == Failed("the network is like this already", "change something first", "method")


async def test_networks_that_somebody_else_has_changed_are_left_alone(tmp_path):
    """What was agreed to was said of those of before."""
    person = Person(tmp_path, Helper(Status=network.NetworkStatus(FIXED, None, None, ())))
    failed = await person.orders(TRY)
    assert isinstance(failed, Failed)
    assert "somebody has changed the networks meanwhile" in failed.message
    assert person.acting.helper.asked == [network.Status()]


async def test_what_was_agreed_to_is_agreed_to(tmp_path):
    person = Person(tmp_path, Helper(Status=STATUS, Apply=network.Trial(FIXED, 777.0)))
    await person.orders(orders.TryNetwork(LAYOUT, FIXED, (), unserve=True))
    assert person.acting.helper.asked[-1] == network.Apply(FIXED, unserve=True)


async def test_what_the_helper_alone_knows_of_stands_on_the_page_of_the_trial(tmp_path):
    """Where the configuration could not be read here: nobody is kept out for it."""

    class Knowing(Helper):
        async def call(self, verb, hears=None):
            if isinstance(verb, network.Apply) and not verb.unserve:
                raise Conflict("network-unserved", "machines on nic0 would not be served any more", "agree to that")
            return await super().call(verb, hears)

    person = Person(tmp_path, Knowing(Status=STATUS, Apply=network.Trial(FIXED, 777.0)))
    tried = await person.orders(TRY)
    assert tried == NetworkTried(777.0, (*TRY.told, "machines on nic0 would not be served any more"))


async def test_the_list_knows_what_is_served(tmp_path):
    person = Person(tmp_path, Helper(Status=STATUS))
    subnet = '[[subnet]]\ninterface = "nic0"\nranges = ["10.77.0.50-10.77.0.60"]\n'
    config = tmp_path / "appliance.toml"
    config.write_text(f"{config.read_text()}{subnet}")
    found = await person.orders(orders.LookAtNetwork())
    assert (found.layout, [each.interface for each in found.served]) == (LAYOUT, ["nic0"])
    config.write_text("broken")
    assert (await person.orders(orders.LookAtNetwork())).served == ()


class AtTheScreen:
    """The whole screen before a computer of paper on which nothing of the appliance runs: no daemon, and no helper."""

    def __init__(self, tmp_path, monkeypatch):
        monkeypatch.setattr(act, "running_as_root", lambda: True)
        self.net = PaperNetwork(tmp_path / "computer")
        self.there = AtKeys()
        gone = Helper(Status=missing(), Apply=missing(), Confirm=missing(), Revert=missing())
        self.acts = Person(tmp_path, gone)
        self.acts.acting.computer = self.net.computer

    async def obeys(self):
        """Carries out what was asked for."""
        self.there.hears(await self.acts.orders(self.there.order))

    async def tries(self):
        """From the front to a bridge around the first card, on trial."""
        await self.net.boot()
        self.there.presses("enter").chooses("Network settings")
        await self.obeys()
        self.there.sees("nic0 52:54:00:00:00:00").chooses("Make a bridge").presses("down").types("nic0")
        self.there.presses("down", "down", "enter").sees("br0 is made: a bridge of nic0").types("try").presses("enter")
        await self.obeys()
        self.there.sees("The new settings are in use", "br0 is made")
        assert "10-qrm-br0.netdev" in self.net.on
        assert self.net.timer, "it goes back by itself"


async def test_without_daemon_and_helper_a_bridge_is_made_and_kept(tmp_path, monkeypatch):
    screen = AtTheScreen(tmp_path, monkeypatch)
    await screen.tries()
    screen.there.types("keep").presses("enter")
    await screen.obeys()
    screen.there.sees("The new settings are kept.")
    assert screen.net.state.confirmed().named("br0").roles == ("management",)
    assert not screen.net.state.is_trying
    screen.there.presses("enter", "enter").chooses("Network settings")
    await screen.obeys()
    screen.there.sees("br0 bridge of nic0", "in br0")


async def test_without_daemon_and_helper_a_change_is_taken_back_by_hand_and_by_the_timer(tmp_path, monkeypatch):
    screen = AtTheScreen(tmp_path, monkeypatch)
    await screen.tries()
    screen.there.presses("esc")
    await screen.obeys()
    screen.there.sees("The settings of before are in force again.")
    assert "10-qrm-br0.netdev" not in screen.net.on
    screen.there.presses("esc")
    await screen.tries()
    await screen.net.elapse()
    screen.there.waits(61 + time.time() - screen.there.facts.at).sees("Nobody kept the new settings in time")
    assert "10-qrm-br0.netdev" not in screen.net.on
    assert screen.net.state.confirmed().named("br0") is None


async def test_a_network_that_cannot_be_put_on_leaves_the_form_and_goes_back(tmp_path, monkeypatch):
    screen = AtTheScreen(tmp_path, monkeypatch)
    await screen.net.boot()
    before = screen.net.files()
    screen.there.presses("enter").chooses("Network settings")
    await screen.obeys()
    screen.there.chooses("Make a bridge").presses("down").types("nic0").presses("down", "down", "enter")
    screen.net.fails |= {"networkctl reload", "systemctl restart systemd-networkd"}
    screen.there.types("try").presses("enter")
    await screen.obeys()
    screen.there.sees("Make a bridge", "Ports nic0", "! systemctl restart systemd-networkd.service: no")
    screen.net.fails.clear()
    await screen.net.elapse()
    assert screen.net.files() == screen.net.on == before


async def test_a_change_that_waits_for_somebody_comes_first(tmp_path):
    changed = Layout((Interface("nic0", mac=MAC, method="static", addresses=("10.0.0.2/24",), roles=("management",)),))
    status = network.NetworkStatus(LAYOUT, network.Trial(changed, 777.0), None, ())
    tried = await Person(tmp_path, Helper(Status=status)).orders(orders.LookAtNetwork())
    assert isinstance(tried, NetworkTried)
    assert "10.0.0.2/24" in tried.told[0]

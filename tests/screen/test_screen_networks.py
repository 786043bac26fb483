"""Conversations about the networks: what stands there, what is asked for, what it means, and the trial."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from screen_person import MACS, NIC0, NIC1, NOW, SPARE, Person, networks

from appliance.networking.edit import replace
from appliance.networking.layout import MODE_WORDS, ROLE_WORDS, Interface, Layout
from appliance.privileged.verbs.network import Seen
from appliance.screen.network_change import TRY_WORD
from appliance.screen.orders import (
    Failed,
    Finished,
    KeepNetwork,
    LookAtDisks,
    LookAtNetwork,
    LookAtUsers,
    LookForBackups,
    NetworkSeen,
    NetworkTried,
    ReadLog,
    RevertNetwork,
    TryNetwork,
)
from appliance.screen.pages import Confirm, Form, Front, Menu
from appliance.screen.text import Size

BOND = Interface("bond0", "bond", ports=("nic2", "nic3"), mode="802.3ad")
BRIDGE = Interface("br0", "bridge", ports=("nic0",), method="static", addresses=("192.168.1.60/24",),
                   gateway="192.168.1.1", dns=("192.168.1.1",), roles=("management",))  # fmt: skip
BARE0 = Interface("nic0", mac=MACS[0])
VLAN = Interface("nic1.20", "vlan", parent="nic1", tag=20)
LOOKS = (LookAtNetwork, LookAtUsers, LookForBackups, LookAtDisks, ReadLog)
GRAND = (NIC0, NIC1, *SPARE, BOND, VLAN)


def looking(*interfaces, size=None, warnings=(), **more):
    """Somebody who has the list before them."""
    person = Person(size, warnings=warnings).presses("enter").chooses("Network settings")
    assert person.order == LookAtNetwork()
    return person.hears(networks(*interfaces, **more))


def opens(name, *interfaces, **more):
    """Somebody who has the page of this interface before them."""
    person = looking(*interfaces, **more)
    place = next(place for place, each in enumerate(person.ui.top.items) if each.label.startswith(f"{name} "))
    return person.presses(*["down"] * place, "enter")


def fills(person, **values):
    """Go to each line of the form, put this there, and press the button."""
    for name, value in values.items():
        shown = [each.name for each in person.ui.top.shown()]
        while person.ui.top.at != shown.index(name):
            person.presses("down")
        field = person.ui.top.shown()[person.ui.top.at]
        if not field.choices:
            person.presses("ctrl-u").types(value)
            continue
        for _ in field.choices:
            if person.ui.top.values()[name] != value:
                person.presses("right")
        assert person.ui.top.values()[name] == value, f"{name} cannot be {value}"
    while person.ui.top.at != len(person.ui.top.shown()):
        person.presses("down")
    return person.presses("enter")


def agrees(person, word=TRY_WORD):
    """The layout that is tried once the word is typed."""
    assert isinstance(person.ui.top, Confirm), person.text
    assert person.orders == []
    order = person.presses("enter").sees("Nothing was done").types(word).presses("enter").order
    assert isinstance(order, TryNetwork)
    return order.after


def at(person):
    """The field of the form that somebody is led to."""
    return person.ui.top.shown()[person.ui.top.at].name


# -- the list, and each of them


def test_all_interfaces_stand_in_columns():
    person = looking(*GRAND, replace(BRIDGE, ports=("bond0",), method="none", addresses=(), gateway="", dns=(),
                                     roles=("vms",)))  # fmt: skip
    assert [line.text.rstrip() for line in person.lines] == [
        " qrm appliance rack7                                    0.1.0  slot A  12:00:00",
        "",
        " Network settings",
        "",
        " Choose an interface to see all of it, and to change it. A change is tried for",
        " a minute: unless it is kept in that time, the network of before comes back by",
        " itself.",
        "",
        " > 1  How the console is reached · address, gateway, DNS",
        "   2  nic0     52:54:00:00:00:00   1 Gbit/s  192.168.1.50/24 DHCP  management",
        "   3  nic1     52:54:00:00:00:01   1 Gbit/s  10.77.0.1/24          provisioning",
        "   4  nic2     52:54:00:00:00:02   1 Gbit/s  in bond0",
        "   5  nic3     52:54:00:00:00:03   no cable  in bond0",
        "   6  bond0    bond of nic2, nic3  cable     in br0",
        "   7  nic1.20  VLAN 20 on nic1     cable     none",
        "   8  br0      bridge of bond0     cable     none                  vms",
        "   9  Make a bond · several cables to one network, for when one fails",
        "      Make a VLAN · one of several networks on the same cable",
        "      Make a bridge · connects interfaces and virtual machines like a switch",
        "      NAT for machines of provisioning networks · off",
        "",
        "",
        "",
        " Up, Down: move   Enter: choose   Esc: back",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nic0", "NIC 52:54:00:00:00:00, driver igb. Its cable is connected at 1 Gbit/s. Addresses: address from DHCP; "
                 "it has 192.168.1.50/24. For management: console, API and SSH are reached here."),
        ("nic1", "Addresses: 10.77.0.1/24. It carries nic1.20. For provisioning: machines boot here."),
        ("nic3", "NIC 52:54:00:00:00:03, driver igb. It has no cable. It is in bond0, which has the addresses."),
        ("bond0", "Bond of nic2, nic3, mode 802.3ad. Its cable is connected. Addresses: no address."),
        ("nic1.20", "VLAN 20 on nic1."),
    ],
)  # fmt: skip
def test_the_page_of_an_interface_has_all_of_it(name, said):
    assert opens(name, *GRAND).sees(said).ui.top.title == name


def test_a_card_is_known_by_its_address_whatever_it_is_called():
    found = networks()
    renamed = tuple(replace(each, name=f"en{each.name}") for each in found.seen)
    person = Person().presses("enter").chooses("Network settings").hears(NetworkSeen(found.layout, renamed))
    person.sees("nic0 52:54:00:00:00:00 1 Gbit/s 192.168.1.50/24 DHCP")


def test_a_card_that_is_gone_or_new_is_told():
    strange = Seen("eth0", "52:54:00:99:99:99", True, False, 0, "igb", ())
    person = Person().presses("enter").chooses("Network settings")
    person.orders.clear()
    person.hears(NetworkSeen(Layout((NIC0,)), (strange,))).sees("nic0 52:54:00:00:00:00 not there none yet, DHCP")
    person.sees("eth0 52:54:00:99:99:99 no cable new").chooses("eth0").sees("at its next start")
    assert person.orders == []


def test_many_interfaces_and_a_small_terminal():
    crowd = tuple(Interface(f"nic{number}", mac=f"52:54:00:00:01:{number:02x}") for number in range(60))
    person = looking(NIC0, *crowd[1:], size=Size(40, 12)).presses("up").sees("> NAT for machines")
    person.presses("down").chooses("Make a bridge")
    while person.ui.top.at != len(person.ui.top.shown()):
        person.sees(f"> {person.ui.top.shown()[person.ui.top.at].label}").presses("down")
    person.sees("> [ See what it means ]")


def test_however_much_there_is_to_say_what_can_be_done_is_in_sight():
    many = tuple(f"10.{number}.0.1/24" for number in range(40))
    person = opens("nic2", NIC0, NIC1, replace(SPARE[0], method="static", addresses=many), size=Size(40, 12))
    person.sees("nic2", "NIC 52:54:00:00:00:02", "> 1 Change it")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["up", "down", "down", "left", "right", "enter", "enter", "enter", "esc", *"nic0 1/"])),
    st.sampled_from([Size(), Size(40, 12), Size(60, 15, ascii_only=True)]),
)
def test_whatever_keys_are_pressed_every_page_fits_and_nothing_is_kept(keys, size):
    person = looking(*GRAND, size=size, served=("nic1",))
    for key in keys:
        assert person.presses(key).lines
        for order in person.orders:
            assert isinstance(order, LOOKS), "all else takes a word"
            person.hears(networks(*GRAND))
        person.orders.clear()
        if isinstance(person.ui.top, Front):
            person = looking(*GRAND, size=size)


# -- addresses and roles


def test_a_fixed_address_with_gateway_and_name_servers():
    person = opens("nic0").presses("enter")
    fills(person, method="static", addresses="192.168.1.60/24, 2001:db8::5/64", gateway="192.168.1.1",
          dns="9.9.9.9, 192.168.1.1")  # fmt: skip
    person.sees("nic0: 192.168.1.60/24 and 2001:db8::5/64, gateway 192.168.1.1, DNS 9.9.9.9, 192.168.1.1, instead of")
    person.sees("The console is then at 192.168.1.60 and 2001:db8::5.", "It is tried for 60 seconds", "Type try")
    wanted = replace(NIC0, method="static", addresses=("192.168.1.60/24", "2001:db8::5/64"), gateway="192.168.1.1",
                     dns=("9.9.9.9", "192.168.1.1"))  # fmt: skip
    assert agrees(person) == Layout((wanted, NIC1, *SPARE))


def test_an_address_from_dhcp_and_back_to_none():
    person = fills(opens("nic1").presses("enter"), method="dhcp")
    assert agrees(person).named("nic1") == Interface("nic1", mac=MACS[1], method="dhcp", roles=("provisioning",))
    person = fills(opens("nic1").presses("enter"), method="none", provisioning="no")
    person.sees("nic1: no address, instead of 10.77.0.1/24", "nic1 is for nothing, and was for provisioning")
    assert agrees(person).named("nic1") == Interface("nic1", mac=MACS[1])


def test_roles_say_what_they_mean_and_each_can_be_given():
    person = opens("nic2").presses("enter")
    fills(person, method="static", addresses="10.9.0.1/24", **dict.fromkeys(ROLE_WORDS, "yes"))
    person.presses("esc").sees(*(f"yes: {words}" for words in ROLE_WORDS.values())).presses("enter")
    assert agrees(person).named("nic2").roles == tuple(ROLE_WORDS)


def test_what_is_in_force_stands_in_the_form():
    person = opens("br0", BARE0, BRIDGE).presses("enter")
    person.sees("192.168.1.60/24", "Gateway 192.168.1.1", "DNS servers 192.168.1.1", "< yes: console")
    fills(person).sees("the network is like this already")
    assert person.orders == []


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"addresses": ""}, "addresses", "nic0 has no address"),
        ({"addresses": "192.168.1.60"}, "addresses", "has no prefix"),
        ({"addresses": "192.168.1.300/24"}, "addresses", "is no address with a prefix"),
        ({"addresses": "192.168.1.255/24"}, "addresses", "no address of a computer"),
        ({"addresses": "10.77.0.9/24"}, "addresses", "overlap"),
        ({"addresses": "192.168.1.60/24", "gateway": "192.168.2.1"}, "gateway", "cannot be the gateway"),
        ({"addresses": "192.168.1.60/24", "gateway": "gw"}, "gateway", "'gw' is no address"),
        ({"addresses": "192.168.1.60/24", "dns": "9.9.9.9 dns"}, "dns", "'dns' is no address"),
        ({"addresses": "192.168.1.60/24", "management": "no"}, "management", "nobody could reach the console"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(typed, field, said):
    person = fills(opens("nic0").presses("enter"), method="static", **typed).sees(said)
    assert person.orders == []
    assert (at(person), isinstance(person.ui.top, Form)) == (field, True)


def test_nobody_takes_the_last_way_to_the_console_away():
    person = fills(opens("nic0").presses("enter"), method="none")
    person.sees("nobody could reach the console", "give the role management to an interface")
    assert person.orders == []


def test_a_card_in_a_bridge_is_changed_there():
    person = opens("nic0", BARE0, BRIDGE).presses("enter")
    person.sees("This cannot be chosen: it is in br0, which has the addresses: change that")


# -- bonds, VLANs, bridges


def test_a_bond_takes_over_what_its_cards_have():
    person = looking().chooses("Make a bond").sees("there are: nic0, nic1, nic2, nic3", "any switch will do")
    fills(person, ports="nic0 nic2", mode="802.3ad").sees("bond0 is made: a bond (802.3ad) of nic0, nic2; address from")
    person.sees("nic0: no address, instead of address from DHCP", "The console is then at an address from DHCP")
    made = Interface("bond0", "bond", ports=("nic0", "nic2"), mode="802.3ad", method="dhcp", roles=("management",))
    assert agrees(person) == Layout((BARE0, NIC1, *SPARE, made))


def test_what_a_new_bridge_is_to_have_can_be_said():
    person = looking().chooses("Make a bridge")
    fills(person, ports="nic1", method="static", addresses="10.5.0.1/16", provisioning="yes", vms="yes")
    made = agrees(person).named("br0")
    assert made == Interface("br0", "bridge", ports=("nic1",), method="static", addresses=("10.5.0.1/16",),
                             roles=("provisioning", "vms"))  # fmt: skip


def test_a_new_bridge_without_anything_takes_nothing_over():
    person = fills(looking().chooses("Make a bridge"), ports="nic1", method="none")
    after = agrees(person.sees("br0 is made: a bridge of nic1; no address"))
    assert after.named("br0") == Interface("br0", "bridge", ports=("nic1",))
    assert after.named("nic1") == Interface("nic1", mac=MACS[1])


def test_what_was_said_and_is_out_of_sight_again_does_not_count():
    person = looking().chooses("Make a bridge")
    fills(person, ports="nic1", method="static", addresses="10.5.0.1/16", vms="yes").presses("esc")
    while person.ui.top.shown()[min(person.ui.top.at, len(person.ui.top.shown()) - 1)].name != "method":
        person.presses("up")
    made = agrees(fills(person, method="ports")).named("br0")
    assert (made.addresses, made.roles) == (("10.77.0.1/24",), ("provisioning",))


def test_a_vlan_is_called_after_what_carries_it():
    person = fills(looking().chooses("Make a VLAN"), parent="nic1", tag="20", method="static",
                   addresses="10.20.0.1/24", storage="yes")  # fmt: skip
    person.sees("nic1.20 is made: the VLAN 20 on nic1; 10.20.0.1/24; for storage")
    made = replace(VLAN, method="static", addresses=("10.20.0.1/24",), roles=("storage",))
    assert agrees(person) == Layout((NIC0, NIC1, *SPARE, made))
    named = fills(looking().chooses("Make a VLAN"), name="backup", parent="nic1", tag="20")
    assert agrees(named).named("backup") == replace(VLAN, name="backup")


def test_names_that_are_taken_are_not_offered():
    person = looking(*GRAND).chooses("Make a bond")
    assert person.ui.top.values()["name"] == "bond1"
    fills(person, name="bond0", ports="nic0").sees("there is an interface bond0 already")
    assert at(person) == "name"


@pytest.mark.parametrize(
    ("kind", "typed", "field", "said"),
    [
        ("bond", {}, "ports", "has no port"),
        ("bond", {"ports": "nic0 eth9"}, "ports", "'eth9' cannot be a port of bond0"),
        ("bond", {"ports": "nic0 nic0"}, "ports", "is a port twice"),
        ("bond", {"name": "Bond 0", "ports": "nic0"}, "name", "is no name of an interface"),
        ("VLAN", {"tag": ""}, "tag", "the tag is missing"),
        ("VLAN", {"tag": "abc"}, "tag", "abc is no tag of a VLAN"),
        ("VLAN", {"tag": "4095"}, "tag", "4095 is no tag of a VLAN"),
        ("VLAN", {"tag": "٢٠"}, "tag", "is no tag of a VLAN"),
        ("bridge", {"name": "lo"}, "name", "is no name of an interface"),
        ("bridge", {"ports": "nic0", "method": "none"}, "management", "nobody could reach the console"),
    ],
)
def test_what_cannot_be_made_says_where(kind, typed, field, said):
    person = fills(looking().chooses(f"Make a {kind}"), **typed).sees(said)
    assert person.orders == []
    assert at(person) == field


def test_a_bond_gets_another_card_and_mode():
    person = opens("bond0", NIC0, NIC1, *SPARE, replace(BOND, ports=("nic2",))).presses("enter")
    person.sees("there are: nic0, nic1, nic2, nic3", "< 802.3ad (LACP)")
    fills(person, ports="nic2 nic3", mode="active-backup").sees("bond0 becomes a bond (active-backup) of nic2, nic3")
    assert agrees(person).named("bond0") == replace(BOND, mode="active-backup")


def test_a_bond_in_a_bridge_keeps_to_its_own_lines():
    bare = replace(BRIDGE, ports=("bond0",), method="none", addresses=(), gateway="", dns=(), roles=())
    person = opens("bond0", NIC0, NIC1, *SPARE, BOND, bare).presses("enter")
    person.sees("It is in br0, which has the addresses.").sees_no("Address/prefix", "Management")
    assert agrees(fills(person, ports="nic2")).named("bond0") == replace(BOND, ports=("nic2",))


def test_a_vlan_moves_to_another_tag():
    person = fills(opens("nic1.20", *GRAND).presses("enter"), tag="30")
    assert agrees(person.sees("nic1.20 becomes the VLAN 30 on nic1")).named("nic1.20").tag == 30


def test_a_bridge_is_taken_away_and_its_card_gets_what_it_had():
    person = opens("br0", BARE0, BRIDGE).chooses("Take br0 away")
    person.sees("br0 is taken away", "nic0: 192.168.1.60/24, gateway 192.168.1.1, DNS 192.168.1.1, instead of no")
    (after,) = agrees(person).interfaces
    assert (after.name, after.addresses, after.roles) == ("nic0", ("192.168.1.60/24",), ("management",))


def test_a_vlan_that_the_console_is_reached_over_stays():
    vlan = replace(VLAN, parent="nic0", method="dhcp", roles=("management",))
    person = opens("nic1.20", BARE0, vlan).chooses("Take nic1.20 away")
    person.sees("nobody could reach the console").presses("enter")
    assert (person.orders, person.ui.top.title) == ([], "nic1.20")


def test_nat_is_switched():
    person = looking().chooses("NAT").sees("reach everything else through the appliance (NAT)")
    assert agrees(person) == Layout((NIC0, NIC1, *SPARE), nat=True)
    person = looking(nat=True).sees("networks · on").chooses("NAT")
    assert agrees(person) == Layout((NIC0, NIC1, *SPARE))
    looking(NIC0).chooses("NAT").sees("there is none", "switch it off")


# -- what it means


def test_machines_that_would_not_be_served_take_a_word_of_their_own():
    person = opens("nic1", served=("nic1",)).presses("enter")
    fills(person, provisioning="no", method="none").sees("machines on nic1 are not served any more", "Type not served")
    person.types("try").presses("enter").sees("Nothing was done")
    assert person.orders == []
    order = person.types("not served").presses("enter").order
    assert (order.unserve, order.before) == (True, networks().layout)
    assert "machines on nic1 are not served any more" in order.told[-1]


def test_all_of_a_long_answer_can_be_read_where_there_is_little_room():
    person = looking(size=Size(60, 12)).chooses("Make a bridge")
    fills(person, ports="nic0 nic1 nic2").sees("Down: more", "br0 is made", "Type try", "> _")
    seen = person.text
    for _ in range(9):
        seen += person.presses("down").text
    for line in ("nic0: no address", "nic1 is for nothing", "The console is then at", "It is tried for 60 seconds"):
        assert line in seen
    person.presses("pgup", "pgup").sees("br0 is made").types("try").sees("> try_")


def test_a_form_on_a_small_terminal_keeps_the_line_and_its_error_in_sight():
    person = looking(size=Size(80, 12), warnings=("The state partition is full.",)).chooses("Make a bond")
    fills(person, ports="nic0 eth9", method="static", addresses="10.5.0.1/24")
    person.sees("> Ports", "eth9_", "'eth9' cannot be a port of bond0", "a bond takes nic")
    while person.ui.top.at != len(person.ui.top.shown()):
        person.sees(f"> {person.ui.top.shown()[person.ui.top.at].label}").presses("down")


def test_every_choice_of_a_form_is_read_to_its_end_on_80_columns():
    person = looking().chooses("Make a bond").presses("down", "down")
    for words in MODE_WORDS.values():
        person.sees(f"< {words} >").presses("right")


# -- how the console is reached


def test_the_console_over_another_card():
    person = looking().presses("1").sees("nic0, 52:54:00:00:00:00, cable, 192.168.1.50/24", "from DHCP")
    fills(person.sees_no("Gateway"), interface="nic2").sees("nic2 is for management", "nic0 is for nothing")
    after = agrees(person)
    assert (after.named("nic2").method, after.named("nic2").roles, after.named("nic0").roles) == (
        "dhcp", ("management",), (),
    )  # fmt: skip


def test_the_console_at_a_fixed_address():
    person = fills(looking().presses("1"), method="static", addresses="192.168.1.60/24", gateway="192.168.1.1")
    after = agrees(person.sees("The console is then at 192.168.1.60."))
    assert after.named("nic0") == replace(NIC0, method="static", addresses=("192.168.1.60/24",), gateway="192.168.1.1")


def test_the_console_over_a_bridge_stays_there():
    person = looking(BARE0, BRIDGE).presses("1").sees("br0, bridge of nic0, cable", "192.168.1.60/24")
    after = agrees(fills(person, method="dhcp"))
    assert after.named("br0") == Interface("br0", "bridge", ports=("nic0",), method="dhcp", roles=("management",))
    assert after.named("nic0") == BARE0, "the card stays a port"


def test_the_console_on_a_vlan_is_not_moved_off_it():
    vlan = replace(VLAN, parent="nic0", method="static", addresses=("10.3.0.2/24",), roles=("management",))
    person = looking(BARE0, vlan).presses("1").sees("nic1.20, VLAN 20 on nic0")
    assert agrees(fills(person, addresses="10.3.0.3/24")).named("nic1.20") == replace(vlan, addresses=("10.3.0.3/24",))


def test_the_card_with_an_address_is_shown_where_any_is_for_management():
    both = (replace(SPARE[1], method="dhcp", roles=("management",)), NIC0)
    assert looking(*both).presses("1").ui.top.values()["interface"] == "nic0"


def test_without_any_card_there_is_nothing_to_choose():
    person = Person().presses("enter").chooses("Network settings")
    person.orders.clear()
    fills(person.hears(NetworkSeen(Layout())).presses("1")).sees("there is no network card")
    assert person.orders == []


# -- the trial


def tried():
    person = fills(looking().presses("1"), method="static", addresses="192.168.1.60/24")
    agrees(person)
    return person.hears(NetworkTried(NOW + 60, ("nic0: 192.168.1.60/24, instead of address from DHCP",)))


def test_new_settings_are_kept_by_a_word_only():
    person = tried().sees("In 60 s the settings of before come back", "nic0: 192.168.1.60/24")
    person.presses("enter", " ", "k", "enter").types("kee").presses("enter").waits(30).sees("In 30 s")
    assert person.orders == []
    assert person.types("keep").presses("enter").order == KeepNetwork()
    person.hears(Finished(("The settings are kept.",))).sees("The settings are kept.").waits(60).sees("are kept")


@pytest.mark.parametrize("key", ["esc", "ctrl-c"])
def test_new_settings_are_taken_back_at_once(key):
    assert tried().presses(key).order == RevertNetwork()


def test_new_settings_that_nobody_keeps_go_by_themselves():
    person = tried().goes_away().sees("The new settings are in use").waits(60)
    person.sees("Nobody kept the new settings in time").presses("enter")
    assert person.ui.top == Front()
    assert person.orders == []


def test_settings_that_the_helper_refuses_can_be_corrected():
    person = fills(opens("nic0").presses("enter"), method="static", addresses="192.168.1.60/24")
    agrees(person)
    person.hears(Failed("192.168.1.60/24 is taken", "use another", "addresses")).sees("is taken; use another")
    assert at(person) == "addresses"
    assert agrees(fills(person, addresses="192.168.1.61/24")).named("nic0").addresses == ("192.168.1.61/24",)


def test_what_cannot_be_taken_away_just_now_says_so():
    person = opens("br0", BARE0, BRIDGE).chooses("Take br0 away")
    agrees(person)
    person.hears(Failed("somebody has changed the networks meanwhile", "look at them again")).sees("meanwhile")
    assert isinstance(person.presses("enter").ui.top, Menu)

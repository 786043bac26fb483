"""Changes of the network that are tried, kept and taken back; and cut off between any two operations on the disk."""

import os

import pytest
from paper_network import CONFIGURATION, FIRST, FIXED, MACS, NOW, STATIC, PaperNetwork

from appliance.config import parse
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.networking.edit import replace, with_interface, without_interface
from appliance.networking.layout import Interface, Layout
from appliance.networking.render import PREFIX, render
from appliance.privileged import durable, network
from appliance.privileged.verbs.network import Trial
from appliance.privileged.verbs.services import DAEMON

BRIDGED = with_interface(FIRST, Interface("br0", "bridge", ports=("nic1",)))
OTHER = "52:54:00:00:00:07"
SERVED = Layout((STATIC, Interface("nic1", mac=MACS[1], method="static", addresses=("10.77.0.1/24",),
                                   roles=("provisioning",))))  # fmt: skip


@pytest.fixture
async def net(tmp_path):
    made = PaperNetwork(tmp_path)
    await made.boot()
    return made


async def test_the_first_start_asks_for_an_address_on_every_nic_and_names_them_by_slot(tmp_path):
    net = PaperNetwork(tmp_path, ("enp9s0", "eth0"))
    assert await net.boot() == FIRST
    assert net.links == {"nic0": MACS[0], "nic1": MACS[1]}
    assert net.on == render(FIRST)
    net.programs.ran.clear()
    assert await net.boot() == FIRST
    assert not any("name" in argv for argv in net.programs.ran), "the names are right already"


async def test_names_that_are_swapped_are_put_right(net):
    net.links = {"nic1": MACS[0], "nic0": MACS[1]}
    await net.boot()
    assert net.links == {"nic0": MACS[0], "nic1": MACS[1]}


async def test_a_change_is_on_at_once_and_the_timer_runs_before_it_is(net):
    trial = await net.apply(FIXED)
    assert (trial.layout, trial.until) == (FIXED, NOW + 60)
    assert (net.on, net.timer) == (render(FIXED), True)
    lines = [" ".join(argv) for argv in net.programs.ran]
    assert lines.index(f"systemctl restart {network.TIMER}") < lines.index("networkctl reload")
    status = await net.status()
    assert (status.layout, status.trial, status.reverted) == (FIRST, trial, None)
    assert [(each.name, each.mac, each.link, each.addresses) for each in status.seen] == [
        ("nic0", MACS[0], True, ("192.0.2.5/24",)), ("nic1", MACS[1], True, ("192.0.2.5/24",)),
    ]  # fmt: skip


async def test_a_taking_back_that_is_still_tried_again_is_not_of_the_next_change(net):
    await net.apply(FIXED)
    await net.elapse()
    net.programs.ran.clear()
    await net.apply(FIXED)
    lines = [" ".join(argv) for argv in net.programs.ran]
    assert lines.index(f"systemctl stop {network.REVERTING}") < lines.index(f"systemctl restart {network.TIMER}")


async def test_what_is_confirmed_lasts(net):
    await net.apply(FIXED)
    await net.confirm()
    assert not net.timer
    assert not await net.elapse()
    assert await net.boot() == FIXED
    assert net.on == render(FIXED)
    with pytest.raises(Conflict, match="no change"):
        await net.confirm()


async def test_what_nobody_confirms_is_taken_back_by_the_timer_alone(net):
    """A process of its own: neither daemon nor helper is asked."""
    await net.apply(FIXED)
    assert await net.elapse()
    assert net.on == net.files() == render(FIRST)
    status = await net.status()
    assert (status.layout, status.trial) == (FIRST, None)
    assert (status.reverted.layout, status.reverted.at, status.reverted.why) == (FIXED, NOW + 60, network.NOT_CONFIRMED)
    with pytest.raises(Conflict):
        await net.confirm()
    await net.apply(FIXED)
    assert (await net.status()).reverted is None, "that was another change"


async def test_a_restart_in_between_takes_it_back(net):
    await net.apply(FIXED)
    assert await net.boot() == FIRST
    assert net.on == render(FIRST)
    assert (await net.status()).reverted.why == network.RESTARTED


async def test_it_is_taken_back_by_hand(net):
    await net.apply(FIXED)
    await net.revert()
    assert net.on == render(FIRST)
    with pytest.raises(Conflict):
        await net.revert()


async def test_bonds_and_bridges_that_go_or_change_are_deleted_in_the_kernel(net):
    await net.apply(BRIDGED)
    await net.confirm()
    assert "br0" in net.links
    await net.apply(without_interface(BRIDGED, "br0"))
    assert "br0" not in net.links
    await net.elapse()
    assert "br0" in net.links
    assert net.on == render(BRIDGED)


@pytest.mark.parametrize("program", ["nft", "systemctl restart systemd-networkd"])
async def test_what_networkd_or_the_firewall_do_not_take_is_taken_back_at_once(net, program):
    await net.apply(BRIDGED)
    await net.confirm()
    net.fails = {program}
    change = without_interface(BRIDGED, "br0") if "restart" in program else with_interface(BRIDGED, STATIC)
    with pytest.raises(ApplianceError):
        await net.apply(change)
    assert net.files() == render(BRIDGED)
    status = await net.status()
    assert status.trial is None
    assert "could not be put on" in status.reverted.why
    net.fails = set()
    await net.apply(change)


async def test_a_networkd_that_does_not_reload_is_restarted(net):
    net.fails = {"networkctl"}
    await net.apply(FIXED)
    assert net.on == render(FIXED)


async def test_a_networkd_that_cannot_be_told_is_told_until_it_hears(net):
    """What the timer starts fails then, and systemd starts it again; the change is not forgotten before."""
    await net.apply(FIXED)
    net.fails = {"networkctl", "systemctl restart systemd-networkd"}
    with pytest.raises(ApplianceError):
        await net.elapse()
    assert net.state.is_trying
    net.fails = {"nft"}
    assert await net.elapse()
    assert net.on == render(FIRST)
    assert not net.state.is_trying


async def test_one_change_at_a_time(net):
    await net.apply(FIXED)
    with pytest.raises(Conflict) as caught:
        await net.apply(BRIDGED)
    assert caught.value.code == "network-trying"
    with net.state.alone(), pytest.raises(Conflict) as caught:
        await net.confirm()
    assert caught.value.code == "network-busy"


async def test_what_is_refused_changes_nothing(net):
    before = net.files()
    for layout, code in (
        (FIRST, "network-same"),
        (Layout(), "network-unreachable"),
        (replace(FIRST, interfaces=(*FIRST.interfaces, Interface("../x", "bridge"))), "network-invalid"),
        (replace(FIRST, interfaces=(*FIRST.interfaces, Interface("nic7", mac="52:54:00:00:00:77"))), "network-invalid"),
        (with_interface(FIRST, replace(STATIC, mac="52:54:00:00:00:77")), "network-invalid"),
    ):
        with pytest.raises((Invalid, Conflict)) as caught:
            await net.apply(layout)
        assert caught.value.code == code
    assert (net.files(), net.timer, net.state.is_trying) == (before, False, False)


async def test_files_of_others_are_left_alone(net):
    theirs = net.roots.state / "etc" / "systemd" / "network" / "50-mine.network"
    theirs.write_text("[Match]\nName=usb0\n")
    await net.apply(FIXED)
    await net.elapse()
    await net.boot()
    assert theirs.exists()


async def test_the_subnets_follow_into_a_bridge_and_back_out_and_the_daemon_starts_again(net):
    await net.apply(SERVED)
    await net.confirm()
    assert net.restarts == [DAEMON]
    place = net.configure()
    bridged = with_interface(SERVED, Interface("br0", "bridge", ports=("nic1",)))
    await net.apply(bridged)
    assert place.read_text() == CONFIGURATION, "not before it is confirmed"
    await net.confirm()
    assert place.read_text() == CONFIGURATION.replace('"nic1"', '"br0"')
    assert net.restarts == [DAEMON] * 2
    await net.apply(without_interface(bridged, "br0"))
    await net.confirm()
    assert place.read_text() == CONFIGURATION
    await net.apply(with_interface(SERVED, replace(STATIC, addresses=("192.0.2.6/24",))))
    await net.confirm()
    assert net.restarts == [DAEMON] * 3, "nothing that it serves has changed"


ELSEWHERE = with_interface(SERVED, replace(SERVED.interfaces[1], addresses=("10.88.0.1/24",)))
TAGGED = Interface("nic0.7", "vlan", parent="nic0", tag=7, method="static", addresses=("10.77.0.1/24",),
                   roles=("provisioning",))  # fmt: skip
ENDS = {
    "another network": (SERVED, ELSEWHERE, "is outside 10.88.0.0/24"),
    "no address": (SERVED, with_interface(SERVED, Interface("nic1", mac=MACS[1])), "no IPv4 address"),
    "an address of DHCP": (
        SERVED, with_interface(SERVED, replace(SERVED.interfaces[1], method="dhcp", addresses=())), "nobody can tell",
    ),
    "another role": (SERVED, with_interface(SERVED, replace(SERVED.interfaces[1], roles=("storage",))), "firewall"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
async def test_a_change_after_which_machines_are_not_served_is_agreed_to_first(net, name):
    before, after, why = ENDS[name]
    net.state.finish(before)
    net.addresses["nic1"] = "10.77.0.1"
    place = net.configure()
    with pytest.raises(Conflict) as caught:
        await net.apply(after)
    assert caught.value.code == "network-unserved"
    assert why in caught.value.message
    assert not net.state.is_trying
    await net.apply(after, unserve=True)
    await net.confirm()
    assert net.state.confirmed() == after
    assert parse(place.read_text(), "").subnet[0].interface == "nic1", "the file stays, and the daemon sets it aside"


async def test_a_vlan_that_is_served_is_not_taken_away_unsaid(net):
    tagged = with_interface(FIXED, TAGGED)
    net.state.finish(tagged)
    text = net.configure(CONFIGURATION.replace('"nic1"', '"nic0.7"')).read_text()
    with pytest.raises(Conflict, match=r"no such interface as nic0\.7"):
        await net.apply(without_interface(tagged, "nic0.7"))
    await net.apply(without_interface(tagged, "nic0.7"), unserve=True)
    await net.confirm()
    assert net.configure(text).read_text() == text


async def test_two_that_are_served_and_come_into_one_leave_a_file_that_the_daemon_takes(net):
    both = with_interface(with_interface(SERVED, TAGGED), replace(TAGGED, addresses=("10.78.0.1/24",)))
    net.state.finish(both)
    place = net.configure(CONFIGURATION + '[[subnet]]\ninterface = "nic0.7"\n')
    merged = with_interface(both, Interface("br0", "bridge", ports=("nic1", "nic0.7")))
    with pytest.raises(Conflict, match=r"nic0\.7"):
        await net.apply(merged)
    await net.apply(merged, unserve=True)
    await net.confirm()
    assert [each.interface for each in parse(place.read_text(), "").subnet] == ["br0", "nic0.7"]


async def test_what_the_daemon_would_not_take_is_never_written(net):
    """Names that stand twice: of a change that an older version put on trial."""
    net.state.finish(SERVED)
    text = CONFIGURATION + '[[subnet]]\ninterface = "nic0"\n'
    place = net.configure(text)
    net.state.begin(Trial(BRIDGED, NOW), {"nic0": "br0", "nic1": "br0"})
    await net.confirm()
    assert place.read_text() == text
    assert net.state.unfinished() is None


async def test_a_daemon_that_read_tried_addresses_reads_them_again(net):
    """It may have been restarted in that minute; where nothing that is served differs it is left alone."""
    net.state.finish(SERVED)
    net.configure()
    await net.apply(ELSEWHERE, unserve=True)
    await net.elapse()
    assert net.restarts == [DAEMON]
    await net.apply(with_interface(SERVED, replace(STATIC, addresses=("192.0.2.6/24",))))
    await net.revert()
    assert net.restarts == [DAEMON]


async def test_a_start_that_takes_back_late_tells_networkd(net):
    """It failed before, and networkd went on without it: with the files of the trial."""
    net.state.finish(SERVED)
    net.state.write_files(SERVED)
    bridged = with_interface(SERVED, Interface("br0", "bridge", ports=("nic1",)))
    await net.apply(bridged)
    net.networkd = True
    await network.settle(net.computer, clock=lambda: NOW)
    assert net.on == render(SERVED)
    assert "br0" not in net.links


async def test_a_state_that_cannot_be_read_is_said_and_a_trial_that_cannot_goes(net):
    (net.roots.state / "etc/qrm/network.pending").write_text("half of a fi")
    assert await net.boot() == FIRST
    assert not net.state.is_trying
    (net.roots.state / "etc/qrm/network.json").write_text("half of a fi")
    with pytest.raises(ApplianceError) as caught:
        await net.status()
    assert caught.value.code == "network-unreadable"


# -- power that fails


class PowerCutError(BaseException):
    """Nothing runs any more."""


OPERATIONS = ("open", "fchmod", "fchown", "fsync", "replace", "unlink", "mkdir")


class Cut:
    """Once it is begun, lets so many operations on the disk and calls of programs happen, then none."""

    def __init__(self, net, patched, after):
        self.left, self.begun = after, False
        for name in OPERATIONS:
            # Nothing is lost here by not being on the disk yet: a real disk is in the tests inside a guest.
            real = (lambda descriptor: None) if name == "fsync" else getattr(os, name)
            patched.setattr(durable.os, name, self.counting(real))
        before = net.programs.answers[""]
        net.programs.answers[""] = lambda argv: self.step() or before(argv)

    def step(self):
        if not self.begun:
            return
        if self.left <= 0:
            raise PowerCutError
        self.left -= 1

    def counting(self, real):
        def call(*args, **kwargs):
            self.step()
            return real(*args, **kwargs)

        return call


async def tell(net, steps, change, cut):
    """Runs the steps, the last of which is cut; the steps that came to their end."""
    done = []
    try:
        for step in steps:
            cut.begun = step == steps[-1]
            await (net.apply(change) if step == "apply" else getattr(net, step)())
            done.append(step)
    except PowerCutError:
        return done
    finally:
        cut.begun = False
    return done


STORIES = (("apply",), ("apply", "confirm"), ("apply", "elapse"), ("apply", "revert"), ("apply", "boot"))
GATE = {("apply confirm", "elapse"), ("apply", "boot"), ("apply elapse", "boot")}
CASES = [
    pytest.param(
        steps, then, marks=() if (" ".join(steps), then) in GATE else pytest.mark.slow, id=f"{steps[-1]}-{then}"
    )
    for steps in STORIES
    for then in ("boot", "elapse")
]


@pytest.mark.parametrize(("steps", "then"), CASES)
async def test_cut_off_between_any_two_operations_the_network_is_one_or_the_other(tmp_path, steps, then):
    """Power fails and comes back; or helper and daemon are killed, and the timer fires."""
    bridged = with_interface(SERVED, Interface("br0", "bridge", ports=("nic1",)))
    after, whole = 0, False
    while not whole:
        with pytest.MonkeyPatch.context() as patched:
            net = PaperNetwork(tmp_path / f"{after}")
            cut = Cut(net, patched, after)
            net.state.write_files(SERVED)
            net.state.finish(SERVED)
            net.reads()
            place = net.configure()
            done = await tell(net, steps, bridged, cut)
            whole = done == list(steps)
            if then == "boot" or steps[-1] == "boot":
                await net.boot()
            else:
                # What the timer starts is started again by systemd when it is killed (Restart=on-failure).
                comes = net.timer or steps[-1] == "elapse"
                assert comes or not net.state.is_trying, "a change is on and nothing takes it back"
                if comes:
                    await net.elapse()
            follows(net, place, done, bridged)
        after += 1
    assert after > 10, "it was cut often"


def follows(net, place, done, change):
    """All that is kept says the same, and what was promised holds."""
    layout = net.state.confirmed()
    assert layout in (SERVED, change)
    if "confirm" in done:
        assert layout == change, "it was confirmed"
    if "elapse" in done or "revert" in done:
        assert layout == SERVED
    assert not net.state.is_trying
    assert net.state.unfinished() is None
    assert net.files() == render(layout) == net.on
    assert ('"br0"' in place.read_text()) == (layout == change)
    assert all(name.startswith(PREFIX) for name in net.files())


async def test_a_card_that_comes_where_there_was_none_is_what_it_had_been_at_the_start(tmp_path):
    net = PaperNetwork(tmp_path, ())
    assert await net.boot() == Layout()
    net.plug("enp9s0", MACS[0])
    first = Layout(FIRST.interfaces[:1])
    assert (await net.admit()).nics == first.interfaces
    assert net.links == {"nic0": MACS[0]}
    assert net.on == render(first)
    rules = (net.roots.run / "appliance" / "firewall.nft").read_text()
    assert "nic0" in rules, "it was shut to everybody"
    assert (await net.status()).layout == first
    net.programs.ran.clear()
    assert (await net.admit()).nics == ()
    assert not any("reload" in argv or "nft" in argv for argv in net.programs.ran)


async def test_a_card_that_comes_beside_others_is_for_nothing_and_leaves_them_alone(net):
    await net.apply(FIXED)
    await net.confirm()
    net.programs.ran.clear()
    net.plug("eth0", OTHER)
    added = Interface("nic2", mac=OTHER)
    assert (await net.admit()).nics == (added,)
    after = replace(FIXED, interfaces=(*FIXED.interfaces, added))
    assert (await net.status()).layout == after
    assert net.on == render(after)
    renamed = [argv for argv in net.programs.ran if argv[:3] == ["ip", "link", "set"]]
    assert {argv[4] for argv in renamed} == {"eth0", "pinning0"}
    assert net.restarts == [], "nothing that machines boot from has changed"


async def test_a_card_that_comes_while_a_change_is_tried_waits_for_its_end(net):
    await net.apply(FIXED)
    net.plug("eth0", OTHER)
    with pytest.raises(Conflict) as caught:
        await net.admit()
    assert caught.value.code == "network-trying"
    assert net.on == render(FIXED)
    await net.revert()
    assert [each.name for each in (await net.admit()).nics] == ["nic2"]


async def test_a_card_whose_admission_is_cut_off_is_admitted_by_the_next(net):
    net.plug("eth0", OTHER)
    net.fails = {"networkctl reload", "systemctl restart systemd-networkd"}
    with pytest.raises(ApplianceError):
        await net.admit()
    net.fails = set()
    assert [each.name for each in (await net.admit()).nics] == ["nic2"]

"""The areas configuration and firewall: what is written where, and what is refused."""

import stat

import pytest
from paper_computer import computer, quiet

from appliance.errors import Invalid
from appliance.networking.layout import Interface, Layout
from appliance.privileged import configuration, durable, firewall
from appliance.privileged.network_state import NetworkState
from appliance.privileged.verbs.configuration import HostName, Read, TimeServers, TimeZone, Write
from appliance.privileged.verbs.firewall import Renew

GOOD = '[site]\ndomain = "lab.test"\n[web]\nlisten = ["0.0.0.0:9443"]\n'


@pytest.fixture
def on(tmp_path):
    made, programs = computer(tmp_path, {"": ""})
    programs_of[made.roots] = programs
    zones = made.roots.share / "zoneinfo" / "Europe"
    zones.mkdir(parents=True)
    (zones / "Berlin").write_text("TZif")
    return made


programs_of = {}


async def test_a_configuration_is_written_whole_and_for_the_daemon_to_read(on):
    await configuration.write(Write(GOOD), on, quiet)
    place = on.roots.state / "etc" / "qrm" / "appliance.toml"
    assert place.read_text() == GOOD
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert (await configuration.read(Read(), on, quiet)).text == GOOD
    assert list(place.parent.glob(".*")) == []


@pytest.mark.parametrize("text", ["nonsense", "[site]\nunknown = 1\n", '[site]\nstate_dir = "here"\n', "[x]\n"])
async def test_a_configuration_that_the_daemon_would_refuse_is_not_written(on, text):
    await configuration.write(Write(GOOD), on, quiet)
    with pytest.raises(Invalid) as caught:
        await configuration.write(Write(text), on, quiet)
    assert caught.value.code.startswith("config-")
    assert "appliance.toml:" in caught.value.message
    assert (await configuration.read(Read(), on, quiet)).text == GOOD


async def test_what_the_computer_is_called(on):
    await configuration.host_name(HostName("box-1"), on, quiet)
    assert (on.roots.state / "etc" / "hostname").read_text() == "box-1\n"
    assert programs_of[on.roots].ran == [["hostname", "box-1"]]
    for name in ("", "Box", "-a", "a.b", "a\n", "a" * 64, "$(reboot)", "--help"):
        with pytest.raises(Invalid):
            await configuration.host_name(HostName(name), on, quiet)
    assert len(programs_of[on.roots].ran) == 1


async def test_the_time_zone_is_a_link_into_the_database(on):
    assert (await configuration.read(Read(), on, quiet)).time_zone == "Etc/UTC"
    await configuration.time_zone(TimeZone("Europe/Berlin"), on, quiet)
    assert (await configuration.read(Read(), on, quiet)).time_zone == "Europe/Berlin"
    for zone in ("", "Europe/Atlantis", "../../etc/shadow", "/etc/shadow", "Europe", "Europe/Berlin\n"):
        with pytest.raises(Invalid):
            await configuration.time_zone(TimeZone(zone), on, quiet)
    assert (await configuration.read(Read(), on, quiet)).time_zone == "Europe/Berlin"


async def test_time_servers_and_whom_we_answer(on):
    await configuration.time_servers(TimeServers(("pool.ntp.org", "2001:db8::1"), ("10.77.0.0/24",)), on, quiet)
    chrony = on.roots.state / "etc" / "chrony"
    assert (chrony / "sources.d" / "qrm.sources").read_text() == (
        "server pool.ntp.org iburst\nserver 2001:db8::1 iburst\n"
    )
    assert (chrony / "conf.d" / "qrm.conf").read_text() == "allow 10.77.0.0/24\n"
    assert (await configuration.read(Read(), on, quiet)).time_servers == ("pool.ntp.org", "2001:db8::1")
    zones = ((("fe80::1%x\nserver evil",), ()), ((), ("fe80::%x\nallow all/64",)))
    names = ((("a b",), ()), (("x\ny",), ()), ((), ("10.0.0.1/8",)), ((), ("all\n",)), (("a",) * 17, ()))
    for servers, serve in (*names, *zones):
        with pytest.raises(Invalid):
            await configuration.time_servers(TimeServers(servers, serve), on, quiet)


async def test_the_firewall_follows_the_networks_and_the_configuration(on):
    place = on.roots.run / "appliance" / "firewall.nft"
    await firewall.renew(Renew(), on, quiet)
    assert not place.exists(), "nobody has said yet what is for what"
    layout = Layout((Interface("nic0", mac="52:54:00:00:00:00", method="dhcp", roles=("management",)),))
    NetworkState(on.roots).finish(layout)
    await firewall.renew(Renew(), on, quiet)
    assert "tcp dport { 22, 8443 }" in place.read_text()
    await configuration.write(Write(GOOD), on, quiet)
    await firewall.renew(Renew(), on, quiet)
    assert "tcp dport { 22, 9443 }" in place.read_text()
    assert ["nft", "-f", str(place)] in programs_of[on.roots].ran


def test_files_are_never_half(tmp_path, monkeypatch):
    place = tmp_path / "deep" / "file"
    durable.write(place, "one")

    def no_space(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        durable.write(place, "two")
    monkeypatch.undo()
    assert place.read_text() == "one"
    durable.write(place, "three")
    assert place.read_text() == "three"


def test_a_link_in_the_way_is_not_followed(tmp_path):
    """Whoever could put a link beside a file must not have root write through it."""
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / ".file.new").symlink_to(target)
    durable.write(tmp_path / "file", "new")
    assert target.read_text() == "kept"

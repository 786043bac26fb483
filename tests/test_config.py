"""Every wrong configuration is refused with file, line, key and what would be right; nothing else is raised."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import Config, ConfigError, load, parse
from appliance.config_subnets import parse_range

WHOLE = """\
[site]
state_dir = "/srv/state"
domain = "rack.example"
preload = ["/a", "/b"]

[[subnet]]
interface = "br0"
ranges = ["10.77.0.50-10.77.0.99", "10.77.0.120-10.77.0.130"]
gateway = "10.77.0.254"
dns = []
ntp = ["10.77.0.2"]
unknown_machines = "local-disk"
serve_non_pxe = false

[[subnet]]
interface = "br1"
mode = "reservations"
lease_seconds = 60

[tftp]
enabled = false
extra_root = "/srv/tftp"

[dns]
port = 5353
forwarders = ["9.9.9.9"]

[boot]
port = 8080
control_port = 8444
files = "/srv/boot"

[web]
listen = ["127.0.0.1:8443", "[::1]:8443"]
"""


def refused(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "qrm.toml")
    return caught.value


def test_an_empty_file_is_the_defaults():
    assert parse("", "x") == Config()


def test_a_whole_file():
    config = parse(WHOLE, "x")
    assert config.site.state_dir == Path("/srv/state")
    assert config.site.preload == (Path("/a"), Path("/b"))
    first, second = config.subnet
    assert (first.interface, first.gateway, first.dns, first.serve_non_pxe) == ("br0", "10.77.0.254", (), False)
    assert (second.mode, second.lease_seconds, second.dns) == ("reservations", 60, None)
    assert (config.tftp.enabled, config.tftp.extra_root) == (False, Path("/srv/tftp"))
    assert (config.dns.port, config.dns.forwarders) == (5353, ("9.9.9.9",))
    assert (config.boot.port, config.boot.control_port) == (8080, 8444)
    assert config.web.listen == ("127.0.0.1:8443", "[::1]:8443")


SUBNET = '[[subnet]]\ninterface = "br0"\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "says", "right"),
    [
        ("[sight]", 1, "sight", "is unknown", "sections are site, subnet"),
        ("\nport = 5", 2, "port", "is unknown", "sections are"),
        ("[site]\ndomain = 'a'\nstatedir = '/x'", 3, "statedir", "is unknown", "state_dir"),
        ("site = 5", 1, "site", "wrong type, int", "write [site]"),
        ("[subnet]\ninterface = 'br0'", 1, "subnet", "wrong type, dict", "two brackets"),
        ("[[subnet]]\nmode = 'off'", 1, "subnet", "lacks the key interface", 'interface = "..."'),
        (SUBNET + "[[subnet]]\nmode = 'off'", 3, "subnet", "lacks the key interface", "interface"),
        (SUBNET + "lease_seconds = '60'", 3, "lease_seconds", "wrong type, str", "a whole number"),
        (SUBNET + "lease_seconds = true", 3, "lease_seconds", "wrong type, bool", "a whole number"),
        (SUBNET + "lease_seconds = 59", 3, "lease_seconds", "out of bounds", "60 to 31536000"),
        (SUBNET + "serve_non_pxe = 1", 3, "serve_non_pxe", "wrong type, int", "true or false"),
        (SUBNET + "mode = 'master'", 3, "mode", "cannot be 'master'", "authoritative, proxy"),
        (SUBNET + "mode = [1]", 3, "mode", "cannot be [1]", "authoritative"),
        (SUBNET + "ranges = '10.0.0.1-10.0.0.2'", 3, "ranges", "wrong type, str", "write a list"),
        (SUBNET + "ranges = [5]", 3, "ranges", "wrong type, int", "text in quotes"),
        (SUBNET + "ranges = ['10.0.0.1']", 3, "ranges", "FIRST-LAST", "10.0.0.50-10.0.0.99"),
        (SUBNET + "ranges = ['10.0.0.9-10.0.0.1']", 3, "ranges", "ends before it begins", "10.0.0.50"),
        (SUBNET + "ranges = ['a-b']", 3, "ranges", "two IPv4 addresses", "10.0.0.50"),
        (SUBNET + "ranges = ['10.0.0.1-10.0.0.9', '10.0.0.9-10.0.0.20']", 3, "ranges", "overlaps", "apart"),
        (
            SUBNET + "ranges = ['10.0.0.1-10.0.0.9']\n[[subnet]]\ninterface = 'br1'\n\nranges = ['10.0.0.2-10.0.0.3']",
            7,
            "ranges",
            "10.0.0.2-10.0.0.3 overlaps 10.0.0.1-10.0.0.9",
            "apart",
        ),
        (SUBNET + SUBNET, 4, "interface", "served by an earlier", "once"),
        (SUBNET + "gateway = 'router'", 3, "gateway", "not an IPv4 address", "10.77.0.1"),
        (SUBNET + "ntp = ['::1']", 3, "ntp", "not an IPv4 address", "10.77.0.1"),
        ("[site]\nstate_dir = 'here'", 2, "state_dir", "not an absolute path", "begin it with /"),
        ('[site]\nstate_dir = "/a\\u0000b"', 2, "state_dir", "NUL", "file"),
        ("[site]\ndomain = 'Lab_1'", 2, "domain", "no DNS domain", "lab.test"),
        ("[site]\ndomain = 'a..b'", 2, "domain", "no DNS domain", "lab.test"),
        ("[site]\ndomain = '" + "a" * 64 + "'", 2, "domain", "no DNS domain", "lab.test"),
        ("[dns]\nport = 0", 2, "port", "cannot be 0", "1 to 65535"),
        ("[dns]\nforwarders = ['dns.example']", 2, "forwarders", "not an IPv4 address", "9.9.9.9"),
        ("[boot]\nport = 65536", 2, "port", "cannot be 65536", "1 to 65535"),
        ("[boot]\nport = 443", 1, "control_port", "same as port", "two ports"),
        ("[web]\nlisten = ['8443']", 2, "listen", "not ADDRESS:PORT", "127.0.0.1:8443"),
        ("[web]\nlisten = ['werkstatt-ü:8443']", 2, "listen", "not ADDRESS:PORT", "127.0.0.1:8443"),
        ("[web]\nlisten = ['127.0.0.1:99999']", 2, "listen", "no such port", "1 to 65535"),
        ("[tftp]\nextra_root = 5", 2, "extra_root", "wrong type, int", "path in quotes"),
        ("[boot]\n'port' = 'x'", 2, "port", "wrong type", "a whole number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, line, key, says, right):
    error = refused(text)
    assert error.message.startswith(f"qrm.toml:{line}: "), error.message
    assert says in error.message
    assert right in error.hint
    assert error.field == key


def test_broken_toml_says_where():
    error = refused("[site]\ndomain = \n")
    assert "qrm.toml" in error.message
    assert "line 2" in error.message


@pytest.mark.parametrize("text", ["a = " + "[" * 10_000, "a = " + "9" * 5000, "a = 1979-99-99", "a = '\x00'"])
def test_toml_beyond_all_bounds_is_a_configuration_error_too(text):
    refused(text)


@given(st.text())
def test_arbitrary_text_raises_nothing_else(text):
    try:
        parse(text, "x")
    except ConfigError as error:
        assert error.message.startswith("x:")  # noqa: PT017 - both ends are right


VALUES = st.one_of(
    st.text(max_size=20).map(lambda text: '"' + text.encode("unicode_escape").decode().replace('"', "'") + '"'),
    st.sampled_from(
        ["1", "-1", "1.5", "true", "[]", "{}", "[[]]", '["x"]', "[1]", "1979-05-27", "inf", '["10.0.0.1-10.0.0.9"]']
    ),
)
KEYS = ["interface", "mode", "ranges", "lease_seconds", "gateway", "dns", "ntp", "port", "listen", "domain", "enabled"]


@given(
    st.lists(st.sampled_from(["site", "subnet", "[subnet]", "tftp", "dns", "boot", "web"]), max_size=4),
    st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=4),
)
def test_any_keys_and_values_raise_nothing_else(sections, pairs):
    body = "\n".join(f"{key} = {value}" for key, value in pairs)
    try:
        parse("\n".join(f"[{section}]\n{body}" for section in sections), "x")
    except ConfigError as error:
        assert error.message.startswith("x:")  # noqa: PT017 - both ends are right


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match=str(path)) as caught:
            load(path)
        assert caught.value.code == "config-unreadable"
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "binary")
    (tmp_path / "good.toml").write_text(WHOLE)
    assert load(tmp_path / "good.toml") == parse(WHOLE, "")


def test_a_range_of_one_address():
    first, last = parse_range(" 10.0.0.1 - 10.0.0.1 ")
    assert first == last

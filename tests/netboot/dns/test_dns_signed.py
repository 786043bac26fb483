"""Signed answers of a real validating resolver pass through us untouched: a validating client finds them right."""

import asyncio
import contextlib
import re
import subprocess

import pytest
import pytest_asyncio
from dns_serving import ADDRESS, dig, free_port, make_zone, serving
from test_dns_forwarder import forwarder_to, program

from appliance.netboot.dns.records import Target, Type

ZONE = "example.com"
RECORDS = f"""
$ORIGIN {ZONE}.
$TTL 300
@ IN SOA ns root 1 3600 600 86400 60
@ IN NS ns
ns IN A 192.0.2.1
up IN A 192.0.2.1
www IN A 192.0.2.80
alias IN CNAME www
*.wild IN A 192.0.2.90
empty IN TXT "nothing else"
long IN TXT {" ".join('"' + letter * 250 + '"' for letter in "abcdef")}
"""


def _sign(path, denial):
    """The signed zone, and its key as a trust anchor."""
    zone = path / "zone"
    zone.write_text(RECORDS)
    key = _said("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", ZONE, where=path).strip()
    _said("ldns-signzone", *denial, "-f", path / "signed", zone, key, where=path)
    return (path / f"{key}.key").read_text()


def _said(*argv, where):
    return subprocess.run([*map(str, argv)], cwd=where, check=True, capture_output=True, text=True, timeout=60).stdout


def _unbound(path, port):
    settings = path / "unbound.conf"
    settings.write_text(
        f"""server:
  interface: {ADDRESS}
  port: {port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{path}"
  pidfile: ""
  use-syslog: no
  module-config: "validator iterator"
  trust-anchor-file: "{path}/anchor"
auth-zone:
  name: "{ZONE}."
  zonefile: "{path}/signed"
  for-upstream: yes
  for-downstream: no
remote-control:
  control-enable: no
"""
    )
    return "unbound", "-d", "-c", str(settings)


@contextlib.asynccontextmanager
async def signed_upstream(path, denial=("-n",), spoil=None):
    """Our server behind unbound with the signed zone, which ``spoil`` may change after it was signed."""
    (path / "anchor").write_text(_sign(path, denial))
    if spoil is not None:
        signed = path / "signed"
        signed.write_text(spoil(signed.read_text()))
    port = free_port()
    async with (
        program(*_unbound(path, port), port=port),
        serving(make_zone(), forwarder_to(f"{ADDRESS}:{port}")) as server,
    ):
        yield server


@pytest_asyncio.fixture
async def server(tmp_path):
    async with signed_upstream(tmp_path) as made:
        made.anchor = _bind_anchor(tmp_path)
        yield made


def _bind_anchor(path):
    """The trust anchor as delv reads it."""
    flags, protocol, algorithm, *key = re.search(r"DNSKEY\s+(.*?)\s*(?:;|$)", (path / "anchor").read_text())[1].split()
    file = path / "anchor.bind"
    file.write_text(f'trust-anchors {{ "{ZONE}." static-key {flags} {protocol} {algorithm} "{"".join(key)}"; }};\n')
    return file


async def delv(server, *words):
    """What a validating client says to what it gets through us."""
    argv = ["delv", f"@{ADDRESS}", "-p", str(server.port), "-a", str(server.anchor), f"+root={ZONE}", *words]
    process = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = await process.communicate()
    return said.decode()


def flags(said):
    return re.search(r"flags: ([\w ]*);", said)[1].split()


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("www.example.com", "A"), "; fully validated"),
        (("alias.example.com", "A"), "; fully validated"),
        (("any.wild.example.com", "A"), "; fully validated"),
        (("long.example.com", "TXT"), "; fully validated"),
        (("example.com", "DNSKEY"), "; fully validated"),
        (("nobody.example.com", "A"), "; negative response, fully validated"),
        (("empty.example.com", "A"), "; negative response, fully validated"),
    ],
)
async def test_a_validating_client_finds_everything_that_it_needs(server, words, verdict):
    for _ in ("asked", "cached"):
        assert verdict in await delv(server, *words)


async def test_zones_with_plain_denial_validate_too(tmp_path):
    async with signed_upstream(tmp_path, denial=()) as server:
        server.anchor = _bind_anchor(tmp_path)
        assert "; negative response, fully validated" in await delv(server, "nobody.example.com", "A")
        assert "; fully validated" in await delv(server, "any.wild.example.com", "A")


async def test_signatures_and_ad_go_to_those_who_ask_for_them_and_to_nobody_else(server):
    for _ in ("asked", "cached"):
        signed = await dig(server, "+dnssec", "+noadflag", "www.example.com")
        assert "ad" in flags(signed)
        assert "RRSIG" in signed
        assert "flags: do; udp: 1232" in signed
        told = await dig(server, "+adflag", "www.example.com")
        assert "ad" in flags(told)
        assert "RRSIG" not in told
        plain = await dig(server, "+noadflag", "+noedns", "www.example.com")
        assert "ad" not in flags(plain)
        assert "RRSIG" not in plain


async def test_an_answer_too_long_for_udp_comes_over_tcp_with_its_signature(server):
    cut = await dig(server, "+dnssec", "+ignore", "long.example.com", "TXT")
    assert "tc" in flags(cut)
    whole = await dig(server, "+dnssec", "long.example.com", "TXT")
    assert "(TCP)" in whole
    assert "RRSIG" in whole
    assert "f" * 250 in whole


async def test_what_does_not_validate_goes_to_those_only_who_check_by_themselves(tmp_path):
    def spoil(text):
        assert "192.0.2.80" in text
        return text.replace("192.0.2.80", "192.0.2.81")

    async with signed_upstream(tmp_path, spoil=spoil) as server:
        for _ in ("asked", "cached"):
            assert "status: SERVFAIL" in await dig(server, "www.example.com")
            unchecked = await dig(server, "+cdflag", "+dnssec", "www.example.com")
            assert "192.0.2.81" in unchecked
            assert "cd" in flags(unchecked)
            assert "ad" not in flags(unchecked)


async def test_an_alias_of_ours_leads_to_the_records_of_others(tmp_path):
    zone = make_zone()
    zone.publish_record("record:1", "docs", Target(Type.CNAME, f"alias.{ZONE}"))
    zone.publish_record("record:2", "gone", Target(Type.CNAME, f"nobody.{ZONE}"))
    (tmp_path / "anchor").write_text(_sign(tmp_path, ("-n",)))
    port = free_port()
    async with (
        program(*_unbound(tmp_path, port), port=port),
        serving(zone, forwarder_to(f"{ADDRESS}:{port}")) as server,
    ):
        for transport in ("+notcp", "+tcp") * 2:
            said = await dig(server, transport, "+short", "docs.lab.test")
            assert said == f"alias.{ZONE}.\nwww.{ZONE}.\n192.0.2.80\n"
        gone = await dig(server, "gone.lab.test")
        assert "status: NXDOMAIN" in gone
        assert "SOA" in gone
        assert await dig(server, "+norecurse", "+short", "docs.lab.test") == f"alias.{ZONE}.\n"

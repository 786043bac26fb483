"""Certificates, checked by openssl; private files, and an authority that is never silently replaced."""

import asyncio
import contextlib
import errno
import os
import ssl
import subprocess
import time

import pytest
from cryptography import x509

from appliance import server_tls
from appliance.certificates import CA_YEARS, WRITTEN, authority
from appliance.errors import ApplianceError
from appliance.server_tls import KEPT, LEAF_DAYS, ServerTls, keep_renewed

NAMES = ["appliance.lab.test", "localhost", "127.0.0.1", "10.77.0.1", "::1"]


def openssl(*arguments, **kwargs):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, **kwargs)


def leaf_of(context):
    """The certificate, DER, that a server with this context shows; the two speak through memory."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(one, other)
    server = context.wrap_bio(other, one, server_side=True)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return client.getpeercert(binary_form=True)


def parsed(context):
    return x509.load_der_x509_certificate(leaf_of(context))


@pytest.fixture
def made(tmp_path):
    issuer = authority(tmp_path, time.time())
    context = ServerTls(issuer, NAMES, time.time()).context
    (tmp_path / "leaf.pem").write_text(ssl.DER_cert_to_PEM_cert(leaf_of(context)))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [["-verify_hostname", "appliance.lab.test"], ["-verify_ip", "10.77.0.1"], ["-verify_ip", "::1"]],
)
def test_openssl_accepts_the_chain_for_each_name(made, name):
    command = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", made / "ca.pem", *name]
    result = openssl(*command, made / "leaf.pem")
    assert result.returncode == 0, result.stderr


def test_openssl_refuses_it_for_another_name_and_as_an_authority(made):
    wrong = openssl("verify", "-CAfile", made / "ca.pem", "-verify_hostname", "x.test", made / "leaf.pem")
    assert wrong.returncode != 0
    text = openssl("x509", "-in", made / "leaf.pem", "-noout", "-text").stdout
    assert "CA:FALSE" in text
    assert "TLS Web Server Authentication" in text
    authority_text = openssl("x509", "-in", made / "ca.pem", "-noout", "-text").stdout
    assert "CA:TRUE, pathlen:0" in authority_text


def test_the_fingerprint_is_what_openssl_prints(made):
    printed = openssl("x509", "-in", made / "ca.pem", "-noout", "-fingerprint", "-sha256").stdout
    assert authority(made, 0.0).fingerprint == printed.split("=")[1].strip().replace(":", "").lower()


def test_the_fingerprint_stands_in_a_file_for_everybody(made):
    assert (made / "ca-fingerprint").read_text() == authority(made, 0.0).fingerprint + "\n"
    assert (made / "ca-fingerprint").stat().st_mode & 0o777 == 0o644
    (made / "ca-fingerprint").write_text("of another time\n")
    assert (made / "ca-fingerprint").read_text() != authority(made, 0.0).fingerprint + "\n"
    assert (made / "ca-fingerprint").read_text() == authority(made, 0.0).fingerprint + "\n"


def test_the_authority_is_made_once(tmp_path):
    first = authority(tmp_path, time.time())
    assert authority(tmp_path, time.time() + 1e8).pem == first.pem


def test_keys_are_private(made):
    modes = {path.name: path.stat().st_mode & 0o777 for path in made.glob("*.pem") if path.name != "leaf.pem"}
    assert modes == {"authority.pem": 0o600, "ca.pem": 0o644}


def test_an_authority_that_was_lost_is_not_replaced(made):
    (made / "authority.pem").unlink()
    with pytest.raises(ApplianceError) as caught:
        authority(made, time.time())
    assert caught.value.code == "authority-unreadable"
    assert not (made / "authority.pem").exists()


def test_a_kill_between_the_two_files_of_the_first_start_costs_nothing(made):
    kept = authority(made, time.time())
    (made / "ca.pem").unlink()
    assert authority(made, time.time()).pem == kept.pem == (made / "ca.pem").read_bytes()


def test_a_key_that_is_another_authoritys_is_refused(made, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    authority(other, time.time())
    key = (other / "authority.pem").read_text().partition("-----BEGIN CERTIFICATE-----")[0]
    (made / "authority.pem").write_text(key + (made / "ca.pem").read_text())
    with pytest.raises(ApplianceError, match="not the certificate's"):
        authority(made, time.time())


@pytest.mark.parametrize("algorithm", ["RSA", "encrypted"])
def test_a_key_of_the_wrong_kind_is_refused(made, algorithm):
    key = made / "key"
    if algorithm == "RSA":
        openssl("genpkey", "-algorithm", "RSA", "-out", key)
    else:
        openssl("ec", "-in", made / "authority.pem", "-out", key, "-aes128", "-passout", "pass:x")
    (made / "authority.pem").write_text(key.read_text() + (made / "ca.pem").read_text())
    with pytest.raises(ApplianceError) as caught:
        authority(made, time.time())
    assert caught.value.code == "authority-unreadable"


@pytest.fixture
def full_disk(monkeypatch):
    """Call it, and from then on no disk takes anything."""

    def no_room(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr("os.fsync", no_room)


def test_an_authority_that_is_there_needs_no_room_on_the_disk(made, full_disk):
    kept = authority(made, time.time())
    full_disk()
    assert authority(made, time.time()).pem == kept.pem
    assert list(made.glob("*.part")) == []


def test_a_full_disk_is_called_one(tmp_path, full_disk):
    full_disk()
    with pytest.raises(ApplianceError) as caught:
        authority(tmp_path, time.time())
    assert caught.value.code == "state-unwritable"
    assert "free some space" in caught.value.hint


def test_a_file_that_cannot_be_read_is_not_one_to_restore(made):
    (made / "authority.pem").unlink()
    (made / "authority.pem").mkdir()
    with pytest.raises(ApplianceError) as caught:
        authority(made, time.time())
    assert caught.value.code == "authority-unreadable"
    assert "backup" not in caught.value.hint


async def test_a_client_that_trusts_the_authority_connects_and_one_that_does_not_refuses(made):
    context = ServerTls(authority(made, time.time()), NAMES, time.time()).context

    async def greet(_, writer):
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        trusting = ssl.create_default_context(cafile=made / "ca.pem")
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        assert await reader.read() == b"hello"
        writer.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())


def test_names_that_no_certificate_can_hold_are_left_out(made):
    names = ["werkstatt-rechner-ü", "", "a b", "localhost", "10.77.0.1"]
    shown = parsed(ServerTls(authority(made, time.time()), names, time.time()).context)
    held = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in held] == ["localhost", "10.77.0.1"]


def test_an_authority_made_before_the_clock_was_set_lasts_as_long_as_any(tmp_path):
    """A board without a battery begins in 1970."""
    made = authority(tmp_path, 100.0).certificate
    assert made.not_valid_before_utc.timestamp() < 100.0
    assert made.not_valid_after_utc.timestamp() >= WRITTEN + CA_YEARS * 365 * 86400


HALF = LEAF_DAYS * 86400 / 2


@pytest.mark.parametrize(("later", "renewed"), [(0, False), (HALF - 1, False), (HALF, True), (-90000, True)])
def test_a_certificate_is_renewed_when_half_its_time_is_over_or_the_clock_was_wrong(made, later, renewed):
    now = time.time()
    served = ServerTls(authority(made, now), NAMES, now)
    before = parsed(served.context)
    assert served.renew(now + later) == renewed
    after = parsed(served.context)
    assert (after.serial_number != before.serial_number) == renewed
    assert after.not_valid_before_utc.timestamp() <= now + later < after.not_valid_after_utc.timestamp()
    assert not served.renew(now + later)


async def test_certificates_are_renewed_while_the_daemon_runs(made, monkeypatch):
    monkeypatch.setattr(server_tls, "RENEWAL_SECONDS", 0.001)
    now = time.time()
    served, asked = ServerTls(authority(made, now), NAMES, now), asyncio.Event()
    before = leaf_of(served.context)

    def clock():
        if leaf_of(served.context) != before:
            asked.set()
        return now + HALF

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        renewing = tasks.create_task(keep_renewed([served], clock))
        await asked.wait()
        renewing.cancel()


def test_a_full_disk_keeps_nobody_from_a_certificate_that_is_good(made, monkeypatch, caplog):
    now, kept, issuer = time.time(), made / KEPT, authority(made, time.time())
    served = ServerTls(issuer, NAMES, now, kept)
    before, file = leaf_of(served.context), kept.read_bytes()

    def full(path, content, mode):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("appliance.state.put", full)
    assert served.renew(now + HALF)
    renewed = leaf_of(served.context)
    assert renewed != before
    assert not served.renew(now + HALF), "it is not issued anew with each look"
    assert kept.read_bytes() == file
    assert "not kept over a restart" in caplog.text
    assert "No space left" in caplog.text
    assert leaf_of(ServerTls(issuer, NAMES, now + HALF, kept).context) not in (before, renewed), "a start has one, too"
    monkeypatch.undo()
    again = ServerTls(issuer, NAMES, now + HALF, kept)
    assert leaf_of(ServerTls(issuer, NAMES, now + HALF, kept).context) == leaf_of(again.context), "room is there again"


def test_one_that_is_kept_is_the_same_after_a_restart(made):
    now, kept, issuer = time.time(), made / KEPT, authority(made, time.time())
    first = leaf_of(ServerTls(issuer, NAMES, now, kept).context)
    assert kept.stat().st_mode & 0o777 == 0o600
    again = ServerTls(issuer, NAMES[:1], now + HALF - 90000, kept)  # the rest is learnt after the start
    again.rename(NAMES, now)
    assert leaf_of(again.context) == first
    again.rename(NAMES[:1], now)
    assert leaf_of(again.context) != first
    assert leaf_of(ServerTls(issuer, NAMES[:1], now, kept).context) == leaf_of(again.context)


@pytest.mark.parametrize("why", ["other names", "half over", "another authority", "not readable", "no room"])
def test_one_that_cannot_be_used_gives_way_to_another(made, tmp_path, monkeypatch, why):
    now, kept, issuer, names = time.time(), made / KEPT, authority(made, time.time()), NAMES
    first = leaf_of(ServerTls(issuer, NAMES, now, kept).context)
    match why:
        case "other names":
            names = [*NAMES, "more.lab.test"]
        case "half over":
            now += HALF
        case "another authority":
            (tmp_path / "other").mkdir()
            issuer = authority(tmp_path / "other", now)
        case "not readable":
            kept.write_text("-----BEGIN CERTIFICATE-----\n")
        case "no room":
            kept.unlink()
            kept.mkdir()
    served = ServerTls(issuer, names, now, kept)
    assert leaf_of(served.context) != first
    assert parsed(served.context).issuer == issuer.certificate.subject

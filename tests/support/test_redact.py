"""Whatever opens something goes; what helps stays."""

import pytest

from appliance.support.redact import HIDDEN, redact

PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"key:\n{PEM}\nafter", "MIGHAgEAMBMGByqGSM49"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXk\\n-----END OPENSSH PRIVATE KEY-----",
            "b3BlbnNzaC1rZXk",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG, and the journal ends", "MIGHAgEAMBMG"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "aGFzaA"),
        ("root:$6$salt$hash.of/it:19000", "hash.of/it"),
        ("root:$y$j9T$salt$hash.of/it:19000", "hash.of/it"),
        ("cloning https://ada:s3same@git.lab.test/x", "s3same"),
        ("GET /poll/5f3a 200", "5f3a"),
        ("open /setup?token=046P-5FZ5-6XMH-A955 now", "046P-5FZ5-6XMH-A955"),
        ("the code is K7Q2-9XMA-4R8T-ZW3C.", "K7Q2-9XMA-4R8T-ZW3C"),
        ("qrm.token=abc123 qrm.nonce=0011223344556677", "abc123"),
        ("qrm.token=abc123 qrm.nonce=0011223344556677", "0011223344556677"),
        ('{"password": "correct horse \\" battery"}', "horse"),
        ("password: 'two words'", "two words"),
        ("ipmitool -U root password=calvin", "calvin"),
        ("node.session.auth.password_in = zebra99", "zebra99"),
        ("CHAP_SECRET=zebra99", "zebra99"),
        ("chap_password: zebra99", "zebra99"),
        ("Authorization: Bearer 5eba5eba", "5eba5eba"),
        ("Authorization: Basic cm9vdDpjYWx2aW4=", "cm9vdDpjYWx2aW4="),
        ("sent with bearer 5eba5eba-x", "5eba5eba-x"),
        ("Cookie: __Host-qrm=abcdef", "abcdef"),
        ("token qrm_0123456789abcdef was made", "0123456789abcdef"),
        (f"session {'5e' * 32} ended", "5e5e5e5e"),
        ("poll id 0123456789abcdef0123456789ABCDEF", "0123456789abcdef"),
        ("sealed AbCdEf0123456789+/AbCdEf0123456789==", "AbCdEf0123456789"),
    ],
)
def test_what_opens_something_goes(text, secret):
    assert secret in text
    redacted = redact(text)
    assert secret not in redacted
    assert HIDDEN in redacted


@pytest.mark.parametrize(
    "text",
    [
        "52:54:00:12:34:56 was leased 10.77.0.50 until 1795200000.5",
        '{"uuid": "4c4c4544-0044-3910-8054-b4c04f564231", "id": "0123456789abcdef"}',
        "GET http://10.77.0.1/boot/script?mac=52-54-00-00-00-01&platform=pcbios",
        "2026-11-22T00:14:41+0000 appliance qrm[123]: version 0.9 serves",
        "/usr/lib/python3.13/asyncio/TaskGroups/Runner2/events.py",
        "a token was refused",
        "the password of ada was changed",
        "WDC WD40EFRX-68N32N0 serial WD-WCC7K0123456",
        "sda4: ext4 'root-a'",
        "node-0a1b2c deploys debian-13 as web-1",
    ],
)
def test_what_helps_stays(text):
    assert redact(text) == text


def test_a_secret_that_is_known_goes_whatever_it_looks_like():
    assert redact("the switch said sunflower to us", ["sunflower"]) == f"the switch said {HIDDEN} to us"
    assert redact('"said \\"quoted\\" words"', ['"quoted"']) == f'"said {HIDDEN} words"'
    assert redact("ab cde", ["ab"]) == "ab cde", "that would take half the text with it"
    assert redact("longer and long", ["long", "longer"]) == f"{HIDDEN} and {HIDDEN}"

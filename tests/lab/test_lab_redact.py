"""Secrets do not leave in logs, and what is no secret stays readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.lab.redact import REDACTED, redact

SECRET = "5f" * 32


@pytest.mark.parametrize(
    "text",
    [
        f"Kernel command line: console=ttyS0 qrm.token={SECRET} qrm.nonce=aa",
        f"GET /setup?token={SECRET} HTTP/1.1",
        f'{{"boot_token": "{SECRET}", "machine": 1}}',
        f"{{'machine_token': '{SECRET}'}}",
        f"Authorization: Bearer {SECRET}",
        f"password={SECRET}",
        f"Set-Cookie: session={SECRET}; Path=/",
        f"GET /poll/{SECRET} 200",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----",
        f"root:$y$j9T${SECRET}:19000:0",
        f"imgargs vmlinuz qrm.token={SECRET[:20]}\r\n{SECRET[20:]} quiet",
    ],
)
def test_a_secret_goes(text: str) -> None:
    cleaned = redact(text)
    assert REDACTED in cleaned
    assert SECRET not in cleaned
    assert SECRET[24:] not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "node1 is idle",
        f"GET /stack/{SECRET}/vmlinuz 200",
        f"qrm.ca={SECRET}",
        "403 token-expired",
        "SHA256 of ca.pem is fine",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_any_text_can_be_redacted_twice(text: str) -> None:
    once = redact(f"token={SECRET} {text}")
    assert SECRET not in once
    assert SECRET not in redact(once)

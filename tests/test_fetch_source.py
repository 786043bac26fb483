"""From where an update is fetched, and from where not."""

import pytest

from appliance.errors import Invalid
from appliance.fetch_source import check_address, check_url


@pytest.mark.parametrize(
    "url",
    ["https://updates.example/update.raucb", "http://10.0.0.5:8080/x", "http://[2001:db8::1]/x", "http://192.168.1.2/u?v=1"],
)  # fmt: skip
def test_other_computers_are_asked(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x", "http://127.1.2.3/x", "http://[::1]/x", "http://localhost/x", "http://a.localhost/x",
        "http://169.254.169.254/latest", "http://[fe80::1]/x", "http://0.0.0.0/x", "http://[::ffff:127.0.0.1]/x",
        "http://224.0.0.1/x", "http://[::]/x",
    ],
)  # fmt: skip
def test_the_appliance_itself_and_its_links_are_not(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url)
    assert (refused.value.code, refused.value.field) == ("url-refused", "url")


@pytest.mark.parametrize(
    "url",
    ["", "update.raucb", "ftp://host/x", "file:///etc/passwd", "https://", "http://user:word@host/x", "http://host:x/",
     "http://ho st/", "http://host/\nx", "http://" + "a" * 3000],
)  # fmt: skip
def test_what_is_no_address_is_said_so(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url)
    assert refused.value.code == "url-invalid"


def test_what_names_resolve_to_is_checked_too() -> None:
    check_address("10.0.0.5")
    check_address("fd00::5")
    check_address("not an address")
    for address in ("127.0.0.1", "fe80::1%eth0", "169.254.1.1", "255.255.255.255"):
        with pytest.raises(Invalid):
            check_address(address)

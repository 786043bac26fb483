"""From where files may be fetched: addresses that lead out of the appliance, and never back into it. Pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from appliance.errors import Invalid

LONGEST = 2000


def check_url(url: str) -> str:
    """The address, as it is fetched. Raises Invalid ``url-invalid`` and ``url-refused``."""
    if len(url) > LONGEST or not url.isprintable() or " " in url:
        raise _invalid("this is no address of a file")
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError as error:
        raise _invalid(f"this is no address of a file: {error}") from None
    if found.scheme not in ("http", "https") or not host:
        raise _invalid("files are fetched by HTTP or HTTPS")
    if found.username or found.password:
        raise _invalid("names and passwords do not go into an address: they would stand in logs")
    if host == "localhost" or host.endswith(".localhost"):
        raise refused(host)
    check_address(host)
    return url


def _invalid(text: str) -> Invalid:
    return Invalid("url-invalid", text, "write it as https://HOST/FILE", "url")


def refused(host: str) -> Invalid:
    """What is said of a host that is not asked."""
    text = f"{host[:100]} leads to the appliance itself or to nobody in particular; it is not asked"
    return Invalid("url-refused", text, "name another computer, or upload the file", "url")


_NAT64 = ip_network("64:ff9b::/96")
"""Addresses of IPv4 behind a translator (RFC 6052 section 2.1)."""


def inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address carries and leads to; the address itself where it carries none."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def check_address(text: str) -> None:
    """Raise Invalid ``url-refused`` for an IP address that nothing is fetched from; what is a name passes.

    Loopback and link-local addresses reach services that trust whoever can ask them, such as those of clouds.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return
    address = inner(address)
    kinds = (address.is_loopback, address.is_link_local, address.is_multicast, address.is_unspecified)
    if any(kinds) or address.is_reserved:
        raise refused(text)

"""Names with a meaning of their own (RFC 6303, 6761, 7686): data, and the one question about it. Pure."""

_PRIVATE_REVERSE = (
    "10.in-addr.arpa",
    *(f"{second}.172.in-addr.arpa" for second in range(16, 32)),
    "168.192.in-addr.arpa",
    *(f"{second}.100.in-addr.arpa" for second in range(64, 128)),  # RFC 7793
    "0.in-addr.arpa",
    "127.in-addr.arpa",
    "254.169.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    ".".join("0" * 32) + ".ip6.arpa",
    "1." + ".".join("0" * 31) + ".ip6.arpa",
    "d.f.ip6.arpa",
    *(f"{digit}.e.f.ip6.arpa" for digit in "89ab"),
    "8.b.d.0.1.0.0.2.ip6.arpa",
)

# "test", "local" and "home.arpa" are not here: the forwarder of a site may well serve them to the site.
_NEVER_PUBLIC = ("localhost", "invalid", "onion")

LOCAL_ONLY = frozenset((*_PRIVATE_REVERSE, *_NEVER_PUBLIC))
"""Zones that exist inside a site only."""


def local_only_zone(name: str) -> str | None:
    """The zone of LOCAL_ONLY that `name` lies in: questions about it are never forwarded."""
    while name:
        if name in LOCAL_ONLY:
            return name
        name = name.partition(".")[2]
    return None

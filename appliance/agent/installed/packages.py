"""The HTTP proxy by which an installed system gets its packages."""

import re

from ..errors import StepFailed
from .root import Root

PROXY = re.compile(r"http://[A-Za-z0-9.:\[\]-]{1,180}")
APT = "/etc/apt/apt.conf.d/90qrm-proxy"
DNF = "/etc/dnf/dnf.conf"


def write_proxy(root: Root, proxy: str) -> bool:
    """Tell apt (apt.conf(5)) or dnf (dnf.conf(5)) of it, whichever is there; says whether one is. Raises StepFailed."""
    if not PROXY.fullmatch(proxy):
        raise StepFailed("bad-params", f"{proxy!r} is no HTTP proxy")
    told = False
    if root.exists("/etc/apt/apt.conf.d"):
        root.write(APT, f'Acquire::http::Proxy "{proxy}";\nAcquire::https::Proxy "{proxy}";\n')
        told = True
    if root.exists(DNF):
        root.write(DNF, with_proxy(root.text(DNF), proxy))
        told = True
    return told


def with_proxy(text: str, proxy: str) -> str:
    """A dnf.conf with this proxy, the rest as before (pure)."""
    kept = [line for line in text.splitlines() if not re.match(r"\s*proxy\s*=", line)]
    at = next((number for number, line in enumerate(kept, 1) if line.strip() == "[main]"), 0)
    head = kept[:at] or ["[main]"]
    return "\n".join([*head, f"proxy={proxy}", *kept[at:], ""])

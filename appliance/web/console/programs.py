"""What a browser calls itself, in words. Its own claim, so that nothing depends on it. Pure."""

import re

_BROWSERS = (
    ("Firefox", r"Firefox/(\d+)"),
    ("Edge", r"Edg/(\d+)"),
    ("Chrome", r"Chrome/(\d+)"),
    ("Safari", r"Version/(\d+)\S* .*Safari/"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("macOS", "Mac OS X"),
    ("Linux", "Linux"),
)


def program_in_words(claim: str) -> str:
    """``Firefox 146 on Linux``; for a program that is no browser its first word, such as ``curl/8.5.0``."""
    for name, pattern in _BROWSERS:
        if found := re.search(pattern, claim):
            system = next((said for said, mark in _SYSTEMS if mark in claim), "")
            return f"{name} {found[1][:6]}" + (f" on {system}" if system else "")
    return claim.split(" ")[0][:60] or "unknown"

"""Writes a support bundle: a gzipped tar whose files are named here, each of them redacted on its way in."""

import io
import json
import tarfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.support.redact import redact

README = """\
Support bundle of an appliance, made by its own program.

What is in it: versions, the configuration in force, health, events, tasks and audited changes, machines and subnets
without what opens them, pools and what their volumes are for, figures, journals of the appliance's services, and its
network.

What is not: passwords and their hashes, keys, tokens, links to set it up, secrets of machines and of their power
switches. Whatever looked like one of these is replaced by [hidden], checksums and fingerprints with it.

Look through it before you send it: it names your machines, their addresses and who logged in.
"""
FILES = (
    "README.txt", "about.json", "configuration.json", "health.json", "packages.json", "machines.json",
    "deployments.json", "subnets.json", "leases.json", "pools.json", "tasks.json", "events.jsonl", "audit.jsonl",
    "metrics.txt", "network.json", "problems.txt",
)  # fmt: skip
"""Everything that a bundle may hold, besides the journals in ``journal/``."""
JOURNAL = "journal/"
LARGEST = 32 << 20
"""Characters of one file; of more the end is kept."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a bundle, before it is redacted."""

    name: str
    text: str

    def __post_init__(self) -> None:
        if self.name not in FILES and not self.name.startswith(JOURNAL):
            raise ValueError(f"{self.name} is not in the list of what a bundle may hold")


def as_json(name: str, value: Any) -> Part:
    """A part with a value as JSON, in lines that redaction can tell apart."""
    return Part(name, json.dumps(value, indent=1, default=str, ensure_ascii=False) + "\n")


def as_lines(name: str, values: Iterable[Any]) -> Part:
    """A part with one value in each line."""
    return Part(name, "".join(json.dumps(each, default=str, ensure_ascii=False) + "\n" for each in values))


def bundle(parts: Iterable[Part], known: Sequence[str], now: float) -> bytes:
    """The bundle; ``known`` are secrets that must not be in it. Takes a while: for a thread."""
    directory = f"support-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}"
    target = io.BytesIO()
    with tarfile.open(mode="w:gz", fileobj=target) as tar:
        for part in (Part("README.txt", README), *parts):
            content = redact(part.text[-LARGEST:], known).encode(errors="replace")
            entry = tarfile.TarInfo(f"{directory}/{part.name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(now)
            tar.addfile(entry, io.BytesIO(content))
    return target.getvalue()

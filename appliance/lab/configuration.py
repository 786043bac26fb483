"""The daemon's configuration file in a lab.  Pure."""

import json
from collections.abc import Iterable
from pathlib import Path

from appliance.lab.plan import BRIDGE, DOMAIN, RANGE, DaemonPlan


def configuration(plan: DaemonPlan, state: Path) -> str:
    """TOML text. The console listens on the socket that is handed over, and nowhere else.

    How the subnet is served is left out, so that it can be tried out while the lab runs.
    """
    return "\n".join(
        [
            "[site]",
            f"state_dir = {_string(state)}",
            f"domain = {_string(DOMAIN)}",
            f"preload = {_strings(plan.preload)}",
            "",
            "[[subnet]]",
            f"interface = {_string(BRIDGE)}",
            f"ranges = {_strings([RANGE])}",
            "",
            "[boot]",
            f"stack = {_string(plan.stack)}",
            f"programs = {_string(plan.programs)}",
            "",
            "[web]",
            "listen = []",
            "",
        ]
    )


def _string(value: object) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's, but TOML has no escaped slash or surrogates."""
    return json.dumps(str(value), ensure_ascii=False)


def _strings(values: Iterable[object]) -> str:
    return "[" + ", ".join(_string(value) for value in values) + "]"

"""What was typed for cloud-init: two texts that are kept, and the form that makes one of them. Nothing is looked up."""

from collections.abc import Mapping

from appliance.cloud_config import FILES, CloudConfig, File, text_of
from appliance.cloud_init import NETWORK_CONFIG, USER_DATA

MAKE = "seed_make"
"""The button that has the form make the text; nothing is kept by it."""
ROWS = range(1, FILES + 1)
_PLAIN = ("seed_users", "seed_packages", "seed_commands", "seed_timezone", "seed_sudo")
FIELDS = (
    USER_DATA,
    NETWORK_CONFIG,
    *_PLAIN,
    *(f"seed_{part}_{row}" for row in ROWS for part in ("path", "mode", "content")),
)


def typed(values: Mapping[str, str]) -> dict[str, str]:
    """Those fields as they were typed: spaces mean something in them. A box that is not ticked is not sent at all."""
    found = {name: str(values.get(name, "")) for name in FIELDS}
    return found if "seed_users" in values else {**found, "seed_sudo": "yes"}


def given(values: Mapping[str, str]) -> dict[str, str]:
    """The texts that are to be kept, by part."""
    return {part: values[part] for part in (USER_DATA, NETWORK_CONFIG)}


def made(values: Mapping[str, str]) -> str:
    """The text of a ``#cloud-config`` that the form asks for; raises Invalid with the field that is wrong."""
    return text_of(
        CloudConfig(
            users=_lines(values["seed_users"]),
            sudo=bool(values["seed_sudo"]),
            packages=values["seed_packages"].replace(",", " ").split(),
            commands=_lines(values["seed_commands"]),
            time_zone=values["seed_timezone"].strip(),
            files=[_file(values, row) for row in ROWS if values[f"seed_path_{row}"].strip()],
        )
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _file(values: Mapping[str, str], row: int) -> File:
    path, mode = values[f"seed_path_{row}"].strip(), values[f"seed_mode_{row}"].strip()
    return File(path, values[f"seed_content_{row}"], mode)

"""From a form to the text of a ``#cloud-config``: users, packages, commands, time zone, files. Pure.

Only the text is kept. It is shown, and may be changed at will, so that there is one truth (docs.cloud-init.io, "Module
reference").
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from appliance.cloud_init import USER_DATA, user_data
from appliance.errors import Invalid
from appliance.ssh_keys import BEGINNINGS, check_lines

USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
"""As Debian's adduser takes it (NAME_REGEX)."""
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_:~=-]{0,199}")
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9+_-]{0,30}(/[A-Za-z0-9+_-]{1,30}){0,2}")
MODE = re.compile(r"0?[0-7]{3,4}")
FILES = 3
"""That the form has room for; more are written into the text."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written; ``mode`` in octal digits."""

    path: str
    content: str
    mode: str = ""


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """What the form asks for."""

    users: Sequence[str] = ()
    """Lines: a name, and a public SSH key behind it if there is one. The same name again has one more key."""
    sudo: bool = True
    """Whether those users may become root."""
    packages: Sequence[str] = ()
    commands: Sequence[str] = ()
    """Lines for a shell, run once and in this order."""
    time_zone: str = ""
    files: Sequence[File] = ()


def text_of(form: CloudConfig) -> str:
    """The ``#cloud-config`` that does this; raises Invalid with the field of the form.

    The user that an image has by itself stays, and so do the keys of root that the deployment has.
    """
    config: dict[str, Any] = {}
    if form.time_zone:
        config["timezone"] = _matching(
            ZONE, form.time_zone, "seed_timezone", "no time zone", "write it as Europe/Berlin"
        )
    if users := _users(form.users, sudo=form.sudo):
        config["users"] = ["default", *users]
    if form.files:
        config["write_files"] = [_file(each) for each in form.files]
    if form.packages:
        config["package_update"] = True
        hint = "write names with spaces between them, such as  nginx postgresql"
        config["packages"] = [_matching(PACKAGE, each, "seed_packages", "no package", hint) for each in form.packages]
    if form.commands:
        config["runcmd"] = list(form.commands)
    if not config:
        raise Invalid("cloud-config-empty", "The form asks for nothing yet", "fill in a field of it", USER_DATA)
    return user_data(f"#cloud-config\n{_yaml(config)}")[0]


def _users(lines: Sequence[str], *, sudo: bool) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        name, _, key = line.strip().partition(" ")
        hint = "write a line as  ada ssh-ed25519 AAAA… ada@laptop"
        _matching(USER_NAME, name, "seed_users", "no name of a user", hint)
        user = found.setdefault(name, {"name": name, "shell": "/bin/bash", "lock_passwd": True})
        if sudo:
            user["sudo"] = "ALL=(ALL) NOPASSWD:ALL"
        if key:
            user.setdefault("ssh_authorized_keys", []).append(_key(key.strip()))
    return list(found.values())


def _key(line: str) -> str:
    try:
        return check_lines([line])[0]
    except Invalid as error:
        hint = f"behind the name stands a public key, which begins with one of {', '.join(BEGINNINGS)}"
        raise Invalid(error.code, error.message, hint, "seed_users") from None


def _file(of: File) -> dict[str, Any]:
    if not of.path.startswith("/") or not of.path.isprintable() or ".." in of.path.split("/"):
        raise Invalid("path-invalid", f"{of.path[:60]!r} is no path", "begin with /, such as /etc/motd", "seed_files")
    mode = _matching(MODE, of.mode or "0644", "seed_files", "no mode", "write octal digits, such as 0600")
    content = of.content.replace("\r\n", "\n")
    ended = content if not content or content.endswith("\n") else f"{content}\n"
    return {"path": of.path, "permissions": mode.rjust(4, "0"), "content": ended}


def _matching(form: re.Pattern[str], text: str, field: str, what: str, hint: str) -> str:
    if not form.fullmatch(text):
        raise Invalid("cloud-config-invalid", f"{text[:60]!r} is {what}", hint, field)
    return text


def _yaml(config: dict[str, Any]) -> str:
    """YAML as a person would write it: in this order, each line of a file on its own."""
    import yaml  # here: it takes memory, which no daemon needs before somebody writes a seed

    class Dumper(yaml.SafeDumper):
        """Indents lists below their keys."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(config, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)

"""Where a page names a command line, that command exists."""

import re

import click
import pytest

from appliance.cli.context import Listing
from appliance.cli.main import cli
from appliance.web.console.templating import TEMPLATES

LINES = sorted(
    {
        re.sub(r"\{\{.*?\}\}", "NAME", line)
        for template in TEMPLATES.glob("*.html")
        for line in re.findall(r"<code>qrm ([^<]+)</code>", template.read_text())
    }
)


def test_pages_name_commands() -> None:
    assert len(LINES) >= 6


@pytest.mark.parametrize("line", LINES)
def test_command_exists(line: str) -> None:
    words = line.split()
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words != ["--help"]:
        if isinstance(command, Listing) and (not words or words[0].startswith("-")):
            words = ["list", *words]
        found = command.get_command(context, words[0])
        assert found is not None, f"qrm {line}: no {words[0]}"
        command, words = found, words[1:]
    values, left, _ = command.make_parser(click.Context(command)).parse_args(words)  # raises for an unknown option
    assert left == []
    needed = [each.name for each in command.params if isinstance(each, click.Argument) and each.required]
    assert [name for name in needed if not values.get(str(name))] == []

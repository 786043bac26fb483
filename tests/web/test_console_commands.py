"""Where a page names a command line, that command exists."""

import re

import click
import pytest

from appliance.cli.main import cli
from appliance.web.console.page import TEMPLATES

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
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"qrm {line}: no {words[0]}"
        command, words = found, words[1:]
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("-")}
    assert {word for word in words if word.startswith("-")} <= options
    given = re.sub(r"--\S+ \S+", "", " ".join(words)).split()
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    assert len(given) == len(arguments)

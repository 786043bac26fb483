"""``qrm serve`` and ``qrm config``: what runs where the appliance runs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from appliance import serving
from appliance.cli.context import json_option
from appliance.cli.output import as_json

_FILE = click.Path(path_type=Path)


@click.command()
@click.option("--config", "file", required=True, type=_FILE, help="The configuration file.")
def serve(file: Path) -> int:
    """Run the appliance in the foreground until it is told to stop."""
    return serving.serve(file)


@click.group()
def config() -> None:
    """Check or show a configuration file."""


@config.command()
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Say whether FILE would be accepted, without starting."""
    from appliance.config import load

    load(file)
    click.echo(f"{file}: good")


@config.command()
@click.argument("file", type=_FILE)
@json_option
def show(file: Path, json_out: bool) -> None:
    """Print every value in force, those that FILE leaves out included."""
    from appliance.config import load

    sections = {name: _plain(value) for name, value in _fields(load(file)).items()}
    if json_out:
        as_json(sections)
        return
    click.echo("\n\n".join(block for name, value in sections.items() for block in _blocks(name, value)))


def _fields(section: Any) -> dict[str, Any]:
    return {each.name: getattr(section, each.name) for each in dataclasses.fields(section)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {name: _plain(each) for name, each in _fields(value).items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _blocks(name: str, value: Any) -> list[str]:
    """A section, or each of several, as TOML."""
    if isinstance(value, list):
        return ["\n".join([f"[[{name}]]", *_lines(each)]) for each in value]
    return ["\n".join([f"[{name}]", *_lines(value)])]


def _lines(section: dict[str, Any]) -> list[str]:
    # JSON's strings, numbers, booleans and lists are also TOML's.
    return [f"# {key} is not set" if value is None else f"{key} = {_toml(value)}" for key, value in section.items()]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)} = {_toml(each)}' for name, each in value.items())}}}"
    return json.dumps(value)

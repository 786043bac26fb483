"""Everything in the console can be done by the API and by ``qrm``: the three are compared with one table."""

import re
from enum import Enum
from pathlib import Path
from typing import Literal, get_args, get_origin

import click
import msgspec
import pytest

from appliance.cli import deployments, rescue
from appliance.cli.main import COMMANDS, cli
from appliance.reconcile.consequences import Action, MachineAction
from appliance.web.api.bulk import DeploymentBulkAction, MachineBulkAction
from appliance.web.api.endpoint import Form as Files
from appliance.web.api.listing import Page
from appliance.web.api.routes import ENDPOINTS
from appliance.web.console.bulk_acts import DEPLOYMENT_ACTS, MACHINE_ACTS
from appliance.web.console.routes import ROUTES
from tests.one_by_one import one_by_one
from tests.three_faces import (
    BULK,
    CAPABILITIES,
    ELSEWHERE,
    FORMS,
    LOCAL,
    NOT_COMPARED,
    NOT_EVERYWHERE,
    NOT_FIELDS,
    ROLES_DIFFER,
)

TEMPLATES = Path(__file__).parent.parent / "appliance" / "web" / "templates"
CONSOLE = {f"{each.method} {each.path}": each.role for each in ROUTES}
API = {f"{each.method} {each.path}": each for each in ENDPOINTS}
PAGING = {"limit", "cursor"}
"""Parameters that ``qrm`` sets itself while it follows pages."""
CALLED = {"open": "is_open"}
"""Parameter of the API -> what it is called inside of ``qrm``, where it has another name."""


def leaves(group, before=()):
    """Every command that does something, with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from leaves(found, (*before, name))
        else:
            yield " ".join((*before, name)), found


QRM = dict(leaves(cli))


def named(face):
    """Everything that one column of the table names."""
    return {each for row in CAPABILITIES for each in split(getattr(row, face))}


def split(cell):
    return [each.strip() for each in cell.split(",") if each.strip()]


# -- the table has everything


@one_by_one(sorted(CONSOLE))
def test_everything_in_the_console_is_in_the_table(route):
    method, _, path = route.partition(" ")
    is_form_of_a_row = method == "GET" and f"POST {path}" in named("console")
    assert route in named("console") or is_form_of_a_row or route in NOT_COMPARED


@one_by_one(sorted(API))
def test_everything_in_the_api_is_in_the_table(address):
    assert address in named("api")


@one_by_one(sorted(QRM))
def test_every_command_is_in_the_table(command):
    assert command in named("qrm") or command.split()[0] in LOCAL


# -- the table has nothing else


@pytest.mark.parametrize("row", CAPABILITIES, ids=lambda row: row.what)
def test_what_the_table_names_is_there_for_the_same_people(row):
    assert set(split(row.console)) <= set(CONSOLE)
    assert set(split(row.api)) <= set(API)
    assert set(split(row.qrm)) <= set(QRM)
    roles = {CONSOLE[each] for each in split(row.console)} | {API[each].least for each in split(row.api)}
    assert (len(roles) > 1) == (row.what in ROLES_DIFFER)


def test_what_lacks_a_face_says_why():
    assert {row.what for row in CAPABILITIES if not all((row.console, row.api, row.qrm))} == set(NOT_EVERYWHERE)


def test_no_exemption_is_left_over():
    assert set(NOT_COMPARED) <= set(CONSOLE) - named("console")
    assert set(LOCAL) <= set(COMMANDS)
    assert set(ROLES_DIFFER) <= {row.what for row in CAPABILITIES}


# -- fields


def taken_by(address):
    """Every field that an address of the API takes."""
    of = API[address]
    found = {each.name for each in of.query}
    if isinstance(of.takes, Files):
        return found | {name for name, _ in of.takes.files}
    return found | ({"body"} if of.takes is bytes else set(of.takes.__struct_fields__))


def options(command):
    """Options as they are typed, and arguments by name."""
    found = set()
    for each in QRM[command].params:
        found |= {each.name} if isinstance(each, click.Argument) else {*each.opts, *each.secondary_opts}
    return found


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.templates.split()[0]}-{form.qrm}")
def test_what_a_form_sets_can_be_set_everywhere(form):
    source = "".join((TEMPLATES / name).read_text() for name in form.templates.split())
    shown = set(re.findall(r"<(?:input|select|textarea)\b[^>]*?\bname=\"([a-z_]+)\"", source)) - NOT_FIELDS
    shown |= {role for role in re.findall(r"role_choice\(\"?(\w+)", source) if role in ("role", "scope")}
    assert shown <= set(form.fields), "a field of the form is missing in the table"
    here = {name: pair for name, pair in form.fields.items() if not set(pair) & ELSEWHERE}
    assert {api for api, _ in here.values()} <= taken_by(form.api)
    assert {option for _, option in here.values()} <= options(form.qrm)
    said = {api for api, _ in form.fields.values()}
    assert taken_by(form.api) <= said, "a field of the API is missing in the table"


# -- actions


@pytest.mark.parametrize(
    ("noun", "api", "console"),
    [("machines", MachineBulkAction, MACHINE_ACTS), ("deployments", DeploymentBulkAction, DEPLOYMENT_ACTS)],
)
def test_what_can_be_done_to_many(noun, api, console):
    assert set(BULK[noun]) == set(get_args(api)) == set(console)
    for line in BULK[noun].values():
        command, _, option = line.rpartition(" ")
        assert {option, "names", "--where"} <= options(command)


def test_every_action_has_its_consequences_and_its_command():
    assert set(deployments.ACTIONS) == {each.value for each in Action}
    assert {f"deployments {each}" for each in deployments.ACTIONS} <= set(QRM)
    assert set(rescue.ACTIONS) == {each.value for each in MachineAction}


# -- lists


def lists():
    """(address, command) of every list that comes in pages."""
    for row in CAPABILITIES:
        for address in split(row.api):
            if address in API and get_origin(API[address].gives) is Page and row.what != "find something":
                yield from ((address, command) for command in split(row.qrm) if not command.endswith(" show"))


@pytest.mark.parametrize(("address", "command"), sorted(set(lists())))
def test_lists_are_filtered_and_sorted_alike(address, command):
    params = {each.name: each for each in QRM[command].params}
    for each in API[address].query:
        if each.name not in PAGING:
            assert CALLED.get(each.name, each.name) in params, f"qrm {command}: {each.name}"
    (orders,) = [get_args(each.kind) for each in API[address].query if each.name == "sort"]
    assert set(params["sort"].type.choices) == set(orders)
    assert {"limit", "json_out"} <= set(params)


def values(kind):
    """Every value that a type has, where these are counted."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {str(each.value) for each in kind}
    return {str(each) for each in get_args(kind)} if get_origin(kind) is Literal else set()


@pytest.mark.parametrize(("address", "command"), sorted(set(lists())))
def test_choices_of_filters_are_the_api_s(address, command):
    params = {each.name: each for each in QRM[command].params}
    for each in API[address].query:
        inner = get_args(each.kind)[0] if get_origin(each.kind) is list else each.kind
        option = params.get(CALLED.get(each.name, each.name))
        if (possible := values(inner)) and option is not None and isinstance(option.type, click.Choice):
            assert {str(option.type.convert(value, option, None)) for value in possible} == possible, each.name
            assert len(option.type.choices) == len(possible), each.name
        assert option is None or each.name in PAGING or option.multiple == each.several, each.name


def test_the_readers_can_fail():
    assert "machines" not in QRM
    assert "--maintenance" in options("machines set")
    assert taken_by("POST /kernels") == {"name", "version", "cmdline", "vmlinuz", "initrd"}
    assert len(list(lists())) > 10
    assert msgspec.structs.fields(API["POST /users"].takes)

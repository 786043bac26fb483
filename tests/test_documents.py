"""The documents are complete and true: what the code has stands in them, and what README.md tells to type works."""

import ast
import dataclasses
import re
import shlex
import subprocess
import sys
import tomllib
import typing
from contextlib import suppress
from pathlib import Path

import click
import msgspec
import pytest

from appliance import config
from appliance.agent.steps import STEPS as AGENT_STEPS
from appliance.catalogue import Image, ImageId
from appliance.cli.main import COMMANDS, cli
from appliance.delivery import DELIVERIES
from appliance.deployment import Deployment, DiskIdentity
from appliance.events import KINDS, Event, Measured, Progress
from appliance.lab.plan import plan_machines
from appliance.machine import Machine, MachineId, State, default_name, parse_mac
from appliance.netboot.control import Control
from appliance.netboot.fleet import Boot
from appliance.netboot.http import BootFiles, BootHttp
from appliance.netboot.ipxe import Site, stack_arguments
from appliance.netboot.policy import NextEntry
from appliance.reconcile.params import MACHINE_STEPS, Surroundings, machine_params, params
from appliance.web.api.endpoint import Form
from appliance.web.api.routes import ENDPOINTS
from appliance.web.feed import message_of
from appliance.workflow import STEPS, Actor, DeploymentId
from tests.benchmarks.__main__ import main as bench

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
DOCUMENTS = [*sorted(ROOT.glob("*.md")), ROOT / "image-builder" / "README.md"]
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def chapter(text, title):
    """What stands under the heading that begins with ``title``, up to the next one of its rank or above."""
    (found,) = re.finditer(rf"^(#+) {re.escape(title)}.*$", text, re.MULTILINE)
    rest = text[found.end() :]
    code_hidden = FENCED.sub(lambda block: "-" * len(block[0]), rest)  # comments there look like headings
    end = re.search(rf"^#{{1,{len(found[1])}}} ", code_hidden, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text):
    """The cells of each table row, head and ruler left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rulers = {number for number, line in enumerate(cells) if set("".join(line)) <= set("-: ")}
    return [line for number, line in enumerate(cells) if number not in rulers and number + 1 not in rulers]


def quoted(text):
    """What stands in backquotes in prose and tables, each on one line."""
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", FENCED.sub("", text))]


def words(text):
    """Every word that stands in backquotes."""
    return {word for each in quoted(text) for word in re.findall(r"[\w.-]+", each)}


def blocks(text, language):
    """Code blocks of one language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


# -- configuration


def configuration_keys():
    for section in dataclasses.fields(config.Config):
        for key in dataclasses.fields(config._SECTIONS[section.name]):
            yield section.name, key.name


@pytest.mark.parametrize(("section", "key"), list(configuration_keys()))
def test_every_configuration_key_is_in_the_readme(section, key):
    table, current = set(), ""
    for name, *_ in rows(chapter(README, "Configuration")):
        for word in re.findall(r"`([^`]+)`", name):
            current = word.strip("[]") if word.startswith("[") else current
            table.add((current, word))
    assert (section, key) in table


def test_every_value_of_a_choice_is_in_the_readme():
    said = words(chapter(README, "Configuration"))
    for kind in config._SECTIONS.values():
        hints = typing.get_type_hints(kind).values()
        for each in [part for hint in hints for part in (hint, *typing.get_args(hint))]:  # Literal, or with None
            if typing.get_origin(each) is typing.Literal:
                assert set(typing.get_args(each)) <= said


def test_the_readme_s_configuration_is_good():
    (text,) = blocks(README, "toml")
    read = config.parse(text, "README.md")
    assert read.subnet
    assert read.site.preload, "an appliance begins with an image"
    # What the image builder is told to fill is what the configuration names.
    (output,) = re.findall(r"^ *image-builder/build all --output (\S+)$", README, re.MULTILINE)
    assert read.boot.stack == Path(output, "stack") == config.BootSection().stack
    assert read.boot.programs == Path(output, "programs") == config.BootSection().programs
    assert read.site.preload == (Path(output, "demo"),)
    assert set(tomllib.loads(text)) <= set(config._SECTIONS)


# -- what README.md tells to type


def typed(text):
    """Command lines of a document, each with whether it stands in a code block, to be typed as it is."""
    lines = [(line, True) for block in blocks(text, "") for line in block.splitlines()]
    lines += [(each, False) for each in quoted(text)]
    return [(shlex.split(line, comments=True), exactly) for line, exactly in lines if not line.count('"') % 2]


def lines_of(programs, documents=DOCUMENTS):
    """(document, whether to be typed as it is, arguments) of every call of one of these programs."""
    found = set()
    for document in documents:
        for argv, exactly in typed(document.read_text()):
            if len(argv) > 1 and argv[0].removeprefix("./") in programs:
                found.add((document.name, exactly, tuple(argv[1:])))
    return sorted(found)


QRM = ("qrm", ".venv/bin/qrm", "/opt/qrm/bin/qrm")


def parsed(command, arguments, parent=None):
    """Parse as `qrm` does, down to the last subcommand; nothing is run. Raises click.UsageError."""
    context = command.make_context(command.name or "qrm", list(arguments), parent=parent)
    if isinstance(command, click.Group) and (rest := _left(context)):
        _, found, remaining = command.resolve_command(context, rest)
        parsed(found, remaining, context)


def _left(context):
    """What a group has not parsed; click 8.2 keeps the first of it apart."""
    return [*getattr(context, "_protected_args", ()), *context.args]


def mentioned(arguments):
    """Whether the arguments are nothing but the name of a command, as one speaks of it."""
    command, context = cli, click.Context(cli)
    for name in arguments:
        command = command.get_command(context, name) if isinstance(command, click.Group) else None
    return command is not None


@pytest.mark.parametrize(("document", "exactly", "arguments"), lines_of(QRM))
def test_qrm_understands_its_command_lines(document, exactly, arguments):
    if not exactly and (mentioned(arguments) or "COMMAND" in arguments):
        return
    with suppress(click.exceptions.Exit):  # --help prints and ends; wrong usage is another exception
        parsed(cli, arguments)


def test_qrm_refuses_what_it_does_not_know():
    assert not mentioned(["lab", "sssh"])
    for wrong in (["lab", "ssh"], ["lab", "--nodez", "2"], ["machinez"], ["config", "check"]):
        with pytest.raises(click.UsageError):
            parsed(cli, wrong)


UNDERSTOOD = "import builder.cli; builder.cli.parser().parse_args(sys.argv[1:])"


@pytest.mark.parametrize(("document", "exactly", "arguments"), lines_of(("make",)))
def test_make_knows_its_targets(document, exactly, arguments):
    found = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    for argument in arguments:
        if argument.startswith("ARGS="):
            given = shlex.split(argument.removeprefix("ARGS="))
            if arguments[0] == "bench":
                parsed(bench, given)
            elif arguments[0] == "guest":
                assert all((ROOT / each.partition("::")[0]).exists() for each in given)
            elif arguments[0] == "image":
                found = builder(
                    "import builder.cli; builder.cli.parser().parse_args(sys.argv[1:])", "appliance", *given
                )
                assert found.returncode == 0, found.stderr
            else:
                assert arguments[0] == "lab"
                parsed(cli, ["lab", *given])


@pytest.mark.parametrize(("document", "exactly", "arguments"), lines_of(("image-builder/build", "build")))
def test_the_image_builder_understands_its_command_lines(document, exactly, arguments):
    if "|" in " ".join(arguments):
        return  # the grammar itself
    found = builder(UNDERSTOOD, *arguments)
    assert found.returncode == 0, found.stderr


def builder(code, *arguments):
    """A program that may import the image builder."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'image-builder'); {code}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_command_lines_are_found():
    """The tests above have something to look at."""
    readme = [ROOT / "README.md"]
    assert len(lines_of(QRM, readme)) >= 10
    assert {arguments[0] for *_, arguments in lines_of(("make",), readme)} >= {"lab", "test"}
    assert [arguments for *_, arguments in lines_of(("image-builder/build",), readme)]


def test_files_that_the_readme_names_are_there():
    steps = chapter(README, "The real thing")
    named = set(re.findall(r"(?<![\w/])(?:systemd|image-builder|docs)/[\w./@-]*\w", steps))
    named |= {target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target}
    assert {"systemd/appliance.service", "image-builder/build", "ARCHITECTURE.md"} <= named
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_real_thing_installs_the_packages_that_it_needs():
    """What packages.txt lists to run the daemon and to build images, but for what only ordinary users need."""
    groups = dict(re.findall(r"^# -- ([^\n,:]*)[^\n]*\n((?:(?!#).*\n?)*)", (ROOT / "packages.txt").read_text(), re.M))
    wanted = {
        line.split()[0]
        for group in ("to run the daemon and its console", "image-builder")
        for line in groups[group].splitlines()
    }
    (install,) = re.findall(r"apt-get install (.*)", chapter(README, "The real thing"))
    # npm brings nodejs, python3-venv brings python3; root needs no uidmap.
    assert wanted - set(install.split()) == {"python3", "nodejs", "uidmap"}
    assert "iproute2" in install, "the daemon asks `ip` for its addresses"


def test_the_lab_s_machines_have_the_names_that_the_readme_says():
    for machine in plan_machines(2):
        shown = default_name([parse_mac(machine.nics[0].mac)])
        assert f"`{shown}` ({machine.firmware.upper()})" in README
        assert f"`{machine.name}`" in README


def test_the_demo_image_has_the_name_that_the_readme_says():
    source = (ROOT / "image-builder" / "builder" / "demo.py").read_text()
    (name,) = re.findall(r'"name": "([^"]+)"', source)
    assert f"the image `{name}`" in " ".join(README.split())


# -- commands


def commands():
    """(command, subcommand or "")"""
    context = click.Context(cli)
    for name in COMMANDS:
        yield name, ""
        found = cli.get_command(context, name)
        if isinstance(found, click.Group):
            yield from ((name, inner) for inner in found.list_commands(context))


@pytest.mark.parametrize(("command", "inner"), list(commands()))
def test_every_command_is_in_the_readme(command, inner):
    lines = [" ".join(line) for line in rows(chapter(README, "Commands")) if re.search(rf"`qrm {command}\b", line[0])]
    assert lines, f"qrm {command}"
    assert not inner or inner in words(" ".join(lines)), f"qrm {command} {inner}"


# -- API and live messages


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
def test_every_endpoint_is_in_the_architecture(endpoint):
    table = {line[0]: line for line in rows(chapter(ARCHITECTURE, "JSON API"))}
    line = table[f"`{endpoint.method} {endpoint.path}`"]
    given = {each.name for each in endpoint.query}
    if "cursor" in given:
        given -= {"sort", "limit", "cursor"}  # said of all lists
    if isinstance(endpoint.takes, Form):
        given |= {name for name, _ in endpoint.takes.files}
    if isinstance(endpoint.takes, type) and issubclass(endpoint.takes, msgspec.Struct):
        given |= set(endpoint.takes.__struct_fields__)
    assert given <= words(line[1])


def test_the_architecture_has_no_endpoint_that_is_not_there():
    there = {f"`{each.method} {each.path}`" for each in ENDPOINTS}
    assert {line[0] for line in rows(chapter(ARCHITECTURE, "JSON API"))} == there


def test_addresses_outside_the_api_are_in_the_architecture():
    said = chapter(ARCHITECTURE, "JSON API") + chapter(ARCHITECTURE, "Live updates")
    for address in ("`GET /healthz`", "`GET /ca.pem`", "`GET /openapi.json`", "`/api/v1/live`", "`/live`"):
        assert address in said


def test_live_messages_are_in_the_architecture():
    table = {line[0]: line for line in rows(chapter(ARCHITECTURE, "Live updates"))}
    progress = message_of(Progress(MachineId("m"), "grow", 0.5, "half"))
    measured = message_of(Measured("appliance"))
    assert message_of(Event("machine.new", 0.0, "text"))["kind"] == "event"
    assert set(table) == {"`hello`", "`resync`", "`event`", f"`{progress['kind']}`", f"`{measured['kind']}`"}
    assert set(progress) - {"kind"} <= words(table["`progress`"][1])
    assert set(measured) - {"kind"} <= words(table["`measured`"][1])


def test_every_kind_of_event_is_in_the_architecture():
    said = chapter(ARCHITECTURE, "Events")
    assert {line[0].strip("`") for line in rows(said)} == set(KINDS)
    assert {each.name for each in dataclasses.fields(Event)} <= words(said)


# -- boot and control routes


def routes(app):
    """(method, path) of everything an application answers; HEAD belongs to its GET."""
    return sorted({(r.method, r.resource.canonical) for r in app.router.routes() if r.method != "HEAD"})


def boot_routes():
    files = BootFiles(Path("/"), Path("/"), "/stack/{hash}", b"", "", 80, 443)
    return routes(BootHttp(None, files, lambda: 0.0, None, None).make_app())


@pytest.mark.parametrize(("method", "path"), boot_routes())
def test_every_boot_route_is_in_the_architecture(method, path):
    pattern = re.sub(r"\\{\w+\\}", r"<[a-z ]+>", re.escape(path))
    said = " ".join(line[0] for line in rows(chapter(ARCHITECTURE, "Plain HTTP")))
    assert re.search(rf"`{method} {pattern}[`?]", said)


@pytest.mark.parametrize(("method", "path"), routes(Control(None).make_app()))
def test_every_control_route_is_in_the_architecture(method, path):
    said = chapter(ARCHITECTURE, "HTTPS agent control") + chapter(ARCHITECTURE, "Resident")
    assert re.search(rf"`{method} {re.escape(path)}[`?]", said)


def test_the_kernel_command_line_is_in_the_architecture():
    said = chapter(ARCHITECTURE, "Maintenance stack: kernel command line")
    line = stack_arguments(Boot(NextEntry(), "node", ""), Site("http://s", "https://s", "/stack/x", "f"), "m")
    for word in line.split():
        assert (word.partition("=")[0] if word.startswith("qrm.") else word) in said


# -- steps


def step_rows():
    return {line[0].strip("`"): line for line in rows(chapter(ARCHITECTURE, "HTTPS agent control"))}


def all_keys(value):
    """Every key of a JSON value, however deep."""
    if isinstance(value, dict):
        return set(value) | {key for each in value.values() for key in all_keys(each)}
    return {key for each in value for key in all_keys(each)} if isinstance(value, list) else set()


def around():
    """Something of everything that parameters are made from."""
    disk = DiskIdentity("serial", "wwn", 1 << 30)
    deployment = Deployment(DeploymentId(1), "web1", ImageId(1), 0.0, disk=disk, machine_uuid="0" * 32)
    machine = Machine(
        id=MachineId("m"), name="node", state=State.IDLE, macs=(parse_mac("52:54:00:00:00:01"),), created=0.0
    )
    image = Image(ImageId(1), "image", "", "raw", 1 << 20, 1 << 20, "0" * 64, 512, 0.0)
    return Surroundings(machine, deployment, image, "http://s", "https://s", "PEM")


def test_the_architecture_has_the_agent_s_steps_and_no_other():
    assert set(step_rows()) == set(AGENT_STEPS)
    assert {name for name, step in STEPS.items() if step.actor is Actor.AGENT} <= set(AGENT_STEPS)


@pytest.mark.parametrize("step", [name for name, step in STEPS.items() if step.actor is Actor.AGENT])
def test_what_a_step_is_told_is_in_the_architecture(step):
    made = around()
    given = machine_params(step, made.machine) if step in MACHINE_STEPS else params(step, made)
    table = step_rows()
    # A disk's identity is said once, above and in the first row.
    known = words(table[step][1]) | words(table["prepare-disk"][1])
    assert set(given) <= words(table[step][1])
    assert all_keys(given) <= known


def dictionary_keys(tree):
    """The keys of every dictionary that a piece of source writes out."""
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


@pytest.mark.parametrize("step", AGENT_STEPS)
def test_what_a_step_brings_is_in_the_architecture(step):
    source = ROOT / "appliance" / "agent" / "steps" / f"{step.replace('-', '_')}.py"
    keys = dictionary_keys(ast.parse(source.read_text()))
    assert keys, "every step brings something"
    assert keys <= words(step_rows()[step][2])


def test_the_inventory_is_in_the_architecture():
    agent = ROOT / "appliance" / "agent"
    keys = set()
    for path in (agent / "inventory").glob("*.py"):
        keys |= dictionary_keys(ast.parse(path.read_text()))
    for path, functions in ((agent / "disk/content.py", {"report", "_entry"}), (agent / "disk/model.py", {"report"})):
        found = [
            n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef) and n.name in functions
        ]
        assert {each.name for each in found} == functions
        keys |= {key for each in found for key in dictionary_keys(each)}
    said = chapter(ARCHITECTURE, "Inventory")
    assert len(keys) > 50
    assert {key for key in keys if f'"{key}"' not in said} == set()


# -- rooms, recipes, deliveries


def test_every_room_is_on_the_map():
    inside = {
        path.name for path in (ROOT / "appliance").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    said = words(chapter(ARCHITECTURE, "Map of modules"))
    assert len(inside) > 20
    assert inside - {"__init__.py"} - said == set()


def test_the_map_names_nothing_that_is_not_there():
    """But for the rooms that it says are to come."""
    for line in rows(chapter(ARCHITECTURE, "Map of modules")):
        for name in re.findall(r"[\w/]+(?:\.py|/)", line[0].replace("`appliance/`", "")):
            assert (ROOT / "appliance" / name).exists(), name


def test_contributing_names_what_is_there():
    """Files with their folder, and names of modules with what is in them."""
    to_come = {"appliance/storage/"}
    for name in re.findall(r"`((?:[\w-]+/)+(?:[\w-]+\.(?:py|md|txt))?)(?:\.[a-z_]\w*)?`", CONTRIBUTING):
        places = (ROOT / name, ROOT / "appliance" / name)
        assert name in to_come or any(place.exists() for place in places), name
    for module, name in re.findall(r"`(?:\w+/)*(\w+)(?:\.py)?\.(_?[A-Za-z_]+)`", CONTRIBUTING):
        if name in ("py", "md", "txt"):
            continue
        sources = [path.read_text() for path in (ROOT / "appliance").rglob(f"{module}.py")]
        sources += [
            path.read_text() for path in (ROOT / "appliance").rglob("*.py") if f"class {module}" in path.read_text()
        ]
        assert any(re.search(rf"\b{name}\b", source) for source in sources), f"{module}.{name}"


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_every_delivery_is_in_the_readme(delivery):
    assert delivery in words(chapter(README, "What works today"))


def test_decisions_have_a_date():
    starts = re.findall(r"^\*\*(.{10})", chapter(ARCHITECTURE, "Decisions"), re.MULTILINE)
    assert len(starts) > 5
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", each) for each in starts)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        assert "://" in target or (document.parent / target).exists(), target


def test_these_readers_can_fail():
    """They see a table's cells, a chapter's end, a quoted word and a command line for what they are."""
    table = "| `x` | y \\| z |\n| --- | --- |\n| `a b` | c |\n"
    text = f"# A\n{table}```\n# no heading\nmake x\n```\n# B\n`qrm lab --nodes 2`\n"
    assert rows(chapter(text, "A")) == [["`a b`", "c"]]
    assert "make x" in chapter(text, "A")
    assert "qrm lab" not in chapter(text, "A")
    assert words(text) >= {"x", "a", "b", "lab", "--nodes"}
    assert (["make", "x"], True) in typed(text)
    assert (["qrm", "lab", "--nodes", "2"], False) in typed(text)

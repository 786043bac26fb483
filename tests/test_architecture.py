"""The rules that keep the code readable, held from its source: layers, purity, who may start programs and tasks."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

from appliance.agent.steps import STEPS as AGENT_STEPS
from tests.one_by_one import one_by_one

ROOT = Path(__file__).parent.parent / "appliance"
PACKAGE = "appliance"
LONGEST_FILE = 500

IMPURE = {
    "asyncio", "socket", "subprocess", "time", "threading", "selectors", "ssl", "os", "random", "secrets",
    "aiohttp", "sqlite3", "libvirt", "pyroute2", "uvloop", "logging",
}  # fmt: skip
CLOCKS = {"now", "today", "utcnow"}
"""What of ``datetime`` asks what time it is; the rest only reckons."""

MIDDLE = {"netboot", "store", "power", "hypervisor", "storage", "network", "privileged"}
KNOWN_BY = {"storage": ("privileged.client", "privileged.verb")}
"""Beginnings of what a room of the middle knows of another: storage reaches LVM through the privileged helper only."""
WORDS = {
    "about", "accounts", "machine", "deployment", "delivery", "catalogue", "workflow", "lease", "names", "rescue",
    "links", "networking", "sighting", "sizes", "task", "events", "errors", "command", "dhcp_options", "bootprogram",
    "screencode", "on_disk", "ssh_keys", "authorized_keys", "volume", "root_volume", "export", "pool", "wiping",
    "iso", "posix_acl", "small_disc", "seed_disc", "vm", "vm_check", "vm_figure", "vm_host", "vm_work", "vm_points",
    "vm_usage", "recipes", "blocking", "decoding", "cloud_init", "cloud_config", "half_upload", "intake",
    "fetch_source", "imageformat", "kernel_modules", "filesystem", "bootdisk",
    "power_switch", "power_order", "power_known", "power_found", "toml_edit", "toml_sections", "updates", "__init__",
}  # fmt: skip
LAYERS = (
    WORDS,
    MIDDLE,
    {"reconcile"},
    {"backup", "health", "settings", "setup", "support"},
    {"web"},
    {"daemon", "serving", "assembly", "instruments", "cli", "lab", "__main__", "probe", "screen", "installer"},
)
"""Each may import from those before it, and within itself where ``MIDDLE`` does not forbid that."""
SERVICES = {
    "certificates", "chains", "config", "config_fitting", "config_subnets", "console_tls", "journal", "last_run",
    "listening", "metrics", "notify", "power_key", "reserve", "server_tls", "state",
}  # fmt: skip
"""Small rooms of the composition root beside the layers; they know the words only, and each other."""
USES_SERVICES = {"backup", "support", "privileged", "settings", "setup", "web"}
"""Rooms below the last layer that know some of them."""
ELSEWHERE = {"agent", "resident", "kernel_modules", "bootdisk"}
PROGRAMS = {"command", "agent.run", "resident.system", "lab.process"}
"""Modules that start programs, each the one of what it belongs to."""


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


def room(name):
    return name.split(".")[0]


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


@cache
def tree(name):
    return ast.parse(MODULES[name].read_text())


def resolved(name, node):
    """Full names that one import statement brings in."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = [PACKAGE, *name.split(".")] if name != "__init__" else [PACKAGE]
        is_package = MODULES[name].name == "__init__.py"
        kept = package[: len(package) - node.level + is_package]
        base = ".".join([*kept, *filter(None, [base])])
    return [f"{base}.{alias.name}" for alias in node.names]


@cache
def imports(name, module_level=False):
    """Everything that a module imports; at module level only, where that matters."""
    body = tree(name)
    nodes = body.body if module_level else ast.walk(body)
    return {full for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for full in resolved(name, node)}


def ours(names):
    """Those of the names that are modules of ours, as they are called here."""
    found = set()
    for full in names:
        if full == PACKAGE or not full.startswith(f"{PACKAGE}."):
            continue
        inner = full.removeprefix(f"{PACKAGE}.")
        while inner and inner not in MODULES:
            inner = inner.rpartition(".")[0]
        found.add(inner or "__init__")
    return found


def docstring(name):
    """What a module says of itself, without parsing all of it: this is asked of each whenever tests are chosen."""
    text = MODULES[name].read_text()
    return text.split('"""', 2)[1] if text.startswith('"""') else ""


def says_pure(name):
    return re.search(r"\bpure\b", docstring(name), re.IGNORECASE) is not None


def touches(name):
    """What keeps a module from being pure, but for other modules of ours."""
    called = {node.func for node in ast.walk(tree(name)) if isinstance(node, ast.Call)}
    clocks = {ast.unparse(each) for each in called if isinstance(each, ast.Attribute) and each.attr in CLOCKS}
    return {full.split(".")[0] for full in imports(name)} & IMPURE | {
        each for each in clocks if each.startswith("date")
    }


PURE = {name for name in MODULES if says_pure(name)}
"""Modules that decide and never act: those whose docstrings say so."""
DECIDING = WORDS - {"about", "blocking", "decoding", "command", "events", "on_disk"} | {"netboot", "reconcile"}
"""Rooms in which a module that touches nothing has to say so. ``events`` has the bus in it, ``about`` a variable,
``decoding`` a lock, by which nobody can tell when it is called."""


def layer(name):
    return next((number for number, rooms in enumerate(LAYERS) if room(name) in rooms), None)


@one_by_one(MODULES)
def test_every_module_begins_with_what_it_says_of_itself(name):
    assert docstring(name) == (ast.get_docstring(tree(name), clean=False) or "")


@one_by_one(MODULES)
def test_every_module_has_its_place(name):
    assert layer(name) is not None or room(name) in SERVICES | ELSEWHERE, "name its room in this test"


@one_by_one([name for name in MODULES if layer(name) is not None])
def test_imports_go_one_way(name):
    for other in ours(imports(name)):
        if room(other) in SERVICES:
            assert layer(name) == len(LAYERS) - 1 or room(name) in USES_SERVICES, f"{name} imports {other}"
            continue
        assert layer(other) is not None, f"{name} imports {other}"
        assert layer(other) <= layer(name), f"{name} imports {other}, which stands above it"


@one_by_one([name for name in MODULES if room(name) in MIDDLE])
def test_middle_packages_do_not_know_each_other(name):
    known = {other for other in ours(imports(name)) if room(other) in MIDDLE - {room(name)}}
    assert {other for other in known if not other.startswith(KNOWN_BY.get(room(name), ()))} == set()


@one_by_one([name for name in MODULES if room(name) in SERVICES])
def test_services_know_words_only(name):
    assert {room(other) for other in ours(imports(name))} <= WORDS | SERVICES


@one_by_one([name for name in MODULES if room(name) in ELSEWHERE])
def test_what_runs_elsewhere_has_the_standard_library_and_itself(name):
    for full in imports(name):
        inside = full.startswith(f"{PACKAGE}.{room(name)}")
        assert inside or full.split(".")[0] in sys.stdlib_module_names, f"{name} imports {full}"


@one_by_one(sorted(PURE))
def test_modules_that_call_themselves_pure_touch_nothing(name):
    assert touches(name) == set()
    assert {other for other in ours(imports(name)) if other not in PURE | PACKAGES | {"events", "decoding"}} == set()


def test_modules_that_touch_nothing_call_themselves_pure():
    pure = {name for name in MODULES if room(name) in DECIDING and not touches(name)} - PACKAGES
    while acting := {name for name in pure if ours(imports(name)) - pure - PACKAGES - {"events", "decoding"}}:
        pure -= acting
    assert pure - PURE == set(), "say so in their docstrings"


@one_by_one(MODULES)
def test_programs_are_started_in_one_place(name):
    if name in PROGRAMS:
        return
    assert "subprocess" not in {full.split(".")[0] for full in imports(name)}
    for node in ast.walk(tree(name)):
        called = node.attr if isinstance(node, ast.Attribute) else ""
        assert called not in {"create_subprocess_exec", "create_subprocess_shell", "popen", "posix_spawn", "execv"}


def test_the_steps_of_the_agent_are_steps():
    files = {name.rpartition(".")[2].replace("_", "-") for name in MODULES if name.startswith("agent.steps.")}
    assert files == set(AGENT_STEPS)


@one_by_one(MODULES)
def test_every_task_has_an_owner(name):
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = ast.unparse(node.func.value)
            loose = node.func.attr == "ensure_future" or (node.func.attr == "create_task" and "loop" in on)
            assert not loose, f"line {node.lineno}"
            assert not (node.func.attr == "create_task" and on == "asyncio"), f"line {node.lineno}"


@one_by_one(MODULES)
def test_no_file_is_longer_than_one_can_keep_in_mind(name):
    assert len(MODULES[name].read_text().splitlines()) <= LONGEST_FILE


@one_by_one(MODULES)
def test_no_module_is_called_by_a_word_that_says_nothing(name):
    empty = {"utils", "util", "helper", "helpers", "manager", "common", "misc", "core"}
    assert not set(name.split(".")) & empty
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ClassDef):
            assert not node.name.endswith(("Manager", "Helper", "Utils")), node.name


@one_by_one(MODULES)
def test_netlink_is_spoken_in_the_network_room_only(name):
    if room(name) not in {"network", "lab"}:
        assert "pyroute2" not in {full.split(".")[0] for full in imports(name)}


@one_by_one(MODULES)
def test_libvirt_is_spoken_in_the_room_of_its_hosts_only(name):
    if room(name) != "hypervisor":
        assert "libvirt" not in {full.split(".")[0] for full in imports(name)}


def test_no_import_cycle():
    """Depth first over what is imported when a module is loaded."""
    done, path = set(), []

    def visit(name):
        if name in path:
            raise AssertionError(" -> ".join([*path[path.index(name) :], name]))
        if name in done:
            return
        path.append(name)
        for other in sorted(ours(imports(name, module_level=True)) - {name}):
            visit(other)
        path.pop()
        done.add(name)

    for name in MODULES:
        visit(name)


def test_the_daemon_does_not_load_the_probes_libraries():
    """GPL code, and half a second to import; what checks our servers must not be what they are made of."""
    reached, waiting = set(), ["daemon"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += ours(imports(name))
    outside = {full.split(".")[0] for name in reached for full in imports(name)}
    assert len(reached) > 80, "the walk reaches the product"
    assert outside & {"scapy", "tftpy", "playwright", "pytest", "hypothesis"} == set()
    assert {room(name) for name in reached} & {"lab", "probe", "cli", "agent", "resident"} == set()


@one_by_one([name for name in MODULES if room(name) == "probe"])
def test_the_probe_shares_no_code_with_our_servers(name):
    """What checks them must not be made of their codecs."""
    known = {other for other in ours(imports(name)) if room(other) != "probe"}
    assert known <= {"errors", "command", "dhcp_options", "cli.output"}


@one_by_one(MODULES)
def test_scapy_and_tftpy_stay_at_the_edge_of_the_probe(name):
    used = {full.split(".")[0] for full in imports(name)} & {"scapy", "tftpy"}
    assert not used or name.startswith("probe.observe.")
    assert room(name) in {"probe", "cli"} or "probe" not in {room(other) for other in ours(imports(name))}


def test_these_rules_can_fail():
    """The reader of imports sees relative ones, ones inside functions, and whole modules."""
    assert "reconcile.settle" in ours(imports("reconcile.agents"))
    assert any(full.startswith(f"{PACKAGE}.agent.errors") for full in imports("agent.work"))
    assert set(MODULES) >= PROGRAMS
    assert "scapy.packet.Packet" in imports("probe.observe.wire")
    assert len(PURE) > 60
    assert touches("state") >= {"os"}
    assert layer("netboot.http") < layer("reconcile.agents") < layer("web.app") < layer("daemon")

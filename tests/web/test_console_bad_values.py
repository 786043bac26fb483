"""Every form with every bad value: refused in words beside the field, nothing typed lost, never a defect of ours."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from aiohttp import FormData
from console_client import PASSWORD, Visitor, said, visitor
from console_seed import KEY
from console_seed_storage import CUSTOMER, KEPT, LAB, OLD_UUID, SPARE
from console_seed_vms import BUILD, WEB
from markupsafe import escape

from appliance.recipes.shelf import OURS
from appliance.web.console.routes import ROUTES

BAD = {
    "nothing": "",
    "long": "x" * 100_000,
    "long words": "many words " * 10_000,
    "script": "<script>document.title='owned'</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "template": "{{7*7}}${7*7}",
    "nul": "a\x00b",
    "escape": "\x1b]0;owned\x07\x1b[31mred",
    "turned": "\u202egnp.exe",
    "emoji": "\N{PILE OF POO}\N{ZERO WIDTH JOINER}" * 5,
    "quotes": "'; DROP TABLE machines; --",
    "negative": "-1",
    "number": "1E+999",
    "path": "../../etc/passwd",
    "lines": "a\nb: c\r\nd",
    "surrogate": "\ud800",
}
SECRET = frozenset({"password", "again", "old", "key_pem", "secret"})
"""What no page sends back."""


@dataclass(frozen=True)
class Form:
    """One form with values that it takes."""

    path: str
    good: dict[str, str]
    strict: frozenset[str]
    """Fields that take none of the bad values, but for ``lax``."""
    lax: dict[str, frozenset[str]] = field(default_factory=dict)
    """Bad values that are good ones of a field."""
    free: frozenset[str] = frozenset()
    """Fields of free text: everything is taken that is not too long."""
    file: str = ""
    """A field for a file."""


def names(*several: str) -> frozenset[str]:
    return frozenset(several)


EMPTY = names("nothing")
POOL = f"/storage/{LAB}"
VOLUME = f"{POOL}/volumes/{SPARE}"
VM = f"/vms/{BUILD}"
PASSWORDS = {"password": names(*BAD) - names("nothing", "long", "long words", "nul", "turned", "negative", "number")}
"""Whatever is neither short nor endless."""
FORMS = (
    Form(
        "/machines/m0006/edit",
        {"name": "node-17", "reserved_address": "", "dhcp_options": "", "tags": "rack-8", "hand_over": "kexec",
         "notes": ""},
        names("name", "reserved_address", "dhcp_options", "tags", "hand_over"),
        {"reserved_address": EMPTY, "dhcp_options": EMPTY, "tags": names("nothing", "negative", "long words", "lines")},
        names("notes"),
    ),
    Form("/machines/m0006/rescue", {"ssh_keys": KEY}, names("ssh_keys")),
    Form("/machines/m0006/delete", {"confirm": "node-17"}, names("confirm")),
    Form(
        "/machines/m0005/power-settings",
        {"kind": "ipmi", "address": "192.0.2.10", "port": "", "user": "root", "secret": PASSWORD, "cipher_suite": "",
         "privilege": ""},
        names("address", "port", "user", "secret", "cipher_suite", "privilege"),
        {"port": EMPTY, "cipher_suite": EMPTY, "privilege": EMPTY,
         "user": names("nothing", "template", "negative", "number", "path"),
         "secret": names("nothing", "template", "turned", "negative", "number", "path")},
    ),
    Form("/machines/m0000/power/off", {"confirm": "node-11"}, names("confirm"), {"confirm": EMPTY}),
    Form(
        "/network/subnets/br0/edit",
        {"mode": "proxy", "unknown_machines": "enlist", "other_servers": "refuse", "network_roots": "ask",
         "confirm": "br0"},
        names("mode", "unknown_machines", "other_servers", "network_roots", "confirm"),
        dict.fromkeys(("mode", "unknown_machines", "other_servers", "network_roots"), EMPTY),
    ),
    Form("/machines/bulk?chosen=m0005&action=tag", {"tags": "a"}, names("tags"),
         {"tags": names("negative", "long words", "lines")}),
    Form("/machines/bulk?chosen=m0005&action=hand-over", {"hand_over": "kexec"}, names("hand_over")),
    Form("/machines/bulk?chosen=m0005&action=rescue", {"ssh_keys": KEY}, names("ssh_keys")),
    Form("/machines/bulk?chosen=m0005&action=delete", {"confirm": "1 machine"}, names("confirm")),
    Form(
        "/deployments/new",
        {"name": "new-1", "image": "debian-13", "machine": "", "cpus": "2", "memory": "4", "disk_size": "10",
         "tags": "gpu", "disk_rule": "named", "disk": "S1", "ssh_keys": KEY, "wipe_method": "discard",
         "delivery": "disk", "user_data": "", "network_config": ""},
        names("name", "image", "delivery", "machine", "cpus", "memory", "disk_size", "tags", "ssh_keys", "wipe_method",
              "user_data", "network_config"),
        {"machine": EMPTY, "cpus": EMPTY, "memory": EMPTY, "disk_size": EMPTY, "delivery": EMPTY,
         "tags": names("nothing", "negative", "long words", "lines"), "ssh_keys": EMPTY, "wipe_method": EMPTY,
         "user_data": EMPTY, "network_config": EMPTY},
    ),
    Form(
        "/deployments/new",
        {"name": "new-3", "image": "live-13", "delivery": "ram", "seed_make": "yes", "seed_users": "ada",
         "seed_packages": "nginx", "seed_timezone": "UTC"},
        names("seed_users", "seed_packages", "seed_timezone"),
        {"seed_users": EMPTY, "seed_timezone": EMPTY,
         "seed_packages": names("nothing", "long words", "lines", "number")},
    ),
    Form(
        "/deployments/new",
        {"name": "new-2", "image": "live-13", "delivery": "iscsi", "pool": "", "root_size": "12"},
        names("pool", "root_size"),
        {"pool": EMPTY, "root_size": EMPTY},
    ),
    Form(
        "/deployments/batch-1/edit",
        {"name": "batch-1", "image": "debian-13", "cpus": "2", "memory": "4", "disk_size": "10", "tags": "gpu",
         "ssh_keys": KEY, "wipe_method": "discard"},
        names("name", "image", "cpus", "memory", "disk_size", "tags", "ssh_keys", "wipe_method"),
        {"image": EMPTY, "cpus": EMPTY, "memory": EMPTY, "disk_size": EMPTY,
         "tags": names("nothing", "negative", "long words", "lines"), "ssh_keys": EMPTY, "wipe_method": EMPTY},
    ),
    Form("/deployments/db-1/release", {"confirm": "db-1"}, names("confirm"), {"confirm": EMPTY}),
    Form("/deployments/batch-1/delete", {"confirm": "batch-1"}, names("confirm")),
    Form("/images/rocky-10/edit", {"name": "rocky-10", "description": ""}, names("name"), {}, names("description")),
    Form("/images/rocky-10/delete", {"confirm": "rocky-10"}, names("confirm")),
    Form("/images/make/new", {"recipe": "debian-13", "name": "new-5", "packages": "curl", "description": ""},
         names("recipe", "name", "packages"), {"packages": EMPTY}, names("description")),
    Form("/recipes/new", {"name": "mine", "text": (OURS / "debian-13.toml").read_text()}, names("name", "text")),
    Form("/images/fetch/new",
         {"url": "https://images.example/disk.raw", "sha256": "ab" * 32, "name": "new-4", "description": ""},
         names("url", "sha256", "name"), {}, names("description")),
    Form("/isos/virtio-win/edit", {"name": "virtio-win", "description": ""}, names("name"), {}, names("description")),
    Form("/isos/virtio-win/delete", {"confirm": "virtio-win"}, names("confirm")),
    Form("/isos/fetch/new",
         {"url": "https://images.example/disc.iso", "sha256": "ab" * 32, "name": "new-6", "description": ""},
         names("url", "sha256", "name"), {}, names("description")),
    Form("/isos/new", {"name": "new-7", "description": ""}, names("name"), {}, names("description"), "file"),
    Form("/images/new", {"name": "new-2", "description": ""}, names("name"), {}, names("description"), "file"),
    Form("/kernels/new", {"name": "new-3", "version": "", "cmdline": ""}, names("name"), {},
         names("version", "cmdline"), "vmlinuz"),
    Form("/storage/new", {"name": "files", "kind": "directory", "place": "/nowhere"}, names("name", "kind", "place")),
    Form("/storage/1/extend", {"disks": "WD-B1", "confirm": ""}, names("disks")),
    Form("/storage/3/retire", {"confirm": "archive"}, names("confirm")),
    Form("/storage/adopt", {"group": OLD_UUID, "name": "old", "kind": "lvm-thin", "confirm": "old"},
         names("name", "kind", "confirm")),
    Form(f"{POOL}/volumes/new", {"name": "new-5", "size": "1 GiB", "image": ""}, names("name", "size")),
    Form(f"{VOLUME}/grow", {"size": "60 GiB"}, names("size")),
    Form(f"{VOLUME}/rename", {"name": "scratch"}, names("name")),
    Form(f"{VOLUME}/clone", {"name": "customer2", "size": ""}, names("name", "size"), {"size": EMPTY}),
    Form(f"{VOLUME}/snapshot", {"name": "kept"}, names("name")),
    Form(f"{VOLUME}/delete", {"confirm": "scratch"}, names("confirm")),
    Form(f"{POOL}/volumes/{CUSTOMER}/roll-back/{KEPT}", {"confirm": "customer1"}, names("confirm")),
    Form(
        "/vms/new",
        {"name": "shop", "system": "linux", "host": "kvm-1", "cpus": "2", "memory": "2 GiB", "firmware": "uefi",
         "disk0_from": "pool:lab", "disk0_size": "1 GiB", "disk0_bus": "sata", "nic0_bridge": "br0", "nic0_vlan": "",
         "nic0_model": "virtio", "cdrom0": "", "autostart": "yes", "order": "0", "delay": "0", "notes": ""},
        names("name", "cpus", "memory", "disk0_size", "nic0_bridge", "nic0_vlan", "order", "delay", "cdrom0"),
        {"disk0_size": EMPTY, "nic0_bridge": EMPTY, "nic0_vlan": EMPTY, "cdrom0": EMPTY},
    ),
    Form(
        f"{VM}/edit",
        {"name": "build-vm", "system": "linux", "cpus": "2", "memory": "2 GiB", "firmware": "uefi", "autostart": "yes",
         "order": "0", "delay": "0", "notes": ""},
        names("name", "cpus", "memory", "order", "delay"),
    ),
    Form(f"{VM}/disks/new", {"from": "pool:lab", "size": "1 GiB", "bus": "sata"}, names("size")),
    Form(f"{VM}/nics/edit", {"nic0_bridge": "br0", "nic0_vlan": "", "nic0_model": "virtio"},
         names("nic0_bridge", "nic0_vlan"), {"nic0_bridge": EMPTY, "nic0_vlan": EMPTY}),
    Form(f"{VM}/delete", {"confirm": "build-vm"}, names("confirm")),
    Form(f"/vms/{WEB}/shut-down", {"patience": "30"}, names("patience")),
    Form("/vms/hosts/new", {"name": "rack-2", "address": "memory:///here"}, names("name", "address")),
    Form("/network/names/new", {"name": "git", "type": "A", "value": "10.77.0.9", "note": ""},
         names("name", "type", "value"), {}, names("note")),
    Form("/network/reservations/new",
         {"mac": "52:54:00:00:00:99", "uuid": "", "port": "", "address": "10.77.0.31", "name": "", "note": ""},
         names("mac", "uuid", "port", "address", "name"), {"uuid": EMPTY, "port": EMPTY, "name": EMPTY},
         names("note")),
    Form("/settings/users/new", {"name": "carl", "role": "viewer", "password": PASSWORD, "again": PASSWORD},
         names("name", "role", "password", "again"), PASSWORDS),
    Form("/settings/users/eva", {"role": "operator"}, names("role")),
    Form("/settings/users/eva/password", {"password": PASSWORD, "again": PASSWORD},
         names("password", "again"), PASSWORDS),
    Form("/settings/users/eva/delete", {"confirm": "eva"}, names("confirm")),
    Form("/settings/certificate", {"certificate_pem": "x", "key_pem": "x"}, names("certificate_pem")),
    Form("/account/password", {"old": PASSWORD, "password": PASSWORD, "again": PASSWORD},
         names("old", "password", "again"), PASSWORDS),
    Form("/account/tokens/new", {"name": "ci", "scope": "viewer", "days": "30"}, names("name", "scope", "days")),
    Form("/account/tokens/t0/delete", {"confirm": "monitoring"}, names("confirm")),
)  # fmt: skip


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visitor(tmp_path) as someone:
        await someone.log_in()
        yield someone


async def send(ada: Visitor, form: Form, values: dict[str, str]) -> tuple[int, str]:
    """Send it as a browser does; the answer's status and page."""
    body: FormData | bytes
    if form.file:
        body = FormData()
        for name, value in values.items():
            body.add_field(name, value.encode("utf-8", "replace").decode())
        body.add_field(form.file, b"\0" * 4096, filename="file.raw")
        sent = {"data": body, "headers": ada.headers}
    else:
        sent = {"data": urlencoded(values), "headers": {**ada.headers, "Content-Type": TYPE}}
    async with ada.client.post(form.path, allow_redirects=False, **sent) as answer:
        return answer.status, await answer.text()


TYPE = "application/x-www-form-urlencoded"


def urlencoded(values: dict[str, str]) -> bytes:
    return "&".join(f"{n}={quote_plus(v, errors='surrogatepass')}" for n, v in values.items()).encode()


CHOSEN = names(
    "type", "role", "scope", "days", "hand_over", "image", "machine", "confirm", "kind", "cipher_suite", "privilege",
    "disks", "mode", "serve_non_pxe", "unknown_machines", "other_servers", "network_roots", "wipe_method", "delivery",
    "pool", "system", "firmware", "host", "disk0_from", "disk0_bus", "nic0_model", "cdrom0", "from", "bus", "autostart",
)  # fmt: skip
"""Fields that are chosen from a list, or typed anew each time."""
REFUSED = (400, 403, 409, 422, 429)


def is_good(form: Form, name: str, kind: str) -> bool:
    """Whether a field takes a bad value after all."""
    if name in form.free:
        return len(BAD[kind]) < 1000
    return kind in form.lax.get(name, frozenset())


def wrong_with(form: Form, name: str, kind: str, sent: dict[str, str], status: int, page: str) -> str:
    """What is wrong with the answer to one bad value; empty where it is as it should be."""
    if is_good(form, name, kind):
        return "" if status < 500 else f"{status}"
    if status not in REFUSED:
        return f"{status} for what is wrong"
    if kind == "surrogate" or status == 429:
        return ""  # no text at all: the form as such is refused; or too many wrong passwords
    errors = [each.rpartition(".")[2] for each in re.findall(r'id="([^"]+)-error"', page)]
    if {"confirm": "typed"}.get(name, name) not in errors:
        return f"nothing is said beside the field but {errors}"
    typed = {each: value for each, value in sent.items() if each not in SECRET | CHOSEN}
    shown = page.replace("\r\n", "\n")
    lost = [each for each, value in typed.items() if str(escape(value.strip().replace("\r\n", "\n"))) not in shown]
    return f"{lost} are lost" if lost else ""


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.path)
async def test_bad_values(ada: Visitor, form: Form) -> None:
    wrong = []
    for name in sorted(form.strict | form.free):
        for kind in BAD:
            twice = {"again": BAD[kind]} if name == "password" else {}
            if form.file and name != "name":
                twice = {"name": f"new-{kind.replace(' ', '-')}"}  # what was uploaded before is there
            sent = form.good | {name: BAD[kind]} | twice
            status, page = await send(ada, form, sent)
            assert "<script>document" not in page
            assert "<img" not in re.sub(r'<img src="/static[^>]*>', "", page)
            if words := wrong_with(form, name, kind, sent, status, page):
                wrong.append(f"{name}={kind}: {words}: {said(page)[120:300]}")
    assert "\n".join(wrong) == ""


TALKING = {"/login", "/setup"} | {each.path for each in ROUTES if "/setup/" in each.path}
"""Forms of the door, and of set-up in steps, have their own tests."""
PLAIN = re.compile(r"/(end|forget|maintenance|mend|broken|cancel|reset|logout|end-rescue|admit|\{action\})$")
"""Forms without anything to type; the actions of deployments are here by their names."""


def test_every_form_is_here() -> None:
    known = [re.sub(r"\?.*", "", form.path) for form in FORMS]
    for route in ROUTES:
        if route.method != "POST" or route.path in TALKING or PLAIN.search(route.path):
            continue
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(route.path))
        assert any(re.fullmatch(pattern, path) for path in known) or route.path in UNTYPED, route.path


UNTYPED = {
    "/vms/bulk",
    "/vms/hosts/{host}/remove",
    "/vms/{key}/order/{order}",
    "/vms/{key}/disks/{target}/remove",
    "/vms/{key}/cdroms/edit",
    "/vms/{key}/boot/edit",
    "/deployments/bulk",
    "/images/uploads/{key}/stop",
    "/isos/uploads/{key}/stop",
    "/images/{key}/kernels",
    "/recipes/{key}/delete",
    "/kernels/uploads/{key}/stop",
    "/kernels/{key}/modules/new",
    "/kernels/{key}/modules/fetch",
    "/kernels/{key}/modules/stop",
    "/kernels/{key}/edit",
    "/kernels/{key}/delete",
    "/machines/{key}/power-settings/delete",
    "/network/subnets/{interface}/look",
    "/storage/{pool}/examine",
    "/storage/{pool}/repair",
    "/storage/{pool}/volumes/{volume}/golden",
    "/network/reservations/{key}/delete",
    "/network/names/{key}/delete",
    "/network/interfaces/new",
    "/network/interfaces/nat",
    "/network/interfaces/confirm",
    "/network/interfaces/revert",
    "/network/interfaces/{name}/edit",
    "/network/interfaces/{name}/delete",
    "/settings/ssh",
    "/settings/ssh/remove",
    "/settings/general",
    "/settings/general/disks",
    "/settings/general/subnets/new",
    "/settings/general/subnets/{interface}/edit",
    "/settings/general/subnets/{interface}/delete",
    "/settings/health/bundle",
    "/settings/health/disks/{name}/identify",
    "/settings/health/factory-reset",
    "/settings/backup/configuration",
    "/settings/backup/discard",
    "/settings/backup/dismiss",
    "/settings/backup/download",
    "/settings/backup/restore",
    "/settings/backup/upload",
    "/settings/backup/old/{name}/delete",
    "/settings/updates/upload",
    "/settings/updates/download",
    "/settings/updates/discard",
    "/settings/updates/stop-upload",
    "/settings/updates/install",
    "/settings/updates/restart",
    "/settings/updates/back",
}
"""The same page as another that is here, nothing to type, or a file: backups, updates, SSH, settings and own networks
have tests of their own."""

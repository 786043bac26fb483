"""What was typed into the form for a deployment, as a wish; and which machines would do. Nothing is looked up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.catalogue import Image
from appliance.delivery import DELIVERIES, Delivery, check_delivery, on_disk, on_volume
from appliance.deployment import Deployment, Requirements, choose_root, machine_objection
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.machine import Machine, MachineId, check_name, check_tags
from appliance.reconcile.consequences import describe
from appliance.reconcile.wishes import NewDeployment
from appliance.sizes import in_unit, parse_size
from appliance.ssh_keys import check_lines
from appliance.web.console import seed_values
from appliance.wiping import WipeMethod, check_method

FIELDS = (
    "name",
    "image",
    "delivery",
    "machine",
    "cpus",
    "memory",
    "disk_size",
    "firmware",
    "tags",
    "disk_rule",
    "disk",
    "ssh_keys",
    "wipe",
    "wipe_method",
    "pool",
    "root_size",
    "kernel",
)
MEMORY_UNIT, DISK_UNIT = "GiB", "GB"
"""What a number without a unit counts, as in ``qrm``."""
MOST = 1 << 20
"""CPUs that a requirement takes."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The form as typed, and what is wrong with it by field."""

    values: dict[str, str]
    errors: dict[str, ApplianceError] = field(default_factory=dict)

    @property
    def delivery(self) -> str:
        """What is chosen; until that is one that there is, what fits is shown for a disk."""
        return self.values["delivery"] if self.values["delivery"] in DELIVERIES else Delivery.DISK

    @property
    def wanted_disk(self) -> str | None:
        """Serial or WWN, where the user names the disk."""
        return (self.values["disk"] or None) if self.values["disk_rule"] == "named" else None


def typed(values: Mapping[str, str]) -> Typed:
    """The form's fields as text; those that are missing are empty."""
    found = {name: str(values.get(name, "")).strip() for name in FIELDS}
    found["delivery"] = found["delivery"] or Delivery.DISK
    found["disk_rule"] = "named" if found["disk_rule"] == "named" else "empty"
    found["wipe_method"] = found["wipe_method"] or WipeMethod.AUTOMATIC
    return Typed(found | seed_values.typed(values))


def requirements(form: Typed) -> Requirements:
    """The requirements typed; what is wrong is noted in ``form.errors`` and asks for nothing."""
    firmware = form.values["firmware"]
    return Requirements(
        cpus=_count(form, "cpus"),
        memory_bytes=_size(form, "memory", MEMORY_UNIT),
        disk_bytes=_size(form, "disk_size", DISK_UNIT),
        firmware=firmware if firmware in ("bios", "uefi") else None,
        tags=_tags(form),
    )


def stored(deployment: Deployment, image: str) -> dict[str, str]:
    """The fields that show a deployment as it is; ``image`` is the name of its image."""
    wanted = deployment.requirements
    return {
        "name": deployment.name,
        "image": image,
        "delivery": deployment.delivery,
        "cpus": str(wanted.cpus or ""),
        "memory": in_unit(wanted.memory_bytes, MEMORY_UNIT),
        "disk_size": in_unit(wanted.disk_bytes, DISK_UNIT),
        "firmware": wanted.firmware or "",
        "tags": " ".join(wanted.tags),
        "ssh_keys": "\n".join(deployment.ssh_keys),
        "wipe": "yes" if deployment.wipe_on_release else "",
        "wipe_method": deployment.wipe_method,
        "pool": str(deployment.pool or ""),
        "root_size": in_unit(deployment.root_size, MEMORY_UNIT),
        "kernel": str(deployment.kernel or ""),
    }


def root_size(form: Typed) -> int | None:
    """Bytes that the root volume is to have at least; what is wrong is noted in ``form.errors``."""
    return _size(form, "root_size", MEMORY_UNIT)


def keys_of(form: Typed) -> tuple[str, ...]:
    """The SSH keys, one from each line."""
    return tuple(line.strip() for line in form.values["ssh_keys"].splitlines() if line.strip())


def _tags(form: Typed) -> tuple[str, ...]:
    try:
        return check_tags(form.values["tags"].replace(",", " ").split(), "requirements.tags")
    except Invalid as error:
        form.errors[error.field] = error
        return ()


def _count(form: Typed, name: str) -> int | None:
    text = form.values[name]
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:20]) <= MOST):
        form.errors[name] = Invalid("number-invalid", "Type a whole number above 0, or leave it empty", field=name)
        return None
    return int(text)


def _size(form: Typed, name: str, unit: str) -> int | None:
    if not form.values[name]:
        return None
    try:
        return parse_size(form.values[name], unit, name)
    except Invalid:
        message = f"Type a number of {unit} above 0, or a size such as 64GiB or 1.5TB, or leave it empty"
        form.errors[name] = Invalid("size-invalid", message, field=name)
        return None


def wish(form: Typed) -> NewDeployment:
    """The wish; what is wrong with it is noted in ``form.errors``, all of it at once."""
    values = form.values
    wanted = requirements(form)
    keys = keys_of(form)
    checks = (
        lambda: check_name(values["name"]),
        lambda: check_delivery(values["delivery"]),
        lambda: check_lines(keys),
        lambda: check_method(values["wipe_method"]),
    )
    for check in checks:
        try:
            check()
        except Invalid as error:
            form.errors[error.field] = error
    if not values["image"]:
        form.errors["image"] = Invalid("image-missing", "Choose an image", field="image")
    if values["disk_rule"] == "named" and not values["disk"]:
        form.errors["disk"] = Invalid("disk-missing", "Name the disk, or take the rule instead", field="disk")
    return NewDeployment(
        name=values["name"],
        image=values["image"],
        delivery=values["delivery"],
        machine=values["machine"] or None,
        disk=form.wanted_disk,
        requirements=wanted,
        ssh_keys=keys,
        wipe_on_release=bool(values["wipe"]),
        wipe_method=values["wipe_method"],
        pool=(values["pool"] or None) if on_volume(form.delivery) else None,
        root_size=root_size(form) if on_volume(form.delivery) else None,
        kernel=None if on_disk(form.delivery) else values["kernel"] or None,
    )


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether one machine would do, and what with."""

    machine: Machine
    objection: str
    """Why not; empty when it would."""
    disk: str
    """The disk that would be written, in words; empty where none would."""


def fits(machines: Iterable[Machine], form: Typed, image: Image | None, taken: frozenset[MachineId]) -> list[Fit]:
    """Every machine with what speaks against it, those that would do first."""
    wanted = requirements(form)
    found = [_fit(machine, wanted, form, image, taken) for machine in machines]
    return sorted(found, key=lambda fit: (bool(fit.objection), fit.machine.name))


def _fit(machine: Machine, wanted: Requirements, form: Typed, image: Image | None, taken: frozenset[MachineId]) -> Fit:
    objection = machine_objection(machine, wanted, taken)
    if objection is not None or image is None:
        return Fit(machine, objection or "", "")
    try:
        disk = choose_root(machine, image, form.delivery, form.wanted_disk, wanted.disk_bytes)
        return Fit(machine, "", describe(disk) if disk else "")
    except Conflict as error:
        return Fit(machine, error.message.removeprefix(f"{machine.name}: "), "")

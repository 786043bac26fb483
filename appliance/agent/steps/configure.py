"""Step `configure`: make the written image this deployment's own system, and learn how it boots."""

from typing import Any

from ..commandline import parse
from ..disk import block
from ..disk.model import Disk
from ..disk.table import Table, read_table
from ..efi_entry import put_after_network
from ..exported.given import ExportedRoot, IscsiRoot
from ..exported.told import exported_root
from ..installed import identity, layered
from ..installed.cloudinit import meta_data, seed_of, write_seed
from ..installed.fstab import fstab_with
from ..installed.netconfig import for_cloud_init, nics_of, write_network
from ..installed.packages import write_proxy
from ..installed.residentfiles import install_resident
from ..installed.root import Root
from ..installed.system import BootSource, find_boot, find_system, opened
from ..job import Job, Outcome, Params


def configure(job: Job) -> Outcome:
    """Safe to repeat; each time with new SSH host keys, the last ones reported count. Raises StepFailed."""
    if job.params.has("root"):
        return configure_exported(job)
    if not job.params.has("disk"):
        return configure_in_memory(job)
    disk = job.disk()
    with block.vanishing(disk.name):
        system = find_system(disk)
        with opened(disk, system.volume, ("rw", *system.options)) as root:
            written = personalise(root, job.params, job.attempt)
        boot = find_boot(disk, system)
        table = read_table(disk.device)
    notes = _notes(written, boot) + _firmware_note(job, disk, table)
    result = {
        "esp_partuuid": esp_of(table),
        "root_fsuuid": boot.config.inside.uuid if boot else system.volume.inside.uuid,
        "kernel": boot.entry.report() if boot else None,
        **written,
        "notes": notes,
    }
    return Outcome(result, "; ".join(notes))


NO_DISKS = "# This system runs from memory: what its image names here are disks that it does not have.\n"
"""For /etc/fstab: systemd waits for what stands there, and starts nothing without it."""


def configure_in_memory(job: Job) -> Outcome:
    """What makes an image this deployment's own goes to the appliance, which gives it to every start.

    No disk is touched. Raises StepFailed.
    """
    image = job.params.inner("image")
    with layered.opened(image, job) as layers:
        root = Root(layers.merged)
        written = personalise(root, job.params, job.attempt, labels=False)
        root.write("/etc/fstab", NO_DISKS)
        layered.keep(layers, job)
    notes = _notes(written, None)[:-1]  # its own boot configuration is of no use
    return Outcome({**written, "notes": notes}, "; ".join(notes))


def configure_exported(job: Job) -> Outcome:
    """The root is a volume of the appliance: opened, written to as on a disk, and given back. Raises StepFailed."""
    exported = exported_root(job.params.inner("root"))
    with job.hardware.exported(exported) as root:
        on_disk, card = isinstance(exported, IscsiRoot), parse(job.hardware.command_line()).mac
        written = personalise(root, job.params, job.attempt, labels=on_disk, kept=card)
        root.write("/etc/fstab", fstab_with(root.text("/etc/fstab"), _root_line(exported)))
    notes = _notes(written, None)[:-1]  # its own boot configuration is of no use
    return Outcome({**written, "notes": notes}, "; ".join(notes))


def _root_line(root: ExportedRoot) -> str:
    """Of fstab: the hand-over initrd has checked the file system, and mounted it. NFS is left as it is mounted."""
    return f"UUID={root.uuid} / ext4 defaults 0 0" if isinstance(root, IscsiRoot) else ""


def personalise(
    root: Root, params: Params, attempt: str, *, labels: bool = True, kept: str | None = None
) -> dict[str, Any]:
    """Write everything into the system at `root`; says what was there to be written to. Raises StepFailed.

    `labels`: whether what its first start does to files for SELinux stays. `kept` is the MAC address of the card that
    the root comes through.
    """
    hostname, keys = params.text("hostname"), params.texts("ssh_keys")
    nics, seed = nics_of(params.inners("network")), seed_of(root, params)
    identity.write_hostname(root, hostname)
    identity.write_machine_id(root, params.text("machine_id"))
    identity.write_authorized_keys(root, keys)
    host_keys = identity.write_host_keys(root)
    way = write_network(root, nics, kept)
    write_seed(root, seed, meta_data(attempt, hostname, keys), for_cloud_init(root, nics, kept))
    proxy = params.text("package_proxy", "")
    proxied = not proxy or write_proxy(root, proxy)
    resident = params.has("resident") and install_resident(root, params.inner("resident"))
    relabels = labels and identity.relabel_if_needed(root)
    made = {"ssh_host_keys": host_keys, "network": way, "resident": resident, "relabels": relabels}
    return made if proxied else {**made, "package_proxy": False}


def esp_of(table: Table | None) -> str | None:
    """The partition UUID of the EFI system partition (pure)."""
    partitions = table.partitions if table else ()
    return next((partition.partuuid for partition in partitions if partition.is_esp), None)


def _notes(written: dict[str, Any], boot: BootSource | None) -> list[str]:
    said = (
        (written["network"] == "none", "the image has no network configuration that this agent knows"),
        (written.get("package_proxy") is False, "no package proxy: the image has neither apt nor dnf"),
        (not written["resident"], "no resident: the image lacks systemd or Python"),
        (not written["ssh_host_keys"], "no SSH host keys: the image has no /etc/ssh"),
        (boot is None, "the image's boot configuration was not understood; it will start through its boot loader"),
    )
    return [words for applies, words in said if applies]


def _firmware_note(job: Job, disk: Disk, table: Table | None) -> list[str]:
    if job.params.text("firmware", job.hardware.firmware()) != "uefi" or job.hardware.firmware() != "uefi":
        return []
    note = put_after_network(disk, table)
    return [note] if note else []

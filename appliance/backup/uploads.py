"""Images, ISOs and kernels that the store names, and the files with their content."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.backup.format import Member, Upload
from appliance.catalogue import Image, Kernel
from appliance.iso import Iso, file_name


def named(images: Sequence[Image], isos: Sequence[Iso], kernels: Sequence[Kernel], state_dir: Path) -> Iterator[Upload]:
    """Every file that the store names, as it is to be; ``included`` is False for all of them."""
    for image in images:
        member = Member(f"state/images/{image.id}", image.stored_size, image.stored_sha256)
        yield Upload("image", image.name, member, included=False)
    for iso in isos:
        member = Member(f"state/isos/{file_name(iso.sha256)}", iso.size, iso.sha256)
        yield Upload("iso", iso.name, member, included=False)
    for kernel in kernels:
        digests = {"vmlinuz": kernel.vmlinuz_sha256, "initrd": kernel.initrd_sha256, "modules": kernel.modules_sha256}
        for part, digest in digests.items():
            if digest and not kernel.builtin:
                name = f"state/kernels/{kernel.id}.{part}"
                yield Upload("kernel", kernel.name, Member(name, _size(state_dir, name), digest), included=False)


def place(state_dir: Path, member: Member) -> Path:
    """Where a member called ``state/...`` belongs in a state directory."""
    return state_dir / member.name.removeprefix("state/")


def _size(state_dir: Path, name: str) -> int:
    """The store has no size of kernels; 0 for one that is not here."""
    path = state_dir / name.removeprefix("state/")
    return path.stat().st_size if path.is_file() else 0

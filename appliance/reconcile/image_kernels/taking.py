"""One kernel out of an image: its file, its initrd, and the archive with its modules for the hand-over initrd."""

import gzip
import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from tempfile import TemporaryFile

from appliance import kernel_modules
from appliance.command import streamed
from appliance.errors import Conflict, Invalid, NotFound
from appliance.imageformat import bzimage
from appliance.imageformat.found import unreadable
from appliance.imageformat.kernels import FIRMWARE, KernelFiles, below
from appliance.kernel_modules import picking
from appliance.netboot.cpio import Entry, archive
from appliance.reconcile.image_kernels.source import Source, Told
from appliance.reconcile.recognising import HEAD_SECONDS, MEMORY, UNPACK

LARGEST_VMLINUZ, LARGEST_MODULES = 128 << 20, 128 << 20
"""Bytes; modules and firmware together, which are in memory until they are packed."""
_PACKED = 1
"""Level of gzip, which every kernel unpacks: most modules are compressed better already."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken out."""

    version: str
    vmlinuz: bytes
    initrd: bytes
    """Empty where there is none."""
    modules: bytes
    """A compressed cpio."""
    notes: tuple[str, ...] = ()
    """What was left out, in words."""


def chosen(found: Sequence[KernelFiles], version: str, image: str) -> KernelFiles:
    """The kernel with this version, or the newest; ``image`` is what the image is called.

    Raises NotFound ``kernel-not-in-image`` and Conflict ``kernel-without-modules``.
    """
    by_hand = "add one by hand: qrm kernels add"
    if not found:
        text = f"there is no kernel in image {image}: no file boot/vmlinuz-VERSION, none in lib/modules/VERSION"
        raise NotFound("kernel-not-in-image", text, by_hand)
    there = ", ".join(each.version for each in found[:10])
    kernel = next((each for each in found if version in ("", each.version)), None)
    if kernel is None:
        text = f"there is no kernel {version[:80]!r} in image {image}; there is {there}"
        raise NotFound("kernel-not-in-image", text, "name one of these, or none for the newest", "version")
    if not kernel.modules:
        text = (
            f"image {image} has no modules of kernel {kernel.version}: no lib/modules/{kernel.version} with its indexes"
        )
        raise Conflict("kernel-without-modules", text, f"there is {there}; run depmod -a in the system, or {by_hand}")
    return kernel


def taken(source: Source, kernel: KernelFiles, told: Told) -> Taken:
    """Take one out; blocks.

    Raises Invalid ``image-format``, ``kernel-format`` for what cannot be read or is no kernel, Conflict
    ``kernel-differs``, ApplianceError ``program-missing``, and what ``told`` raises.
    """
    first = [kernel.vmlinuz, *([kernel.initrd] if kernel.initrd else [])]
    source.fetch([*first, _dependencies(kernel)], lambda at: told(at * 0.3))
    vmlinuz = vmlinuz_of(source, kernel)
    initrd = source.read(kernel.initrd) if kernel.initrd else b""
    return Taken(kernel.version, vmlinuz, initrd, *modules_of(source, kernel, lambda at: told(0.3 + at * 0.7)))


def vmlinuz_of(source: Source, kernel: KernelFiles) -> bytes:
    """Its file, which is what its name says; blocks. Raises as ``taken``."""
    source.fetch([kernel.vmlinuz], lambda _: None)
    vmlinuz = _read(source, kernel.vmlinuz, LARGEST_VMLINUZ)
    _check(vmlinuz, kernel)
    return vmlinuz


def modules_of(source: Source, kernel: KernelFiles, told: Told) -> tuple[bytes, tuple[str, ...]]:
    """The archive with its modules and their firmware, and what was left out, in words; blocks. Raises as ``taken``."""
    source.fetch([_dependencies(kernel)], lambda at: told(at * 0.1))
    dependencies = source.read(_dependencies(kernel)).decode("utf-8", "surrogateescape")
    indexes = {f"modules.{name}" for name in picking.INDEXES} & set(below(kernel.modules, source.names))
    names, missing = _modules(source, kernel, dependencies, indexes)
    notes = (f"{missing} modules are in its index and not beside it",) if missing else ()
    return _archive(source, kernel, names, lambda at: told(0.1 + at * 0.9)), notes


def _dependencies(kernel: KernelFiles) -> str:
    return f"{kernel.modules}/{picking.DEPENDENCIES}"


def _read(source: Source, name: str, most: int) -> bytes:
    content = source.read(name)
    if len(content) > most:
        raise unreadable(f"{name[:200]!r} in it has {len(content)} bytes, and no kernel is that large")
    return content


def _check(vmlinuz: bytes, kernel: KernelFiles) -> None:
    head = vmlinuz[: bzimage.HEAD]
    bzimage.check(head)
    release = bzimage.release(head)
    if release not in ("", kernel.version):
        text = f"{kernel.vmlinuz} calls itself {release}: the modules of {kernel.version} are not for it"
        raise Conflict("kernel-differs", text, "add it by hand, with its own modules: qrm kernels add")


def _modules(source: Source, kernel: KernelFiles, dependencies: str, indexes: set[str]) -> tuple[list[str], int]:
    """Those that are wanted and there, by their names in the directory; and how many are wanted and not there."""
    rules = (files(kernel_modules) / "hand-over.list").read_text()
    wanted = picking.modules(dependencies, rules, indexes)
    present = set(below(kernel.modules, source.names))
    kept = [name for name in wanted if name in present]
    return kept, len(wanted) - len(kept)


def _archive(source: Source, kernel: KernelFiles, names: Sequence[str], told: Told) -> bytes:
    source.fetch([f"{kernel.modules}/{name}" for name in names], lambda at: told(at * 0.4))
    place = f"{picking.MODULES}/{kernel.version}"
    content = dict(_bounded(source, kernel.modules, names, place, LARGEST_MODULES))
    told(0.5)
    try:
        directory, named = _firmware(source, content)
    except (lzma.LZMAError, EOFError) as error:
        raise unreadable(f"a module of kernel {kernel.version} cannot be unpacked: {error}") from error
    source.fetch([f"{directory}/{name}" for name in named], lambda at: told(0.5 + at * 0.4))
    left = LARGEST_MODULES - sum(map(len, content.values()))
    content |= dict(_bounded(source, directory, named, picking.FIRMWARE, left))
    told(0.9)
    return gzip.compress(archive([Entry(*each) for each in picking.with_directories(content)]), _PACKED, mtime=0)


def _bounded(
    source: Source, directory: str, names: Sequence[str], place: str, most: int
) -> Iterator[tuple[str, bytes]]:
    """Files of a directory with their content, as they are called in the archive."""
    size = 0
    for name in names:
        content = source.read(f"{directory}/{name}")
        size += len(content)
        if size > most:
            raise unreadable(f"the modules that its kernel needs have more than {LARGEST_MODULES >> 20} MiB")
        yield f"{place}/{name}", content


def _firmware(source: Source, modules: "dict[str, bytes]") -> tuple[str, list[str]]:
    """The directory with firmware, and what is wanted of it."""
    there = {each: list(below(each, source.names)) for each in FIRMWARE}
    directory = next((each for each in FIRMWARE if there[each]), "")
    if not directory:
        return "", []
    return directory, picking.firmware(modules.items(), there[directory], _unzstd)


def _unzstd(packed: bytes, most: int) -> bytes:
    with TemporaryFile() as given:
        given.write(packed)
        given.seek(0)
        with streamed([*UNPACK, MEMORY], HEAD_SECONDS, given) as output:
            return output.read(most)


def check_version(version: str) -> str:
    """A version that users ask for; raises Invalid ``kernel-version``."""
    if version and not bzimage.VERSION.fullmatch(version):
        raise Invalid(
            "kernel-version", f"{version[:80]!r} is no version of a kernel", "as uname -r tells it", "version"
        )
    return version

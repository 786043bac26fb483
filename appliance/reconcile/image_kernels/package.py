"""The kernel of a Debian package ``linux-image-VERSION``, with its modules: read, never installed."""

from dataclasses import replace
from pathlib import Path

from appliance.errors import Invalid
from appliance.filesystem.stored import Stored
from appliance.imageformat import deb
from appliance.imageformat.kernels import has_indexes, kernels_in, modules_in
from appliance.reconcile.image_kernels import taking
from appliance.reconcile.image_kernels.indexing import indexed
from appliance.reconcile.image_kernels.source import Source, Told, opened_archive
from appliance.reconcile.image_kernels.taking import Taken


def is_here(path: Path) -> bool:
    """Whether a file is a package."""
    with path.open("rb") as file:
        return file.read(len(deb.MAGIC)) == deb.MAGIC


def taken(path: Path, scratch: Path, told: Told) -> Taken:
    """Its kernel, without modules where the package has none; blocks. ``scratch`` is a file that is not there yet.

    Raises Invalid ``package-kernels`` for a package of no kernel, or of several; and as ``taking.taken`` does.
    """
    with opened_archive(Stored(path, "deb", path.stat().st_size), scratch, lambda at: told(at * 0.3)) as there:
        found = kernels_in(there.names)
        if len(found) != 1:
            text = f"there are {len(found)} kernels in the package" if found else "there is no kernel in the package"
            hint = "choose the package linux-image-VERSION; linux-image-amd64 is one that only asks for it"
            raise Invalid("package-kernels", text, hint, "vmlinuz")
        kernel = replace(found[0], modules=modules_in(there.names).get(found[0].version, ""))
        if not kernel.modules:
            note = f"the package has no modules: qrm kernels modules takes linux-modules-{kernel.version} as well"
            return Taken(kernel.version, taking.vmlinuz_of(there, kernel), b"", b"", (note,))
        source: Source = there
        if not has_indexes(kernel.modules, there.names):
            source = indexed(there, kernel, scratch.parent, lambda at: told(0.3 + at * 0.3))
        return taking.taken(source, kernel, lambda at: told(0.6 + at * 0.4))

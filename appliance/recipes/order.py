"""What is to be made of a recipe, and the command line of mmdebstrap(1) that makes it. Pure."""

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePath

import msgspec

from appliance.recipes import bootable
from appliance.recipes.recipe import KEYRINGS, Recipe

BUILDING = ("images", "building")
"""From the state directory to where places are: on one file system with the images."""
TREE, IMAGE = "root.tar", "image"
"""Names in the place where it is made: all files of the system, and what becomes of them."""
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "tar2sqfs": "squashfs-tools-ng",
    "newuidmap": "uidmap",
    "setpriv": "util-linux",
    "prlimit": "util-linux",
}
"""What has to be installed, and the package of each."""
FOR_DISKS = {"mke2fs": "e2fsprogs", "e2fsck": "e2fsprogs", "mformat": "mtools", "mcopy": "mtools", "zstd": "zstd"}
"""The same for whole disks."""
BLOCK = 256 << 10
"""Bytes that are packed together: what is read from memory later is unpacked in pieces of this size."""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One image that is wanted; the recipe was checked by whoever wrote the order."""

    recipe: Recipe
    packages: tuple[str, ...] = ()
    """Besides those of the recipe."""
    proxy: str = ""
    """HTTP proxy for packages; empty: none."""
    disk: bool = False
    """A whole disk that starts by itself, and no root file system alone."""

    @property
    def format(self) -> str:
        """Of the image that is made."""
        return "raw.zst" if self.disk else "squashfs"


def limit(order: Order) -> float:
    """Seconds until it is given up."""
    return order.recipe.minutes * 60.0


def sources_list(recipe: Recipe) -> str:
    """Where packages come from, with the one keyring whose signatures count for each (sources.list(5))."""
    keyring = KEYRINGS[recipe.keyring][0]
    return "".join(
        f"deb [signed-by={keyring}] {source.address} {suite} {' '.join(source.components)}\n"
        for source in recipe.sources
        for suite in source.suites
    )


def environment(order: Order, temporary: str) -> dict[str, str]:
    """What mmdebstrap and apt find in theirs; nothing of it gets into the image."""
    proxies = {"http_proxy": order.proxy, "https_proxy": order.proxy} if order.proxy else {}
    return {"LC_ALL": "C.UTF-8", "TMPDIR": temporary, "DEBIAN_FRONTEND": "noninteractive", **proxies}


def bootstrap(order: Order, place: PurePath) -> list[str]:
    """The command line that makes ``place/TREE`` by the sources in ``place/sources.list``.

    It ends with whoever started it, and its user namespace with it: all that packages run is root in there only.
    """
    recipe = order.recipe
    more = bootable.packages(recipe) if order.disk else ()
    first = bootable.essential_hooks(place) if order.disk else []
    last = bootable.customize_hooks(place) if order.disk else []
    return [
        *("setsid", "--wait", "setpriv", "--pdeathsig=TERM", "--"),
        *("prlimit", f"--fsize={recipe.gigabytes * 10**9}", "--core=0", "--"),
        "mmdebstrap",
        "--mode=unshare",
        f"--variant={recipe.variant}",
        f"--keyring={KEYRINGS[recipe.keyring][0]}",
        f"--include={','.join(dict.fromkeys((*recipe.packages, *more, *order.packages)))}",
        # Releases of today refuse to be anything but merged, and mmdebstrap merges nothing unless told to.
        "--hook-directory=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
        # What starts a root by itself mounts /dev before anybody could make it; over the network the initrd makes it.
        *(() if order.disk else ("--skip=output/dev",)),
        "--dpkgopt=force-confold",
        *(f"--essential-hook={hook}" for hook in first),
        *(f"--customize-hook={hook}" for hook in (*last, *hooks(recipe))),
        "--format=tar",
        recipe.suite,
        str(place / TREE),
        str(place / "sources.list"),
    ]


def packed(place: PurePath) -> list[str]:
    """The command line that makes ``place/IMAGE`` of a tar archive that it reads."""
    return ["tar2sqfs", "--quiet", "--force", "--compressor=zstd", f"--block-size={BLOCK}", str(place / IMAGE)]


def hooks(recipe: Recipe) -> list[str]:
    """Lines of a shell that are run once all packages are there, with the tree as $1.

    No words of a recipe are in them but names of units, which are checked and quoted. What is each computer's own
    (keys of SSH, machine-id) is taken out: it is given when the image is deployed.
    """
    return [
        *_systemctl("enable", recipe.enable),
        *_systemctl("mask", recipe.mask),
        'rm -f "$1"/etc/ssh/ssh_host_*_key "$1"/etc/ssh/ssh_host_*_key.pub "$1"/var/lib/dbus/machine-id',
        'rm -f "$1"/var/lib/systemd/random-seed; : >"$1"/etc/machine-id',
        # mmdebstrap takes these two from whoever makes the image, for as long as packages are installed.
        'rm -f "$1"/etc/hostname "$1"/etc/resolv.conf; echo localhost >"$1"/etc/hostname',
        'printf "127.0.0.1 localhost\\n::1 localhost\\n" >"$1"/etc/hosts',
        'test ! -e "$1"/usr/lib/systemd/systemd-resolved || '
        'ln -s /run/systemd/resolve/stub-resolv.conf "$1"/etc/resolv.conf',
    ]


def _systemctl(verb: str, units: Sequence[str]) -> list[str]:
    if not units:
        return []
    return [f'chroot "$1" systemctl {verb} {" ".join(shlex.quote(each) for each in units)}']


STAGES = {
    "running apt-get update": 0.05,
    "downloading packages": 0.1,
    "extracting archives": 0.3,
    "installing essential packages": 0.4,
    "installing remaining packages": 0.5,
    "cleaning package lists": 0.75,
    "creating tarball": 0.8,
}
"""How far it is when mmdebstrap says that it begins with this."""
_SAID = re.compile(r"[IWE]: ?(.+)")


def stage_of(line: str) -> float | None:
    """How far it is by a line of mmdebstrap's, 0 to 1; None where that does not show."""
    found = _SAID.fullmatch(line.strip())
    return next((share for words, share in STAGES.items() if found and found[1].startswith(words)), None)

"""KVM in the guest: a guest of the guest starts Debian's kernel and its first program."""

import subprocess
from pathlib import Path

import pytest

from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
INIT = "#!/bin/sh\n/bin/busybox echo the nested guest runs $(/bin/busybox uname -r)\n/bin/busybox poweroff -f\n"


def initrd(directory: Path) -> Path:
    """A file system of one program and one script."""
    root = directory / "root"
    (root / "bin").mkdir(parents=True)
    for name in ("busybox", "sh"):
        (root / "bin" / name).write_bytes(Path("/usr/bin/busybox").read_bytes())
        (root / "bin" / name).chmod(0o755)
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    made = directory / "initrd"
    names = "bin\nbin/busybox\nbin/sh\ninit\n"
    with made.open("wb") as archive:
        argv = ["cpio", "--quiet", "--create", "--format=newc"]
        subprocess.run(argv, input=names.encode(), stdout=archive, cwd=root, check=True)
    return made


@pytest.mark.timeout(240)
def test_a_nested_guest_reaches_userspace(tmp_path: Path) -> None:
    kernel = next(Path("/boot").glob("vmlinuz-*"))
    argv = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-display", "none"]
    argv += ["-serial", "stdio", "-no-reboot", "-kernel", str(kernel), "-initrd", str(initrd(tmp_path))]
    argv += ["-append", "console=ttyS0 quiet panic=-1"]
    said = run(*argv)
    assert f"the nested guest runs {kernel.name.removeprefix('vmlinuz-')}" in said

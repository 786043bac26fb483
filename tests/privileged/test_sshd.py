"""A real sshd, with the settings of the image and a key that the privileged helper wrote: who gets in, who does not."""

import getpass
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paper_computer import computer, quiet

from appliance.privileged import ssh
from appliance.privileged.verbs.ssh import Authorize

ROOT = Path(__file__).parents[2] / "image-builder" / "appliance" / "root"
SETTINGS = ROOT / "etc" / "ssh" / "sshd_config.d" / "10-appliance.conf"
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
ME = getpass.getuser()
Login = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home() -> Iterator[Path]:
    """Not below /tmp: sshd believes no file in a directory that everybody may write to."""
    with tempfile.TemporaryDirectory(prefix=".qrm-sshd-", dir=Path.home()) as directory:
        yield Path(directory)


@pytest.fixture
def login(home: Path) -> Login:
    """Run a command over SSH with a key of ``home``; ``ssh`` and ``sshd`` talk over pipes, without any port."""
    state = home / "state"
    host_key = state / ssh.HOST_KEY
    make = [ROOT / "usr" / "lib" / "qrm" / "make-host-key", host_key.parent]
    subprocess.run(make, check=True)
    text = SETTINGS.read_text().replace("/state/", f"{state}/").replace("AllowUsers root", f"AllowUsers {ME}")
    # Who runs the tests need not be root; the file is the one that the helper wrote in any case.
    text = text.replace("%u", "root") + f"PidFile none\nUsePAM {'yes' if os.getuid() == 0 else 'no'}\n"
    config = home / "sshd_config"
    config.write_text(text)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it there to lock its unprivileged half in
    known = home / "known_hosts"
    known.write_text(f"appliance {host_key.read_text()}")

    def run(key: str, *options: str) -> "subprocess.CompletedProcess[str]":
        server = shlex.join([SSHD, "-i", "-e", "-f", str(config)])
        argv = ["ssh", "-F", "none", "-i", home / key, "-o", f"ProxyCommand={server}", "-o", "IdentitiesOnly=yes"]
        argv += ["-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none"]
        argv += ["-o", "NumberOfPasswordPrompts=0", *options, f"{ME}@appliance", "echo got in"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    return run


def make(home: Path, name: str, *how: str) -> str:
    """A pair of keys; the line of the public one."""
    path = home / name
    subprocess.run(["ssh-keygen", "-q", *how, "-N", "", "-C", name, "-f", path], check=True)
    return path.with_suffix(".pub").read_text()


def refused(answer: "subprocess.CompletedProcess[str]") -> bool:
    """By sshd, and with nothing but keys on offer."""
    return answer.returncode == 255 and "Permission denied (publickey)." in answer.stderr and not answer.stdout


async def test_who_has_a_key_gets_in_and_nobody_else(home: Path, login: Login) -> None:
    on, _ = computer(home, {"systemctl": "", "wall": ""})
    ada, bob = make(home, "ada", "-t", "ed25519"), make(home, "bob", "-t", "ecdsa")
    assert refused(login("ada"))
    await ssh.authorize(Authorize((ada,)), on, quiet)
    answer = login("ada")
    assert (answer.returncode, answer.stdout) == (0, "got in\n"), answer.stderr
    assert refused(login("bob"))
    assert refused(login("bob", "-o", "PreferredAuthentications=password,keyboard-interactive,hostbased"))
    await ssh.authorize(Authorize((bob,)), on, quiet)
    assert login("bob").stdout == "got in\n"
    assert refused(login("ada")), "its key was taken away"
    await ssh.authorize(Authorize(()), on, quiet)
    assert refused(login("bob"))


async def test_sshd_believes_no_file_that_others_may_write_to(home: Path, login: Login) -> None:
    """What the helper sees to is what lets anybody in at all."""
    on, _ = computer(home, {"systemctl": ""})
    await ssh.authorize(Authorize((make(home, "ada", "-t", "ed25519"),)), on, quiet)
    place = on.roots.state / ssh.KEYS
    place.chmod(0o666)
    assert refused(login("ada"))
    place.chmod(0o600)
    assert login("ada").returncode == 0


def test_the_host_key_is_made_whole_and_for_root_alone(home: Path) -> None:
    directory = home / "etc" / "ssh"
    directory.mkdir(parents=True)
    (directory / ".new").write_text("half of a ke")
    program = ROOT / "usr" / "lib" / "qrm" / "make-host-key"
    subprocess.run([program, directory], check=True)
    assert sorted(each.name for each in directory.iterdir()) == ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]
    assert stat.S_IMODE((directory / "ssh_host_ed25519_key").stat().st_mode) == 0o600


def test_nothing_but_a_key_of_root_is_asked_for() -> None:
    wanted = {"AllowUsers root", "AuthenticationMethods publickey", "PasswordAuthentication no"}
    assert wanted <= set(SETTINGS.read_text().splitlines())


def test_the_server_starts_with_the_file_that_the_helper_writes_and_not_without() -> None:
    units = ROOT / "usr" / "lib" / "systemd" / "system"
    lines = (units / "ssh.service.d" / "10-appliance.conf").read_text().splitlines()
    assert f"ConditionPathExists=/state/{ssh.KEYS}" in lines
    assert "Wants=ssh.service" in (units / "multi-user.target.d" / "10-appliance.conf").read_text().splitlines()
    assert f"AuthorizedKeysFile /state/{ssh.KEYS.parent}/%u" in SETTINGS.read_text().splitlines()
    assert f"HostKey /state/{ssh.HOST_KEY.with_suffix('')}" in SETTINGS.read_text().splitlines()

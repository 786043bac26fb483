"""A bench for the hand-over initrd's program: a computer of files, and programs that note what they were told."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder import handover

PROGRAM = handover.RECIPE / "90qrm-root" / "hand-over"
SHELLS = ("dash", "busybox sh")
MAC, SERVER, CONTROL = "52:54:00:4c:01:01", "http://10.77.0.1", "https://10.77.0.1:8443"
TOKEN, NONCE, DOWNLOAD = "a1" * 32, "nonce-1", "download-token-1"
DER = b"an authority that nobody can read"
PEM = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(DER).decode()}-----END CERTIFICATE-----\n".encode()
IMAGE = b"squashfs of the image"
MEMORY = 2 << 30
REACHED = 0
RESTARTED = 1

NOTES = """#!/bin/sh
printf '%s' "${0##*/}" >>"$QRM_AT/told"
for each in "$@"; do printf ' <%s>' "$each" >>"$QRM_AT/told"; done
echo >>"$QRM_AT/told"
"""
SAYS = {
    "ip": 'case "$*" in *addr*show*) echo "    inet 10.77.0.20/24 brd 10.77.0.255 scope global eth0" ;; esac',
    "udhcpc": 'while [ $# -gt 0 ]; do if [ "$1" = -p ]; then : & echo $! >"$2"; fi; shift; done',
    "mount": "",
    "umount": "",
    "modprobe": "",
    "reboot": "",
    "date": "",
    "sleep": "",
}
"""Programs that change the computer, and what they do here besides noting it."""
CURL = f"""#!{sys.executable}
import json, os, re, sys
from pathlib import Path
at = Path(os.environ["QRM_AT"])
asked = sys.stdin.read()
words = dict(re.findall(r'^([a-z-]+) = "?(.*?)"?$', asked, re.M))
with (at / "asked").open("a") as file:
    file.write(json.dumps([sys.argv[1:], asked]) + "\\n")
if "data-binary" in words:
    (at / "sent").write_bytes(Path(words["data-binary"].removeprefix("@")).read_bytes())
answers = at / "answers" / words["url"].replace("/", "_")
first = sorted(answers.glob("*"))[:1] if answers.is_dir() else []
if not first:
    sys.exit(print("curl: (7) could not connect", file=sys.stderr) or print("000", end="") or 7)
status = first[0].name.partition("-")[2]
if "fail" not in asked.split() or status < "400":
    Path(words["output"]).write_bytes(first[0].read_bytes())
if len(sorted(answers.glob("*"))) > 1:
    first[0].unlink()
print(status, end="")
sys.exit(22 if "fail" in asked.split() and status >= "400" else 0)
"""


def ram() -> dict[str, Any]:
    """The document of an attempt that delivers to memory."""
    image = {
        "url": f"{SERVER}/images/1/content",
        "token": DOWNLOAD,
        "bytes": len(IMAGE),
        "sha256": hashlib.sha256(IMAGE).hexdigest(),
    }
    files = [{"path": "/etc/hostname", "mode": 0o644, "content": "web1\n"}]
    return {"version": 1, "delivery": "ram", "hostname": "web1", "nic": {"mac": MAC}, "ram": image, "files": files}


@dataclass
class Ended:
    """How the program ended, what stood on the consoles, and what it told other programs."""

    status: int
    screen: str
    told: list[str]
    asked: list[tuple[list[str], str]]
    """Each call of curl: its arguments and its standard input."""
    errors: str


@dataclass
class Bench:
    """A machine with one card, whose appliance answers what `answer` was told."""

    at: Path
    shell: str
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.at / "sysroot"
        for name in ("proc/sys/kernel", "dev", "sys/class/net/eth0/device", "programs", "answers", "sysroot/etc"):
            (self.at / name).mkdir(parents=True)
        self.put("proc/sys/kernel/printk", "4\t4\t1\t7\n")
        self.put("sys/class/net/eth0/address", MAC + "\n")
        self.put("sys/class/net/eth0/carrier", "1\n")
        self.memory(MEMORY)
        self.command_line()
        for name, line in SAYS.items():
            self.program(name, NOTES + line + "\n")
        self.program("curl", CURL)

    def put(self, path: str, content: str) -> Path:
        """A file of the machine."""
        made = self.at / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(content)
        return made

    def program(self, name: str, content: str) -> None:
        """One that is found before the computer's own."""
        self.put(f"programs/{name}", content).chmod(0o755)

    def memory(self, available: int) -> None:
        """Bytes that are free."""
        self.put("proc/meminfo", f"MemTotal: {MEMORY >> 10} kB\nMemAvailable:   {available >> 10} kB\n")

    def command_line(self, **changes: str) -> None:
        """As the boot script writes it; `None` of a word is given as ''."""
        ca = hashlib.sha256(DER).hexdigest()
        words = {"server": SERVER, "control": CONTROL, "ca": ca, "token": TOKEN, "nonce": NONCE, "mac": MAC, **changes}
        self.put("proc/cmdline", " ".join(f"qrm.{key}={value}" for key, value in words.items() if value) + "\n")

    def given(self, document: object) -> Path:
        """The document lies in the initrd, as after kexec."""
        path = self.put("qrm/root.json", document if isinstance(document, str) else json.dumps(document))
        path.chmod(0o600)
        return path

    def answer(self, url: str, content: bytes, status: int = 200) -> None:
        """What comes from there; of several, each once, and the last one from then on."""
        folder = self.at / "answers" / url.replace("/", "_")
        folder.mkdir(exist_ok=True)
        (folder / f"{len(list(folder.iterdir())):03}-{status}").write_bytes(content)

    def appliance(self, document: object) -> None:
        """One that trades the boot token for the document, and serves its image."""
        self.answer(f"{SERVER}/ca.pem", PEM)
        self.answer(f"{SERVER}/time", b'{"now": 1795353881.5}')
        self.answer(f"{CONTROL}/control/v1/root", json.dumps(document).encode())
        self.answer(f"{SERVER}/images/1/content", IMAGE)

    def run(self) -> Ended:
        """The program, to its end."""
        environment = {"PATH": f"{self.at}/programs:/usr/sbin:/usr/bin:/sbin:/bin", "QRM_AT": str(self.at)}
        argv = [*self.shell.split(), str(PROGRAM), str(self.root)]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
        asked = self.at / "asked"
        return Ended(
            done.returncode,
            (self.at / "dev/kmsg").read_text(),
            (self.at / "told").read_text().splitlines(),
            [tuple(json.loads(line)) for line in asked.read_text().splitlines()] if asked.exists() else [],
            done.stderr,
        )

    def holding(self, text: str) -> list[str]:
        """Files of the machine, the answers and notes of its appliance left out, that have this text in them."""
        left_out = {self.at / name for name in ("answers", "asked", "sent")}
        files = [path for path in self.at.rglob("*") if path.is_file() and not left_out & {path, *path.parents}]
        return [str(path.relative_to(self.at)) for path in files if text in path.read_text(errors="replace")]


def has_shell(shell: str) -> bool:
    """Whether this computer has it."""
    return any(os.access(Path(folder) / shell.split()[0], os.X_OK) for folder in ("/usr/bin", "/bin"))

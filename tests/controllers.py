"""Controllers for drivers to be tried on, each switching a ``BenchMachine``: none of them is made of our code."""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import bcrypt
from bench_machine import DISCOVER, alive
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from appliance.power_switch import PowerKind, PowerSettings

USER, PASSWORD = "operator1", "s3cr3t-of-bmc"

IPMI_SIM = """\
name "bench"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 {port}
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
endlan
chassis_control "{program} 0x20"
user 1 true "" "" user 10 none md2 md5 straight
user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""
IPMI_SIM_COMMANDS = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""


@contextlib.contextmanager
def ipmi_sim(machine, namespace=None):
    """OpenIPMI's simulator, here or in a network of its own; yields settings that reach it."""
    directory = machine.directory / "ipmi"
    directory.mkdir()
    program = directory / "chassis"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -E -s -S {machine.program} {machine.directory} "$@"\n')
    program.chmod(0o755)
    port = free_port(socket.SOCK_DGRAM)
    config = IPMI_SIM.format(port=port, program=program, user=USER, password=PASSWORD)
    (directory / "lan.conf").write_text(config)
    (directory / "commands").write_text(IPMI_SIM_COMMANDS)
    files = [str(directory / name) for name in ("lan.conf", "commands", "state")]
    argv = ["ipmi_sim", "-c", files[0], "-f", files[1], "-s", files[2], "-n"]
    argv, ready = (namespace.inside(*argv), partial(rmcp_answers_in, namespace)) if namespace else (argv, rmcp_answers)
    with running(argv, directory, lambda: ready(port)):
        yield PowerSettings(PowerKind.IPMI, "127.0.0.1", port, USER, cipher_suite=3)  # it knows no SHA-256


@contextlib.contextmanager
def sushy(machine, namespace=None):
    """The Redfish emulator of sushy-tools, here or in a network of its own; yields settings that reach it."""
    directory = machine.directory / "redfish"
    directory.mkdir()
    fingerprint = certificate(directory)
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (directory / "users").write_text(f"{USER}:{hashed}\n")
    port = free_port(socket.SOCK_STREAM)
    script = Path(__file__).with_name("sushy_bench.py")
    argv = [sys.executable, str(script), str(machine.directory), str(port)]
    argv, ready = (namespace.inside(*argv), partial(accepts_in, namespace)) if namespace else (argv, accepts)
    with running(argv, directory, lambda: ready(port)):
        yield PowerSettings(PowerKind.REDFISH, "127.0.0.1", port, USER, fingerprint=fingerprint)


@contextlib.contextmanager
def telltale(directory, namespace):
    """A Redfish controller in a network of its own that repeats whatever it is sent; yields settings that reach it."""
    fingerprint, port = certificate(directory), 8445
    argv = namespace.inside(sys.executable, Path(__file__).with_name("telltale.py"), directory, port)
    with running(argv, directory, (directory / "ready").exists):
        yield PowerSettings(PowerKind.REDFISH, "127.0.0.1", port, USER, fingerprint=fingerprint)


VM = """\
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>bench</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='user'><model type='virtio'/></interface>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-object'/>
    <qemu:arg value='filter-dump,id=dump,netdev=hostnet0,file={capture}'/>
  </qemu:commandline>
</domain>
"""


class LibvirtMachine:
    """A VM of a libvirt of the test's own; looked at past libvirt, by its process and its packets."""

    def __init__(self, directory):
        self.directory = directory
        self.capture = directory / "capture.pcap"

    def is_on(self):
        pid = self.directory / "run/libvirt/qemu/run/bench.pid"
        return pid.exists() and alive(int(pid.read_text()))

    def asked_for_network(self):
        return self.capture.exists() and DISCOVER in self.capture.read_bytes()


@contextlib.contextmanager
def libvirtd():
    """A libvirt of an ordinary user: that of root is the whole computer's. Yields its machine, and settings."""
    directory = Path(tempfile.mkdtemp(prefix="qrm-lv-", dir="/tmp"))
    machine, places = LibvirtMachine(directory), {}
    for name, variable in (
        ("run", "RUNTIME_DIR"),
        ("conf", "CONFIG_HOME"),
        ("cache", "CACHE_HOME"),
        ("data", "DATA_HOME"),
    ):
        places[f"XDG_{variable}"] = str(directory / name)
        (directory / name).mkdir(mode=0o700)
    (directory / "conf/libvirt").mkdir()
    (directory / "conf/libvirt/qemu.conf").write_text('security_driver = "none"\n')  # no profile of the computer's
    daemon = shutil.which("libvirtd", path=f"{os.environ['PATH']}:/usr/sbin") or "libvirtd"
    as_user = []
    if os.geteuid() == 0:
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        for place in (directory, *directory.rglob("*")):
            os.chown(place, 65534, 65534)
    sock = directory / "run/libvirt/libvirt-sock"
    settings = PowerSettings(PowerKind.LIBVIRT, f"qemu:///session?socket={sock}", system="bench")
    virsh = ["virsh", "--quiet", "--connect", settings.address]
    environment = {**os.environ, **places, "HOME": str(directory / "data")}
    try:
        with running([*as_user, daemon], directory, lambda: answers_virsh(virsh), env=environment):
            definition = VM.format(capture=machine.capture)
            subprocess.run([*virsh, "define", "/dev/stdin"], input=definition.encode(), check=True)
            yield machine, settings
            if machine.is_on():
                subprocess.run([*virsh, "destroy", "bench"], check=True)
    finally:
        shutil.rmtree(directory)


def answers_virsh(virsh):
    return subprocess.run([*virsh, "list"], capture_output=True, check=False).returncode == 0


def certificate(directory):
    """Writes a self-signed ``cert.pem`` and ``key.pem``, as controllers come with; their fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "controller")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (directory / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return hashlib.sha256(made.public_bytes(Encoding.DER)).hexdigest()


@contextlib.contextmanager
def running(argv, directory, ready, **more):
    """A program that runs for as long as it is needed; its words are in ``output`` for who looks at a failure."""
    with (directory / "output").open("wb") as out:
        process = subprocess.Popen(argv, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **more)
        try:
            end = time.monotonic() + 60
            while not ready():
                assert process.poll() is None, (directory / "output").read_text()
                assert time.monotonic() < end, (directory / "output").read_text()
                time.sleep(0.02)
            yield process
        finally:
            process.kill()
            process.wait()


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def accepts_in(namespace, port):
    """The same from inside."""
    return asked_in(namespace, f"accepts({port})")


def rmcp_answers_in(namespace, port):
    """``rmcp_answers`` from inside."""
    return asked_in(namespace, f"rmcp_answers({port})")


def asked_in(namespace, question):
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import controllers; print(controllers.{question})"
    return namespace.run(sys.executable, "-c", code) == "True\n"


def rmcp_answers(port):
    """An ASF presence ping (IPMI 2.0, section 13.2.3) is answered before there is any session."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(0.2)
        try:
            out.connect(("127.0.0.1", port))
            out.send(bytes.fromhex("0600ff06000011be80000000"))
            return bool(out.recv(1024))
        except OSError:
            return False

"""The built maintenance stack finds the controller of its machine: OpenIPMI's simulator behind QEMU's KCS interface."""

import json
import socket
import subprocess
from pathlib import Path

import controllers
import pytest
import test_builder_stack_boots
from builder import cpio
from test_builder_stack_boots import built_stack, line_of

AGENT = Path(__file__).parents[2] / "appliance" / "agent"
ASKS = b"""
import json, os, subprocess, sys
sys.path.insert(0, "/usr/lib/qrm")
from agent.inventory import bmc, dmi
notes = []
print("AGENT " + json.dumps({"bmc": bmc.read_bmc(dmi.read_structures(), notes), "notes": notes}), flush=True)
os.system("poweroff -f")
"""
LAN = """#!/bin/sh
shift 2
for name in "$@"; do
    case $name in
    ip_addr) echo "$name:192.0.2.77" ;;
    ip_addr_src) echo "$name:static" ;;
    mac_addr) echo "$name:ac:1f:6b:00:00:77" ;;
    subnet_mask) echo "$name:255.255.255.0" ;;
    *_mac_addr) echo "$name:00:00:00:00:00:00" ;;
    *) echo "$name:0.0.0.0" ;;
    esac
done
"""
SIM = """\
name "bench"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 {lan}
  priv_limit admin
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
  lan_config_program "{program} 0"
endlan
serial kcs 127.0.0.1 {serial} codec VM
user 1 true "" "" admin 10 none md2 md5 straight
"""


@pytest.mark.vm
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_agent_finds_the_controller_of_its_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(test_builder_stack_boots, "LIMIT_SECONDS", 500)
    program, serial = tmp_path / "lan", controllers.free_port(socket.SOCK_STREAM)
    program.write_text(LAN)
    program.chmod(0o755)
    lan = controllers.free_port(socket.SOCK_DGRAM)
    (tmp_path / "lan.conf").write_text(SIM.format(lan=lan, serial=serial, program=program))
    (tmp_path / "commands").write_text(controllers.IPMI_SIM_COMMANDS)
    argv = ["ipmi_sim", "-c", "lan.conf", "-f", "commands", "-s", "state", "-n"]
    with controllers.running(argv, tmp_path, lambda: controllers.rmcp_answers(lan)):
        said = json.loads(booted(tmp_path, serial).partition("AGENT ")[2])
    assert said == {
        "bmc": {
            "kind": "ipmi",
            "version": "2.0",
            "host_name": "",
            "port": None,
            "address": "192.0.2.77",
            "mac": "ac:1f:6b:00:00:77",
            "vlan": None,
        },
        "notes": [],
    }


def booted(directory, serial):
    """What the agent said in a machine with such a controller."""
    stack = built_stack()
    entries = [cpio.directory("qrm"), cpio.directory("qrm/agent")]
    for path in sorted(AGENT.rglob("*")):
        inside = f"qrm/agent/{path.relative_to(AGENT)}"
        if path.is_dir() and path.name != "__pycache__":
            entries.append(cpio.directory(inside))
        elif path.suffix == ".py":
            entries.append(cpio.plain(inside, ASKS if path.name == "__main__.py" else path.read_bytes()))
    initrd = directory / "initrd"
    initrd.write_bytes((stack / "initrd").read_bytes() + cpio.archive(entries))
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "768", "-display", "none", "-serial", "stdio"]
    command += ["-monitor", "none", "-no-reboot", "-nic", "none"]
    command += ["-chardev", f"socket,id=bmc,host=127.0.0.1,port={serial},reconnect=1"]
    command += ["-device", "ipmi-bmc-extern,id=controller,chardev=bmc", "-device", "isa-ipmi-kcs,bmc=controller"]
    command += ["-kernel", str(stack / "vmlinuz"), "-initrd", str(initrd)]
    command += ["-append", "console=ttyS0,115200n8 panic=1 quiet"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        try:
            return line_of(machine, b"AGENT ")
        finally:
            machine.kill()

"""Both ends of the wire formats between the daemon and its agents and residents, held against each other.

The agent shares no code with the daemon; what one sends here, the other one reads.
"""

import dataclasses
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from agent_bench import MIB, Bench
from fake_appliance import FakeAppliance

from appliance.catalogue import Image, ImageId
from appliance.deployment import Deployment, DiskIdentity, disk_identity
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.netboot import control as daemon
from appliance.netboot.fleet import Welcome, Work
from appliance.reconcile.inventory import checked
from appliance.reconcile.params import Surroundings, machine_params, params
from appliance.rescue import Rescue, opened
from appliance.resident.client import Client
from appliance.resident.main import Resident
from appliance.resident.settings import Settings
from appliance.workflow import (
    CONFIGURE,
    GROW,
    HAND_OVER,
    OPEN_SSH,
    PREPARE,
    RESTART,
    STEPS,
    WIPE_DISK,
    WRITE,
    Actor,
    DeploymentId,
)

MAC = "52:54:00:00:00:01"
TOKEN = "ab" * 32
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE ada@desk"


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[FakeAppliance]:
    """Answers as the daemon's own types encode them."""
    fake = FakeAppliance(tmp_path)
    welcome = Welcome("m-1", "node-1", "poll-1")
    fake.answers["POST", "/control/v1/redeem"] = lambda call: (200, msgspec.json.encode(welcome))
    yield fake
    fake.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "computer")
    yield made
    made.close()


def body_of(appliance: FakeAppliance, name: str) -> object:
    return next(call.body for call in appliance.calls if call.path.endswith(name))


def work(step: str, around: Surroundings) -> dict[str, object]:
    sent = msgspec.json.encode(Work("a1", "deploy", step, params(step, around), "deploying web-1"))
    decoded = json.loads(sent)
    assert isinstance(decoded, dict)
    return decoded


def test_redeem_inventory_and_a_failed_report(appliance: FakeAppliance, bench: Bench) -> None:
    appliance.work = [{"attempt": "a1", "kind": "deploy", "step": "no-such-step", "params": {}, "display": "x"}]
    with bench.running(appliance.command_line(token=TOKEN)):
        appliance.wait_for(lambda: "GET /poll/poll-1" in appliance.paths())
    redeemed = msgspec.convert(body_of(appliance, "redeem"), daemon.RedeemBody)
    assert parse_mac(redeemed.mac) == MAC
    assert [parse_mac(mac) for mac in redeemed.macs] == [MAC]
    inventory = body_of(appliance, "inventory")
    assert isinstance(inventory, dict)
    checked(inventory)
    said = [msgspec.convert(call.body, daemon.ReportBody) for call in appliance.calls if call.path.endswith("report")]
    assert [report.status for report in said] == ["running", "failed"]
    assert said[-1].code == "step-unknown"


def test_the_agent_knows_every_step_that_is_an_agents() -> None:
    from appliance.agent.steps import STEPS as KNOWN

    wanted = {name for name, step in STEPS.items() if step.actor is Actor.AGENT}
    assert wanted <= set(KNOWN)


def test_the_inventory_has_what_the_documents_name(appliance: FakeAppliance, bench: Bench) -> None:
    with bench.running(appliance.command_line(token=TOKEN)):
        appliance.wait_for(lambda: "GET /poll/poll-1" in appliance.paths())
    inventory = body_of(appliance, "inventory")
    assert isinstance(inventory, dict)
    named = {"firmware", "secure_boot", "boot_mac", "system", "board", "bios", "chassis", "cpu", "memory", "disks"}
    assert named | {"nics", "pci", "bmc", "kernel", "agent"} <= set(inventory)
    assert {"model", "sockets", "cores", "threads", "mhz", "architecture", "flags"} == set(inventory["cpu"])
    assert {"bytes", "modules"} == set(inventory["memory"])


def surroundings(appliance: FakeAppliance, bench: Bench, image: Path, disk: DiskIdentity) -> Surroundings:
    stored = image.read_bytes()
    source = appliance.add_image("1", stored, TOKEN)
    sizes = {"size": len(stored), "stored_size": len(stored), "sector_size": 512, "created": 0.0}
    machine = Machine(MachineId("m-1"), "node-1", State.DEPLOYING, (parse_mac(MAC),), 0.0, firmware="bios")
    deployment = Deployment(DeploymentId(1), "web-1", ImageId(1), 0.0, disk=disk, machine_uuid="0" * 32)
    return Surroundings(
        machine,
        deployment,
        Image(id=ImageId(1), name="i", description="", format="raw", stored_sha256=source["stored_sha256"], **sizes),
        appliance.server,
        appliance.control,
        appliance.certificates.ca_pem,
        download_token=TOKEN,
        resident_token=TOKEN,
    )


@pytest.mark.root
def test_every_step_with_the_daemons_own_parameters(appliance: FakeAppliance, bench: Bench, tmp_path: Path) -> None:
    bench.add_disk()
    image = small_image(tmp_path)
    with bench.running(appliance.command_line(token=TOKEN)) as agent:
        appliance.wait_for(lambda: "GET /poll/poll-1" in appliance.paths())
        inventory = body_of(appliance, "inventory")
        assert isinstance(inventory, dict)
        disk = disk_identity(inventory["disks"][0])
        around = surroundings(appliance, bench, image, disk)
        for step in (PREPARE, WRITE, GROW, CONFIGURE, HAND_OVER):
            appliance.work = [work(step, around)]
            said = msgspec.convert(appliance.report_of(step), daemon.ReportBody)
            assert said.status == "done", said
        assert agent.wait(30) == 0
    results = {said["step"]: said.get("result") for said in appliance.reports if said["status"] == "done"}
    assert disk_identity(results[PREPARE]["disk"]).serial == disk.serial
    assert set(results[CONFIGURE]) >= {"esp_partuuid", "root_fsuuid", "kernel", "ssh_host_keys"}
    assert results[HAND_OVER]["method"] in ("kexec", "reboot")


@pytest.mark.root
def test_wiping_a_disk_that_is_the_deployments_own(appliance: FakeAppliance, bench: Bench, tmp_path: Path) -> None:
    bench.add_disk(content=b"what the deployed system wrote")
    with bench.running(appliance.command_line(token=TOKEN)):
        appliance.wait_for(lambda: "GET /poll/poll-1" in appliance.paths())
        inventory = body_of(appliance, "inventory")
        assert isinstance(inventory, dict)
        disk = dataclasses.replace(disk_identity(inventory["disks"][0]), content="of long ago", owned=True)
        appliance.work = [work(WIPE_DISK, surroundings(appliance, bench, small_image(tmp_path), disk))]
        said = msgspec.convert(appliance.report_of(WIPE_DISK), daemon.ReportBody)
        assert said.status == "done", said
        assert (said.result or {})["verified"] is True
    sent = [call.body for call in appliance.calls if call.path.endswith("/inventory")]
    assert [inventory["disks"][0]["content"]["empty"] for inventory in sent] == [False, True]
    told = [call.path.rpartition("/")[2] for call in appliance.calls if call.method == "POST"]
    assert told[-2:] == ["inventory", "report"], "it is known to be empty when the machine is free again"


def rescue_work(step: str) -> dict[str, object]:
    machine = Machine(MachineId("m-1"), "node-1", State.RESCUING, (parse_mac(MAC),), 0.0, rescue=Rescue((SSH_KEY,)))
    work = Work("a1", "rescue", step, machine_params(step, machine), "rescue node-1")
    return dict(json.loads(msgspec.json.encode(work)))


def test_into_rescue_and_out_of_it(appliance: FakeAppliance, bench: Bench) -> None:
    with bench.running(appliance.command_line(token=TOKEN)) as agent:
        appliance.wait_for(lambda: "GET /poll/poll-1" in appliance.paths())
        appliance.work = [rescue_work(OPEN_SSH)]
        said = msgspec.convert(appliance.report_of(OPEN_SSH), daemon.ReportBody)
        assert said.status == "done"
        assert len(opened(Rescue(), said.result or {}, None, 1.0).fingerprints) == 1
        appliance.work = [rescue_work(RESTART)]
        assert msgspec.convert(appliance.report_of(RESTART), daemon.ReportBody).status == "done"
        assert agent.wait(30) == 0
    assert [each["action"] for each in bench.actions if each["action"] != "set-clock"] == ["open-ssh", "leave-rescue"]
    assert bench.actions[-2]["keys"] == f"{SSH_KEY}\n"


def test_what_the_kernel_said_is_sent_once_a_boot(appliance: FakeAppliance, bench: Bench) -> None:
    said = "[    0.000000] Linux version \x1b[2J ä\n"
    (bench.directory / "kmsg").write_text(said)
    appliance.answers["POST", "/control/v1/boot-messages"] = lambda call: (200, b"{}")
    for _ in range(2):  # the agent ends, and is started again
        polls = appliance.paths().count("GET /poll/poll-1")
        with bench.running(appliance.command_line(token=TOKEN)):
            appliance.wait_for(lambda: appliance.paths().count("GET /poll/poll-1") > polls)  # noqa: B023
    sent = [call.body for call in appliance.calls if call.path.endswith("/boot-messages")]
    assert [msgspec.convert(body, daemon.MessagesBody).text for body in sent] == [said]
    assert appliance.paths().index("POST /control/v1/inventory") < appliance.paths().index(
        "POST /control/v1/boot-messages"
    )


def test_the_largest_messages_fit(appliance: FakeAppliance, bench: Bench) -> None:
    """As JSON each character may take six bytes."""
    from appliance.agent.kernel_messages import LIMIT

    body = json.dumps({"text": "\x00" * LIMIT}).encode()
    assert len(body) < daemon.LARGEST_BODY
    assert LIMIT <= daemon.LARGEST_MESSAGES
    assert len(msgspec.json.decode(body, type=daemon.MessagesBody).text) == LIMIT


def small_image(directory: Path) -> Path:
    """A file system without a partition table, with just enough in it to be a system."""
    tree = directory / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/os-release").write_text("ID=x\n")
    path = directory / "image.raw"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(tree), str(path), "16M"], check=True)
    assert path.stat().st_size == 16 * MIB
    return path


def test_the_resident(appliance: FakeAppliance, tmp_path: Path) -> None:
    for name in ("active", "boot-messages", "report"):
        appliance.answers["POST", f"/control/v1/resident/{name}"] = lambda call: (200, {})
    appliance.answers["GET", "/control/v1/resident/wait"] = lambda call: (200, {"command": "reboot", "attempt": "a1"})
    settings = Settings(appliance.control, TOKEN, appliance.certificates.ca_pem)
    Resident(Client(settings), lambda seconds: None, lambda action: "", tmp_path, lambda: "Linux version\n").run()
    active = msgspec.convert(body_of(appliance, "active"), daemon.ActiveBody)
    assert active.boot_id
    messages = msgspec.convert(body_of(appliance, "boot-messages"), daemon.SystemMessagesBody)
    assert (messages.boot_id, messages.text) == (active.boot_id, "Linux version\n")
    assert msgspec.convert(body_of(appliance, "report"), daemon.ObeyBody).status == "done"

"""A system on a root volume that restarts once at its first start, to label its files for SELinux: nobody is asked."""

import pytest
from fleet_world import Played, code_of
from root_world import a_root_world
from test_root_volumes import hands_over, starts, trades

from appliance.errors import TooEarly
from appliance.netboot.policy import NetworkRoot
from appliance.store import attempts
from appliance.workflow import CONFIGURE, HAND_OVER, LABELS, labelling


@pytest.fixture
async def world(tmp_path):
    async with a_root_world(tmp_path) as made:
        made.delivery = "iscsi"
        yield made


@pytest.fixture
def node(world):
    return Played(world, disks=[])


async def enters(world, node, *, relabels, method="reboot"):
    """Its root is its own, and its system starts."""
    await starts(world, node)
    work = await node.work()
    assert work.step == CONFIGURE
    node.resident = work.params["resident"]["token"]
    await node.report(work, result={"ssh_host_keys": ["ssh-ed25519 MADE"], "relabels": relabels})
    await hands_over(world, node, method)


async def starts_by_firmware(world, node):
    """The document that the hand-over initrd gets."""
    boot = await node.firmware()
    return boot.spec, trades(world, node, boot)


async def test_after_a_reboot_it_gets_its_root_twice(world, node):
    await enters(world, node, relabels=True)
    for _ in ("its first start", "when its files are labelled"):
        spec, document = await starts_by_firmware(world, node)
        assert spec == NetworkRoot(armed=True)
        assert (await document)["delivery"] == "iscsi"
    attempt = await node.attempt()
    assert attempt.armed is False, "once, and no more"
    await node.reports_active()


async def test_after_a_kexec_it_gets_it_once_more(world, node):
    await enters(world, node, relabels=True, method="kexec")
    spec, document = await starts_by_firmware(world, node)
    assert spec == NetworkRoot(armed=True)
    await document
    spec, document = await starts_by_firmware(world, node)
    assert spec == NetworkRoot(armed=False)
    assert await code_of(TooEarly, document) == "root-asked"


async def test_one_that_labels_nothing_asks(world, node):
    await enters(world, node, relabels=False)
    _, document = await starts_by_firmware(world, node)
    await document
    spec, document = await starts_by_firmware(world, node)
    assert spec == NetworkRoot(armed=False)
    assert await code_of(TooEarly, document) == "root-asked"


async def test_it_is_armed_once_more_and_not_again(world, node):
    await enters(world, node, relabels=True)
    attempt = await node.attempt()
    once = labelling(attempt)
    assert (once.armed, once.results[HAND_OVER][LABELS], once.results[HAND_OVER]["method"]) == (True, True, "reboot")
    assert labelling(once).armed is False
    assert await world.store.read(lambda db: attempts.find(db, attempt.id)) == attempt

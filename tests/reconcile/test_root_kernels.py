"""Roots on the network that start with a kernel of the catalogue: what firmware, agents and users are told."""

from dataclasses import replace

import pytest
from fleet_world import SERVER, Played, code_of, state
from test_network_roots import IMAGE_BYTES, configures, hands_over

from appliance.catalogue import Kernel, KernelId, boot_words, check_cmdline
from appliance.errors import Conflict, Invalid, NotFound
from appliance.netboot.fleet import Boot
from appliance.netboot.grub import uefi_config
from appliance.netboot.ipxe import Site, script
from appliance.netboot.policy import NetworkRoot
from appliance.reconcile.changes import Changes, DeploymentChange
from appliance.reconcile.consequences import Action
from appliance.store import catalogue, machines
from tests.people import ADA

OWN = "/stack/1"
SITE = Site(f"http://{SERVER}", f"https://{SERVER}", OWN, "f" * 64)


@pytest.fixture
async def live(world):
    return await world.image(IMAGE_BYTES, "live", "squashfs")


@pytest.fixture
async def kernel(world):
    """One that was taken out of an image, with its modules."""
    return await listed(world, "six", modules_sha256="d" * 64, modules_bytes=20, signed=False)


async def listed(world, name, **more):
    new = Kernel(KernelId(0), name, "6.1.0-9", "mitigations=off", "c" * 64, None, world.now, vmlinuz_bytes=10)
    return await world.store.write(lambda db: catalogue.put_kernel(db, replace(new, **more)))


async def deployed(world, node, **more):
    await node.usable()
    await world.deploy(image="live", delivery="ram", **more)
    await world.act("start")
    await configures(world, node)


async def test_an_agent_starts_it_with_the_modules_that_belong_to_it(world, node, live, kernel):
    await deployed(world, node, kernel="six")
    told = (await hands_over(node)).params["root"]
    at = f"http://{SERVER}/kernels/{kernel.id}-{'c' * 16}"
    assert [(each["url"], each["bytes"], each["sha256"]) for each in told["files"]] == [
        (f"{at}/vmlinuz", 10, "c" * 64),
        (f"{at}/handover", 7, b"handover".hex()),
        (f"{at}/handover-modules", 20, "d" * 64),
    ]
    assert " mitigations=off " in told["cmdline"]
    assert told["cmdline"].index("mitigations") < told["cmdline"].index("qrm.server")


async def test_firmware_is_sent_it_too_and_again_after_a_restart(world, node, live, kernel):
    await deployed(world, node, kernel=str(kernel.id))
    await hands_over(node, "reboot")
    boot = await node.firmware()
    at = f"/kernels/{kernel.id}-{'c' * 16}"
    assert boot.spec == NetworkRoot(armed=True, files=at, append="mitigations=off")
    ipxe, grub = script(boot, SITE, node.mac), uefi_config(boot, SITE, node.mac)
    assert f"kernel http://{SERVER}{at}/vmlinuz initrd=handover initrd=handover-modules mitigations=off console" in ipxe
    assert f"linux (http,{SERVER}){at}/vmlinuz mitigations=off console" in grub
    assert f"(http,{SERVER}){at}/handover-modules" in grub
    assert OWN not in ipxe + grub
    await node.reports_active()
    assert (await node.firmware()).spec == NetworkRoot(armed=False, files=at, append="mitigations=off")


async def test_without_a_choice_it_is_the_appliances_own(world, node, live, kernel):
    await deployed(world, node)
    told = (await hands_over(node)).params["root"]
    assert {each["url"].rpartition("/")[0] for each in told["files"]} == {f"http://{SERVER}{OWN}"}


async def test_a_kernel_that_cannot_start_a_root_is_refused(world, live):
    await listed(world, "bare")
    assert (
        await code_of(Conflict, world.deploy(image="live", delivery="ram", kernel="bare")) == "kernel-without-modules"
    )
    assert await code_of(NotFound, world.deploy(image="live", delivery="ram", kernel="none")) == "kernel-unknown"
    await listed(world, "six", modules_sha256="d" * 64)
    assert await code_of(Invalid, world.deploy(kernel="six")) == "kernel-unused"


async def test_it_is_changed_and_given_up_and_then_deleted(world, live, kernel):
    await world.deploy(image="live", delivery="ram", kernel="six")
    deleting = world.store.write(lambda db: catalogue.delete_kernel(db, kernel.id))
    assert await code_of(Conflict, deleting) == "kernel-used"
    changes = Changes(world.store, world.bus, lambda: world.now)
    assert (await changes.deployment("web-1", DeploymentChange(kernel=""), ADA)).kernel is None
    await world.store.write(lambda db: catalogue.delete_kernel(db, kernel.id))


async def test_a_kernel_whose_content_is_gone_fails_the_hand_over_with_words(world, node, live, kernel):
    await deployed(world, node, kernel="six")
    world.content = world.content.with_name("gone")
    await node.work()
    assert await state(node) == "failed"
    assert "content of kernel six" in (await node.seen()).failed_reason


@pytest.mark.parametrize(("secure_boot", "signed", "warned"), [(True, False, 1), (True, True, 0), (False, False, 0)])
async def test_secure_boot_is_told_before_the_start(world, live, secure_boot, signed, warned):
    await listed(world, "six", modules_sha256="d" * 64, signed=signed)
    node = Played(world)
    await node.usable()
    seen = await node.seen()
    changed = replace(seen, secure_boot=secure_boot)
    await world.store.write(lambda db: machines.put(db, changed))
    await world.deploy(image="live", delivery="ram", kernel="six")
    foreseen = await world.wishes.consequences("web-1", Action.START)
    assert sum("Secure Boot on, and kernel six is not signed" in each for each in foreseen.texts) == warned


async def test_only_what_belongs_to_a_kernel_is_served(world, kernel):
    good = f"{kernel.id}-{'c' * 16}"
    assert await world.fleet.kernel(good, "vmlinuz") == world.content
    for address, name in ((good, "initrd"), (f"{kernel.id}-{'0' * 16}", "vmlinuz"), (f"99-{'c' * 16}", "vmlinuz")):
        with pytest.raises(NotFound):
            await world.fleet.kernel(address, name)


@pytest.mark.parametrize(
    "word", ["a;reboot", "${x}", "a&&b", "a||b", "`id`", '"a', "'a'", "qrm.server=http://evil", "#a"]
)
def test_no_word_of_a_command_line_means_something_to_a_boot_loader(word):
    with pytest.raises(Invalid):
        check_cmdline(f"quiet {word}")
    boot = Boot(NetworkRoot(armed=False, append=boot_words(f"quiet {word}")), "node", "why", "t" * 64, "n")
    assert word not in script(boot, SITE, "52:54:00:00:00:01").replace(SITE.server, "")
    assert " quiet " in uefi_config(boot, SITE, "52:54:00:00:00:01")

"""Which modules, firmware and libraries stay."""

from pathlib import Path

import pytest
from builder import trim

from appliance.kernel_modules import choosing

RULES = choosing.parse_rules("# comment\n\n- drivers/net/ethernet/switch/*\n+ drivers/net/*\n")
DEPENDENCIES = choosing.parse_modules_dep(
    "kernel/drivers/net/nic.ko.xz: kernel/lib/helper.ko.xz\n"
    "kernel/drivers/net/ethernet/switch/chip.ko.xz:\n"
    "kernel/lib/helper.ko.xz: kernel/lib/deeper.ko.xz\n"
    "kernel/lib/deeper.ko.xz:\n"
    "kernel/sound/snd.ko.xz:\n"
)
RECIPE = Path(__file__).parents[2] / "image-builder"


def test_first_matching_rule_decides_and_needs_come_along() -> None:
    kept = {choosing.module_name(path) for path in choosing.modules_to_keep(DEPENDENCIES, RULES)}
    assert kept == {"drivers/net/nic", "lib/helper", "lib/deeper"}


@pytest.mark.parametrize("line", ["drivers/net/*", "+", "* drivers"])
def test_lines_that_are_no_rules_are_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        choosing.parse_rules(f"+ good\n{line}\n")


def test_a_cycle_ends() -> None:
    graph = {"a": frozenset({"b"}), "b": frozenset({"a"})}
    assert choosing.closure(["a"], graph) == {"a", "b"}


def test_firmware_by_name_wildcard_and_compressed() -> None:
    available = ["bnx2/one.fw", "qed/a.bin.xz", "nfp/nic_A.nffw", "wifi/x.ucode"]
    named = ["bnx2/one.fw", "qed/a.bin", "nfp/nic_*.nffw", "not/there"]
    assert choosing.firmware_to_keep(named, available) == set(available[:3])


def test_libraries_from_the_loader() -> None:
    said = (
        "\tlinux-vdso.so.1 (0x00007ffe)\n"
        "\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n"
        "\tlibgone.so => not found\n"
    )
    assert trim.parse_ldd(said) == {"/lib/x86_64-linux-gnu/libz.so.1", "/lib64/ld-linux-x86-64.so.2"}


@pytest.mark.parametrize(
    "module",
    [
        "drivers/net/ethernet/intel/igb/igb",
        "drivers/scsi/megaraid/megaraid_sas",
        "drivers/nvme/host/nvme",
        "fs/xfs/xfs",
    ],
)
def test_the_recipe_keeps_what_servers_have(module: str) -> None:
    assert choosing.chosen(module, choosing.parse_rules((RECIPE / "stack/modules.list").read_text()))


@pytest.mark.parametrize("module", ["sound/core/snd", "drivers/net/wireless/ath/ath", "drivers/gpu/drm/drm"])
def test_the_recipe_leaves_out_what_they_do_not(module: str) -> None:
    assert not choosing.chosen(module, choosing.parse_rules((RECIPE / "stack/modules.list").read_text()))

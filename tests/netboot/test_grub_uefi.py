"""What signed GRUB is told, read by GRUB's own checker of syntax: the counterpart of the scripts for iPXE."""

import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.netboot import grub
from appliance.netboot.fleet import Boot
from appliance.netboot.ipxe import PAUSES, Site, stack_arguments
from appliance.netboot.policy import LocalDisk, MaintenanceStack, NextEntry, NoStack

SITE = Site("http://10.77.0.1:8080", "https://10.77.0.1", "/stack/abc", "f" * 64)
MAC = "52:54:00:4c:01:02"
ESP = "1B2C3D4E-0000-4000-8000-00000000000A"
SPECS = [MaintenanceStack(armed=True), LocalDisk(ESP, None), LocalDisk(None, None), NextEntry(), NoStack("arm64")]


def config(spec, name="node-1"):
    return grub.uefi_config(Boot(spec, name, "a reason with a secret name", "t" * 64, "nonce"), SITE, MAC)


def checked(text):
    """GRUB's own parser takes it."""
    found = subprocess.run(["grub-script-check"], input=text, text=True, capture_output=True, check=False)
    assert found.returncode == 0, found.stderr
    return text


@pytest.mark.parametrize("spec", SPECS, ids=[type(spec).__name__ for spec in SPECS])
def test_grub_understands_every_decision(spec):
    text = checked(config(spec))
    assert "secret" not in text
    assert text.startswith("set heard=1\necho 'node-1: ")


@pytest.mark.parametrize(
    "text",
    [
        grub.start_config("http://10.77.0.1"),
        grub.busy_config("disk full", MAC),
        grub.config(LocalDisk(None, "33-44"), "http://10.77.0.1", MAC),
    ],
    ids=["start", "busy", "bios"],
)
def test_grub_understands_what_is_sent_besides(text):
    checked(text)


def test_the_checker_is_there_and_finds_faults():
    assert shutil.which("grub-script-check")
    found = subprocess.run(["grub-script-check"], input="if true; then\n", text=True, capture_output=True, check=False)
    assert found.returncode != 0


def test_the_first_file_asks_for_the_machines_own_with_its_card_and_uuid():
    text = grub.start_config("http://10.77.0.1:8080")
    assert "smbios --type 1 --get-uuid 8 --set=uuid" in text
    assert "source (http,10.77.0.1:8080)/boot/grub/$net_default_mac/$uuid" in text


def test_the_stack_is_loaded_with_the_arguments_that_ipxe_gives_it():
    text = config(MaintenanceStack(armed=True))
    boot = Boot(MaintenanceStack(armed=True), "node-1", "", "t" * 64, "nonce")
    assert f"linux (http,10.77.0.1:8080)/stack/abc/vmlinuz {stack_arguments(boot, SITE, MAC)};" in text
    assert "initrd (http,10.77.0.1:8080)/stack/abc/initrd" in text


def test_pauses_grow_and_the_last_one_repeats():
    lines = config(MaintenanceStack(armed=True)).splitlines()
    steps = [line.split() for line in lines if "set pause=" in line and "if [" in line]
    after = {int(words[4]): int(words[8].removeprefix("pause=").rstrip(";")) for words in steps}
    pause, seen = PAUSES[0], []
    for _ in range(len(PAUSES) + 2):
        seen.append(pause)
        for words in steps:  # as GRUB runs them: one line after the other
            if pause == int(words[4]):
                pause = after[pause]
    assert tuple(seen) == (*PAUSES, PAUSES[-1], PAUSES[-1])
    assert all(now < then for now, then in pairwise(PAUSES))


def test_a_machine_of_its_own_disk_is_chained_to_the_partition_and_its_own_shim():
    text = config(LocalDisk(ESP, "3333-4444"))
    assert f'"$found" = "{ESP.lower()}"' in text
    lines = [line.strip() for line in text.splitlines()]
    chained = next(at for at, line in enumerate(lines) if "chainloader /EFI/BOOT/BOOTX64.EFI" in line)
    assert lines[chained].startswith("if [ -f $part/EFI/BOOT/BOOTX64.EFI ]; then ")
    assert lines[chained - 1] == "set root=$part", "shim looks for GRUB on the device that is the root"
    assert "4C0102-30" in text
    assert "/boot/trouble/52:54:00:4c:01:02/30" in text


@pytest.mark.parametrize("hostile", ["x\nboot", "$ip", "'; boot", "", "z" * 50])
def test_an_identifier_that_is_none_is_left_out(hostile):
    text = checked(config(LocalDisk(hostile, None)))
    assert "--part-uuid" not in text


@settings(max_examples=30)
@given(st.text())
def test_nothing_of_a_machine_gets_into_it_as_more_than_words(name):
    first = config(NextEntry(), name).splitlines()[1]
    assert first.startswith("echo '")
    assert first.count("'") == 2
    assert first.isascii()
    assert not set(first) & set('${}|&"`\\<>')


def test_what_the_machine_waits_for_and_its_code_stand_on_its_screen():
    assert "4C0102-20" in config(MaintenanceStack(armed=True))
    assert "4C0102-21" in config(NoStack("arm64"))
    assert "4C0102-11" in grub.busy_config("disk full", MAC)
    assert "$net_default_mac-10" in grub.start_config("http://10.77.0.1")
    for text in (config(MaintenanceStack(armed=True)), grub.start_config("http://10.77.0.1")):
        assert "echo 'To do: " in text


@pytest.mark.parametrize("spec", SPECS, ids=[type(spec).__name__ for spec in SPECS])
def test_nothing_ends_in_a_menu(spec):
    """GRUB's exit tells firmware that all went well, which then shows its menu."""
    for text in (config(spec), grub.busy_config("disk full", MAC), grub.start_config("http://10.77.0.1")):
        assert "exit" not in text.split()

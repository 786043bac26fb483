"""What iPXE and network GRUB are told; the unpacker of the stack's cpio is the kernel's own peer, cpio."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import appliance
from appliance.errors import ApplianceError
from appliance.netboot import grub, ipxe
from appliance.netboot.cpio import Entry, archive
from appliance.netboot.fleet import Boot
from appliance.netboot.policy import LocalDisk, MaintenanceStack, NextEntry, NoStack
from appliance.netboot.stack import assemble
from appliance.screencode import MEANINGS, Waits

SITE = ipxe.Site("http://10.77.0.1", "https://10.77.0.1", "/stack/abc", "f" * 64)
MAC = "52:54:00:00:00:01"
COMMANDS = {
    "#!ipxe", "echo", "set", "imgfree", "kernel", "sleep", "iseq", "goto", "exit", "chain", "sanboot", "inc", "isset",
    "imgfetch",
}  # fmt: skip


def script(spec, name="node-1"):
    return ipxe.script(Boot(spec, name, "a reason with a secret name", "t" * 64, "nonce"), SITE, MAC)


def commands(text):
    return {line.split()[0] for line in text.splitlines() if line and not line.startswith(":")}


@pytest.mark.parametrize(
    "spec",
    [
        MaintenanceStack(armed=True),
        LocalDisk("1111-2222", "3333-4444"),
        LocalDisk(None, None),
        NextEntry(),
        NoStack("arm64"),
    ],
)
def test_scripts_are_made_of_commands_that_ipxe_has(spec):
    text = script(spec)
    assert text.startswith("#!ipxe\n")
    assert text.endswith("\n")
    assert commands(text) <= COMMANDS
    labels = {line[1:] for line in text.splitlines() if line.startswith(":")}
    jumps = {word for line in text.splitlines() if "goto " in line for word in [line.split("goto ")[1].split()[0]]}
    assert jumps <= labels


def test_network_grub_comes_from_us_whoever_answered_dhcp():
    lines = script(LocalDisk("1111-2222", "3333-4444")).splitlines()
    at = lines.index("chain tftp://10.77.0.1/grub-i386-pc.pxe ||")
    assert lines[at - 1] == "set netX/filename grub-i386-pc.pxe ||", "a longer name leaves GRUB without an address"


def test_the_stack_is_fetched_again_for_ever_and_told_what_it_needs():
    text = script(MaintenanceStack(armed=True))
    assert text.rstrip().endswith("goto again")
    [kernel] = [line for line in text.splitlines() if line.startswith("kernel ")]
    for argument in (f"qrm.token={'t' * 64}", "qrm.nonce=nonce", f"qrm.mac={MAC}", f"qrm.ca={'f' * 64}"):
        assert f" {argument} " in kernel
    assert "http://10.77.0.1/stack/abc/vmlinuz" in kernel


def test_what_failed_is_shown_as_words_and_asked_again_for_ever():
    text = ipxe.busy_script("http://10.77.0.1", "no\nshell ${ip} || shell", MAC)
    assert len(text.splitlines()[1].split("||")) == 1
    assert "${ip}" not in text
    assert commands(text) <= COMMANDS
    assert text.endswith("goto again\n")


def test_what_a_machine_waits_for_and_its_code_stand_on_its_screen():
    text = script(MaintenanceStack(armed=True))
    assert "could not be fetched from http://10.77.0.1/stack/abc: ${why}" in text
    assert "echo To do: " in text
    assert "Code 000001-20: " in text
    assert "Code ${netX/mac:hexraw}-10: " in ipxe.start_script("http://10.77.0.1")
    assert "Code 000001-30: " in script(LocalDisk("1111-2222", None))
    assert "Code 000001-11: " in ipxe.busy_script("http://10.77.0.1", "disk full", MAC)


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        (script(MaintenanceStack(armed=True)), Waits.STACK),
        (script(LocalDisk("1111-2222", None)), Waits.DISK),
        (script(NoStack("arm64")), Waits.ARCHITECTURE),
        (ipxe.start_script("http://10.77.0.1"), Waits.SCRIPT),
        (ipxe.busy_script("http://10.77.0.1", "disk full", MAC), Waits.ROOM),
    ],
)
def test_what_to_do_stands_above_the_code(text, waits):
    lines = text.splitlines()
    at = lines.index(f"echo To do: {MEANINGS[waits].todo}")
    assert f"-{waits:d}: " in lines[at + 1]


def test_an_error_is_told_to_the_console_before_the_next_try_and_cannot_stop_it():
    lines = script(MaintenanceStack(armed=True)).splitlines()
    (told,) = [at for at, line in enumerate(lines) if "/boot/trouble/52:54:00:00:00:01/20?error=${why}" in line]
    assert lines[told].startswith("imgfetch --timeout 3000 --name trouble ")
    assert lines[told].endswith(" ||")
    assert lines.index("set why ${errno} ||") < told < lines.index("sleep ${pause} ||")


def test_a_processor_without_a_stack_is_told_so_and_asks_again():
    text = script(NoStack("arm64"))
    assert "there is no maintenance stack for arm64" in text
    assert "Code 000001-21: " in text
    assert "chain --replace --autofree http://10.77.0.1/boot/script?mac=" in text
    assert "kernel " not in text


def test_a_script_gives_no_reason_away():
    assert "secret" not in script(NextEntry())


@given(st.text())
def test_nothing_of_a_machine_gets_into_a_script_as_more_than_words(name):
    lines = script(NextEntry(), name).splitlines()
    assert len(lines) == 3
    assert lines[1].isascii()
    assert not set(lines[1].rpartition(":")[0]) & set("${}|&\"'`\\<>")


@pytest.mark.parametrize("hostile", ["x\nshell", "${ip}", "1 || shell", "", "z" * 50])
def test_an_identifier_that_is_none_is_left_out(hostile):
    text = script(LocalDisk(hostile, hostile))
    assert "shell" not in text
    assert "sanboot" not in text
    assert "search" not in grub.config(LocalDisk(None, hostile), "http://10.77.0.1", MAC)


def test_grub_starts_the_disk_of_the_file_system_and_nothing_else():
    text = grub.config(LocalDisk(None, "3333-4444"), "http://10.77.0.1", MAC)
    assert "search --no-floppy --fs-uuid --set=found 3333-4444" in text
    assert "chainloader" in text
    assert "chainloader" not in grub.config(NextEntry(), "http://10.77.0.1", MAC)
    assert "chainloader" not in grub.config(MaintenanceStack(armed=True), "http://10.77.0.1", MAC)


def test_a_bios_machine_without_its_disk_says_so_with_a_code_and_tells_the_console():
    lines = grub.config(LocalDisk(None, "3333-4444"), "http://10.77.0.1:8080", MAC).splitlines()
    after = lines[lines.index("fi") + 1 :]
    assert after[0] == "echo 'No disk here has the file system 3333-4444, or it does not start.'"
    assert "To do: look whether the disk is plugged in" in after[1]
    assert "Code 000001-30: " in after[2]
    assert after[3:] == [f"source (http,10.77.0.1:8080)/boot/trouble/{MAC}/30"]


def unpacked(data, path):
    path.mkdir()
    subprocess.run(["cpio", "--quiet", "-idm", "--no-absolute-filenames"], input=data, cwd=path, check=True)
    return path


def test_cpio_unpacks_what_we_pack(tmp_path):
    entries = [Entry("a"), Entry("a/b"), Entry("a/b/run", b"#!/bin/sh\n", True), Entry("a/empty", b"")]
    entries += [Entry(f"a/{'n' * size}", b"x" * size) for size in range(1, 9)]
    data = archive(entries)
    assert len(data) % 4 == 0
    listed = subprocess.run(["cpio", "--quiet", "-it"], input=data, capture_output=True, check=True).stdout.decode()
    assert listed.split() == [entry.name for entry in entries]
    out = unpacked(data, tmp_path / "out")
    assert (out / "a/b/run").stat().st_mode & 0o777 == 0o755
    assert (out / "a/nnnnn").read_bytes() == b"xxxxx"


@given(st.lists(st.binary(max_size=9), max_size=5))
def test_the_same_entries_give_the_same_bytes(contents):
    entries = [Entry(f"f{n}", content) for n, content in enumerate(contents)]
    assert archive(entries) == archive(list(entries))


@pytest.fixture
def built(tmp_path):
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "vmlinuz").write_bytes(b"kernel")
    (tmp_path / "built" / "initrd").write_bytes(archive([Entry("init", b"#!/bin/sh", True)]))
    return tmp_path


def test_the_stack_carries_the_agent_of_this_version(built):
    source = Path(appliance.__file__).parent
    stack = assemble(built / "built", source, built / "made")
    initrd = (stack.directory / "initrd").read_bytes()
    first = archive([Entry("init", b"#!/bin/sh", True)])
    out = unpacked(initrd[len(first) :], built / "out")
    assert (out / "qrm/agent/__main__.py").read_bytes() == (source / "agent/__main__.py").read_bytes()
    assert (out / "qrm/resident/__main__.py").exists()
    assert not list(out.rglob("__pycache__"))
    assert stack.url_path == f"/stack/{stack.hash}"


def test_the_name_follows_the_content_and_earlier_ones_go(built):
    source = Path(appliance.__file__).parent
    first = assemble(built / "built", source, built / "made")
    assert assemble(built / "built", source, built / "made") == first
    (built / "built" / "vmlinuz").write_bytes(b"newer")
    second = assemble(built / "built", source, built / "made")
    assert second.hash != first.hash
    assert [path.name for path in (built / "made").iterdir()] == [second.hash]


def test_a_copy_that_was_cut_off_is_made_again(built):
    source = Path(appliance.__file__).parent
    stack = assemble(built / "built", source, built / "made")
    stack.directory.rename(stack.directory.with_name(stack.hash + ".part"))
    (built / "made" / f"{stack.hash}.part" / "initrd").write_bytes(b"half")
    again = assemble(built / "built", source, built / "made")
    assert (again.directory / "initrd").stat().st_size > 1000
    assert [path.name for path in (built / "made").iterdir()] == [stack.hash]


@pytest.mark.parametrize("missing", ["vmlinuz", "initrd"])
def test_a_stack_that_is_not_built_is_said_so(built, missing):
    (built / "built" / missing).unlink()
    with pytest.raises(ApplianceError, match=missing) as caught:
        assemble(built / "built", Path(appliance.__file__).parent, built / "made")
    assert caught.value.code == "stack-missing"


def test_a_stack_that_cannot_be_copied_says_where_and_why(built):
    (built / "made").write_bytes(b"a file where a directory should be")
    with pytest.raises(ApplianceError, match="Not a directory") as caught:
        assemble(built / "built", Path(appliance.__file__).parent, built / "made")
    assert caught.value.code == "stack-unusable"

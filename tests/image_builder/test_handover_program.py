"""The hand-over initrd's program in two shells: from power-on to a root in memory, and what goes wrong."""

import base64
import io
import json
import stat
import tarfile
from pathlib import Path

import pytest
from handover_bench import (
    CONTROL,
    DER,
    DOWNLOAD,
    IMAGE,
    MAC,
    NONCE,
    PEM,
    REACHED,
    RESTARTED,
    SERVER,
    SHELLS,
    TOKEN,
    Bench,
    ram,
)


@pytest.fixture(params=SHELLS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path / "machine", request.param)


@pytest.fixture
def dash(tmp_path: Path) -> Bench:
    """Where it does not matter which shell it is."""
    return Bench(tmp_path / "machine", SHELLS[0])


def test_values_from_kexec_lead_to_a_root_in_memory(bench):
    given = bench.given(ram())
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    mounts = [line for line in ended.told if line.startswith("mount")]
    assert [line.split("> ")[0] for line in mounts] == ["mount <-t"] * 4
    assert f"<qrm-root> <{bench.root}>" in mounts[-1]
    assert (bench.root / "etc/hostname").read_text() == "web1\n"
    assert (bench.at / "proc/sys/kernel/hostname").read_text() == "web1"
    assert not given.exists()
    assert "handing over to web1" in ended.screen


def packed(*members: tarfile.TarInfo) -> str:
    """A layer as the agent gives it to the appliance: each member with its own name as its content."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", format=tarfile.GNU_FORMAT) as layer:
        for member in members:
            content = member.name.encode() if member.isreg() else b""
            member.size = len(content)
            layer.addfile(member, io.BytesIO(content))
    return base64.b64encode(archive.getvalue()).decode()


def test_what_the_agent_made_of_the_image_lies_above_it(bench):
    key, link = tarfile.TarInfo("etc/ssh/key"), tarfile.TarInfo("etc/on")
    key.mode, link.type, link.linkname = 0o600, tarfile.SYMTYPE, "/usr/on.service"
    bench.given({**ram(), "upper": packed(key, link)})
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    layer = bench.at / "run/qrm/upper/data"
    assert (layer / "etc/ssh/key").read_text() == "etc/ssh/key"
    assert stat.S_IMODE((layer / "etc/ssh/key").stat().st_mode) == 0o600
    assert (layer / "etc/on").readlink() == Path("/usr/on.service")


def test_a_layer_that_cannot_be_unpacked_ends_in_a_restart(dash):
    dash.given({**ram(), "upper": base64.b64encode(b"no archive").decode()})
    dash.answer(f"{SERVER}/images/1/content", IMAGE)
    ended = dash.run()
    assert ended.status == RESTARTED
    assert "re-deploy it" in ended.screen


def test_who_restarted_by_itself_waits_until_somebody_lets_it_in(bench):
    bench.appliance(ram())
    url = f"{CONTROL}/control/v1/root"
    answers = bench.at / "answers" / url.replace("/", "_")
    (good,) = answers.glob("*")
    good.rename(answers / "9-200")
    (answers / "1-425").write_text('{"code": "root-asked", "message": "wait"}')
    (answers / "2-425").write_text('{"code": "root-asked", "message": "wait"}')
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    assert ended.screen.count("waits to be let in") == 1
    assert "-45," in ended.screen
    assert len({(sent := json.loads((bench.at / "sent").read_text()))["machine_token"]}) == 1
    assert sent["boot_token"] == TOKEN


def test_the_boot_token_is_traded_for_them(bench):
    bench.appliance(ram())
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    sent = json.loads((bench.at / "sent").read_text())
    mine = sent.pop("machine_token")
    assert len(bytes.fromhex(mine)) == 32
    assert sent == {"boot_token": TOKEN, "nonce": NONCE, "mac": MAC, "macs": [MAC], "uuid": None, "firmware": "bios"}
    assert "date <-u> <-s> <@1795353881>" in ended.told
    (trade,) = [said for _, said in ended.asked if CONTROL in said]
    assert f'cacert = "{bench.at}/run/qrm/ca.pem"' in trade


@pytest.mark.parametrize("way", ["kexec", "token"])
def test_no_secret_is_an_argument_or_stays(bench, way):
    if way == "kexec":
        bench.given(ram())
        bench.answer(f"{SERVER}/images/1/content", IMAGE)
    else:
        bench.appliance(ram())
    ended = bench.run()
    assert ended.status == REACHED
    everything = "\n".join([*ended.told, ended.screen, ended.errors, *(" ".join(argv) for argv, _ in ended.asked)])
    assert DOWNLOAD not in everything
    assert TOKEN not in everything
    assert bench.holding(DOWNLOAD) == []
    assert bench.holding(TOKEN) == ["proc/cmdline"]
    if way == "token":
        assert bench.holding(json.loads((bench.at / "sent").read_text())["machine_token"]) == []


def test_another_authority_is_not_believed(dash):
    dash.appliance(ram())
    dash.command_line(ca="00" * 32)
    dash.program("sleep", '#!/bin/sh\n[ "$1" = 0.2 ] || exec kill -TERM "$PPID"\n')
    ended = dash.run()
    assert ended.status < 0, "it tries for ever"
    assert f"{SERVER}/ca.pem has the fingerprint" in ended.screen
    assert "code:      4C0101-42" in ended.screen
    assert not any(CONTROL in said for _, said in ended.asked)


def test_a_second_certificate_behind_the_good_one_is_another_authority(dash):
    dash.appliance(ram())
    dash.answer(f"{SERVER}/ca.pem", PEM)  # the last answer stays
    folder = dash.at / "answers" / f"{SERVER}/ca.pem".replace("/", "_")
    for path in folder.iterdir():
        path.write_bytes(PEM + PEM.replace(b"an", b"no"))
    dash.program("sleep", '#!/bin/sh\nexec kill -TERM "$PPID"\n')
    assert "has the fingerprint" in dash.run().screen
    assert DER.decode() not in (dash.at / "run/qrm/ca").read_text()


def test_a_refusal_ends_in_a_restart(bench):
    bench.answer(f"{SERVER}/ca.pem", PEM)
    bench.answer(f"{SERVER}/time", b'{"now": 1795353881.5}')
    refusal = {"code": "token-used", "message": "this boot token\x1b[2J was used before", "hint": ""}
    bench.answer(f"{CONTROL}/control/v1/root", json.dumps(refusal).encode(), 403)
    ended = bench.run()
    assert ended.status == RESTARTED
    assert "the appliance refused: this boot token?[2J was used before (token-used)" in ended.screen
    assert ended.told[-2:] == ["sleep <60>", "reboot <-f>"]


def test_what_does_not_answer_is_asked_again_with_growing_pauses(bench):
    bench.appliance(ram())
    for folder in (bench.at / "answers").iterdir():
        if "time" in folder.name:
            last = next(folder.iterdir())
            for number in range(7):
                (folder / f"000{number}-503").write_text("busy")
            last.rename(folder / "999-200")
    ended = bench.run()
    assert ended.status == REACHED
    pauses = [line for line in ended.told if line.startswith("sleep")]
    assert pauses == [f"sleep <{seconds}>" for seconds in (1, 2, 4, 8, 16, 30, 30)]
    assert ended.screen.count(f"{SERVER}/time: it answered 503") == 1
    assert f"appliance: {SERVER}" in ended.screen
    assert "problem:   none any more" in ended.screen


def test_another_image_than_the_deployments_is_fetched_again_and_then_given_up(bench):
    bench.given(ram())
    bench.answer(f"{SERVER}/images/1/content", b"x" * len(IMAGE))
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    assert bench.run().status == REACHED


def test_an_image_that_stays_another_ends_in_a_restart(dash):
    dash.given(ram())
    dash.answer(f"{SERVER}/images/1/content", b"x" * len(IMAGE))
    ended = dash.run()
    assert ended.status == RESTARTED
    assert sum("/images/" in said for _, said in ended.asked) == 3
    assert any(f"/boot/trouble/{MAC}/50" in said for _, said in ended.asked)
    assert not any("squashfs> <-o" in line for line in ended.told)


def test_an_image_that_came_in_part_is_gone_on_with(bench):
    bench.given(ram())
    bench.put("run/qrm/image/root.squashfs", IMAGE[:5].decode())
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    ended = bench.run()
    assert ended.status == REACHED
    assert "continue-at = -" in ended.asked[0][1]


def test_too_little_memory_is_told_before_anything_is_fetched(bench):
    bench.given(ram())
    bench.memory(100 << 20)
    ended = bench.run()
    assert ended.status == RESTARTED
    assert "its image takes 0 MiB of memory and its system 256 MiB: 100 MiB are free" in ended.screen
    assert not any("/images/" in said for _, said in ended.asked)
    assert any(f"/boot/trouble/{MAC}/51" in said for _, said in ended.asked)


WAITS = """
echo . >>"$QRM_AT/slept"
[ "$(wc -l <"$QRM_AT/slept")" -lt 6 ] || echo "MemAvailable: 2097152 kB" >"$QRM_AT/proc/meminfo"
"""


def test_too_little_memory_does_not_restart_a_machine_for_ever(bench):
    bench.appliance(ram())
    bench.answer(f"{SERVER}/boot/trouble/{MAC}/51", b"# noted\n")
    bench.memory(100 << 20)
    bench.program("sleep", (bench.at / "programs/mount").read_text() + WAITS)
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    pauses = [line for line in ended.told if line.startswith("sleep")]
    assert pauses == [f"sleep <{seconds}>" for seconds in (60, 120, 240, 480, 600, 600)]
    trades = [said for _, said in ended.asked if "/control/v1/root" in said]
    assert len(trades) == 7
    assert sum("/boot/trouble/" in said for _, said in ended.asked) == 1, "it is told once"
    assert ended.screen.count("100 MiB are free") == 1
    assert "now:       it asks again in 10 min what it is to run" in ended.screen


def test_what_is_wanted_of_a_machine_with_too_little_memory_may_change(bench):
    bench.appliance(ram())
    given = {"server": "10.77.0.1", "path": "/0123456789abcdef", "read_only": False, "overlay": False}
    other = {**ram(), "delivery": "nfs", "ram": None, "nfs": given, "hostname": "web2"}
    bench.answer(f"{CONTROL}/control/v1/root", json.dumps(other).encode())
    bench.memory(100 << 20)
    bench.put("proc/mounts", "")
    bench.program("unshare", (bench.at / "programs/mount").read_text())
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    assert any("<10.77.0.1:/0123456789abcdef>" in line for line in ended.told)
    assert (bench.at / "proc/sys/kernel/hostname").read_text() == "web2"


def test_the_appliance_hears_what_it_restarts_for(bench):
    """Else it would take the restart for a kexec that failed."""
    bench.given(ram())
    bench.answer(f"{SERVER}/images/1/content", b"", 403)
    ended = bench.run()
    assert ended.status == RESTARTED
    assert next(said for _, said in ended.asked if "/boot/trouble/" in said).startswith(
        f'url = "{SERVER}/boot/trouble/{MAC}/43"'
    )


HOSTILE = "x\"; reboot; $(reboot) `reboot` '\n\\"


def test_content_of_files_is_never_read_by_a_shell(bench):
    document = ram()
    document["files"] = [{"path": "/root/a $(reboot) 'b\"/.ssh", "mode": 0o600, "content": HOSTILE}]
    bench.given(document)
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    ended = bench.run()
    assert (ended.status, ended.errors) == (REACHED, "")
    made = bench.root / "root/a $(reboot) 'b\"/.ssh"
    assert made.read_text() == HOSTILE
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o755
    assert not any(line.startswith("reboot") for line in ended.told)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("hostname", HOSTILE),
        ("hostname", "web1\n"),
        ("hostname", "$(reboot)"),
        ("ram.url", 'http://10.77.0.1/"\nheader = "X: y'),
        ("ram.url", "file:///etc/passwd"),
        ("ram.token", 'a"\noutput = "/etc/passwd'),
        ("ram.bytes", "1; reboot"),
        ("ram.bytes", -1),
        ("ram.bytes", 1.5),
        ("ram.sha256", "00"),
        ("ram", None),
        ("ram", "text"),
        ("version", 2),
        ("delivery", "aoe"),
        ("files", [{"path": "/etc/../../x", "mode": 420, "content": ""}]),
        ("files", [{"path": "etc/x", "mode": 420, "content": ""}]),
        ("files", [{"path": "/etc/", "mode": 420, "content": ""}]),
        ("files", [{"path": "/etc/a\nb", "mode": 420, "content": ""}]),
        ("files", [{"path": "/etc/x", "mode": "644", "content": ""}]),
        ("files", [{"path": "/etc/x", "mode": 0o104755, "content": ""}]),
        ("files", [{"path": "/etc/x", "mode": 420, "content": 1}]),
    ],
)
def test_hostile_values_go_nowhere(dash, where, value):
    document = ram()
    *parents, name = where.split(".")
    holder = document
    for parent in parents:
        holder = holder[parent]
    holder[name] = value
    dash.given(document)
    ended = dash.run()
    assert ended.status == RESTARTED
    assert "the values of this attempt make no sense: " in ended.screen
    assert not any("/images/" in said for _, said in ended.asked)
    assert not any(line.startswith("mount") for line in ended.told)


@pytest.mark.parametrize("text", ["", "[]", "no json", '"text"', "{} {}"])
def test_what_is_no_document_goes_nowhere(dash, text):
    dash.given(text)
    ended = dash.run()
    assert ended.status == RESTARTED
    assert "make no sense" in ended.screen


def test_a_link_that_leads_out_of_the_root_is_not_followed(bench):
    document = ram()
    document["files"] = [{"path": "/escape/passwd", "mode": 0o644, "content": "mine"}]
    outside = bench.at / "outside"
    outside.mkdir()
    (bench.root / "escape").symlink_to(outside)
    bench.given(document)
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    ended = bench.run()
    assert ended.status == RESTARTED
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_a_file_is_replaced(bench):
    outside = bench.at / "outside"
    outside.write_text("theirs")
    (bench.root / "etc/hostname").symlink_to(outside)
    bench.given(ram())
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    assert bench.run().status == REACHED
    assert outside.read_text() == "theirs"
    assert not (bench.root / "etc/hostname").is_symlink()


@pytest.mark.parametrize("said", ["", "01-52-54-00-4c-01-01", "52:54:00:4C:01:01"])
def test_the_card_is_found_by_what_loaders_say_of_it(bench, said):
    bench.given({**ram(), "nic": {}})
    bench.command_line(mac="")
    with (bench.at / "proc/cmdline").open("a") as line:
        line.write(f"BOOTIF={said}" if said else "quiet")
    bench.put("sys/class/net/another/address", "52:54:00:ff:ff:ff\n")
    (bench.at / "sys/class/net/another/device").mkdir()
    bench.put("sys/class/net/another/carrier", "0\n")
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    ended = bench.run()
    assert ended.status == REACHED
    assert [line.split()[2] for line in ended.told if line.startswith("udhcpc")] == ["<eth0>"]


@pytest.mark.parametrize("lacking", ["server", "control", "ca", "token", "nonce"])
def test_a_command_line_without_what_it_needs_is_told(dash, lacking):
    dash.command_line(**{lacking: ""})
    ended = dash.run()
    assert ended.status == RESTARTED
    assert "the kernel command line lacks" in ended.screen


def test_the_network_of_a_root_in_memory_is_left_as_it_was(bench):
    bench.given(ram())
    bench.answer(f"{SERVER}/images/1/content", IMAGE)
    told = bench.run().told
    assert "ip <addr> <flush> <dev> <eth0>" in told
    assert "ip <link> <set> <dev> <eth0> <down>" in told

"""What users write for cloud-init, written into images that have it, whatever else they hold."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from agent_bench import MIB, Bench

from appliance.agent.errors import StepFailed
from appliance.agent.installed import cloudinit, netconfig
from appliance.agent.installed.cloudinit import SEED, SETTINGS_FILE, Seed
from appliance.agent.installed.root import Root
from appliance.agent.installed.system import find_system, opened
from appliance.agent.job import Params
from appliance.agent.steps.configure import configure, personalise

MAC = "52:54:00:aa:bb:cc"
KEY = "ssh-ed25519 AAAA ada@desk"
USER_DATA = "#cloud-config\npassword: hunter2-secret\n"
NETWORK = "version: 2\nethernets: {lan: {match: {name: en*}, dhcp4: true}}\n"
GIVEN = {"user_data": USER_DATA, "network_config": NETWORK}


def params(**more: object) -> Params:
    nic = {"mac": MAC, "method": "dhcp"}
    return Params({"hostname": "web-1", "machine_id": "0" * 32, "ssh_keys": [KEY], "network": [nic], **more})


@pytest.fixture
def root(tmp_path: Path) -> Root:
    made = Root(tmp_path / "root")
    (made.point / "etc").mkdir(parents=True)
    made.write("/usr/bin/cloud-init", "#!/usr/bin/python3\n", 0o755)
    return made


def mode(root: Root, name: str) -> int:
    return stat.S_IMODE((root.point / name.lstrip("/")).stat().st_mode)


def test_the_seed_is_roots_and_nobody_elses(root: Root) -> None:
    assert personalise(root, params(seed=GIVEN), "a1")["network"] == "cloud-init"
    said = json.loads(root.text(f"{SEED}/meta-data"))
    assert said == {"instance-id": "a1", "local-hostname": "web-1", "public-keys": [KEY]}
    assert root.text(f"{SEED}/user-data") == USER_DATA
    assert root.text(f"{SEED}/network-config") == NETWORK
    assert [mode(root, f"{SEED}/{name}") for name in root.names(SEED)] == [0o600] * 3
    assert (mode(root, SEED), mode(root, "/var/lib/cloud")) == (0o700, 0o755)
    assert (root.point / SEED[1:] / "user-data").stat().st_uid == os.geteuid()


def test_what_the_user_leaves_out_is_made_by_itself(root: Root) -> None:
    personalise(root, params(seed={"network_config": NETWORK}), "a1")
    assert yaml.safe_load(root.text(f"{SEED}/user-data")) == {}
    personalise(root, params(seed={"user_data": USER_DATA}), "a2")
    nics = yaml.safe_load(root.text(f"{SEED}/network-config"))["network"]["ethernets"]
    assert [(nic["match"]["macaddress"], nic["dhcp4"]) for nic in nics.values()] == [(MAC, True)]
    assert json.loads(root.text(f"{SEED}/meta-data"))["instance-id"] == "a2"


def test_cards_get_names_where_no_netplan_finds_them_by_mac_but_for_the_one_of_the_root(root: Root) -> None:
    def name_of_card() -> object:
        return yaml.safe_load(root.text(f"{SEED}/network-config"))["network"]["ethernets"]["nic525400aabbcc"].get(
            "set-name"
        )

    personalise(root, params(), "a1")
    assert name_of_card() == "nic525400aabbcc"
    personalise(root, params(), "a1", kept=MAC)
    assert name_of_card() is None
    root.write("/usr/sbin/netplan", "")
    root.make_directory("/etc/netplan")
    personalise(root, params(), "a1")
    assert name_of_card() is None


def test_cloud_init_is_to_look_nowhere_else(root: Root) -> None:
    root.write(f"{SEED}/vendor-data", "#cloud-config\nruncmd: [theirs]\n")
    personalise(root, params(seed=GIVEN), "a1")
    said = yaml.safe_load(root.text(SETTINGS_FILE))
    assert said["datasource_list"] == ["NoCloud", "None"]
    assert said["datasource"]["NoCloud"] == {"fs_label": None, "seedfrom": None}
    assert (said["ssh_deletekeys"], said["disable_root"], said["growpart"]) == (False, False, {"mode": "off"})
    assert "vendor-data" not in root.names(SEED)


@pytest.mark.parametrize("how", ["missing", "off"])
def test_an_image_that_would_not_read_it_fails_the_step_before_anything_is_written(root: Root, how: str) -> None:
    if how == "missing":
        root.remove("/usr/bin/cloud-init")
    else:
        root.write("/etc/cloud/cloud-init.disabled", "")
    with pytest.raises(StepFailed) as failed:
        personalise(root, params(seed=GIVEN), "a1")
    assert failed.value.code == "cloud-init-missing"
    assert "hunter2" not in str(failed.value)
    assert not root.exists("/etc/hostname")
    assert not root.exists(SEED)
    personalise(root, params(), "a1")


def test_where_it_is_switched_off_the_network_is_configured_without_it(root: Root) -> None:
    root.write("/etc/cloud/cloud-init.disabled", "")
    root.write(netconfig.NETWORKD, "")
    assert personalise(root, params(), "a1")["network"] == "networkd, now enabled"


SAYS_OFF = [
    "network: {config: disabled}\n",
    "network: { config: 'disabled' }  # by hand\n",
    "users: [default]\nnetwork:\n  config: disabled\n",
    'network:  # of the image\n\n  # left alone\n    config: "disabled"\n',
]
SAYS_NOTHING = [
    "# network: {config: disabled}\n",
    "network: {version: 2}\n",
    "other:\n  network: {config: disabled}\n",
    "",
]


@pytest.mark.parametrize("text", SAYS_OFF)
@pytest.mark.parametrize("place", ["cloud.cfg", "cloud.cfg.d/99-disable-network-config.cfg"])
def test_an_image_whose_cloud_init_leaves_the_network_alone_has_it_configured_otherwise(
    root: Root, text: str, place: str
) -> None:
    root.write(f"/etc/cloud/{place}", text)
    root.write("/usr/sbin/NetworkManager", "")
    assert yaml.safe_load(text)["network"] == {"config": "disabled"}
    assert personalise(root, params(), "a1")["network"] == "NetworkManager"
    assert root.exists(f"{SEED}/user-data"), "all else is cloud-init's still"
    with pytest.raises(StepFailed, match="leave the network alone") as failed:
        personalise(root, params(seed=GIVEN), "a1")
    assert failed.value.code == "cloud-init-missing"


@pytest.mark.parametrize("text", SAYS_NOTHING)
def test_one_that_only_looks_like_that_is_left_to_cloud_init(root: Root, text: str) -> None:
    root.write("/etc/cloud/cloud.cfg.d/50-others.cfg", text)
    root.write("/etc/cloud/cloud.cfg.d/README", "network: {config: disabled}\n")
    root.write("/usr/sbin/NetworkManager", "")
    assert personalise(root, params(seed=GIVEN), "a1")["network"] == "cloud-init"


@pytest.mark.parametrize("place", ["/var", "/var/lib", "/var/lib/cloud", "/var/lib/cloud/seed", SEED])
@pytest.mark.parametrize("climbs", [False, True])
def test_a_link_on_the_way_leads_nowhere_outside(root: Root, tmp_path: Path, place: str, climbs: bool) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    where = root.point / place[1:]
    where.parent.mkdir(parents=True, exist_ok=True)
    where.symlink_to(("../" * 20 if climbs else "/") + str(outside)[1:])
    with pytest.raises(OSError, match="exists"):
        personalise(root, params(seed=GIVEN), "a1")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", [f"{SEED}/user-data", f"{SEED}/meta-data", SETTINGS_FILE])
def test_a_file_that_is_a_link_is_replaced_and_not_followed(root: Root, tmp_path: Path, name: str) -> None:
    ours = tmp_path / "ours"
    ours.write_text("ours")
    where = root.point / name[1:]
    where.parent.mkdir(parents=True)
    where.symlink_to(ours)
    personalise(root, params(seed=GIVEN), "a1")
    assert (ours.read_text(), where.is_symlink()) == ("ours", False)


def test_links_within_the_image_are_followed(root: Root) -> None:
    (root.point / "srv/var").mkdir(parents=True)
    (root.point / "var").symlink_to("srv/var")
    personalise(root, params(seed=GIVEN), "a1")
    assert (root.point / "srv/var/lib/cloud/seed/nocloud/user-data").read_text() == USER_DATA


def test_nobody_prints_it_by_accident() -> None:
    assert "hunter2" not in repr(Seed(USER_DATA, NETWORK))


def test_a_seed_of_another_form_is_refused(root: Root) -> None:
    with pytest.raises(StepFailed, match="seed"):
        personalise(root, params(seed="#cloud-config"), "a1")
    with pytest.raises(StepFailed, match=r"seed\.user_data"):
        personalise(root, params(seed={"user_data": ["x"]}), "a1")


def test_what_the_agent_makes_is_yaml_that_cloud_init_reads() -> None:
    assert yaml.safe_load(cloudinit.SETTINGS)
    assert yaml.safe_load(cloudinit.NOTHING) == {}


NFS = {"delivery": "nfs", "nfs": {"server": "10.77.0.1", "path": "/0123"}}


def tree_with_cloud_init(tree: Path) -> Path:
    for name in ("usr/bin/cloud-init", "etc/os-release"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("ID=x\n")
    return tree


def test_a_root_that_is_exported_gets_it_too(bench: Bench) -> None:
    tree_with_cloud_init(bench.directory / "exported")
    words = f"qrm.server=http://a qrm.control=https://a qrm.ca={'0' * 64} qrm.token=t qrm.nonce=n qrm.mac={MAC}"
    (bench.directory / "cmdline").write_text(words)
    job = bench.job("configure", disk=None, root=NFS, **params(seed={"user_data": USER_DATA}).values)
    outcome = configure(job)
    root = Root(bench.directory / "exported")
    assert root.text(f"{SEED}/user-data") == USER_DATA
    assert "set-name" not in root.text(f"{SEED}/network-config"), "its root comes through that card"
    assert "hunter2" not in json.dumps([bench.actions, bench.told, outcome.result, outcome.message])


@pytest.mark.root
@pytest.mark.parametrize("filesystem", ["ext4", "xfs", "btrfs"])
def test_a_written_disk_gets_it_whatever_its_file_system(bench: Bench, tmp_path: Path, filesystem: str) -> None:
    path, part = bench.add_disk(size=448 * MIB), tmp_path / "part"
    layout = "label: gpt\nstart=2048, size=880000\n"
    subprocess.run(["sfdisk", "--quiet", str(path)], input=layout, text=True, check=True)
    with part.open("wb") as file:
        file.truncate(880_000 * 512)
    subprocess.run([f"mkfs.{filesystem}", "-q", str(part)], check=True)
    point = tmp_path / "point"
    point.mkdir()
    subprocess.run(["mount", "-o", "loop", str(part), str(point)], check=True)
    try:
        tree_with_cloud_init(point)
    finally:
        subprocess.run(["umount", str(point)], check=True)
    subprocess.run(
        ["dd", f"if={part}", f"of={path}", "bs=1M", "seek=1", "conv=notrunc,sparse", "status=none"], check=True
    )
    outcome = configure(bench.job("configure", **params(seed=GIVEN, firmware="bios").values))
    assert outcome.result["network"] == "cloud-init"
    disk = bench.computer.disks()[0]
    with opened(disk, find_system(disk).volume) as root:
        assert (root.text(f"{SEED}/user-data"), mode(root, f"{SEED}/user-data")) == (USER_DATA, 0o600)
        assert root.text(f"{SEED}/network-config") == NETWORK

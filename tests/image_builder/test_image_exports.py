"""What the image brings for exports: an NFS server of one version that starts with an empty table, and no restoring."""

import configparser
import os
import subprocess
from pathlib import Path

from builder.appliance_ours import RECIPE

ETC = RECIPE / "root" / "etc"
UNITS = ETC / "systemd" / "system"
SERVER = UNITS / "nfs-server.service"


def settings() -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read_string((ETC / "nfs.conf.d" / "10-appliance.conf").read_text())
    return found


def test_nfs_is_of_one_version_and_listens_where_the_helper_says_only() -> None:
    server = settings()["nfsd"]
    assert {key for key in server if key.startswith("vers") and server.getboolean(key)} == {"vers4", "vers4.2"}
    assert "host" not in server
    assert f"ConditionPathExists={server['include'].lstrip('-')}" in SERVER.read_text().splitlines()


def test_the_table_of_exports_ends_with_the_appliance_and_with_nothing_else() -> None:
    assert settings()["mountd"]["state-directory-path"].startswith("/run/appliance/")
    assert "exportfs" not in SERVER.read_text()
    assert "/etc/exports.d" not in (RECIPE / "links.list").read_text().splitlines()


def test_groups_of_a_machine_s_users_are_its_own_matter() -> None:
    assert not settings()["mountd"].getboolean("manage-gids")


def test_nothing_restores_targets_or_serves_older_versions() -> None:
    masked = ("rtslib-fb-targetctl.service", "rpcbind.service", "rpcbind.socket", "rpc-statd.service")
    assert {os.readlink(UNITS / each) for each in masked} == {"/dev/null"}


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    (tmp_path / SERVER.name).write_text(SERVER.read_text().replace("/usr/sbin/rpc.nfsd", "/bin/true"))
    mount = "[Mount]\nWhat=nfsd\nWhere=/proc/fs/nfsd\nType=nfsd\n"
    (tmp_path / "proc-fs-nfsd.mount").write_text(mount)
    for name in ("nfs-mountd.service", "nfsdcld.service"):
        (tmp_path / name).write_text("[Service]\nExecStart=/bin/true\n")
    argv = ["systemd-analyze", "verify", "--man=no", tmp_path / SERVER.name]
    path = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    found = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=path)
    assert [line for line in found.stderr.splitlines() if "nfs-server" in line] == []

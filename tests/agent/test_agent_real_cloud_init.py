"""What the agent writes, read by cloud-init itself: Debian's package, unpacked and never installed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from appliance.agent.installed.root import Root
from appliance.agent.job import Params
from appliance.agent.steps.configure import personalise
from appliance.cloud_config import text_of
from tests.test_cloud_config import WHOLE

ALSO = (
    *("configobj", "six", "netifaces", "oauthlib", "requests", "urllib3", "idna", "certifi", "chardet", "jsonschema"),
    *("charset-normalizer", "attr", "pyrsistent", "jsonpatch", "json-pointer", "yaml", "jinja2", "markupsafe"),
)
"""Python packages that it takes."""
PACKAGES = ("cloud-init", *(f"python3-{name}" for name in ALSO))
MAC = "52:54:00:aa:bb:cc"
READER = """
import json, sys
from unittest import mock
from cloudinit import helpers, safeyaml, util
from cloudinit.config import schema
from cloudinit.sources import DataSourceNoCloud as nocloud

image = sys.argv[1]
paths = helpers.Paths({"cloud_dir": image + "/var/lib/cloud", "run_dir": image + "/run"})
settings = util.read_conf_with_confd(image + "/etc/cloud/cloud.cfg")
no_words = mock.patch.object(util, "get_cmdline", lambda: "")
no_board = mock.patch.object(nocloud.dmi, "read_dmi_data", lambda name: None)
with no_words, no_board:
    source = nocloud.DataSourceNoCloud(settings, None, paths)
    found = source.get_data()
config = safeyaml.load(source.get_userdata_raw())
schema.validate_cloudconfig_schema(config, schema.get_schema(), strict=True)
print(json.dumps({
    "found": found, "instance": source.get_instance_id(), "hostname": source.get_hostname().hostname,
    "keys": source.get_public_ssh_keys(), "network": source.network_config, "settings": settings, "config": config,
}))
"""


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages are unpacked."""
    place = tmp_path_factory.mktemp("debian")
    place.chmod(0o777)  # apt fetches as a user of its own where root asks it to
    subprocess.run(["apt-get", "--quiet=2", "download", *PACKAGES], cwd=place, check=True)
    for package in place.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, place / "root"], check=True)
    return place / "root"


@pytest.fixture
def image(debian: Path, tmp_path: Path) -> Path:
    """One of a maker who meant another source, with a seed on it that the agent wrote."""
    made = tmp_path / "image"
    (made / "etc/cloud/cloud.cfg.d").mkdir(parents=True)
    (made / "run").mkdir()
    (made / "etc/cloud/cloud.cfg").write_bytes((debian / "etc/cloud/cloud.cfg").read_bytes())
    (made / "etc/cloud/cloud.cfg.d/90_dpkg.cfg").write_text("datasource_list: [ Ec2, OpenStack ]\n")
    root = Root(made)
    root.write("/usr/bin/cloud-init", "", 0o755)
    given = {"seed": {"user_data": text_of(WHOLE)}, "network": [{"mac": MAC}]}
    known = {"hostname": "web-1", "machine_id": "0" * 32, "ssh_keys": ["ssh-ed25519 AAAA ada@desk"]}
    personalise(root, Params({**known, **given}), "attempt-1")
    return made


def python_of(debian: Path, *words: object) -> str:
    """cloud-init's own Python, with its packages."""
    around = {**os.environ, "PYTHONPATH": str(debian / "usr/lib/python3/dist-packages")}
    argv = ["/usr/bin/python3", *map(str, words)]
    return subprocess.run(argv, env=around, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_cloud_init_reads_it_and_takes_what_the_form_makes(debian: Path, image: Path) -> None:
    read = json.loads(python_of(debian, "-c", READER, image))
    assert (read["found"], read["instance"], read["hostname"]) == (True, "attempt-1", "web-1")
    assert read["keys"] == ["ssh-ed25519 AAAA ada@desk"]
    card = read["network"]["network"]["ethernets"]["nic525400aabbcc"]
    assert (card["match"], card["dhcp4"]) == ({"macaddress": MAC}, True)
    said = read["settings"]
    assert (said["datasource_list"], said["disable_root"], said["growpart"]) == (
        ["NoCloud", "None"],
        False,
        {"mode": "off"},
    )
    assert read["config"]["packages"] == list(WHOLE.packages)


@pytest.mark.slow
def test_its_generator_asks_no_other_source(debian: Path, image: Path) -> None:
    finder = debian / "usr/lib/cloud-init/ds-identify"
    subprocess.run(["sh", finder, "--force"], env={**os.environ, "PATH_ROOT": str(image)}, check=True)
    assert "datasource_list: [ NoCloud, None ]" in (image / "run/cloud-init/cloud.cfg").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("eni", "iface nic525400aabbcc inet dhcp"),
        ("networkd", f"MACAddress={MAC}"),
        ("netplan", f"macaddress: {MAC}"),
        ("network-manager", f"mac-address={MAC.upper()}"),
    ],
)
def test_its_network_configuration_is_what_any_image_makes_its_own_of(
    debian: Path, image: Path, tmp_path: Path, program: str, says: str
) -> None:
    seed, into = image / "var/lib/cloud/seed/nocloud/network-config", tmp_path / "made"
    given = ("-p", seed, "-k", "yaml", "-d", into, "-D", "debian", "-O", program)
    python_of(debian, "-m", "cloudinit.cmd.main", "devel", "net-convert", *given)
    assert says in "".join(path.read_text() for path in into.rglob("*") if path.is_file())

"""The package proxy of an installed system."""

import os
from pathlib import Path

import pytest

from appliance.agent.errors import StepFailed
from appliance.agent.installed import packages
from appliance.agent.installed.root import Root
from appliance.agent.job import Params
from appliance.agent.steps.configure import personalise

PROXY = "http://10.77.0.3:3128"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    (tmp_path / "etc").mkdir()
    return Root(tmp_path)


def test_apt_is_told(root: Root, tmp_path: Path) -> None:
    (tmp_path / "etc/apt/apt.conf.d").mkdir(parents=True)
    for _ in range(2):
        assert packages.write_proxy(root, PROXY)
    text = (tmp_path / "etc/apt/apt.conf.d/90qrm-proxy").read_text()
    assert text == f'Acquire::http::Proxy "{PROXY}";\nAcquire::https::Proxy "{PROXY}";\n'


def test_dnf_is_told(root: Root, tmp_path: Path) -> None:
    (tmp_path / "etc/dnf").mkdir(parents=True)
    path = tmp_path / "etc/dnf/dnf.conf"
    path.write_text("# ours\n[main]\ngpgcheck=1\nproxy = http://old:1\n[extra]\na=b\n")
    for _ in range(2):
        assert packages.write_proxy(root, PROXY)
    assert path.read_text() == f"# ours\n[main]\nproxy={PROXY}\ngpgcheck=1\n[extra]\na=b\n"
    path.write_text("")
    packages.write_proxy(root, PROXY)
    assert path.read_text() == f"[main]\nproxy={PROXY}\n"


def test_an_image_with_neither_says_so(root: Root) -> None:
    assert not packages.write_proxy(root, PROXY)
    params = {"hostname": "web-1", "machine_id": "0" * 32, "ssh_keys": [], "network": []}
    assert "package_proxy" not in personalise(root, Params(params), "a")
    assert personalise(root, Params({**params, "package_proxy": PROXY}), "a")["package_proxy"] is False


@pytest.mark.parametrize(
    "proxy", ["10.77.0.3", "http://a:b@c", 'http://x";\nDPkg::Pre-Invoke "', "http://x/y", "http://"]
)
def test_what_is_no_proxy_is_not_written(root: Root, tmp_path: Path, proxy: str) -> None:
    (tmp_path / "etc/apt/apt.conf.d").mkdir(parents=True)
    with pytest.raises(StepFailed):
        packages.write_proxy(root, proxy)
    assert os.listdir(tmp_path / "etc/apt/apt.conf.d") == []

"""Every way in which a computer can lack something has its own words."""

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.errors import ApplianceError
from appliance.lab.plan import LabPlan, plan_machines
from appliance.lab.requirements import FILES, PROGRAMS, Host, needed_memory_mib, problems, require

PLAN = LabPlan(plan_machines(2))
GOOD = Host(
    programs=frozenset(PROGRAMS),
    files=frozenset(FILES),
    tun="ok",
    root=False,
    max_user_namespaces=10000,
    unprivileged_userns_clone=None,
    apparmor_restricts_userns=None,
    namespace_error="",
    available_memory_mib=8000,
    free_disk_mib=10000,
    kvm=False,
)
REFUSED = "unshare: unshare failed: Operation not permitted"


def test_nothing_is_missing() -> None:
    assert problems(GOOD, PLAN) == []
    require(GOOD, PLAN)


@pytest.mark.parametrize(
    ("host", "what", "remedy"),
    [
        (replace(GOOD, programs=GOOD.programs - {"dig", "ip"}), "dig, ip", "apt-get install bind9-dnsutils iproute2"),
        (replace(GOOD, files=frozenset()), "OVMF_CODE_4M.fd", "apt-get install ipxe-qemu ovmf"),
        (replace(GOOD, tun="denied"), "/dev/net/tun is not writable", "chmod 666 /dev/net/tun"),
        (replace(GOOD, tun="missing"), "/dev/net/tun does not exist", "modprobe tun"),
        (replace(GOOD, namespace_error=REFUSED, max_user_namespaces=0), REFUSED, "user.max_user_namespaces="),
        (replace(GOOD, namespace_error=REFUSED, unprivileged_userns_clone=0), REFUSED, "unprivileged_userns_clone=1"),
        (
            replace(GOOD, namespace_error=REFUSED, apparmor_restricts_userns=1),
            REFUSED,
            "restrict_unprivileged_userns=0",
        ),
        (replace(GOOD, namespace_error=REFUSED), REFUSED, "as root"),
        (replace(GOOD, namespace_error=REFUSED, root=True), REFUSED, "CAP_SYS_ADMIN"),
        (replace(GOOD, available_memory_mib=2000), "2000 MiB are available", "--nodes"),
        (replace(GOOD, free_disk_mib=100), "100 MiB are free", "--state"),
    ],
)
def test_what_is_missing_is_said_with_its_remedy(host: Host, what: str, remedy: str) -> None:
    with pytest.raises(ApplianceError) as caught:
        require(host, PLAN)
    assert caught.value.code == "lab-requirements"
    assert what in caught.value.message
    assert remedy in caught.value.message


def test_all_problems_are_said_at_once() -> None:
    host = replace(GOOD, tun="missing", programs=frozenset(), available_memory_mib=0)
    assert len(problems(host, PLAN)) == 3


def test_machines_too_small_for_the_maintenance_stack_are_refused() -> None:
    found = problems(GOOD, LabPlan(plan_machines(2, memory_mib=512)))
    assert len(found) == 1
    assert "512 MiB" in found[0].what


def test_memory_grows_with_the_machines() -> None:
    assert needed_memory_mib(LabPlan(plan_machines(4))) > 4 * 1024
    assert needed_memory_mib(LabPlan(())) < 1024


def test_kvm_is_only_asked_for_when_wanted() -> None:
    assert "kvm" in problems(GOOD, replace(PLAN, accelerator="kvm"))[0].what


def test_what_the_lab_asks_for_is_what_the_set_up_installs() -> None:
    lines = (Path(__file__).parents[2] / "packages.txt").read_text().splitlines()
    installed = {line.split()[0] for line in lines if line and not line.startswith("#")}
    assert {*PROGRAMS.values(), *FILES.values()} <= installed

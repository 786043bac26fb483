"""The form that makes the text of a #cloud-config."""

import pytest
import yaml

from appliance.cloud_config import CloudConfig, File, text_of
from appliance.cloud_init import user_data
from appliance.errors import Invalid

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE ada@desk"
WHOLE = CloudConfig(
    users=[f"ada {KEY}", "bob", "ada ssh-rsa AAAAB3 ada@phone"],
    packages=["nginx", "python3.11", "libstdc++6"],
    commands=["echo 'a: b' > /run/x # not a comment", "- dash", "yes"],
    time_zone="Europe/Berlin",
    files=[
        File("/etc/motd", "Hello\r\n  you: {x}"),
        File("/root/key", "", "600"),
        File("/a", "#!/bin/sh\nls\n", "0755"),
    ],
)


def test_all_of_it_is_what_yaml_reads_back() -> None:
    text = text_of(WHOLE)
    assert text.startswith("#cloud-config\n")
    assert user_data(text) == (text, "cloud-config")
    found = yaml.safe_load(text)
    assert found["timezone"] == "Europe/Berlin"
    ada, bob = found["users"][1:]
    assert found["users"][0] == "default"
    assert (ada["name"], ada["ssh_authorized_keys"]) == ("ada", [KEY, "ssh-rsa AAAAB3 ada@phone"])
    assert ada["sudo"] == "ALL=(ALL) NOPASSWD:ALL"
    assert (bob["name"], "ssh_authorized_keys" in bob) == ("bob", False)
    assert (found["packages"], found["package_update"]) == (list(WHOLE.packages), True)
    assert found["runcmd"] == list(WHOLE.commands)
    assert [(each["path"], each["permissions"], each["content"]) for each in found["write_files"]] == [
        ("/etc/motd", "0644", "Hello\n  you: {x}\n"),
        ("/root/key", "0600", ""),
        ("/a", "0755", "#!/bin/sh\nls\n"),
    ]


def test_files_are_written_as_people_would() -> None:
    text = text_of(CloudConfig(files=[File("/a", "#!/bin/sh\nls\n", "755")]))
    assert "    content: |\n      #!/bin/sh\n      ls\n" in text


def test_only_what_is_asked_for_is_said() -> None:
    assert text_of(CloudConfig(time_zone="UTC")) == "#cloud-config\ntimezone: UTC\n"
    assert "sudo" not in text_of(CloudConfig(users=["ada"], sudo=False))


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (CloudConfig(), "user_data"),
        (CloudConfig(users=["Ada"]), "seed_users"),
        (CloudConfig(users=["ada\nroot"]), "seed_users"),
        (CloudConfig(users=["ada -----BEGIN PRIVATE KEY-----"]), "seed_users"),
        (CloudConfig(packages=["-o=x"]), "seed_packages"),
        (CloudConfig(packages=["a;b"]), "seed_packages"),
        (CloudConfig(time_zone="../etc"), "seed_timezone"),
        (CloudConfig(files=[File("motd", "x")]), "seed_files"),
        (CloudConfig(files=[File("/etc/../motd", "x")]), "seed_files"),
        (CloudConfig(files=[File("/motd", "x", "rw")]), "seed_files"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(form: CloudConfig, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        text_of(form)
    assert refused.value.field == field

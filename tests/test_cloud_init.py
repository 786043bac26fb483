"""What users write for cloud-init, checked before anything is kept of it."""

import time

import pytest
import yaml

from appliance.cloud_init import DEEPEST, LONGEST, network_config, user_data
from appliance.errors import Invalid

NETWORK = "version: 2\nethernets:\n  lan:\n    match: {macaddress: '52:54:00:aa:bb:cc'}\n    dhcp4: true\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("#cloud-config\npackages: [nginx]\n", "cloud-config"),
        ("#cloud-config", "cloud-config"),
        ("#cloud-config\nx: &a [1]\ny: *a\nz: {<<: {a: b}, c: d}\n", "cloud-config"),
        ("#cloud-config-archive\n- type: text/x-shellscript\n  content: ls\n", "archive"),
        ("#!/bin/sh\necho hello\n", "script"),
        ("#include\nhttps://example.test/user-data\n", "include"),
        ("#include-once\nhttps://example.test/user-data\n", "include"),
        ("#cloud-boothook\n#!/bin/sh\n", "boot hook"),
        ("## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}\n", "template of cloud-config"),
        ("## template: jinja\n#!/bin/sh\necho {{ v1.region }}\n", "template of script"),
        ('Content-Type: multipart/mixed; boundary="x"\nMIME-Version: 1.0\n\n--x--\n', "MIME multi-part"),
    ],
)
def test_every_format_is_told_from_its_first_line(text: str, kind: str) -> None:
    assert user_data(text)[1] == kind


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("packages: [nginx]\n", "first line"),
        ("##template: jinja\nx", "first line"),
        ("## template: jinja\nhostname: x\n", "template needs"),
        ("#cloud-config\n- a\n", "no mapping"),
        ("#cloud-config\njust words\n", "no mapping"),
        ("#cloud-config-archive\na: b\n", "no list"),
        ("#cloud-config\nruncmd:\n\t- ls\n", "line 3"),
        ("#cloud-config\na: b: c\n", "line 2"),
        ("#cloud-config\nruncmd: [a]\npackages: [b]\nruncmd: [c]\n", "line 4: 'runcmd' stands there twice"),
        ("#cloud-config\nusers:\n  - name: a\n    name: b\n", "line 4: 'name' stands there twice"),
        ("#cloud-config\na: !!python/object/apply:os.system [ls]\n", "line 2: the tag"),
        ("#cloud-config\na: !mine x\n", "line 2: the tag"),
        ("#cloud-config\n? [a, b]\n: c\n", "line 2: a key"),
        ("#cloud-config\na: b\n---\nc: d\n", "second document"),
        ("#cloud-config\n" + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "levels"),
        ("#!/bin/sh\necho \x1b[31m\n", "U+001B"),
        ("#!/bin/sh\n\0\n", "line 2 has the character U+0000"),
        ("#!/bin/sh\n\ud800\n", "U+D800"),
    ],
)
def test_what_cloud_init_would_not_do_is_refused(text: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        user_data(text)
    assert (refused.value.code, refused.value.field) == ("user-data-invalid", "user_data")
    assert says in refused.value.message


def test_a_refusal_repeats_no_secret_of_a_text_without_its_first_line() -> None:
    with pytest.raises(Invalid) as refused:
        user_data("password: hunter2\n")
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_what_a_browser_sends_is_kept_as_unix_has_it() -> None:
    assert user_data("\ufeff\r\n#!/bin/sh\r\necho 1")[0] == "#!/bin/sh\necho 1\n"


def test_sizes_are_bytes() -> None:
    begin = "#!/bin/sh\n"
    text = begin + "é" * ((LONGEST - len(begin)) // 2 - 1) + "\n"
    assert user_data(text)[0] == text
    with pytest.raises(Invalid) as refused:
        user_data(f"{begin}{'é' * (LONGEST // 2)}")
    assert (refused.value.code, refused.value.field) == ("user-data-long", "user_data")


@pytest.mark.parametrize("bomb", ["[" * 60_000, "{a: " * 15_000, "- " * 30_000, "? " * 30_000])
def test_a_text_that_is_deep_is_refused_at_once(bomb: str) -> None:
    began = time.process_time()
    with pytest.raises(Invalid):
        user_data(f"#cloud-config\n{bomb}")
    assert time.process_time() - began < 2


def test_a_forest_of_aliases_stays_as_small_as_it_is_written() -> None:
    layers = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    merged = "".join(f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}\n" for n in range(1, 30))
    began = time.process_time()
    assert user_data(f"#cloud-config\na0: &a0 [x]\n{layers}m0: &m0 {{x: y}}\n{merged}")[1] == "cloud-config"
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text",
    [NETWORK, "network:\n" + "".join(f"  {line}\n" for line in NETWORK.splitlines()), f"#cloud-config\n{NETWORK}"],
)
def test_network_configurations(text: str) -> None:
    kept, kind = network_config(text)
    assert (yaml.safe_load(kept), kind) == (yaml.safe_load(text), "version 2")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", "no mapping"),
        ("network: x\n", "no mapping"),
        (NETWORK.replace("2\n", "1\n", 1), "version 2"),
        ("ethernets: {a: {dhcp4: true}}\n", "version 2"),
        ("version: 2\n", "names no interface"),
        ("version: 2\nethernets: []\n", "names no interface"),
        ("version: 2\nethernets: {a: {}, a: {}}\n", "twice"),
    ],
)
def test_network_configurations_that_cloud_init_would_not_take(text: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        network_config(text)
    assert (refused.value.code, refused.value.field) == ("network-config-invalid", "network_config")
    assert says in refused.value.message

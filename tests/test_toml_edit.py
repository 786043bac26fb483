"""Single keys of a TOML file change; comments, order and what nobody knows stay."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Conflict
from appliance.toml_edit import Add, Put, Remove, edited

FILE = '''\
# By hand, for the hall.
[site]
domain = "lab.test"   # as in DNS
note = """
[subnet]
domain = "no"
"""

# The first floor.
[[subnet]]
interface = "nic1"
ranges = [
  "10.77.0.50-10.77.0.60",  # racks 1 to 3
]  # more is not free
  [subnet.options]
  42 = "10.77.0.1"

# The second one.
[[subnet]]
interface = "nic2"
unheard_of = 3

# What browsers see.
[web]
listen = ["0.0.0.0:8443"]'''


def test_a_value_changes_and_its_comment_stays() -> None:
    after = edited(FILE, [Put("site", "domain", "hall.test")])
    assert after == FILE.replace('"lab.test"', '"hall.test"')


def test_a_list_of_several_lines_becomes_one() -> None:
    after = edited(FILE, [Put("subnet", "ranges", ("10.77.0.70-10.77.0.80",), 0)])
    assert 'ranges = ["10.77.0.70-10.77.0.80"]  # more is not free\n  [subnet.options]' in after


def test_a_key_that_was_not_there_follows_the_last_one() -> None:
    after = edited(FILE, [Put("subnet", "lease_seconds", 600, 1), Put("dns", "forwarders", ("9.9.9.9",))])
    assert "unheard_of = 3\nlease_seconds = 600\n\n# What browsers see.\n" in after
    assert after.endswith('listen = ["0.0.0.0:8443"]\n\n[dns]\nforwarders = ["9.9.9.9"]\n')
    assert edited("", [Put("dns", "port", 53)]) == "[dns]\nport = 53\n"


def test_a_key_goes() -> None:
    assert edited(FILE, [Put("subnet", "unheard_of", None, 1)]) == FILE.replace("unheard_of = 3\n", "")
    assert edited(FILE, [Put("dns", "port", None), Put("web", "hosts", None)]) == FILE


def test_a_section_comes_and_goes() -> None:
    after = edited(FILE, [Add("subnet", {"interface": "nic3", "ranges": ()})])
    assert after == f'{FILE}\n\n[[subnet]]\ninterface = "nic3"\nranges = []\n'
    gone = edited(FILE, [Remove("subnet", 0)])
    assert "nic1" not in gone
    assert "42" not in gone
    assert "\n# The first floor.\n\n# The second one.\n[[subnet]]\n" in gone
    assert "subnet" not in tomllib.loads(edited(gone, [Remove("subnet", 0)]))


def test_a_key_in_a_table_of_a_section() -> None:
    changed = edited(FILE, [Put("subnet", "42", "10.77.0.2", 0, "options"), Put("subnet", "mtu", "9000", 0, "options")])
    assert changed == FILE.replace('42 = "10.77.0.1"\n', '42 = "10.77.0.2"\nmtu = "9000"\n')
    new = edited(FILE, [Put("subnet", "a b", "9000", 1, "options"), Put("subnet", "x", None, 1, "options")])
    assert 'unheard_of = 3\n\n[subnet.options]\n"a b" = "9000"\n\n# What browsers see.' in new
    gone = edited(FILE, [Put("subnet", "42", None, 0, "options"), Put("subnet", "x", None, 1, "options")])
    assert tomllib.loads(gone)["subnet"][0]["options"] == {}
    assert "options" not in tomllib.loads(gone)["subnet"][1]


@pytest.mark.parametrize(
    "text",
    ['site = {domain = "lab.test"}', 'site.domain = "lab.test"\n', '[site]\n"dom\\u0061in".x = 1\n'],
)
def test_what_only_hands_can_change_is_left_alone(text: str) -> None:
    with pytest.raises(Conflict) as caught:
        edited(text, [Put("site", "domain", "hall.test")])
    assert caught.value.code == "file-form"


def test_what_json_writes_otherwise_than_toml_is_no_value() -> None:
    assert (
        tomllib.loads(edited("", [Put("site", "domain", "\U0001f600\u2028\n")]))["site"]["domain"]
        == "\U0001f600\u2028\n"
    )
    with pytest.raises(Conflict):
        edited("", [Put("site", "domain", "\x7f")])


def test_ends_of_lines_stay() -> None:
    text = '[site]\r\ndomain = "lab.test"  # x\r\n'
    assert edited(text, [Put("site", "domain", "a.test")]) == text.replace("lab", "a")


TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x7f"), max_size=12)
VALUES = TEXTS | st.integers(-9, 9) | st.booleans() | st.lists(TEXTS, max_size=3).map(tuple)
PUTS = st.builds(
    Put, st.sampled_from(["site", "dns", "web"]), st.sampled_from(["domain", "a", "b"]), VALUES | st.none()
)


@given(st.lists(PUTS, max_size=6))
def test_any_changes_are_what_is_read_and_no_line_of_anybody_else_goes(edits: list[Put]) -> None:
    after = edited(FILE, edits)
    assert all(line in after for line in FILE.splitlines() if "domain =" not in line or "no" in line)
    last = {(each.section, each.key): each.value for each in edits}
    read = tomllib.loads(after)
    for (section, key), value in last.items():
        assert read.get(section, {}).get(key) == (list(value) if isinstance(value, tuple) else value)

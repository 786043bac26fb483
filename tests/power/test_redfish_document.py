"""No document of a Redfish controller does harm: it is read, or refused in our words."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.power.redfish import document
from appliance.power.words import LONGEST, shown
from appliance.power_switch import PowerError

NAMES = (
    "@odata.id", "Actions", "#ComputerSystem.Reset", "target", "ResetType@Redfish.AllowableValues", "Parameters",
    "AllowableValues", "Boot", "BootSourceOverrideMode", "BootSourceOverrideTarget@Redfish.AllowableValues", "Members",
    "PowerState", "@Redfish.Settings", "SettingsObject", "error", "@Message.ExtendedInfo", "Message", "message",
    "TaskState", "Systems", "Id", "Name",
)  # fmt: skip
WORDS = ("On", "Off", "ForceOff", "Pxe", "UEFI", "ResetType", "Running", "Exception", "/redfish/v1/Systems/1", "1")

_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)
_document = st.dictionaries(st.sampled_from(NAMES), _value, max_size=8)

READERS = (
    document.members,
    document.power_state,
    document.reset_action,
    document.allowed,
    document.allowed_by_info,
    document.settings_path,
    document.complaint,
    document.task_failed,
    lambda said: document.link(said, "Systems"),
    lambda said: document.is_called(said, "1"),
    lambda said: list(document.boot_changes(said, True)),
    lambda said: list(document.boot_changes(said, False)),
)


@settings(max_examples=60)
@given(_document)
def test_any_document(said):
    for read in READERS:
        with contextlib.suppress(PowerError):
            read(said)


@given(st.text(max_size=200))
def test_paths_stay_on_the_controller(location):
    with contextlib.suppress(PowerError):
        path = document.own_path(location)
        assert path.startswith("/")
        assert path.isascii()
        assert path.isprintable()


@given(st.text(max_size=1000), st.text("aXY0 -", min_size=4, max_size=20))
def test_whatever_is_said_fits_a_line_and_holds_no_secret(words, secret):
    line = shown(f"{words}{secret}{words}", secret)
    assert line.isprintable()
    assert len(line) <= LONGEST
    assert secret not in line

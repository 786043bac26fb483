"""Programs that end well, badly, never, or are not there."""

import sys

import pytest

from appliance.command import first_bytes, run
from appliance.errors import ApplianceError

FLOOD = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
FAILS = "import sys; sys.stdout.write('part'); sys.exit('no good')"
HANGS = "import time; time.sleep(600)"


def python(source):
    return [sys.executable, "-c", source]


def test_what_a_program_says():
    assert run(python("print('hello')")) == "hello\n"
    assert first_bytes(python("print('hello')"), 100) == b"hello\n"


def test_a_program_that_says_more_is_ended():
    assert first_bytes(python(FLOOD), 100_000) == b"x" * 100_000


def test_what_was_said_before_a_failure_counts_when_it_is_enough():
    assert first_bytes(python(FAILS), 4) == b"part"


@pytest.mark.parametrize("call", [run, lambda argv, **more: first_bytes(argv, 100, **more)])
def test_failures_say_why(call):
    for argv, seconds, code, words in (
        (python(FAILS), 30.0, "program-failed", "no good"),
        (python(HANGS), 0.2, "program-stuck", "no end after"),
        (["no-such-program-of-ours"], 30.0, "program-missing", "is not installed"),
    ):
        with pytest.raises(ApplianceError, match=words) as caught:
            call(argv, seconds=seconds)
        assert caught.value.code == code

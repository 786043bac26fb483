"""Documents of a kind that is read for the first time, by two threads at once: readers and the writer of the store."""

import subprocess
import sys


def test_threads_read_a_new_kind_at_once() -> None:
    """In a process of its own: what went wrong here once was no exception, but the end of the process."""
    words = [sys.executable, "-m", "tests.store.first_readers"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "all were read\n"), ended.stderr

"""The one place where programs are started."""

import subprocess
from collections.abc import Sequence

from .errors import AgentError

SHOWN_OUTPUT = 600
"""Characters of a failed program's output that are worth carrying to the console: its last words."""


PIPE_BYTES = 1 << 20
"""Room in the pipes of a program that much goes through: with the kernel's 64 KiB both ends mostly wait (pipe(7))."""

Running = subprocess.Popen[bytes]


class ProgramFailed(AgentError):
    """A program is missing, took too long, or ended with an exit code that nobody expected."""


def run(argv: Sequence[str], *, text: str | None = None, timeout: float = 60.0, good: Sequence[int] = (0,)) -> str:
    """Run `argv` with `text` on its standard input and return its standard output.

    `timeout` is in seconds; `good` are the exit codes that mean success.
    Raises ProgramFailed with the program's own words.
    """
    try:
        done = subprocess.run(
            list(argv), input=text, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except OSError as error:
        raise _did_not_start(argv, error) from error
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed(f"{argv[0]}: no end after {timeout:g} s") from error
    if done.returncode not in good:
        raise ProgramFailed(_what_it_said(argv, done.returncode, done.stderr or done.stdout))
    return done.stdout


def start(argv: Sequence[str]) -> Running:
    """Start `argv` with pipes at its standard input, output and error; the caller sees to its end.

    Raises ProgramFailed.
    """
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(list(argv), stdin=pipe, stdout=pipe, stderr=pipe, pipesize=PIPE_BYTES)
    except OSError as error:
        raise _did_not_start(argv, error) from error


def leave_running(argv: Sequence[str]) -> Running:
    """Start a daemon that outlives this process, unless the caller ends it; what it says nobody reads.

    It has nothing of ours open: whoever waits for the end of our output would wait for its end, too.
    Raises ProgramFailed.
    """
    nowhere = subprocess.DEVNULL
    try:
        return subprocess.Popen(list(argv), stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    except OSError as error:
        raise _did_not_start(argv, error) from error


def _did_not_start(argv: Sequence[str], error: OSError) -> ProgramFailed:
    return ProgramFailed(f"{argv[0]}: {'not there' if isinstance(error, FileNotFoundError) else error.strerror}")


def _what_it_said(argv: Sequence[str], code: int, output: str) -> str:
    words = " ".join(output.split())[-SHOWN_OUTPUT:]
    return f"{' '.join(argv)}: exit code {code}: {words or 'no output'}"

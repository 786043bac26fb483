"""The only place where the daemon runs another program: an argument list, never a shell's line."""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO

from appliance.errors import ApplianceError


def run(argv: Sequence[str], seconds: float = 30.0) -> str:
    """Standard output of a program that ends well within ``seconds``.

    Raises ApplianceError: ``program-missing``, ``program-failed`` with its last words, ``program-stuck``.
    """
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=True)
    except FileNotFoundError as error:
        raise _missing(argv) from error
    except subprocess.CalledProcessError as error:
        raise _failed(argv, error.stderr or error.stdout or f"exit code {error.returncode}") from error
    except subprocess.TimeoutExpired as error:
        raise _stuck(argv, seconds) from error
    return done.stdout


def first_bytes(argv: Sequence[str], count: int, seconds: float = 30.0) -> bytes:
    """The first ``count`` bytes of a program's standard output, all of it if it says less.

    The program is ended once it has said them. Raises as ``run`` does for one that fails before.
    """
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise _missing(argv) from error
    late = threading.Timer(seconds, process.kill)
    late.start()
    try:
        with process:
            assert process.stdout
            assert process.stderr
            found = process.stdout.read(count)
            if len(found) == count:
                process.kill()
                return found
            words = process.stderr.read().decode(errors="replace")
    finally:
        late.cancel()
    if process.returncode == -signal.SIGKILL:
        raise _stuck(argv, seconds)
    if process.returncode:
        raise _failed(argv, words or f"exit code {process.returncode}")
    return found


@contextlib.contextmanager
def streamed(argv: Sequence[str], seconds: float, given: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
    """A program's standard output, to be read in pieces; it is ended with the block, or after ``seconds``.

    It reads the file ``given``, or nothing. Whoever reads has to tell an output that is whole from one that is not.
    Raises ApplianceError ``program-missing``.
    """
    try:
        process = subprocess.Popen(
            argv, stdin=given or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise _missing(argv) from error
    late = threading.Timer(seconds, process.kill)
    late.start()
    try:
        with process:
            assert process.stdout
            try:
                yield process.stdout
            finally:
                process.kill()
    finally:
        late.cancel()


def fed(argv: Sequence[str], environment: Mapping[str, str], pieces: Iterable[bytes], seconds: float) -> None:
    """Run a program on what it is given to read; blocks. It is ended where ``pieces`` raises, and after ``seconds``.

    ``environment`` comes on top of ours. Raises as ``run`` does, with what it wrote at last, and as ``pieces``.
    """
    with tempfile.TemporaryFile() as words:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=words, stderr=words, env={**os.environ, **environment}
            )
        except FileNotFoundError as error:
            raise _missing(argv) from error
        _feed(process, pieces, seconds)
        if process.returncode == -signal.SIGKILL:
            raise _stuck(argv, seconds)
        if process.returncode:
            words.seek(max(0, words.seek(0, os.SEEK_END) - _LAST_WORDS))
            raise _failed(argv, words.read().decode(errors="replace") or f"exit code {process.returncode}")


_LAST_WORDS = 4096
"""Bytes."""


def _feed(process: subprocess.Popen[bytes], pieces: Iterable[bytes], seconds: float) -> None:
    """Until it has ended."""
    assert process.stdin
    late = threading.Timer(seconds, process.kill)
    late.start()
    try:
        with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
            for piece in pieces:
                process.stdin.write(piece)
            process.stdin.close()
        process.wait()
    finally:
        late.cancel()
        process.kill()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()


async def said(argv: Sequence[str], environment: Mapping[str, str], seconds: float = 30.0) -> str:
    """Standard output of a program that ends well within ``seconds``; the loop goes on in the meantime.

    ``environment`` comes on top of ours: what nobody else may read goes there. The program has no terminal to ask
    questions on, and is ended, with all that it started, when time is up or when the caller is cancelled. Raises as
    ``run`` does; a failure ends with what it wrote to standard error.
    """
    process = await _started(argv, environment, subprocess.PIPE)
    try:
        async with asyncio.timeout(seconds):
            out, words = await process.communicate()
    except TimeoutError as error:
        raise _stuck(argv, seconds) from error
    finally:
        await _end(process)
    if process.returncode:
        raise _failed(argv, (words or out).decode(errors="replace") or f"exit code {process.returncode}")
    return out.decode(errors="replace")


async def heard(
    argv: Sequence[str],
    environment: Mapping[str, str],
    hears: Callable[[str], None],
    seconds: float = 30.0,
    end: bytes = b"\n",
) -> str:
    """As ``said``; ``hears`` gets each line as soon as it is there. What it complains of is among the lines.

    ``end`` is what ends a line: of programs that write one over the other, a carriage return.
    """
    process = await _started(argv, environment, subprocess.STDOUT)
    assert process.stdout
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        async with asyncio.timeout(seconds):
            while line := await _line(process.stdout, end):
                lines.append(line.decode(errors="replace").strip("\r\n"))
                hears(lines[-1])
            await process.wait()
    except TimeoutError as error:
        raise _stuck(argv, seconds) from error
    finally:
        await _end(process)
    if process.returncode:
        raise _failed(argv, "\n".join([*lines][-20:]).strip() or f"exit code {process.returncode}")
    return "\n".join(lines)


_KEPT_LINES = 10_000
"""Of what a program says; the last ones, whatever it is fed."""


async def _line(stream: asyncio.StreamReader, end: bytes) -> bytes:
    try:
        return await stream.readuntil(end)
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.read(error.consumed or 1)


def attended(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program on our own terminal, for a person, until it ends by itself; its exit code.

    ``environment`` comes on top of ours. Its errors go to the terminal too, wherever ours go: a shell believes that
    nobody is there otherwise. Raises ApplianceError ``program-missing``.
    """
    try:
        done = subprocess.run(argv, env={**os.environ, **environment}, stderr=subprocess.STDOUT, check=False)
        return done.returncode
    except FileNotFoundError as error:
        raise _missing(argv) from error


async def _started(argv: Sequence[str], environment: Mapping[str, str], complaints: int) -> asyncio.subprocess.Process:
    """In a session of its own, with nothing to read; ``complaints`` as ``stderr`` of subprocess has it."""
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise _missing(argv) from error


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends the program's whole session, if it has not ended by itself; its pipes are closed then."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _missing(argv: Sequence[str]) -> ApplianceError:
    return ApplianceError("program-missing", f"{argv[0]} is not installed", f"install the package of {argv[0]}")


def _failed(argv: Sequence[str], words: str) -> ApplianceError:
    return ApplianceError("program-failed", f"{' '.join(argv)}: {words.strip()[-500:]}")


def _stuck(argv: Sequence[str], seconds: float) -> ApplianceError:
    return ApplianceError("program-stuck", f"{' '.join(argv)}: no end after {seconds:.0f} seconds")

"""The only place where the daemon runs another program: an argument list, never a shell's line."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

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


async def said(argv: Sequence[str], environment: Mapping[str, str], seconds: float = 30.0) -> str:
    """Standard output of a program that ends well within ``seconds``; the loop goes on in the meantime.

    ``environment`` comes on top of ours: what nobody else may read goes there. The program has no terminal to ask
    questions on, and is ended, with all that it started, when time is up or when the caller is cancelled. Raises as
    ``run`` does; a failure ends with what it wrote to standard error.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise _missing(argv) from error
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
    argv: Sequence[str], environment: Mapping[str, str], hears: Callable[[str], None], seconds: float = 30.0
) -> str:
    """As ``said``; ``hears`` gets each line as soon as it is there. What it complains of is among the lines."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise _missing(argv) from error
    assert process.stdout
    lines: list[str] = []
    try:
        async with asyncio.timeout(seconds):
            async for line in process.stdout:
                lines.append(line.decode(errors="replace").rstrip("\r\n"))
                hears(lines[-1])
            await process.wait()
    except TimeoutError as error:
        raise _stuck(argv, seconds) from error
    finally:
        await _end(process)
    if process.returncode:
        raise _failed(argv, "\n".join(lines[-20:]).strip() or f"exit code {process.returncode}")
    return "\n".join(lines)


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

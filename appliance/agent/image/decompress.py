"""From stored bytes to disk bytes."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from ..errors import StepFailed
from ..run import SHOWN_OUTPUT, Running, start

Fill = Callable[[memoryview], int]
"""Puts the next bytes into what it is given and says how many, fewer than fit or as many; 0 at the end."""


@contextmanager
def unpacked(stored: Iterator[bytes], form: str) -> Iterator[Fill]:
    """The disk bytes of an image whose stored bytes are `stored`; `form` is `raw` or `raw.zst`.

    An error of `stored` comes out of the result. Raises StepFailed, `image-corrupt` if it cannot be unpacked.
    """
    if form == "raw":
        yield from_chunks(stored)
    elif form == "raw.zst":
        with _zstd(stored) as fill:
            yield fill
    else:
        raise StepFailed("bad-params", f"images of the format {form!r} are unknown to this agent")


def from_chunks(chunks: Iterator[bytes]) -> Fill:
    """The same bytes, as they fit."""
    rest = memoryview(b"")

    def fill(into: memoryview) -> int:
        nonlocal rest
        while not rest:
            chunk = next(chunks, None)
            if chunk is None:
                return 0
            rest = memoryview(chunk)
        got = min(len(rest), len(into))
        into[:got], rest = rest[:got], rest[got:]
        return got

    return fill


@contextmanager
def _zstd(stored: Iterator[bytes]) -> Iterator[Fill]:
    process = start(["zstd", "--decompress", "--stdout", "--quiet", "--no-progress", "--long=31"])
    assert process.stdin
    assert process.stdout
    assert process.stderr
    feeder = _Feeder(stored, process.stdin)
    feeder.start()
    try:
        yield _output(process, process.stdout, process.stderr, feeder)
    finally:
        process.kill()
        feeder.join()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def _output(process: Running, output: IO[bytes], errors: IO[bytes], feeder: "_Feeder") -> Fill:
    def fill(into: memoryview) -> int:
        # Past Python's own buffer: what the pipe has goes to where it is written from, and is copied nowhere else.
        if got := os.readv(output.fileno(), [into]):
            return got
        words = errors.read(SHOWN_OUTPUT).decode("utf-8", "replace").strip()
        feeder.join()
        if feeder.error:
            raise feeder.error
        if process.wait() != 0:
            raise StepFailed("image-corrupt", f"the image cannot be unpacked: {words}")
        return 0

    return fill


class _Feeder(threading.Thread):
    """Carries stored bytes into the decompressor while the disk is being written; keeps what went wrong."""

    def __init__(self, stored: Iterator[bytes], sink: IO[bytes]) -> None:
        super().__init__(name="image-feeder", daemon=True)
        self.stored = stored
        self.sink = sink
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for chunk in self.stored:
                self.sink.write(chunk)
        except BrokenPipeError:  # the decompressor ended first and says itself why
            pass
        except Exception as error:
            self.error = error
        finally:
            with suppress(OSError):
                self.sink.close()

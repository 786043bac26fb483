"""From stored bytes to disk bytes."""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from ..errors import StepFailed
from ..run import SHOWN_OUTPUT, Running, start

CHUNK = 1 << 20


@contextmanager
def unpacked(stored: Iterator[bytes], form: str) -> Iterator[Iterator[bytes]]:
    """The disk bytes of an image whose stored bytes are `stored`; `form` is `raw` or `raw.zst`.

    An error of `stored` comes out of the result. Raises StepFailed, `image-corrupt` if it cannot be unpacked.
    """
    if form == "raw":
        yield stored
    elif form == "raw.zst":
        with _zstd(stored) as blocks:
            yield blocks
    else:
        raise StepFailed("bad-params", f"images of the format {form!r} are unknown to this agent")


@contextmanager
def _zstd(stored: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    process = start(["zstd", "--decompress", "--stdout", "--quiet", "--no-progress", "--long=31"])
    assert process.stdin
    assert process.stdout
    assert process.stderr
    feeder = _Feeder(stored, process.stdin)
    feeder.start()
    try:
        yield _blocks(process, process.stdout, process.stderr, feeder)
    finally:
        process.kill()
        feeder.join()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def _blocks(process: Running, output: IO[bytes], errors: IO[bytes], feeder: "_Feeder") -> Generator[bytes, None, None]:
    while block := output.read(CHUNK):
        yield block
    words = errors.read(SHOWN_OUTPUT).decode("utf-8", "replace").strip()
    feeder.join()
    if feeder.error:
        raise feeder.error
    if process.wait() != 0:
        raise StepFailed("image-corrupt", f"the image cannot be unpacked: {words}")


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

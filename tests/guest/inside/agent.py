"""Runs programs in the guest for the host, and tells it what they say (``tests/guest/frames.py``).

A program of its own, started by systemd: ``agent.py NAME``, of the virtio port that leads to the host.
"""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.guest.frames import Frame, Lines, decoded, encoded, packed, unpacked

PIECE = 32768


class Job:
    """One program in a session of its own, so that a signal reaches all that it started."""

    def __init__(self, frame: Frame) -> None:
        self.number: int = frame["start"]
        self.process = subprocess.Popen(
            frame["argv"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **frame["environment"]},
            start_new_session=True,
        )
        assert self.process.stdout
        assert self.process.stderr
        self.pipes = {"stdout": self.process.stdout, "stderr": self.process.stderr}
        for pipe in self.pipes.values():
            os.set_blocking(pipe.fileno(), False)
        self.ending = os.pidfd_open(self.process.pid)

    def write(self, data: bytes) -> None:
        """To the program's standard input; nobody may be there to read it any more."""
        assert self.process.stdin
        with suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def close_input(self) -> None:
        """The program reads the end of its input."""
        assert self.process.stdin
        with suppress(BrokenPipeError):
            self.process.stdin.close()


class Agent:
    """All jobs, and the port between them and the host."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lines = Lines()
        self._jobs: dict[int, Job] = {}
        self._ready = selectors.DefaultSelector()
        self._ready.register(port, selectors.EVENT_READ, self._listen)

    def run(self) -> None:
        """Serve until systemd ends it."""
        self._say({"hello": os.uname().release})
        while True:
            for key, _ in self._ready.select():
                key.data()

    def _say(self, frame: Frame) -> None:
        left = memoryview(encoded(frame))
        while left:
            left = left[os.write(self._port, left) :]

    def _listen(self) -> None:
        for line in self._lines.taken(os.read(self._port, PIECE)):
            self._obey(line)

    def _obey(self, line: bytes) -> None:
        frame = decoded(line)
        if "start" in frame:
            self._start(frame)
        elif job := self._jobs.get(frame["job"]):
            if "write" in frame:
                job.write(unpacked(frame["write"]))
            elif "close" in frame:
                job.close_input()
            else:
                with suppress(ProcessLookupError):
                    os.killpg(job.process.pid, frame["signal"])

    def _start(self, frame: Frame) -> None:
        try:
            job = Job(frame)
        except OSError as error:
            self._say({"job": frame["start"], "failed": str(error)})
            return
        self._jobs[job.number] = job
        for name, pipe in job.pipes.items():
            self._ready.register(pipe, selectors.EVENT_READ, self._reader(job, name))
        self._ready.register(job.ending, selectors.EVENT_READ, lambda: self._end(job))

    def _reader(self, job: Job, name: str) -> Callable[[], None]:
        def read() -> None:
            if not self._pass_on(job, name):
                self._ready.unregister(job.pipes[name])

        return read

    def _pass_on(self, job: Job, name: str) -> bool:
        """What the program said since; False when it will say no more, or nothing for now."""
        try:
            data = os.read(job.pipes[name].fileno(), PIECE)
        except BlockingIOError:
            return False
        if data:
            self._say({"job": job.number, name: packed(data)})
        return bool(data)

    def _end(self, job: Job) -> None:
        """Pass on its last words; what it left running in the background may hold the pipes, and is not waited for."""
        for name, pipe in job.pipes.items():
            while self._pass_on(job, name):
                continue
            with suppress(KeyError):
                self._ready.unregister(pipe)
            pipe.close()
        self._ready.unregister(job.ending)
        os.close(job.ending)
        job.close_input()
        del self._jobs[job.number]
        self._say({"job": job.number, "ended": job.process.wait()})


def port(name: str) -> Path:
    """The device of a virtio port; udev may not have named it yet."""
    names = Path("/sys/class/virtio-ports").glob("*/name")
    (found,) = (each.parent for each in names if each.read_text().strip() == name)
    return Path("/dev") / found.name


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Agent(os.open(port(sys.argv[1]), os.O_RDWR)).run()

"""``python -m tests.benchmarks.simulated.disk_writer DEVICE FILE``: the agent's step that writes an image, by itself.

FILE has the step's parameter ``image`` as JSON. The seconds that the step took go to standard output.
"""

import json
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from appliance.agent.disk import block, marker
from appliance.agent.disk.model import Disk
from appliance.agent.job import Job, Params
from appliance.agent.recorded import RecordedComputer
from appliance.agent.steps.write_image import write_image

ATTEMPT, SERIAL, SECTOR = "benchmark", "BENCH0", 512


class OneDisk(RecordedComputer):
    """A computer with a disk that is there already."""

    def __init__(self, directory: Path, device: Path) -> None:
        super().__init__(directory)
        self._device = device

    def disks(self) -> list[Disk]:
        """It alone."""
        with block.opened(self._device, os.O_RDONLY) as fd:
            size = os.lseek(fd, 0, os.SEEK_END)
        return [Disk(self._device.name, self._device, "", "file", SERIAL, "", size, SECTOR, SECTOR, False, "", False)]


def written(device: Path, image: dict[str, Any]) -> float:
    """Seconds from the step's begin to its end, when all is on the disk."""
    with block.opened(device, os.O_WRONLY) as fd:  # as the step before leaves it
        block.write_range(fd, 0, marker.encode(ATTEMPT))
        os.fsync(fd)
    params = Params({"disk": {"serial": SERIAL}, "image": image})
    with TemporaryDirectory() as directory:
        computer = OneDisk(Path(directory), device)
        job = Job(ATTEMPT, "write-image", params, computer, lambda *_: None, lambda *_: None)
        begun = time.monotonic()
        write_image(job)
        return time.monotonic() - begun


if __name__ == "__main__":
    print(written(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())))

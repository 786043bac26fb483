"""One way to boot, whoever wrote it down (pure)."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class BootEntry:
    """Kernel and initrds as paths in the file system that holds the boot loader's configuration."""

    title: str
    linux: str
    initrds: tuple[str, ...]
    cmdline: str

    def report(self) -> dict[str, Any]:
        """As the appliance wants it: the first initrd of all, "" without any."""
        said = asdict(self)
        return {"linux": said["linux"], "initrd": self.initrds[0] if self.initrds else "", "cmdline": self.cmdline}

"""A root that the appliance exports to this machine, as a value (pure)."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class NfsRoot:
    """The directory `path` of `server`."""

    server: str
    path: str

    def __str__(self) -> str:
        return f"{self.server}:{self.path}"


@dataclass(frozen=True)
class IscsiRoot:
    """The file system with `uuid` on the disk of `target` at `portal`, where this machine is `initiator`."""

    portal: str
    target: str
    initiator: str
    user: str
    secret: str = field(repr=False)
    uuid: str

    def __str__(self) -> str:
        return f"{self.target} at {self.portal}"


ExportedRoot = NfsRoot | IscsiRoot

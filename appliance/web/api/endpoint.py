"""What describes one address of the API."""

from dataclasses import dataclass
from typing import Any

from appliance.accounts import Role
from appliance.web.api.query import Param
from appliance.web.api.versions import Version
from appliance.web.doors import EVERYBODY, Handler


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body of files: their names in order, and whether each has to be there."""

    files: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address with one method: the type of its body, of its answer, and the parameters of its query."""

    method: str
    path: str
    handler: Handler
    status: int = 200
    gives: Any = None
    takes: Any = None
    """A type of JSON; ``bytes``: a file as it is; or a Form."""
    query: tuple[Param, ...] = ()
    """All that its address takes; everything else is refused."""
    public: bool = False
    """Answered without knowing who asks."""
    role: Role | None = None
    """The least role; None: a viewer for GET, an operator for everything else."""

    version: Version | None = None
    """What users can change of the one thing that ``{key}`` names: its ETag, and what If-Match is compared with."""
    secret: bool = False
    """Its answer holds a secret, which is kept nowhere."""
    or_task: bool = False
    """It is done at once, or takes long: then it is answered with 202 and a task in the same shape."""

    @property
    def keyed(self) -> bool:
        """Whether it takes an Idempotency-Key: it makes something, or begins it."""
        makes = self.status in (201, 202) or self.or_task
        return self.method == "POST" and makes and not (self.public or self.secret)

    @property
    def least(self) -> Role | None:
        """The least role that may ask; None: everybody, logged in or not."""
        if self.public:
            return EVERYBODY
        return self.role or (Role.VIEWER if self.method == "GET" else Role.OPERATOR)

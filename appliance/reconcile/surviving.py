"""What keeps trouble in one place: machines go on booting whatever happens to what is done beside that."""

from logging import Logger
from types import TracebackType

from appliance.errors import ApplianceError


class Surviving:
    """A block whose failure is logged, after what it means, and ends nothing; a defect of ours with its traceback.

    Cancellation goes through.
    """

    def __init__(self, log: Logger, consequence: str) -> None:
        self._log, self._consequence = log, consequence

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, ApplianceError):
            self._log.warning("%s: %s", self._consequence, error.message)
        elif isinstance(error, Exception):
            self._log.error("%s", self._consequence, exc_info=error)
        return isinstance(error, Exception)

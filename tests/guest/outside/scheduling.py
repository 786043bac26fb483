"""How xdist shares the tests out among processes."""

from xdist.scheduler import LoadFileScheduling

FOLDER = "tests/guest/"


class GuestScheduling(LoadFileScheduling):
    """File by file; all files that may want the guest count as one, since it belongs to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return FOLDER if nodeid.startswith(FOLDER) else str(super()._split_scope(nodeid))

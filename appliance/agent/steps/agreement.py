"""What a step says may be lost."""

from ..disk.erase import Agreement
from ..job import Params


def agreement_of(params: Params) -> Agreement:
    """From `content`, `owned` and `begun`. Raises StepFailed."""
    return Agreement(params.text("content", ""), params.flag("owned"), frozenset(params.texts("begun")))

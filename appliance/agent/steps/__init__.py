"""What the agent can be told to do. One file for each step, and this table."""

from collections.abc import Callable

from ..job import Job, Outcome
from .configure import configure
from .grow import grow
from .hand_over import hand_over
from .prepare_disk import prepare_disk
from .rescue import rescue
from .restart import restart
from .wipe_disk import wipe_disk
from .write_image import write_image

STEPS: dict[str, Callable[[Job], Outcome]] = {
    "prepare-disk": prepare_disk,
    "write-image": write_image,
    "grow": grow,
    "configure": configure,
    "hand-over": hand_over,
    "wipe-disk": wipe_disk,
    "rescue": rescue,
    "restart": restart,
}

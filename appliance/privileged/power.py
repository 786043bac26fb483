"""Carries out the verbs of ``verbs/power.py``."""

from appliance.privileged.computer import Computer, Tell
from appliance.privileged.verb import Done
from appliance.privileged.verbs.power import PowerOff, Reboot


async def reboot(verb: Reboot, on: Computer, tell: Tell) -> Done:
    """systemd stops everything in order; we do not wait for our own end."""
    await on.run(["systemctl", "--no-block", "reboot"])
    return Done()


async def power_off(verb: PowerOff, on: Computer, tell: Tell) -> Done:
    """As ``reboot``."""
    await on.run(["systemctl", "--no-block", "poweroff"])
    return Done()

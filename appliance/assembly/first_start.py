"""Set-up in steps, on a flashed appliance that was not set up yet."""

import os

from appliance.assembly.ground import Ground
from appliance.setup.first_start import FirstStart


def first_start(ground: Ground) -> FirstStart | None:
    """None where the configuration is another than the one that a flashed appliance begins with."""
    if not ground.config.site.first_start:
        return None
    return _begun(ground)


def _begun(ground: Ground) -> FirstStart:
    """What this needs is read for it alone: nobody has a use for it later, when memory is for machines."""
    from appliance.netboot.dhcp.foreign import throw_away_mac
    from appliance.netboot.dhcp.lookout import giving
    from appliance.privileged.client import Privileged
    from appliance.setup.conduct import Conduct
    from appliance.setup.steps import SetUpSteps
    from appliance.setup.through_helper import HelperAppliance

    mac = throw_away_mac(os.urandom(5))

    async def look(interface: str) -> set[str]:
        return {str(each) for each in await giving(interface, mac)}

    appliance = HelperAppliance(Privileged(), look)
    steps = SetUpSteps(ground.store, ground.bus, ground.clock, appliance)
    return FirstStart(steps, Conduct(ground.store, ground.bus, ground.clock, appliance))

"""Images by recipes: who makes them on this computer, and through which proxy their packages come."""

from appliance.assembly.ground import Ground
from appliance.privileged.client import Privileged
from appliance.recipes.shelf import Shelf
from appliance.reconcile.intake import Intake
from appliance.reconcile.recipe_build import ChildBuilder, UnitBuilder
from appliance.reconcile.recipes import OWN, Recipes


def recipe_parts(on: Ground, intake: Intake) -> Recipes:
    """In a unit of its own on a flashed appliance, else as a child of the daemon.

    Of the subnets' package proxies it takes the first: they stand beside machines, and the appliance is there, too.
    """
    privileged = Privileged()
    builder = UnitBuilder(privileged) if privileged.here else ChildBuilder()
    proxy = next((each.package_proxy.rstrip("/") for each in on.config.subnet if each.package_proxy), "")
    return Recipes(on.store, on.bus, on.clock, intake, Shelf(on.state / OWN), builder, proxy)

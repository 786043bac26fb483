"""Puts the rules on that follow from the networks: nft(8) takes all of them or none."""

from appliance.config import Config
from appliance.networking.firewall import Ports, ruleset
from appliance.networking.layout import Layout
from appliance.privileged import durable
from appliance.privileged.computer import Computer, Tell
from appliance.privileged.configuration import configured
from appliance.privileged.network_state import NetworkState
from appliance.privileged.verb import Done
from appliance.privileged.verbs.firewall import Renew


async def renew(verb: Renew, on: Computer, tell: Tell) -> Done:
    """For the layout that is on at the moment."""
    await renew_rules(on)
    return Done()


async def renew_rules(on: Computer) -> None:
    """For the layout that is on at the moment; without one, everything is let in: nobody has said what is for what."""
    state = NetworkState(on.roots)
    trial, confirmed = state.tried(), state.confirmed()
    if trial or confirmed:
        await put_rules(on, trial.layout if trial else confirmed or Layout())


async def put_rules(on: Computer, layout: Layout) -> None:
    """Those of this layout, with the ports of the configuration."""
    place = on.roots.run / "appliance" / "firewall.nft"
    durable.write(place, ruleset(layout, ports(configured(on.roots))), 0o600)
    await on.run(["nft", "-f", str(place)])


def ports(of: Config) -> Ports:
    """Where the daemon will listen."""
    console = tuple(int(each.rpartition(":")[2]) for each in of.web.listen)
    return Ports(console, of.boot.port, of.boot.control_port, of.dns.port)

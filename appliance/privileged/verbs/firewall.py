"""The firewall of the appliance. Pure."""

from typing import ClassVar

from appliance.privileged.verb import Done, Verb


class Renew(Verb[Done], frozen=True):
    """Put the rules on that follow from the networks and from the ports in the configuration."""

    name: ClassVar[str] = "firewall.renew"

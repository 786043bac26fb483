"""The appliance: netboot services, machines, deployments and their console in one daemon."""

__version__ = "0.1.0"

OWN_CERTIFICATE = "own.appliance.invalid"
"""The server name by which a program that has pinned our authority asks the console for our own certificate."""

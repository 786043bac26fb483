"""The appliance: netboot services, machines, deployments and their console in one daemon."""

__version__ = "0.1.0"

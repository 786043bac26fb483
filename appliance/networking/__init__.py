"""The appliance's own networks as values: interfaces, addresses, what each network is for. Pure."""

"""How the appliance itself is renewed: what slots, records, copies and boot loaders mean. Pure, all of it."""

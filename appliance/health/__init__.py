"""How the appliance itself is: facts, and what they mean."""

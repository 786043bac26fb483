"""What the privileged helper can be asked: one file for each area, values only. Pure."""

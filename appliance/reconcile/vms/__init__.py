"""Virtual machines: which there are, what users ask of them, and what the appliance does about them by itself."""

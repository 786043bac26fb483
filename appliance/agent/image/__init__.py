"""Images on their way from the appliance to a disk."""

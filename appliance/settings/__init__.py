"""What a flashed appliance was told in set-up, changed afterwards: its configuration file, names and clock."""

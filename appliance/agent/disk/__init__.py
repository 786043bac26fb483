"""Disks: finding the one that is meant, what is on it, and reaching its partitions."""

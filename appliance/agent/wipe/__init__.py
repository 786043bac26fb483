"""Wiping: what a disk can do for it, the methods from strong to weak, and reading back that nothing is left."""

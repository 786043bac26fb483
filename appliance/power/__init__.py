"""Switching machines on and off: one seam, and a driver for each kind of switch."""

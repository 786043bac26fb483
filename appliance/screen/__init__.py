"""The screen of the appliance itself, on tty1 and on the serial line: where it is, how it is, and what helps it."""

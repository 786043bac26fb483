"""The program of the maintenance stack: says what the machine is, waits, and does the steps it is given.

Standard library only, and nothing else of ours: it runs from RAM on computers that know nothing yet.
"""

VERSION = "0.1.0"

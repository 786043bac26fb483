"""The small unit in a deployed system: says that it runs, and obeys reboot and power-off.

Standard library only, and nothing else of ours. Few imports: slow machines start it too.
"""

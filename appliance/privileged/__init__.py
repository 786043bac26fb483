"""The privileged helper: the only code that runs as root, with a fixed list of typed verbs."""

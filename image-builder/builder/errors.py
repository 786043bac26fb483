"""What the person at the keyboard is told when a build cannot go on."""


class BuildError(Exception):
    """A build ended; the message says what went wrong and what to do about it."""

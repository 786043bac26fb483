"""Builds what machines boot: boot programs, maintenance stack, demo image. Standard library only."""

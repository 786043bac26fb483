"""Builds the daemon's parts from the configuration. Nothing is bound or served here."""

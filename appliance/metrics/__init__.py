"""Figures of the daemon about itself, for Prometheus and for the charts of the console.

Servers count for themselves, in plain numbers; here they are read, when somebody asks. So nothing that serves machines
waits for this room or imports it. Label values are words of ours (states, kinds, interfaces of the configuration),
never strings that a machine sent.
"""

"""The edges that touch the network; the only place of scapy (packets) and tftpy (transfers)."""

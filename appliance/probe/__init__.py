"""``qrm probe``: the network, seen by a client that shares no code with our servers.

``judge/`` is pure and says what is wrong; ``observe/`` touches the network, with scapy and tftpy; ``examine`` puts
the two together.
"""

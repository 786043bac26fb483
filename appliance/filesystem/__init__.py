"""File systems that we make ourselves, in user space: what machines mount as their root over the network."""

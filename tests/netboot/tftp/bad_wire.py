"""A wire between a TFTP client and the server that loses, doubles, reorders and delays what passes, by chance."""

import asyncio
import contextlib
import random
import socket

ADDRESS = "127.0.0.1"
OACK = b"\0\6"
DELAYS = (0.0, 0.0, 0.0, 0.0, 0.002, 0.01, 0.03)
"""Seconds, one chosen for each datagram: the longer ones let others pass."""


class BadWire:
    """Clients ask its port instead of the server's; each client's datagrams leave from a socket of their own."""

    def __init__(self, server_port, seed, lost=0.03, doubled=0.03):
        self._loop, self._chance = asyncio.get_running_loop(), random.Random(seed)
        self._server_port, self._lost, self._doubled = server_port, lost, doubled
        self._front = self._open(self._from_client)
        self._behind, self._transfers, self._sockets = {}, {}, [self._front]
        self.port = self._front.getsockname()[1]
        self.harmed = 0

    def close(self):
        for each in self._sockets:
            self._loop.remove_reader(each.fileno())
            each.close()
        self._sockets.clear()

    def _open(self, reader):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((ADDRESS, 0))
        made.setblocking(False)
        self._loop.add_reader(made.fileno(), reader)
        return made

    def _from_client(self):
        with contextlib.suppress(BlockingIOError):
            data, client = self._front.recvfrom(70000)
            if client not in self._behind:
                self._behind[client] = self._open(lambda: self._from_server(client))
                self._sockets.append(self._behind[client])
            server = self._transfers.get(client, (ADDRESS, self._server_port))
            self._pass(self._behind[client], data, server)

    def _from_server(self, client):
        with contextlib.suppress(BlockingIOError, ConnectionError):
            data, self._transfers[client] = self._behind[client].recvfrom(70000)
            self._pass(self._front, data, client)

    def _pass(self, through, data, to):
        chance = self._chance.random()
        copies = 0 if chance < self._lost else 2 if chance < self._lost + self._doubled else 1
        if data.startswith(OACK):  # atftp gives up when it gets one twice
            copies = min(copies, 1)
        self.harmed += copies != 1
        for _ in range(copies):
            self._loop.call_later(self._chance.choice(DELAYS), self._deliver, through, data, to)

    def _deliver(self, through, data, to):
        if self._sockets:
            with contextlib.suppress(OSError):
                through.sendto(data, to)

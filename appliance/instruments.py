"""Ties what the daemon's parts count to the metrics that show it: every metric has its line here."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from appliance.events import Bus
from appliance.metrics import process
from appliance.metrics.attempts import AttemptFigures
from appliance.metrics.exposition import Metrics, Values
from appliance.metrics.histogram import Histogram
from appliance.metrics.history import History, Source
from appliance.metrics.pulse import Pulse
from appliance.metrics.requests import Requests
from appliance.netboot.dhcp.server import DhcpServer
from appliance.netboot.dns.responder import OUTCOMES
from appliance.netboot.dns.server import DnsServer
from appliance.netboot.http import BootHttp
from appliance.netboot.tftp.server import TftpServer
from appliance.store.store import Store

Run = Callable[[], Awaitable[None]]


class Instruments:
    """Given each part once it is built. ``metrics`` and ``history`` are what the web layer shows."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self.metrics = Metrics()
        self._bus = bus
        self._pulse, self._requests, self._attempts = Pulse(), Requests(), AttemptFigures()
        self._dhcp: DhcpServer | None = None
        self._dns: DnsServer | None = None
        self._tftp: list[TftpServer] = []
        self._boot: BootHttp | None = None
        self._writes = Histogram()
        store.written = self._writes.observe
        self._of_itself()
        self._of_the_fleet()
        self.history = History(
            {
                "dhcp": Source(lambda: self._dhcp.packets.total() if self._dhcp else 0, rate=True),
                "boot": Source(lambda: self._tftp_counts()["bytes"] + self._boot_bytes(), rate=True),
                "dns": Source(lambda: sum(self._dns.counts.values()) if self._dns else 0, rate=True),
                "cpu": Source(process.cpu_seconds, rate=True),
                "memory": Source(process.memory_bytes),
                "lag": Source(self._pulse.worst, worst=True),
            }
        )

    def loops(self) -> dict[str, Run]:
        """What runs as long as the daemon."""
        return {"pulse": self._pulse.run, "history": self.history.run, "attempt figures": self._follow}

    async def _follow(self) -> None:
        with self._bus.listen(self._attempts.take):
            await asyncio.Event().wait()

    def dhcp(self, server: DhcpServer) -> None:
        """DHCP packets and leases."""
        self._dhcp = server
        says = "DHCP packets by direction and kind; other: broken, or nobody's to answer"
        self.metrics.counter("dhcp_packets", says, ("direction", "kind"), lambda: server.packets)
        self.metrics.gauge(
            "dhcp_leases", "Addresses that are leased now", ("interface",), lambda: _by_one(server.leased())
        )

    def dns(self, server: DnsServer) -> None:
        """DNS questions."""
        self._dns = server
        says = "DNS questions by what became of them"
        self.metrics.counter(
            "dns_queries",
            says,
            ("outcome",),
            lambda: _by_one({outcome: server.counts[outcome] for outcome in OUTCOMES}),
        )

    def tftp(self, servers: Sequence[TftpServer]) -> None:
        """TFTP transfers of all subnets together."""
        self._tftp = list(servers)
        says = "TFTP transfers by outcome; missing: there is no such file"
        self.metrics.counter("tftp_transfers", says, ("outcome",), self._transfers)
        self.metrics.counter(
            "tftp_bytes", "Bytes of files that were sent whole by TFTP", (), lambda: {(): self._tftp_counts()["bytes"]}
        )

    def _tftp_counts(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for server in self._tftp:
            total.update(server.counts)
        return total

    def _transfers(self) -> Values:
        counts = self._tftp_counts()
        return _by_one({outcome: counts[outcome] for outcome in ("finished", "failed", "missing")})

    def boot(self, boot: BootHttp) -> None:
        """Files sent over plain HTTP."""
        self._boot = boot
        says = "Bytes of files and images sent to machines by HTTP"
        self.metrics.counter("boot_http_bytes", says, (), lambda: {(): self._boot_bytes()})

    def _boot_bytes(self) -> int:
        return self._boot.sent.bytes if self._boot else 0

    def site(self, name: str, app: web.Application, *, timed: bool = False) -> web.Application:
        """Count the requests of an HTTP site; before it serves anything."""
        app.middlewares.insert(0, self._requests.counting(name, timed=timed))
        return app

    def answered(self, site: str, status: int) -> None:
        """Count a request of a site that no middleware saw."""
        self._requests.note(site, status)

    def _of_itself(self) -> None:
        metrics, requests = self.metrics, self._requests
        says = "HTTP requests by site and class of status"
        metrics.counter("http_requests", says, ("site", "status"), lambda: requests.answered)
        metrics.durations("http_request_seconds", "Time to answer an HTTP request", ("site",), lambda: requests.seconds)
        metrics.durations(
            "store_write_seconds",
            "Time from the wish to write to its place on the disk",
            (),
            lambda: {(): self._writes},
        )
        metrics.durations("loop_lag_seconds", "How late the event loop is", (), lambda: {(): self._pulse.lag})
        metrics.counter("process_cpu_seconds", "Processor time of the daemon", (), lambda: {(): process.cpu_seconds()})
        metrics.gauge("process_memory_bytes", "Resident memory", (), lambda: {(): process.memory_bytes()})
        metrics.gauge("process_open_fds", "Open files and sockets", (), lambda: {(): process.open_descriptors()})
        started = time.time()
        metrics.gauge("process_start_time_seconds", "Start of the daemon, Unix time", (), lambda: {(): started})

    def _of_the_fleet(self) -> None:
        metrics, attempts = self.metrics, self._attempts
        metrics.stored("machines", "Machines by state", ("state",))
        metrics.stored("tasks", "Tasks by status, as long as they are kept", ("status",))
        labels = ("kind", "outcome")
        metrics.counter("attempts", "Attempts that ended", labels, lambda: attempts.ended)
        metrics.durations(
            "attempt_seconds", "Time from an attempt's begin to its end", labels, lambda: attempts.seconds
        )


def _by_one(counts: Mapping[str, float]) -> Values:
    """Values of a metric with one label."""
    return {(label,): value for label, value in counts.items()}

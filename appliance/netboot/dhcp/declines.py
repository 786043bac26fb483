"""How often a client may decline an address: each one costs the pool an address for an hour (pure)."""

WINDOW_SECONDS = 3600.0
PER_CLIENT = 3
MAX_CLIENTS = 1024


class Declines:
    """Counts declines per client, and of everybody together, within an hour."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}

    def admit(self, mac: str, now: float) -> bool:
        """Whether this client may decline one more."""
        self._forget(now)
        times = self._times.get(mac, [])
        if len(times) >= PER_CLIENT or (not times and len(self._times) >= MAX_CLIENTS):
            return False
        self._times[mac] = [*times, now]
        return True

    def _forget(self, now: float) -> None:
        recent = {mac: [at for at in times if at > now - WINDOW_SECONDS] for mac, times in self._times.items()}
        self._times = {mac: times for mac, times in recent.items() if times}

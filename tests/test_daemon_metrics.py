"""The real daemon counts what really came and went, and no machine can write into its metrics."""

import json
import time

import psutil
from prometheus_client.parser import text_string_to_metric_families

CONSOLE = "https://127.0.0.1:8443"
HOSTILE = 'evil" 1\nappliance_forged{x="<script>'


def set_up(daemon, namespace):
    """The token of the first administrator."""
    secret = (daemon.path / "state" / "setup-url").read_text().split("token=")[-1].strip()
    body = json.dumps({"token": secret, "name": "admin", "password": "correct horse battery"})
    status, answer = namespace.curl(f"{CONSOLE}/api/v1/setup", "--json", body)
    assert status == 201, answer
    return json.loads(answer)["token"]


def scraped(namespace, token):
    status, page = namespace.curl(f"{CONSOLE}/metrics", "--header", f"Authorization: Bearer {token}")
    assert status == 200, page
    families = text_string_to_metric_families(page)
    samples = [each for family in families for each in family.samples]
    return {
        (each.name.removeprefix("appliance_"), *map(each.labels.get, sorted(each.labels))): each.value
        for each in samples
    }


def test_what_came_and_went_is_counted(daemon, namespace):
    daemon.start()
    assert namespace.curl(f"{CONSOLE}/metrics")[0] == 401
    token = set_up(daemon, namespace)
    daemon.boot()
    namespace.run("dig", "+short", "@10.77.0.1", "appliance.lab.test")
    namespace.run("dig", "+short", "@10.77.0.1", "example.com")
    namespace.run("curl", "--silent", "tftp://10.77.0.1/undionly.kpxe")
    namespace.run("sh", "-c", "curl --silent tftp://10.77.0.1/no-such-file || true")
    namespace.curl("http://10.77.0.1/boot/undionly.kpxe")
    namespace.curl("http://10.77.0.1/boot/nothing")
    seen = scraped(namespace, token)
    assert seen["dhcp_packets_total", "received", "discover"] >= 1
    assert seen["dhcp_packets_total", "sent", "offer"] >= 1
    assert seen["dhcp_packets_total", "received", "request"] >= 1
    assert seen["dhcp_packets_total", "sent", "ack"] >= 1
    assert seen["dhcp_leases", "br0"] == 1
    assert seen["dns_queries_total", "local"] == 1
    assert seen["dns_queries_total", "refused"] == 1
    assert seen["tftp_transfers_total", "finished"] == 1
    assert seen["tftp_transfers_total", "missing"] == 1
    assert seen["tftp_bytes_total",] == 13_000
    assert seen["boot_http_bytes_total",] == 13_000
    assert seen["http_requests_total", "boot", "2xx"] == 2
    assert seen["http_requests_total", "boot", "4xx"] == 1
    assert seen["http_requests_total", "console", "4xx"] == 1
    assert seen["machines", "discovered"] == 1
    assert seen["http_request_seconds_count", "console"] >= 2
    assert seen["store_write_seconds_count",] >= 3
    assert seen["loop_lag_seconds_count",] >= 1
    assert seen["process_cpu_seconds_total",] > 0
    assert abs(seen["process_start_time_seconds",] - time.time()) < 120
    memory = max(
        each.memory_info().rss
        for each in psutil.Process(daemon.process.pid).children(recursive=True) or [psutil.Process(daemon.process.pid)]
    )
    print(f"memory {seen['process_memory_bytes',] / 1e6:.1f} MB")
    assert abs(seen["process_memory_bytes",] - memory) < 5e6


def test_no_machine_writes_into_the_metrics(daemon, namespace):
    daemon.start()
    token = set_up(daemon, namespace)
    ask = ["busybox", "udhcpc", "-i", "port1", "-s", "/bin/true", "-n", "-q", "-t", "2", "-T", "1"]
    namespace.run(*ask, "-x", f"hostname:{HOSTILE}", "-V", HOSTILE)
    daemon.boot()
    namespace.run("sh", "-c", "curl --silent 'tftp://10.77.0.1/%22%0Aforged%3Cscript%3E' || true")
    namespace.curl("http://10.77.0.1/boot/%22%0Aforged")
    namespace.run("curl", "--silent", "--insecure", "--request", "FORGED", f"{CONSOLE}/forged%0A")
    names = {word for key in scraped(namespace, token) for word in key if word}
    assert not [word for word in names if "forged" in word.lower() or "evil" in word or "script" in word]


def test_the_history_has_columns_of_equal_length(daemon, namespace):
    daemon.start()
    token = set_up(daemon, namespace)
    header = ("--header", f"Authorization: Bearer {token}")
    status, body = namespace.curl(f"{CONSOLE}/api/v1/metrics/history?seconds=60", *header)
    assert status == 200
    columns = json.loads(body)
    assert set(columns) == {"time", "dhcp", "boot", "dns", "cpu", "memory", "lag"}
    assert len({len(each) for each in columns.values()}) == 1
    assert namespace.curl(f"{CONSOLE}/api/v1/metrics/history?seconds=0", *header)[0] == 422
    assert namespace.curl(f"{CONSOLE}/api/v1/metrics/history")[0] == 401

"""``qrm lab``: prepare, run, and leave nothing behind."""

import asyncio
import json
import signal
import socket
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from appliance.errors import ApplianceError
from appliance.lab import artefacts, ssh
from appliance.lab.check import check
from appliance.lab.directory import default_base
from appliance.lab.lab import Lab
from appliance.lab.logs import keep_logs
from appliance.lab.plan import LabPlan
from appliance.lab.report import Outcome, as_json, as_table, explain, succeeded
from appliance.lab.requirements import require
from appliance.lab.setup_link import fingerprint, read_setup_link
from appliance.lab.survey import survey
from appliance.lab.watch import require_daemon, watch

FIRST_PORT = 8443
PORTS_TRIED = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; ``port`` None takes the first free one from 8443."""

    plan: LabPlan
    port: int | None = None
    state: Path | None = None
    check: bool = False
    deadline: float = 1200.0
    json_file: Path | None = None
    keep_logs: Path | None = None
    daemon: bool = True


async def run_lab(options: Options) -> int:
    """Run until Ctrl-C, or until the check has ended; returns the exit code. Raises ApplianceError."""
    _cancel_on_signals()
    require(await survey(options.state or default_base()), options.plan)
    with listen(options.port) as web:
        plan = await _with_daemon(options)
        async with Lab(plan, web=web, state=options.state) as lab:
            return await (_check(lab, web, options) if options.check else _stay(lab, web, options))


def _cancel_on_signals() -> None:
    """End in good order when asked to in other ways than Ctrl-C."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _with_daemon(options: Options) -> LabPlan:
    if not options.daemon:
        return options.plan
    return replace(options.plan, daemon=(await artefacts.build()).plan())


def listen(port: int | None) -> socket.socket:
    """The console's socket on 127.0.0.1; raises ``lab-port`` when the port, or every one tried, is taken."""
    ports = range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port is None else [port]
    for candidate in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
            listener.listen(128)
        except OSError as error:
            listener.close()
            reason = error.strerror
        else:
            return listener
    which = f"port {port}" if port is not None else f"every port from {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1}"
    raise ApplianceError("lab-port", f"the console cannot listen on {which}: {reason}", "name another with --port")


async def _stay(lab: Lab, web: socket.socket, options: Options) -> int:
    """Switch the machines on, say where everything is, and stay until Ctrl-C."""
    try:
        if options.daemon:
            await ssh.make_key(lab.directory.ssh_key)
            _welcome(lab, web.getsockname()[1])
        async with asyncio.TaskGroup() as group:
            for machine in lab.machines:
                group.create_task(machine.power_on())
        await watch(lab, _say)
    finally:
        _keep(lab, options, [])
    return 0


def _welcome(lab: Lab, port: int) -> None:
    directory = lab.directory
    _say(f"console      https://127.0.0.1:{port}/")
    try:
        link = read_setup_link(directory.daemon_state)
        _say(f"set it up    https://127.0.0.1:{port}{link.target}   (works once)")
    except ApplianceError:
        _say("             it has been set up; log in as before")
    _say(f"certificate  SHA-256 {fingerprint(directory.daemon_state)}")
    _say(f"ssh key      {directory.ssh_key}.pub   (give it to a deployment, then: qrm lab ssh NODE)")
    _say(f"machines     {', '.join(machine.name for machine in lab.machines)}   (watch: qrm lab console NODE)")
    _say("power        qrm lab switches   (logged in as administrator, once the machines have booted)")
    _say(f"files        {directory.path}")
    _say("Ctrl-C ends it all.")


async def _check(lab: Lab, web: socket.socket, options: Options) -> int:
    outcomes: list[Outcome] = []
    try:
        checked = await check(lab, web.getsockname()[1], _say, options.deadline)
        outcomes += checked.outcomes
    finally:
        _keep(lab, options, outcomes)
    if options.json_file:
        report = json.dumps(as_json(outcomes, checked.seconds), indent=2) + "\n"
        await asyncio.to_thread(options.json_file.write_text, report)
    _show(outcomes)
    require_daemon(lab, await lab.status())
    return 0 if succeeded(outcomes) else 1


def _show(outcomes: list[Outcome]) -> None:
    Console(file=sys.stderr).print(as_table(outcomes))
    for text in filter(None, map(explain, outcomes)):
        _say(text)


def _keep(lab: Lab, options: Options, outcomes: list[Outcome]) -> None:
    if options.keep_logs:
        names = [machine.name for machine in lab.machines]
        files = keep_logs(lab.directory, names, outcomes, options.keep_logs)
        _say(f"kept: {len(files)} logs in {options.keep_logs}, without their tokens")
    if lab.directory.kept:
        _say(f"kept: disks and database in {lab.directory.path}; the same --state goes on with them")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

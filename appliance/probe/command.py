"""``qrm probe``"""

import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

import click

from appliance.cli.output import as_json, clean, table
from appliance.errors import ApplianceError
from appliance.probe.finding import Finding, Status, exit_code
from appliance.probe.observed import Interface

CHECKS = ("dhcp", "offers", "tftp", "http", "dns", "mtu", "stp", "address")
"""As in ``examine.CHECKS``, which would import scapy."""


def _address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else str(IPv4Address(value))
    except AddressValueError as error:
        raise click.BadParameter(f"{value!r} is no IPv4 address") from error


@click.command()
@click.argument("checks", nargs=-1, type=click.Choice(CHECKS), metavar="[CHECK]...")
@click.option("--interface", metavar="NAME", help="The interface to look through; default: the only one with a link.")
@click.option("--server", metavar="ADDRESS", callback=_address, help="The appliance, where that is not clear.")
@click.option(
    "--timeout", type=click.FloatRange(1, 120), default=6.0, show_default=True, help="Seconds to listen for servers."
)
@click.option("--bounce-link", is_flag=True, help="Take the link down and up to measure the switch: cuts connections.")
@click.option("--json", "json_out", is_flag=True, help="Print JSON for programs.")
@click.pass_context
def probe(
    context: click.Context,
    checks: tuple[str, ...],
    interface: str | None,
    server: str | None,
    timeout: float,
    bounce_link: bool,
    json_out: bool,
) -> None:
    """Examine the network as a machine sees it, and say what is wrong.

    Run it on a computer in the network of the machines, not on the appliance. It takes no address and changes
    nothing. CHECK is one of dhcp, offers, tftp, http, dns, mtu, stp, address; default: all of them.

    Exit codes: 0 nothing failed, 1 something failed, 2 wrong usage, 3 no DHCP server answered.
    """
    _needs_libraries()
    from appliance.probe.examine import Examination, Plan

    asked = frozenset(checks or CHECKS) | ({"stp"} if bounce_link else set())
    plan = Plan(_interface(interface), asked, timeout, server, bounce_link)
    examination = Examination(plan, _progress)
    findings, whole = _collect(examination.run())
    if json_out:
        as_json([_plain(each) for each in findings])
    else:
        _show(findings)
    if not whole:
        click.echo("stopped before the end: this is what was known by then", err=True)
    context.exit(exit_code(findings, reachable=examination.reachable, whole=whole))


def _collect(found: Iterator[Finding]) -> tuple[list[Finding], bool]:
    """All findings, and whether they are all: Ctrl-C ends the probe, not what it has found."""
    findings: list[Finding] = []
    try:
        findings.extend(found)
    except KeyboardInterrupt:
        return findings, False
    except PermissionError as error:
        raise _no_privilege() from error
    except OSError as error:
        message = f"the network interface failed: {error.strerror or error}"
        raise ApplianceError("probe-interface", message, "see that it is up, then try again") from error
    return findings, True


def _needs_libraries() -> None:
    missing = [name for name in ("scapy", "tftpy") if find_spec(name) is None]
    if missing:
        words = " and ".join(missing)
        hint = f"they are the extra `probe` of qrm-appliance; run: {sys.executable} -m pip install scapy tftpy"
        raise ApplianceError("probe-not-installed", f"qrm probe needs {words}, which this Python does not have", hint)


def _no_privilege() -> ApplianceError:
    """With the command as it was typed, since sudo has another PATH."""
    command = shlex.join(["sudo", str(Path(sys.argv[0]).absolute()), *sys.argv[1:]])
    message = "looking at raw frames needs root, or the capability CAP_NET_RAW"
    return ApplianceError("probe-no-privilege", message, f"run: {command}")


def _interface(name: str | None) -> Interface:
    from appliance.probe.observe.link import interfaces

    there = interfaces()
    if name is not None:
        fitting = [each for each in there if each.name == name]
    else:
        fitting = [each for each in there if each.carrier]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(each.name for each in there) or "none"
    what = "name one with --interface" if name is None else f"there is no Ethernet interface {name!r} that is up"
    raise click.UsageError(f"{what}; there are: {names}")


def _progress(text: str) -> None:
    click.echo(f"{clean(text)} ...", err=True)


def _plain(finding: Finding) -> dict[str, object]:
    return asdict(finding)


def _show(findings: list[Finding]) -> None:
    """A table of what was found, then what to do about the rest."""
    table(("CHECK", "STATUS", "FOUND"), [(each.check, each.status, each.text) for each in findings], "Nothing found.")
    for finding in findings:
        if finding.status in (Status.WARNING, Status.FAILED):
            _explain(finding)


def _explain(finding: Finding) -> None:
    click.echo(f"\n{finding.check} {finding.status}: {clean(finding.text)}")
    for name, text in (("why", finding.reason), ("do", finding.hint)):
        if text:
            click.echo(f"  {name:<4}{clean(text)}")

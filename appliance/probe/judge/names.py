"""What the DNS servers that are offered say. Pure."""

from appliance.probe.finding import Finding, Status
from appliance.probe.observed import Answer

CHECK = "dns"
_ANSWERED = {"NOERROR", "NXDOMAIN"}


def names(server: str, appliance: str, answers: list[Answer]) -> list[Finding]:
    """One DNS server: its answers about the appliance and about an address of a machine, in any order."""
    transports = [found for name in ("udp", "tcp") if (found := _of(answers, name))]
    return [_transport(server, each) for each in transports] + _known(server, appliance, answers)


def _of(answers: list[Answer], transport: str) -> list[Answer]:
    return [each for each in answers if each.transport == transport]


def _transport(server: str, answers: list[Answer]) -> Finding:
    transport = answers[0].transport
    bad = [each for each in answers if each.code not in _ANSWERED]
    details: dict[str, object] = {"server": server, "transport": transport, "answers": [_plain(a) for a in answers]}
    if not bad:
        text = f"{server} answers over {transport.upper()}"
        return Finding(CHECK, Status.OK, text, details=details)
    first = bad[0]
    said = f"says {first.code}" if first.code else f"does not answer ({first.words})"
    return Finding(
        CHECK,
        Status.FAILED,
        f"{server} {said} over {transport.upper()} when asked for {first.kind} of {first.question}",
        "Deployed machines get this server by DHCP; with it failing, names do not resolve or take seconds."
        if transport == "udp"
        else "Answers that are too long for a UDP packet are asked for again over TCP.",
        f"Let {transport.upper()} port 53 in on the firewall of {server}, and see that DNS runs there ([dns] enabled).",
        details,
    )


def _known(server: str, appliance: str, answers: list[Answer]) -> list[Finding]:
    """Whether the server knows the appliance's name, both ways."""
    if not any(each.code in _ANSWERED for each in answers):
        return []
    reverse = next((each for each in answers if each.kind == "PTR" and each.code == "NOERROR" and each.values), None)
    if reverse is None:
        return [_nameless(server, appliance)]
    name = reverse.values[0]
    forward = [each for each in answers if each.kind == "A" and each.code]
    details: dict[str, object] = {"server": server, "name": name, "address": appliance}
    if all(appliance in each.values for each in forward):
        return [Finding(CHECK, Status.OK, f"{appliance} is {name}, both ways", details=details)]
    return [
        Finding(
            CHECK,
            Status.FAILED,
            f"{appliance} is called {name}, but {server} does not say that {name} is {appliance}",
            "Whoever uses the name ends up somewhere else.",
            "Another server answers for this domain, or an old record is left: compare the records on both.",
            details | {"answers": [_plain(each) for each in forward]},
        )
    ]


def _nameless(server: str, appliance: str) -> Finding:
    return Finding(
        CHECK,
        Status.WARNING,
        f"{server} has no name for {appliance}",
        "Names of machines and deployments are known to the appliance's own DNS server only.",
        "Offer the appliance as the DNS server of this subnet, or forward its domain to it.",
        {"server": server, "address": appliance},
    )


def _plain(answer: Answer) -> dict[str, object]:
    return {
        "question": answer.question,
        "kind": answer.kind,
        "code": answer.code,
        "values": list(answer.values),
        "words": answer.words,
    }

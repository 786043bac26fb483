"""What perfdhcp prints, in numbers."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Report:
    """Of one run. It counts DISCOVER and REQUEST each by themselves: completed is what both were."""

    sent: int
    completed: int


def read_report(said: str) -> Report:
    """What was sent, and what came of it."""
    sent = [int(each) for each in re.findall(r"sent packets: (\d+)", said)]
    received = [int(each) for each in re.findall(r"received packets: (\d+)", said)]
    return Report(sent[0], received[1])


def late(said: str) -> float:
    """Out of what it prints with `-x t`, the seconds that 99 of 100 answers took at most."""
    stamps = re.findall(r"sent / received: ([\d.]+) / ([\d.]+)", said)
    took = sorted(float(received) - float(sent) for sent, received in stamps)
    return took[int(len(took) * 0.99)] if took else float("inf")

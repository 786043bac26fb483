"""What somebody has to do by hand for an attempt to go on. Pure.

Nobody but a person can press a power button yet. What is advised has to be what helps: `netboot.policy` decides what
a machine that comes up in the present step gets.
"""

from appliance.workflow import Actor, Attempt, Kind, Status


def advice(attempt: Attempt, machine: str, offline: bool) -> str:
    """A sentence without its stop, such as "Switch node-1 on"; empty where there is nothing to do.

    ``offline``: the machine, called ``machine``, has been silent for longer than it should. When the attempt gives up
    is ``workflow.deadline``.
    """
    if attempt.status is not Status.LIVE or attempt.step is None or not offline:
        return ""
    if attempt.step.actor is Actor.APPLIANCE:
        return ""  # which needs nobody for it
    match attempt.step.name:
        case "shut-down":
            return f"Switch {machine} off and on again: its system does not answer"
        case "return":
            return f"Switch {machine} on, or off and on again if it hangs"
        case "report-active":
            return f"Look at the screen of {machine}, or switch it off and on again: its system does not report"
        case "hand-over" if attempt.obeyed:
            return f"Switch {machine} off and on again: it is to start its system"
        case "rescue" | "restart" if not attempt.armed:
            return f"Switch {machine} off and on again: it goes on after that"
        case _ if attempt.armed or attempt.kind is Kind.START:
            return f"Switch {machine} on"
        case _:
            return f"Look at the screen of {machine}: it stopped while {attempt.step.label}; a restart ends the attempt"

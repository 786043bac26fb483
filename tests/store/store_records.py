"""Small values of every kind that the store keeps, for tests of the store and of what is built on it."""

from dataclasses import replace

from appliance.catalogue import Image, ImageId
from appliance.deployment import Deployment
from appliance.events import Event
from appliance.machine import MacAddress, Machine, MachineId, State
from appliance.workflow import AttemptId, DeploymentId, Kind, begin, steps_for

MAC = MacAddress("52:54:00:aa:bb:cc")
OTHER_MAC = MacAddress("52:54:00:aa:bb:dd")
M1, M2 = MachineId("a" * 16), MachineId("b" * 16)


def machine(**changes):
    new = Machine(id=M1, name="node-1", state=State.IDLE, macs=(MAC,), created=1.0)
    return replace(new, **changes)


def image(**changes):
    new = Image(ImageId(0), "debian", "", "raw", 1 << 20, 1 << 20, "0" * 64, 512, 1.0)
    return replace(new, **changes)


def deployment(image_id, **changes):
    return replace(Deployment(DeploymentId(0), "web-1", image_id, 1.0), **changes)


def attempt(number="1", machine_id=M1, kind=Kind.DEPLOY, now=10.0, **changes):
    steps = steps_for(kind, system_runs=False)
    made = begin(AttemptId(number), kind, machine_id, DeploymentId(1), steps, nonce="n", armed=False, now=now)
    return replace(made, **changes)


def event(text="something", kind="machine.changed", at=1.0, **changes):
    return replace(Event(kind, at, text), **changes)

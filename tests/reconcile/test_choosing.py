"""Which machine a start takes from a fleet that is too large to be read: the same as if it had been."""

import random
from dataclasses import replace

import pytest
from fleet_world import EMPTY, FULL, START, disk

from appliance.catalogue import ImageId
from appliance.deployment import Deployment, Requirements, choose_machine
from appliance.errors import Conflict
from appliance.machine import Machine, MachineId, State, parse_mac
from appliance.reconcile.choosing import FEW, SLICE, choose
from appliance.rescue import Rescue
from appliance.store import catalogue, deployments, documents, machines
from appliance.store.schema import MIGRATIONS
from appliance.workflow import DeploymentId

MANY = FEW + 60
RECENT = START - 100


def a_machine(number, dice):
    return Machine(
        MachineId(f"m{number:03}"),
        f"node-{number}",
        dice.choice([State.IDLE] * 9 + [State.ACTIVE, State.FAILED]),
        (parse_mac(f"52:54:00:00:01:{number:02x}"),),
        START,
        maintenance=dice.random() < 0.1,
        firmware=dice.choice(["bios", "uefi", None]),
        last_seen=dice.choice([START, START - 50, START - 1000, None]),
        tags=tuple(sorted(dice.sample(["a", "b", "c"], dice.randrange(4)))),
        rescue=Rescue(("ssh-ed25519 A",)) if dice.random() < 0.1 else None,
    )


def a_disk(number, dice):
    serial, wwn = dice.choice(
        [(f"S{number}", ""), ("", f"W{number}"), (f"S{number}", f"W{number}"), ("", ""), ("TWIN", "")]
    )
    more = {"read_only": True} if dice.random() < 0.1 else {}
    content = dice.choice([EMPTY, FULL, FULL, {}])
    return disk(serial, dice.choice([1 << 28, 2 << 30, 8 << 30]), content, **more) | {
        "wwn": wwn,
        "sector_size": dice.choice([512, 512, 4096]),
    }


def an_inventory(number, dice):
    return {
        "cpu": {"threads": dice.choice([2, 4, 8])},
        "memory": {"bytes": dice.choice([1, 2, 4]) << 30},
        "disks": [a_disk(10 * number + place, dice) for place in range(dice.randrange(4))],
    }


async def stored(world, dice, many=MANY):
    def job(db):
        for number in range(many):
            made = a_machine(number, dice)
            machines.put(db, made)
            if dice.random() < 0.9:
                machines.put_inventory(db, made.id, an_inventory(number, dice))
            if number % 7 == 0:
                deployments.add(db, replace(A_DEPLOYMENT, name=f"web-{number}", machine=made.id))

    await world.store.write(job)


A_DEPLOYMENT = Deployment(DeploymentId(0), "new", ImageId(1), START)


def a_deployment(dice):
    wanted = Requirements(
        cpus=dice.choice([None, None, 4, 8]),
        memory_bytes=dice.choice([None, None, 2 << 30]),
        disk_bytes=dice.choice([None, None, 4 << 30]),
        firmware=dice.choice([None, None, "uefi"]),
        tags=tuple(dice.sample(["a", "b"], dice.randrange(3))),
    )
    named = dice.choice(
        [None] * 4 + ["TWIN", "nothing", f"S{dice.randrange(10 * MANY)}", f"W{dice.randrange(10 * MANY)}"]
    )
    one = dice.choice([None] * 6 + [MachineId(f"m{dice.randrange(MANY):03}"), MachineId("gone")])
    return replace(A_DEPLOYMENT, requirements=wanted, wanted_disk=named, wanted_machine=one)


def by_rules(deployment, image, every, taken):
    """Machine and disk, or the code of the refusal."""
    try:
        return choose_machine(deployment, image, every, taken, RECENT)
    except Conflict as refused:
        return refused.code


@pytest.mark.parametrize("seed", range(6))
async def test_the_choice_is_that_of_the_rules_over_all_machines(world, seed):
    dice = random.Random(seed)
    await stored(world, dice)

    def job(db):
        every, taken = machines.every(db), deployments.taken(db)
        image = catalogue.image(db, "debian")
        fitted = 0
        for _ in range(60):
            deployment = a_deployment(dice)
            expected = by_rules(deployment, image, every, taken)
            if isinstance(expected, str):
                with pytest.raises(Conflict) as found:
                    choose(db, deployment, RECENT)
                assert found.value.code == expected
            else:
                assert choose(db, deployment, RECENT) == expected
                fitted += 1
        return fitted

    assert 5 < await world.store.read(job) < 60


@pytest.fixture
def documents_read(monkeypatch):
    """How many documents of machines and inventories were decoded."""
    counted = []

    def load(document, kind):
        counted.append(kind)
        return documents.load(document, kind)

    monkeypatch.setattr(machines, "load", load)
    return counted


async def test_a_start_reads_the_candidates_that_it_looks_at_and_no_others(world, documents_read):
    await stored(world, random.Random(1))
    found = await world.store.read(lambda db: choose(db, A_DEPLOYMENT, RECENT))
    assert found[0].inventory is not None
    assert 0 < len(documents_read) <= 2 * SLICE


async def test_a_refusal_reads_nothing_and_counts_by_reason(world, documents_read):
    await stored(world, random.Random(1))
    asked = replace(A_DEPLOYMENT, requirements=Requirements(cpus=64, tags=("a",)))
    with pytest.raises(Conflict) as refused:
        await world.store.read(lambda db: choose(db, asked, RECENT))
    assert documents_read == []
    parts = dict(part.split(" ", 1)[::-1] for part in refused.value.message.partition(": ")[2].split(", "))
    assert set(parts) == {
        "active",
        "failed",
        "in maintenance",
        "about to be rescued",
        "reserved for another deployment",
        "without the tag a",
        "with less than 64 CPUs",
    }
    assert sum(map(int, parts.values())) == MANY


async def test_a_small_fleet_is_told_of_each_machine(world):
    await stored(world, random.Random(1), many=3)
    asked = replace(A_DEPLOYMENT, requirements=Requirements(cpus=64))
    with pytest.raises(Conflict, match=r"node-2: it has 4.*node-0: it is reserved"):
        await world.store.read(lambda db: choose(db, asked, RECENT))


async def test_an_older_state_is_given_the_same_rows(world):
    """What the migration makes of inventories is what an agent's next one makes."""
    await stored(world, random.Random(2))
    sql = "SELECT machine, name, bytes, sector_size, empty FROM machine_disks ORDER BY 1, 2, 3, 4, 5"
    script = next(each for each in MIGRATIONS if "CREATE TABLE machine_disks" in each)
    insert = script[script.index("INSERT INTO machine_disks") : script.index("CREATE INDEX machines_choice")]

    def job(db):
        stored_by_agents = documents.rows(db, sql)
        db.execute("DELETE FROM machine_disks")
        db.execute(insert)
        return stored_by_agents, documents.rows(db, sql)

    before, after = await world.store.write(job)
    assert before == after
    assert len(before) > MANY

"""Users at the screen: who there is, new passwords, and who gets a shell."""

import pytest
from argon2 import PasswordHasher
from screen_acting import Person

from appliance.errors import ApplianceError
from appliance.screen import act, orders
from appliance.screen.orders import Finished


@pytest.fixture(autouse=True)
def fast_hashes(monkeypatch):
    """What a hash costs is of no interest here."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    for module in (act, act.recovery):
        monkeypatch.setattr(module, "default_hasher", lambda: hasher)


async def test_users_are_listed_with_what_they_are(tmp_path, store):
    seen = await Person(tmp_path).orders(orders.LookAtUsers())
    assert seen.users == (("ada", "admin"), ("eve", "admin, disabled"))


async def test_a_disabled_administrator_gets_no_shell(tmp_path, store):
    person = Person(tmp_path)
    assert isinstance(await person.orders(orders.ResetPassword("eve", "a horse on a bicycle")), Finished)
    failed = await person.orders(orders.OpenShell("eve", "a horse on a bicycle"))
    assert (failed.message, person.lent) == ("name or password is wrong", 0)


async def test_a_name_that_nobody_has_gets_no_shell(tmp_path, store):
    person = Person(tmp_path)
    assert (await person.orders(orders.OpenShell("nobody", ""))).message == "name or password is wrong"
    assert person.lent == 0


async def test_a_store_that_cannot_be_written_to_still_opens_the_shell(tmp_path, store, monkeypatch):
    person = Person(tmp_path)
    await person.orders(orders.ResetPassword("ada", "a horse on a bicycle"))

    def unwritable(*_):
        raise ApplianceError("store-unusable", "disk I/O error")

    monkeypatch.setattr(act.recovery, "note_shell", unwritable)
    person.acting.shell = ("true",)
    assert await person.orders(orders.OpenShell("ada", "a horse on a bicycle")) == Finished()
    assert person.lent == 1


async def test_without_a_store_nobody_gets_a_shell_and_is_told_why(tmp_path):
    person = Person(tmp_path)
    failed = await person.orders(orders.OpenShell("ada", "x"))
    assert "is not there" in failed.message
    assert person.lent == 0

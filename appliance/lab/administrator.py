"""What the person with the set-up link of a new lab does first."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from appliance.errors import ApplianceError
from appliance.lab import ssh
from appliance.lab.api import Api, connect
from appliance.lab.lab import Lab
from appliance.lab.setup_link import read_setup_link

NAME = "lab"


@dataclass(frozen=True, slots=True)
class Administrator:
    """``api`` is logged in; ``public_key`` is the SSH key line to give to deployments."""

    api: Api
    public_key: str


@asynccontextmanager
async def first_administrator(lab: Lab, port: int) -> AsyncIterator[Administrator]:
    """Become the first administrator of ``lab``, whose console is at TCP ``port`` of 127.0.0.1, and log in.

    Raises ``lab-setup`` when it has been set up before.
    """
    async with connect(port, lab.directory.daemon_state / "ca.pem") as api:
        await _set_up(lab, api)
        yield Administrator(api, await ssh.make_key(lab.directory.ssh_key))


async def _set_up(lab: Lab, api: Api) -> None:
    password = secrets.token_urlsafe(24)
    token = read_setup_link(lab.directory.daemon_state).token
    await api.post("/setup", token=token, name=NAME, password=password)
    await api.log_in(NAME, password)
    await _must_be_refused(api, token)


async def _must_be_refused(api: Api, token: str) -> None:
    """The link is good once; an appliance that takes it again could be taken over."""
    try:
        await api.post("/setup", token=token, name="intruder", password=secrets.token_urlsafe(24))
    except ApplianceError as error:
        if error.code == "lab-api":
            raise
        return
    raise ApplianceError("lab-setup", "the one-time set-up link worked twice")

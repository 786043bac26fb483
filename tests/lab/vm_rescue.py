"""A machine in rescue, as its user sees it: over SSH from the provisioning network."""

import asyncio
from typing import Any

from appliance.lab import ssh
from appliance.lab.administrator import Administrator
from appliance.lab.lab import Lab
from appliance.lab.operator import BOOT_SECONDS, LOGIN_SECONDS, Operator, until
from appliance.lab.process import Finished

REFUSED = "Permission denied (publickey)."


class Rescuer:
    """Somebody with the key, or without it."""

    def __init__(self, lab: Lab, user: Administrator, operator: Operator) -> None:
        self._lab, self._user, self._operator = lab, user, operator
        self.shown: dict[str, Any] = {}
        """The rescue, as the API showed it last."""

    async def rescue(self) -> None:
        """Ask for it, and wait until it is there."""
        path = f"/machines/{self._operator.id}"
        foreseen = await self._user.api.get(f"{path}/consequences", action="rescue")
        assert foreseen["refused"] == ""
        task = await self._user.api.post(f"{path}/rescue", ssh_keys=[self._user.public_key])
        assert task["kind"] == "machine.rescue"
        await self.opened()

    async def opened(self, since: float = 0.0) -> None:
        """Wait until SSH is open, opened later than ``since``."""
        seen = await self._operator.wait_for(
            lambda now: now["state"] == "rescue" and (now["rescue"]["since"] or 0.0) > since, BOOT_SECONDS
        )
        self.shown = dict(seen["rescue"])

    async def end(self) -> None:
        """Ask for its end."""
        await self._user.api.post(f"/machines/{self._operator.id}/end-rescue")

    async def log_in(self, command: str) -> str:
        """What ``command`` says there; the host key is checked. Fails when that does not work."""
        finished = await self._ssh(ssh.strict_argv(self._lab.directory.ssh_key, self._hosts(), self.address, command))
        assert finished.status == 0, finished.stderr
        return finished.stdout

    async def restart(self) -> None:
        """Restart the machine from inside, as a user does."""
        await self._ssh(
            ssh.strict_argv(self._lab.directory.ssh_key, self._hosts(), self.address, "(sleep 1; reboot -f) &")
        )

    async def with_another_key(self) -> Finished:
        """Try to log in with a key that was not given."""
        key = self._lab.directory.path / "stranger"
        await ssh.make_key(key)
        return await self._ssh(ssh.strict_argv(key, self._hosts(), self.address, "id"))

    async def with_a_password(self) -> Finished:
        """Try to log in without a key."""
        argv = ssh.strict_argv(self._lab.directory.ssh_key, self._hosts(), self.address, "id")
        methods = "PreferredAuthentications=password,keyboard-interactive"
        return await self._ssh([argv[0], "-o", "PubkeyAuthentication=no", "-o", methods, *argv[1:]])

    async def is_shut(self) -> bool:
        """Whether nobody listens on the port any more."""

        async def refused() -> bool | None:
            return "Connection refused" in (await self.with_another_key()).stderr or None

        async with asyncio.timeout(LOGIN_SECONDS):
            return await until(refused)

    @property
    def address(self) -> str:
        """Where SSH listens."""
        return str(self.shown["address"])

    def _hosts(self) -> Any:
        hosts = self._lab.directory.path / "rescue.known_hosts"
        hosts.write_text(ssh.known_hosts(self.address, self.shown["host_keys"]))
        return hosts

    async def _ssh(self, argv: list[str]) -> Finished:
        return await self._lab.run(argv)

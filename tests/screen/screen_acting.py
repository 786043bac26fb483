"""Somebody who gives orders to the screen, on a computer of paper with a helper that answers as a test wants."""

from screen_person import FACTS

from appliance.networking.layout import Interface, Layout
from appliance.privileged.computer import Computer, Roots
from appliance.privileged.verb import Done
from appliance.screen.act import Acting
from appliance.screen.gather import Gatherer, Places

MAC = "52:54:00:00:00:01"
LAYOUT = Layout((Interface("nic0", mac=MAC, method="dhcp", roles=("management",)),))


class Helper:
    """Answers verbs as it is told to."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    async def call(self, verb, hears=None):
        self.asked.append(verb)
        answer = self.answers.get(type(verb).__name__, Done())
        if isinstance(answer, Exception):
            raise answer
        return answer


class Person:
    """Gives orders to one Acting."""

    def __init__(self, tmp_path, helper=None, appliance=True):
        self.ran = []

        async def run(argv, seconds=30.0):
            self.ran.append(argv)
            return ""

        (tmp_path / "cmdline").write_text("quiet qrm.appliance=1" if appliance else "quiet")
        (tmp_path / "appliance.toml").write_text(f'[site]\nstate_dir = "{tmp_path}"\n')
        places = Places(
            configs=(tmp_path / "appliance.toml",),
            command_line=tmp_path / "cmdline",
            record=tmp_path / "record.json",
            seed_problem=tmp_path / "seed-problem",
            start_problem=tmp_path / "start-problem",
            attempts=tmp_path / "run/attempts.json",
            sys=tmp_path / "sys",
            qrm_disks=tmp_path / "disks",
        )
        computer = Computer(Roots.below(tmp_path / "roots"), run)
        self.acting = Acting(Gatherer(places, computer), self.lend, helper or Helper(), computer, tmp_path / "stick")
        self.said = []
        self.lent = 0

    async def lend(self, use):
        self.lent += 1
        await use()

    async def orders(self, order):
        return await self.acting.carry(order, FACTS, self.said.append)

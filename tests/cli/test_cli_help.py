"""``qrm --help`` all the way down: every command and option says what it does, in the same words."""

import re
from pathlib import Path

import click

from appliance.cli.main import COMMANDS, cli
from tests.one_by_one import one_by_one

KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
LISTING = {"list", "show", "summary", "timeline", "log", "consequences", "boot-messages", "events", "audit", "subnets"}
SAME_OPTIONS = {
    "--json": ("is_flag", True),
    "--confirm": ("metavar", "WORD"),
    "--where": ("metavar", "FILTER"),
    "--wait": ("is_flag", True),
    "--since": ("metavar", "WHEN"),
    "--before": ("metavar", "WHEN"),
}
"""Options that are called the same are the same everywhere."""


def tree(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[str, click.Command]]:
    """Every command, groups too, with the words that lead to it."""
    context, found = click.Context(group), []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((" ".join((*before, name)), command))
        if isinstance(command, click.Group):
            found += tree(command, (*before, name))
    return found


TREE = dict(tree(cli))


@one_by_one(TREE)
def test_a_command_says_what_it_does_in_one_sentence(words: str) -> None:
    first = (TREE[words].help or "").strip().partition("\n")[0]
    assert first, "it has no help"
    assert first[0].isupper()
    assert ". " not in first
    assert len(first) <= 110


@one_by_one(TREE)
def test_names_are_lower_case_words_with_hyphens(words: str) -> None:
    assert all(KEBAB.fullmatch(word) for word in words.split())
    for each in TREE[words].params:
        if isinstance(each, click.Option):
            long = [name for name in (*each.opts, *each.secondary_opts) if name.startswith("--")]
            assert long, f"{each.opts} has no long name"
            assert all(KEBAB.fullmatch(name.removeprefix("--")) for name in long)


@one_by_one(TREE)
def test_every_option_says_what_it_is_for(words: str) -> None:
    for each in TREE[words].params:
        if isinstance(each, click.Option):
            assert each.help, each.opts
            assert each.help[0].isupper(), each.opts
            assert each.help.endswith("."), each.opts


@one_by_one(TREE)
def test_options_of_one_name_are_one_thing(words: str) -> None:
    if words == "lab":
        return  # its --json takes a file, by contract
    for each in TREE[words].params:
        for name in set(each.opts) & set(SAME_OPTIONS) if isinstance(each, click.Option) else ():
            attribute, value = SAME_OPTIONS[name]
            assert getattr(each, attribute) == value, name


@one_by_one([words for words in TREE if words.split()[-1] in LISTING])
def test_whatever_shows_something_has_json(words: str) -> None:
    found = TREE[words]
    if not isinstance(found, click.Group):
        assert "--json" in {name for each in found.params for name in each.opts}


def test_the_table_and_the_commands_say_the_same_nouns() -> None:
    for name, (_, line) in COMMANDS.items():
        for inner in re.findall(r": ([a-z, -]+)\.$", line):
            known = {words.split()[1] for words in TREE if words.startswith(f"{name} ")}
            named = {each.strip() for each in re.split(r",| and ", inner)} - {"more", ""}
            assert named <= known or not known, f"qrm {name}"


def test_hints_name_commands_that_there_are() -> None:
    """Texts of the command line that tell to type something."""
    sources = Path(cli.callback.__code__.co_filename).parent.glob("*.py")
    hints = {hint for each in sources for hint in re.findall(r"qrm ((?:[a-z][a-z-]+ ?)+)", each.read_text())}
    assert len(hints) > 15
    for hint in hints:
        words = hint.split()
        assert words[0] in TREE or words[0] in ("does", "as", "sends", "completion"), hint
        if len(words) > 1 and isinstance(TREE.get(words[0]), click.Group):
            assert f"{words[0]} {words[1]}" in TREE, hint

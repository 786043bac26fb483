"""Which programs and libraries of a full system a small one keeps; modules: `appliance/kernel_modules`. Pure.

Also runs inside the tree that is being trimmed, so it imports the standard library only, and what is copied there.
"""

from appliance.kernel_modules.choosing import is_content


def parse_words(text: str) -> list[str]:
    """All words of a list file, comments left out."""
    return [word for line in text.splitlines() if is_content(line) for word in line.split()]


def parse_ldd(text: str) -> set[str]:
    """Paths of the libraries that the dynamic loader's `--list` names."""
    targets = (line.partition("=>")[2] or line for line in text.splitlines())
    return {words[0] for words in map(str.split, targets) if words and words[0].startswith("/")}

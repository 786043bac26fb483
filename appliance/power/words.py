"""What switches say, made fit to show: they are other people's computers, and may say anything. Pure."""

LONGEST = 300


def shown(words: str, *secrets: str) -> str:
    """One line of printable characters, cut to what fits a message; no secret is in it, whoever repeated it."""
    line = " ".join(_without(words, secrets).split())
    return _without("".join(letter if letter.isprintable() else "?" for letter in line), secrets)[:LONGEST]


def _without(words: str, secrets: tuple[str, ...]) -> str:
    for secret in filter(None, secrets):
        words = words.replace(secret, "(hidden)")
    return words

"""What switches say, made fit to show: they are other people's computers, and may say anything. Pure."""

LONGEST = 300


def shown(words: str, *secrets: str) -> str:
    """One line of printable characters, cut to what fits a message; no secret is in it, whoever repeated it."""
    for secret in secrets:
        if secret:
            words = words.replace(secret, "(hidden)")
    line = " ".join(words.split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:LONGEST]

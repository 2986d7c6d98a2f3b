"""Text from outside, fit for one line of a table."""


def one_line(text: str) -> str:
    """Text without line breaks and control characters, which move cursors and break tables."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)

"""Sanitizing of untrusted text for terminals and tables."""


def one_line(text: str) -> str:
    """Replace line breaks and control characters, which move the cursor and break tables, by spaces."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)

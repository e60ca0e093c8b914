"""Text at the border to the databases: PostgreSQL refuses NUL, UTF-8 refuses lone surrogates, LIKE has wildcards."""

MAX_SEARCH = 1000
"""Characters. SQLite refuses patterns of 50,000 bytes; no name is a tenth of this."""
SEPARATOR = "\x1f"
"""Between the texts that are searched together; it occurs in none."""


def storable(text: str) -> str:
    """The text as both databases take it."""
    return text.replace("\0", "").encode(errors="replace").decode()


def is_searchable(text: str) -> bool:
    """False where no stored text can match."""
    return len(text) <= MAX_SEARCH and storable(text) == text


def folded(*texts: str) -> str:
    """Without case, in every script: the databases fold ASCII at best, and not alike."""
    return SEPARATOR.join(text.casefold() for text in texts)


def containing(text: str) -> str:
    """The LIKE pattern, with backslash as escape, of texts that contain this one."""
    for wildcard in ("\\", "%", "_"):
        text = text.replace(wildcard, f"\\{wildcard}")
    return f"%{text}%"

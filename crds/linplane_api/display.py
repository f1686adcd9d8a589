"""Formats text from a user's data, such as the name of a column, for messages and tables. PURE.

A name may contain anything: line breaks, escape sequences of a terminal, invisible characters. Values of the data are
never shown.
"""

import re
import unicodedata
from collections.abc import Sequence

MAX_SHOWN = 64
MAX_LISTED = 12

_BARE = re.compile(r"""[^\s,;'"`]+""")


def escaped(text: str) -> str:
    r"""The text with every character that is not visible as an escape of Python's: `\x1b`, `\xa0`, `\u200b`.

    So a terminal interprets nothing of it, and two different texts look different: in text that is not NFC the
    combining characters are escaped too. Escaping twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    composed = unicodedata.is_normalized("NFC", text)
    return "".join(
        letter if letter.isprintable() and (composed or not unicodedata.combining(letter)) else _escape(letter)
        for letter in text
    )


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def display_name(name: str) -> str:
    """The name of a feature, column or version in a message: escaped, at most 64 characters, in quotes if it would
    not stand out as one word.
    """
    shown = escaped(name)
    if len(shown) > MAX_SHOWN:
        shown = shown[: MAX_SHOWN - 3] + "..."
    return shown if _BARE.fullmatch(shown) else f"'{shown}'"


def display_names(names: Sequence[str], most: int = MAX_LISTED) -> str:
    """`a, b and c`; of more than `most` names the first ones, and how many more there are."""
    shown = [display_name(name) for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join([*([", ".join(shown[:-1])] if len(shown) > 1 else []), *shown[-1:]])

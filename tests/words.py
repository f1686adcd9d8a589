"""Finds words of our own for which the field has standard ones: `python tests/words.py [PATH...]`.

Prints each finding as `file:line: word: text`, then a table per package. Exits with 1 if there is a finding of STRICT,
which no text may contain. The words in LOOSE have correct uses that no pattern recognises, so only their rate counts.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prose import ROOT, Text, files, texts_of

LIMIT = 1.5  # findings of LOOSE per 1,000 words of docstrings and comments

# Each with what a reader of Kubernetes or Python code expects instead.
STRICT = {
    r"somebody|someone|nobody|whoever": "name the actor: a user, another client, the operator",
    r"anew": "again",
    r"tells?|telling|told": "report, record, notify, say, show",
    r"beside": "next to, with",
    r"begun": "started",
    r"as (?:it|they|he|one|each|all) (?:should|ought to)(?: be)?": "as desired, correct",
    r"stands? twice": "is duplicated",
    r"hand(?:s|ed|ing)? on": "pass on",
    r"now and then": "periodically",
    r"wrong words": "invalid arguments",
    r"no news|good news": "unchanged",
    r"does not bear|to bear|borne": "tolerate, accept",
    r"where (?:there (?:is|are|was|were)|(?:it|they) (?:is|are|was|were|has|have|had) not)": "if, when",
    r"where (?:none|nothing|no)": "if, when",
}
LOOSE = {
    r"ask(?:s|ed|ing)?": "request, enqueue, query",
    r"looks? (?:at|for|after)|looked (?:at|for|after)|looking (?:at|for|after)": "read, poll, check, relist",
    r"where": "if, when",
    r"what": "a noun",
}
# "where" is right after a noun of place and as a question; "what" is a fault only as a docstring's first word.
_PLACE = (
    r"(?:place|folder|directory|directories|file|line|path|point|position|column|row|machine|node|host|module|address|page"
    r"|table|field)s?"
)
_QUESTION = r"(?:from|to|of|is|and|or|knows?|says?|said|shows?|see|finds?|decides?|matter)"
_WHERE_IS_RIGHT = re.compile(rf"(?:\b{_PLACE}|\b{_QUESTION}\b),?\s+$", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """A word in a text, with its line; `strict` if no text may contain it."""

    where: Text
    line: int
    word: str
    strict: bool

    def __str__(self) -> str:
        path = self.where.path.relative_to(ROOT) if self.where.path.is_relative_to(ROOT) else self.where.path
        shown = self.where.text.splitlines()[self.line - self.where.line].strip()
        return f"{path}:{self.line}: {self.word}{'' if self.strict else '?'}: {shown}"


def _pattern(expressions: Iterable[str]) -> re.Pattern[str]:
    """Any of the expressions as whole words outside of code; a space in one also matches a line break."""
    words = "|".join(expressions).replace(" ", r"\s+")
    return re.compile(rf"(?<![\w`.-])(?:{words})(?![\w`-])", re.IGNORECASE)


_PATTERNS = ((_pattern(STRICT), True), (_pattern(LOOSE), False))


def _is_right(word: str, before: str, kind: str) -> bool:
    """True if a word is in its proper place, after `before`."""
    if word == "what":
        return kind != "docstring" or bool(before.strip())
    return word.startswith("where") and bool(_WHERE_IS_RIGHT.search(before[-40:]))


def _matches(text: str, kind: str) -> Iterator[tuple[re.Match[str], bool]]:
    for pattern, strict in _PATTERNS:
        for found in pattern.finditer(text):
            if not _is_right(found[0].lower(), text[: found.start()], kind):
                yield found, strict


def findings(text: Text) -> list[Finding]:
    """The banned words of a text, each place once, in order."""
    prose = re.sub(r"`[^`\n]*`", lambda code: "`" + "x" * (len(code[0]) - 2) + "`", text.text)
    found: dict[int, Finding] = {}
    for match, strict in _matches(prose, text.kind):
        line = text.line + prose.count("\n", 0, match.start())
        word = re.sub(r"\s+", " ", match[0].lower())
        found.setdefault(match.start(), Finding(text, line, word, strict))
    return [found[start] for start in sorted(found)]


def count(text: str) -> int:
    """The number of words."""
    return len(re.findall(r"[A-Za-z][A-Za-z'-]*", text))


@dataclass
class Row:
    """Figures of a package: words and findings in docstrings, comments and Markdown; the same for messages."""

    words: int = 0
    strict: int = 0
    loose: int = 0
    messages: int = 0
    in_messages: int = 0

    @property
    def rate(self) -> float:
        """Findings per 1,000 words of docstrings and comments."""
        return 1000 * (self.strict + self.loose) / self.words if self.words else 0.0


def table(texts: Iterable[Text]) -> dict[str, Row]:
    """The figures by package."""
    rows: dict[str, Row] = {}
    for text in texts:
        row, found = rows.setdefault(text.package, Row()), findings(text)
        if text.kind == "message":
            row.messages += count(text.text)
            row.in_messages += len(found)
        else:
            row.words += count(text.text)
            row.strict += sum(finding.strict for finding in found)
            row.loose += sum(not finding.strict for finding in found)
    return rows


def main(arguments: list[str]) -> int:
    """Prints the findings and the table; 1 if a text contains a word of STRICT."""
    texts = [text for path in files(Path(name).resolve() for name in arguments) for text in texts_of(path)]
    found = [finding for text in texts for finding in findings(text)]
    for finding in found:
        print(finding)
    print(f"\n{'package':14}{'words':>8}{'strict':>8}{'loose':>8}{'per 1,000':>11}   {'message words':>14}{'found':>7}")
    rows = table(texts)
    for name, row in sorted(rows.items()):
        print(
            f"{name:14}{row.words:8}{row.strict:8}{row.loose:8}{row.rate:11.1f}   {row.messages:14}{row.in_messages:7}"
        )
    return 1 if any(finding.strict for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

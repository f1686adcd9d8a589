"""Finds words of our own where the field has standard ones: `python tests/words.py [PATH...]`.

Prints each finding as `file:line: word: text`, then a table per package. Exits with 1 if there is a finding of STRICT, which
no text may contain. The words in LOOSE have correct uses that no pattern can recognise, so only their rate counts.

Read are: docstrings, comments and prose in string literals (messages, help, log lines) of Python; comments, descriptions
and messages of YAML; Markdown outside of code. Not read are generated files, string literals of tests, and text between
backticks.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PACKAGES = ("crds", "operator", "server", "trainer", "helm", "manifests", "integrations", "docs", "tests")
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
    r"where (?:there|it|they) (?:is|are|was|were|has|have|had)(?: not)?": "if, when",
    r"where (?:none|nothing|no)": "if, when",
}
LOOSE = {
    r"ask(?:s|ed|ing)?": "request, enqueue, query",
    r"looks? (?:at|for|after)|looked (?:at|for|after)|looking (?:at|for|after)": "read, poll, check, relist",
    r"where": "if, when",
    r"what": "a noun",
}
# "Where" is right after a noun of place and as a question; "what" is a fault only as a docstring's first word.
_PLACE = (
    r"(?:place|folder|directory|directories|file|line|path|point|position|column|row|machine|node|host|module|address|page"
    r"|table|field)s?"
)
_QUESTION = r"(?:from|to|of|is|and|or|knows?|says?|said|shows?|see|finds?|decides?|matter)"
_WHERE_IS_RIGHT = re.compile(rf"(?:\b{_PLACE}|\b{_QUESTION}\b),?\s+$", re.IGNORECASE)


@dataclass(frozen=True)
class Text:
    """A piece of prose: its package, file, first line, and kind (docstring, comment, prose or message)."""

    path: Path
    line: int
    kind: str
    text: str

    @property
    def package(self) -> str:
        first = self.path.relative_to(ROOT).parts[0] if self.path.is_relative_to(ROOT) else ""
        return first if first in PACKAGES else "docs" if self.path.suffix == ".md" else "other"


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


def _is_prose(text: str) -> bool:
    """True if a string literal has four words or more, so that it is neither a name nor a pattern."""
    return len(re.findall(r"(?<!\S)[A-Za-z][a-z'-]*[,.;:]?(?!\S)", text)) >= 4


def _literal(node: ast.Constant | ast.JoinedStr) -> str:
    """The text of a literal, with `{}` for what is formatted into it."""
    parts = [node] if isinstance(node, ast.Constant) else node.values
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


def _literals(node: ast.AST, docstrings: set[int]) -> Iterator[ast.Constant | ast.JoinedStr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
            if id(child) not in docstrings:
                yield child
        else:
            yield from _literals(child, docstrings)


def python_texts(path: Path, source: str) -> Iterator[Text]:
    """Docstrings, comments and, except in tests, prose in literals."""
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            match node.body[0]:
                case ast.Expr(value=ast.Constant(value=str(text)) as literal):
                    docstrings.add(id(literal))
                    yield Text(path, literal.lineno, "docstring", text)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(path, token.start[0], "comment", token.string.lstrip("#! "))
    if "tests" not in path.relative_to(ROOT if path.is_relative_to(ROOT) else path.parent).parts:
        texts = ((literal.lineno, _literal(literal)) for literal in _literals(tree, docstrings))
        yield from (Text(path, line, "message", text) for line, text in texts if _is_prose(text))


def _scalars(node: yaml.Node | None, key: str = "") -> Iterator[tuple[str, yaml.ScalarNode]]:
    if isinstance(node, yaml.ScalarNode):
        yield key, node
    for child in node.value if isinstance(node, yaml.SequenceNode) else []:
        yield from _scalars(child, key)
    for name, child in node.value if isinstance(node, yaml.MappingNode) else []:
        yield from _scalars(child, name.value if isinstance(name, yaml.ScalarNode) else "")


def yaml_texts(path: Path, source: str) -> Iterator[Text]:
    """Comments, descriptions and messages; of a template that isn't YAML, comments only."""
    for number, line in enumerate(source.splitlines(), 1):
        if found := re.search(r"(?:^|\s)#+ (.*)|\{\{-? ?/\* ?(.*?)(?:\*/|$)", line):
            yield Text(path, number, "comment", found[1] or found[2] or "")
    try:
        documents = list(yaml.compose_all(source, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return
    for key, node in (pair for document in documents for pair in _scalars(document)):
        if key in {"description", "message", "summary", "messageExpression"}:
            yield Text(path, node.start_mark.line + 1, "message", node.value)


def markdown_texts(path: Path, source: str) -> Iterator[Text]:
    """Each paragraph outside of fenced code."""
    fenced = False
    for number, line in enumerate(source.splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        if not fenced and line.strip() and not line.lstrip().startswith("```"):
            yield Text(path, number, "prose", line)


def comment_texts(path: Path, source: str) -> Iterator[Text]:
    """Comments of a file in which a hash starts one, and the help texts of the Makefile."""
    for number, line in enumerate(source.splitlines(), 1):
        if found := re.search(r"(?:^|\s)#+ (.*)", line):
            yield Text(path, number, "comment", found[1])


READERS = {".py": python_texts, ".md": markdown_texts, ".yaml": yaml_texts, ".tpl": yaml_texts}


def texts_of(path: Path) -> list[Text]:
    """The texts of a file; none if it is generated or of another kind."""
    source = path.read_text(encoding="utf-8")
    if re.search(r"enerated (?:from|by)|`make generate`", "\n".join(source.splitlines()[:4])) and path.suffix != ".py":
        return []
    return list(READERS.get(path.suffix, comment_texts)(path, source))


def files(roots: Iterable[Path] = ()) -> Iterator[Path]:
    """The files to read below `roots`; without any, those of the repository."""
    roots = list(roots) or [
        *(ROOT / name for name in PACKAGES),
        *ROOT.glob("*.md"),
        *(ROOT / name for name in ("Makefile", "pyproject.toml", "Dockerfile.operator", "Dockerfile.server")),
        *(ROOT / name for name in (".ci/run", ".github")),
    ]
    for root in roots:
        found = [root] if root.is_file() else sorted(path for end in READERS for path in root.rglob(f"*{end}"))
        yield from (path for path in found if not {"data", "__pycache__", ".venv"} & set(path.parts) or path == root)


@cache
def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w`.-])(?:{word.replace(' ', chr(92) + 's+')})(?![\w`-])", re.IGNORECASE)


def _is_right(word: str, before: str, kind: str) -> bool:
    """True if a word is in its proper place, after `before`."""
    if word == "what":
        return kind != "docstring" or bool(before.strip())
    return word.startswith("where") and bool(_WHERE_IS_RIGHT.search(before))


def _matches(text: str, kind: str) -> Iterator[tuple[re.Match[str], bool]]:
    for word in (*STRICT, *LOOSE):
        for found in _pattern(word).finditer(text):
            if not _is_right(word, text[: found.start()], kind):
                yield found, word in STRICT


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

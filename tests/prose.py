"""The texts that people read in the repository, by file and line.

Read are: docstrings, comments and prose in string literals (messages, help, log lines) of Python; comments,
descriptions and messages of YAML; Markdown outside of code. Not read are generated files and string literals of tests.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # of C it takes a tenth of the time
PACKAGES = ("crds", "client", "operator", "server", "trainer", "helm", "manifests", "integrations", "docs", "tests")


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
        documents = list(yaml.compose_all(source, Loader=_LOADER))
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

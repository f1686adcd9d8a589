"""The pages about the repository's structure name only existing files, and the index names every page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
GUIDES = [DOCS / "architecture.md", *sorted((DOCS / "adr").glob("*.md")), ROOT / "CONTRIBUTING.md"]
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), ROOT / "CONTRIBUTING.md"]
FOLDERS = ("crds", "client", "operator", "server", "trainer", "helm", "integrations", "manifests", "tests", "docs")
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})(?:/[\w.*-]+)+|(?:{'|'.join(FOLDERS)})/?")
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def named_paths(text: str) -> Iterator[str]:
    """Paths of the repository in backquotes; `*` stands for any name."""
    return (quoted for quoted in re.findall(r"`([^`\n]+)`", text) if PATH.fullmatch(quoted))


def missing_paths(text: str) -> list[str]:
    return [path for path in named_paths(text) if not any(ROOT.glob(path.rstrip("/")))]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_in_guides_exist(page: Path) -> None:
    assert not missing_paths(page.read_text("utf-8"))


def test_missing_path_is_found() -> None:
    text = "`crds/linplane_api`, `operator/linplane_operator/*.py`, `crds/no_such.py`, `make test`, `/predict`"
    assert missing_paths(text) == ["crds/no_such.py"]


def missing_symbols(text: str) -> list[str]:
    """Names in backquotes, in parentheses after a file, that the file does not define."""
    found = re.findall(r"`([^`\n]+\.\w+)` \(([^)\n]*)\)", text)
    pairs = [(path, name) for path, words in found if PATH.fullmatch(path) for name in re.findall(r"`(\w+)`", words)]
    return [f"{path}: {name}" for path, name in pairs if name not in (ROOT / path).read_text("utf-8")]


def test_names_in_the_architecture_are_in_their_files() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    assert not missing_symbols(text)
    assert missing_symbols(text.replace("`RouteDocument`", "`NoSuchDocument`"))


def test_architecture_names_every_package() -> None:
    """Each folder with code, or a parent of it, is in the map."""
    named = {path.rstrip("/") for path in named_paths((DOCS / "architecture.md").read_text("utf-8"))}
    folders = {
        str(path.parent.relative_to(ROOT))
        for program in ("crds", "client", "operator", "server", "trainer")
        for path in (ROOT / program).rglob("*/*/__init__.py")
    }
    assert len(folders) > 15
    assert not {folder for folder in folders if folder not in named}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("index", [DOCS / "README.md", DOCS / "adr/README.md"], ids=["docs", "adr"])
def test_index_has_every_page(index: Path) -> None:
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text("utf-8"))}
    assert not set(index.parent.glob("*.md")) - {index} - linked

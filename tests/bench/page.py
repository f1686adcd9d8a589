"""docs/benchmarks.md: sections, each written by the benchmark that measures it, the others left as they are."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, figures to the right."""
    lines = [" | ".join(headers), " | ".join(["---", *["---:"] * (len(headers) - 1)]), *(" | ".join(r) for r in rows)]
    return "".join(f"| {line} |\n" for line in lines)


def machine() -> str:
    """The processor, if it reports its name, and the versions that matter."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    return f"{models[0] if models else platform.machine()}, {cores} cores, Python {platform.python_version()}"


def with_sections(page: str, sections: Mapping[str, str]) -> str:
    """The page with these sections (title to text) in the place of those of the same title, or at its end."""
    for title, text in sections.items():
        section = f"## {title}\n\n{text.strip()}\n"
        found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        if found is None:
            page = f"{page.rstrip()}\n\n{section}"
        else:
            rest = page[found.end() :]
            page = page[: found.start()] + section + (f"\n{rest}" if rest else "")
    return page


def write(sections: Mapping[str, str]) -> None:
    """Prints the sections, and writes the page."""
    PAGE.write_text(with_sections(PAGE.read_text(encoding="utf-8"), sections), encoding="utf-8")
    for title, text in sections.items():
        print(f"## {title}\n\n{text}")

"""Writes what is generated from another file; `--check` fails where that would change anything."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PENGUINS = ROOT / "manifests/examples/penguins"


def config_map(name: str, key: str, text: str, source: str) -> str:
    """A ConfigMap manifest with one key, as a block of text."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    head = f"# Generated from {source} by `make generate`.\napiVersion: v1\nkind: ConfigMap\n"
    return f"{head}metadata: {{name: {name}}}\ndata:\n  {key}: |\n{lines}"


def generated() -> dict[Path, str]:
    """Every generated file with its content."""
    csv = (PENGUINS / "penguins.csv").read_text(encoding="utf-8")
    return {PENGUINS / "penguins-data.yaml": config_map("penguins", "penguins.csv", csv, "penguins.csv")}


def main(check: bool) -> int:
    """The number of files that differ."""
    stale = 0
    for path, text in generated().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return stale if check else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))

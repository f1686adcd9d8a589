"""Writes what is generated from another file; `--check` fails if that would change anything."""

import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

import conditions_page
from chart import install, table, templates
from chart.render import CHART
from linplane_operator.kube import permissions

ROOT = Path(__file__).parent.parent
MESSAGES = "linplane_server/interfaces/grpc/inference"
PENGUINS = ROOT / "manifests/examples/penguins"


def config_map(name: str, key: str, text: str, source: str) -> str:
    """A ConfigMap manifest with one key, as a block of text."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    head = f"# Generated from {source} by `make generate`.\napiVersion: v1\nkind: ConfigMap\n"
    return f"{head}metadata: {{name: {name}}}\ndata:\n  {key}: |\n{lines}"


def messages() -> dict[Path, str]:
    """The Python of the gRPC messages, with its types."""
    with tempfile.TemporaryDirectory() as folder:
        out = [f"--{kind}_out={folder}" for kind in ("python", "pyi")]
        if protoc.main(["protoc", f"--proto_path={ROOT / 'server'}", *out, f"{MESSAGES}.proto"]):
            raise ValueError(f"protoc refused {MESSAGES}.proto")
        names = [f"{MESSAGES}_pb2{suffix}" for suffix in (".py", ".pyi")]
        return {ROOT / "server" / name: (Path(folder) / name).read_text(encoding="utf-8") for name in names}


def generated() -> dict[Path, str]:
    """Every generated file with its content."""
    csv = (PENGUINS / "penguins.csv").read_text(encoding="utf-8")
    parts = CHART / "templates"
    return {
        PENGUINS / "penguins-data.yaml": config_map("penguins", "penguins.csv", csv, "penguins.csv"),
        **{parts / "crds" / name: templates.crd(name) for name in templates.crd_names()},
        parts / "policies/shipped.yaml": templates.policies(),
        ROOT / "docs/conditions.md": conditions_page.page(),
        **messages(),
        parts / "operator/_rules.tpl": templates.operator_rules(permissions.rules()),
    }


def rendered() -> dict[Path, str]:
    """The files generated from the chart, so after everything that the chart is generated from."""
    return {ROOT / "manifests/install.yaml": install.manifest(), CHART / "README.md": table.readme()}


def main(check: bool) -> int:
    """The number of files that differ."""
    stale = sum(settle(path, text, check) for files in (generated, rendered) for path, text in files().items())
    return stale if check else 0


def settle(path: Path, text: str, check: bool) -> bool:
    """Writes a file that differs, or only reports it. True if it differed."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    print(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}")
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))

"""Compares the branch coverage of each package with its floor: `python tests/floors.py REPORT`, by `coverage json`."""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Measured, rounded down by up to a point. What only tests/integration runs (processes, sockets) counts as not covered.
FLOORS = {
    "linplane": 99,
    "linplane_api": 99,
    "linplane_api/manifests": 99,
    "linplane_cli": 90,
    "linplane_operator": 99,
    "linplane_operator/compile": 99,
    "linplane_operator/kube": 91,
    "linplane_operator/local": 75,
    "linplane_operator/observe": 99,
    "linplane_operator/reconcile": 96,
    "linplane_operator/runtime": 99,
    "linplane_server": 59,
    "linplane_server/admin": 98,
    "linplane_server/cluster": 97,
    "linplane_server/grpc": 83,
    "linplane_server/http": 86,
    "linplane_server/interfaces": 96,
    "linplane_server/predict": 98,
    "linplane_server/routing": 98,
    "linplane_server/state": 99,
    "linplane_trainer": 88,
    "linplane_trainer/data": 98,
    "linplane_trainer/fit": 95,
}


def percentages(report: Mapping[str, Any]) -> dict[str, float]:
    """Lines and branches covered by the tests, in per cent of all, by folder below a package."""
    covered, total = Counter[str](), Counter[str]()
    for name, file in report["files"].items():
        folder, summary = (
            "/".join(Path(name).parts[1:3] if len(Path(name).parts) > 3 else Path(name).parts[1:2]),
            file["summary"],
        )
        covered[folder] += summary["covered_lines"] + summary["covered_branches"]
        total[folder] += summary["num_statements"] + summary["num_branches"]
    return {folder: 100 * covered[folder] / number for folder, number in total.items() if number}


def below(found: Mapping[str, float]) -> list[str]:
    """The packages below their floors, and those without one."""
    return [folder for folder, percent in found.items() if percent < FLOORS.get(folder, 101)]


def main(path: str) -> int:
    """Prints the table; 1 if a package is below its floor."""
    found = percentages(json.loads(Path(path).read_text("utf-8")))
    low = below(found)
    for folder, percent in sorted(found.items()):
        print(f"{folder:32}{percent:7.1f} %  floor {FLOORS.get(folder, 'none')}{'  BELOW' if folder in low else ''}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

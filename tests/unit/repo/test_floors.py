"""The floors of branch coverage."""

import floors


def file(covered: int, total: int) -> dict[str, dict[str, int]]:
    """A file's summary in the report of `coverage json`."""
    lines = {"covered_lines": covered, "num_statements": total}
    return {"summary": {**lines, "covered_branches": 0, "num_branches": 0}}


def test_percentages_are_by_folder_below_a_package() -> None:
    report = {
        "files": {
            "crds/linplane_api/names.py": file(1, 2),
            "server/linplane_server/http/metrics.py": file(3, 4),
            "server/linplane_server/http/more/page.py": file(0, 2),
            "server/linplane_server/empty/__init__.py": file(0, 0),
        }
    }
    assert floors.percentages(report) == {"linplane_api": 50.0, "linplane_server/http": 50.0}


def test_package_below_its_floor_or_without_one_is_found() -> None:
    (folder, floor), *_ = floors.FLOORS.items()
    assert floors.below({folder: floor}) == []
    assert floors.below({folder: floor - 0.1, "new": 100.0}) == [folder, "new"]

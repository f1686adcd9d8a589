"""Objects that a file no longer defines but keeps, because it is incomplete or has another problem; pure.

`homes` are the files of the stored objects, `seen` the objects that the files define now.
"""

from collections.abc import Iterable, Iterator, Mapping

from .manifest_files import ManifestFile, Problem

LISTED_OBJECTS = 3

ObjectKey = tuple[str, str]  # kind, name


def incomplete_files(
    files: Mapping[str, ManifestFile], homes: Mapping[ObjectKey, str], seen: Iterable[ObjectKey]
) -> Iterator[Problem]:
    """Problems of files that lack objects because they are written in part: empty, as on a full disk, or cut off
    within a name.
    """
    for key in homes.keys() - set(seen):
        name = homes[key]
        file = files.get(name)
        if file is None or file.problem:
            continue
        if not file.documents:
            yield Problem(name, 1, "", "is empty: delete the file to delete what it held")
        elif _is_cut_short(file, key):
            line = file.documents[-1].line_of("metadata.name")
            text = f"the file ends within this line, which was {key[1]}: end it with a line break if it is whole"
            yield Problem(name, line, "metadata.name", text)


def with_kept_objects(
    problems: set[Problem],
    files: Mapping[str, ManifestFile],
    homes: Mapping[ObjectKey, str],
    seen: Iterable[ObjectKey],
) -> Iterator[Problem]:
    """Adds to the first problem of each file the objects that it keeps without defining them."""
    listed = set(seen)
    reported: set[str] = set()
    for problem in sorted(problems):
        file = files.get(problem.file)
        broken = file is not None and file.problem is not None
        held = [" ".join(key) for key, home in homes.items() if home == problem.file and (broken or key not in listed)]
        if not held or problem.file in reported:
            yield problem
            continue
        reported.add(problem.file)
        more = [f"{len(held) - LISTED_OBJECTS} more"] if len(held) > LISTED_OBJECTS else []
        shown = f"{', '.join(held[:LISTED_OBJECTS] + more)} {'stays' if len(held) == 1 else 'stay'}"
        text = f"{problem.message}; {shown} as accepted before"
        yield Problem(problem.file, problem.line, problem.field, text)


def _is_cut_short(file: ManifestFile, key: ObjectKey) -> bool:
    """True if the file ends within the name of an object that it defined."""
    kind, name = file.documents[-1].key
    return kind == key[0] and key[1].startswith(name) and file.last_line.split() == ["name:", name]

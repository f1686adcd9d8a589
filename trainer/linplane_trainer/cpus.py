"""How many threads are of use to a training."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

MOST_THREADS = 4
"""More than one thread that reads can feed, and each takes up to 130 MB: a trainer without a limit of CPUs may see all
of a node.
"""
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def thread_count() -> int:
    """The threads of a training: the CPUs of this process's affinity, no more than its control groups grant, and at
    most 4.
    """
    return min(MOST_THREADS, at_most(_affinity(), GROUPS, OWN_GROUPS))


def at_most(count: int, groups: Path, own_groups: Path) -> int:
    """The least of `count` and of the limits of control groups (version 2 and 1), each rounded up; at least 1.

    `groups` is the folder of all of them, `own_groups` the file that lists those of the process: see cgroups(7). A
    container sees its own group at the top of that folder, whatever the list calls it.
    """
    return max(1, min([count, *(math.ceil(limit) for limit in _limits(groups, own_groups))]))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _limits(groups: Path, own_groups: Path) -> Iterator[float]:
    for line in _read(own_groups).splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0":
            yield from _limits_above(groups, path, ("cpu.max",))
        elif "cpu" in controllers.split(","):
            yield from _limits_above(groups / "cpu", path, ("cpu.cfs_quota_us", "cpu.cfs_period_us"))


def _limits_above(top: Path, path: str, names: tuple[str, ...]) -> Iterator[float]:
    """Those of a group and of all that it is in: a quota of microseconds in each period of them, none for `max`, -1."""
    group = top / path.strip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(top):
            break
        words = " ".join(_read(folder / name) for name in names).split()
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
            yield int(words[0]) / int(words[1])


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):  # no control groups
        return ""

"""How many CPUs the kernel grants, as its control groups say."""

import pytest

from linplane_trainer.cpus import MOST_THREADS, at_most, thread_count


@pytest.mark.parametrize(
    ("own", "files", "count"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "1600000 100000\n"}, 8),
        ("0::/pods/one\n", {"pods/one/cpu.max": "max 100000\n", "pods/cpu.max": "300000 100000\n"}, 3),
        ("0::/elsewhere\n", {"cpu.max": "200000 100000\n"}, 2),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ("4:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, 8),
        ("4:cpu,cpuacct:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ("2:memory:/\n", {"memory/cpu.max": "100000 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "what\n"}, 8),
        ("0::/\n", {"cpu.max": "100000 0\n"}, 8),
        ("", {}, 8),
    ],
)
def test_limit_is_the_least_of_all(tmp_path, own, files, count):
    groups, list_of_groups = tmp_path / "groups", tmp_path / "own"
    list_of_groups.write_text(own)
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    assert at_most(8, groups, list_of_groups) == count


def test_limit_is_at_least_one(tmp_path):
    """Also without a list of groups, as on macOS."""
    assert at_most(0, tmp_path, tmp_path / "none") == 1
    assert 1 <= thread_count() <= MOST_THREADS

"""Memory does not grow with the rows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from linplane_api.task import FileData, SyntheticData, Task

BLOCK = "".join(f"{i * 37 % 1000}.25,{i * i % 997},text {i},{i * 91 % 1009}.5\n" for i in range(10_000))

# the peak of a process of its own, as the kernel saw it, in bytes
PROGRAM = """
import json, resource, sys
from pathlib import Path
from linplane_api.task import parse_task
from linplane_trainer.train import train
samples = train(parse_task(sys.argv[1]), Path(sys.argv[2])).artifact.training.samples
print(json.dumps([samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


def peak(task: Task, folder: Path) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, task.to_text(), str(folder)], check=True, capture_output=True, timeout=60
    )
    samples, size = json.loads(done.stdout)
    return samples, size


@pytest.mark.parametrize("features", [("a", "b"), None])
def test_memory_does_not_grow_with_the_file(tmp_path, features):
    """600,000 rows, more than are read ahead, against 1,400,000, 24 MB more of file: less than 8 MB more."""
    peaks = []
    for blocks in (60, 140):
        with (tmp_path / "rows.csv").open("w") as file:
            file.write("a,b,note,y\n")
            for _ in range(blocks):
                file.write(BLOCK)
        task = Task("m", "v1", FileData("rows.csv"), features=features, target="y", holdout_percent=0)
        samples, size = peak(task, tmp_path)
        assert samples == blocks * 10_000
        peaks.append(size)
    assert peaks[1] - peaks[0] < 8 << 20


def test_synthetic_rows_are_not_kept(tmp_path):
    """Nor are they made all at once: 32 MB of them, less than 8 MB more."""
    peaks = [peak(Task("m", "v1", SyntheticData(rows, 3, 0.1)), tmp_path)[1] for rows in (200_000, 1_200_000)]
    assert peaks[1] - peaks[0] < 8 << 20

"""Memory does not grow with the rows."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linplane_api.task import FileData, SyntheticData, Task

BLOCK = "".join(f"{i * 37 % 1000}.25,{i * i % 997},text {i},{i * 91 % 1009}.5\n" for i in range(10_000))

# the peak of a process of its own in bytes, by the kernel; ru_maxrss would count that of the process that started it
PROGRAM = """
import json, re, sys
from pathlib import Path
from linplane_api.task import parse_task
from linplane_trainer.train import train
samples = train(parse_task(sys.argv[1]), Path(sys.argv[2])).artifact.training.samples
found = re.search("VmHWM:[ \\t]*([0-9]+) kB", Path("/proc/self/status").read_text())
print(json.dumps([samples, int(found[1]) * 1024]))
"""


def peak(task: Task, folder: Path) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, task.to_text(), str(folder)], check=True, capture_output=True, timeout=60
    )
    samples, size = json.loads(done.stdout)
    return samples, size


@pytest.mark.parametrize("features", [("a", "b"), None])
def test_memory_does_not_grow_with_the_file(tmp_path, features):
    """600,000 rows, more than are read ahead, against 2,000,000, 42 MB more of file: less than 16 MB more. How far
    pyarrow reads ahead is up to its threads: 7 MB either way.
    """
    peaks = []
    for blocks in (60, 200):
        with (tmp_path / "rows.csv").open("w") as file:
            file.write("a,b,note,y\n")
            for _ in range(blocks):
                file.write(BLOCK)
        task = Task("m", "v1", FileData("rows.csv"), features=features, target="y", holdout_percent=0)
        samples, size = peak(task, tmp_path)
        assert samples == blocks * 10_000
        peaks.append(size)
    assert peaks[1] - peaks[0] < 16 << 20


def test_memory_does_not_grow_with_a_parquet_file(tmp_path):
    """Nor with a row group: 200,000 rows in one against 1,000,000 in two, 36 MB more of file: less than 8 MB more."""
    columns = ("a", "b", "c", "d", "y")
    schema = pa.schema([(name, pa.float64()) for name in columns])
    generator, peaks = np.random.default_rng(0), []
    for rows, groups in ((200_000, 1), (500_000, 2)):
        with pq.ParquetWriter(
            tmp_path / "rows", schema, compression="none", use_dictionary=False, data_page_size=1 << 16
        ) as file:
            for _ in range(groups):
                values = [pa.array(generator.standard_normal(rows)) for _ in columns]
                file.write_table(pa.table(values, schema=schema), row_group_size=rows)
        samples, size = peak(Task("m", "v1", FileData("rows"), target="y", holdout_percent=0), tmp_path)
        assert samples == rows * groups
        peaks.append(size)
    assert peaks[1] - peaks[0] < 8 << 20


def test_synthetic_rows_are_not_kept(tmp_path):
    """Nor are they made all at once: 32 MB of them, less than 8 MB more."""
    peaks = [peak(Task("m", "v1", SyntheticData(rows, 3, 0.1)), tmp_path)[1] for rows in (200_000, 1_200_000)]
    assert peaks[1] - peaks[0] < 8 << 20

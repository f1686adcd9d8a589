"""The same bytes on every kernel of the linear algebra that this processor runs, with one thread and with two."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

KERNELS = ("", "Haswell", "Sandybridge", "Nehalem", "Prescott")

# trains, with the threads that the environment sets, on rows in order and shuffled; prints kernel and digests
PROGRAM = """
import json, sys
from pathlib import Path
import threadpoolctl
from linplane_api.task import FileData, Task
from linplane_trainer import train
train.threadpool_limits = lambda threads, user_api: threadpoolctl.threadpool_limits(wanted, user_api=user_api)
found = []
for wanted in (1, 2):
    for name in ("rows.csv", "shuffled.csv"):
        task = Task("m", "v1", FileData(name), target="y", holdout_percent=0)
        found.append(train.train(task, Path(sys.argv[1]), threads=wanted).artifact.digest)
kernels = {pool["architecture"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}
print(json.dumps([sorted(kernels), found]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Columns of very different size, spread and mean."""
    made, generator, n = tmp_path_factory.mktemp("rows"), np.random.default_rng(5), 4000
    x = generator.standard_normal((n, 12)) * np.exp(generator.normal(0, 4, 12))
    x[:, 3], x[:, 4] = generator.random(n) < 0.1, np.exp(generator.normal(0, 6, n))
    x[:, 5] = 1e9 + generator.standard_normal(n)
    y = x @ np.arange(1, 13) + generator.standard_normal(n)
    lines = [",".join(map(repr, row)) for row in np.column_stack([x, y]).tolist()]
    header = ",".join([*(f"x{i}" for i in range(12)), "y"])
    (made / "rows.csv").write_text("\n".join([header, *lines]))
    (made / "shuffled.csv").write_text("\n".join([header, *(lines[i] for i in generator.permutation(n))]))
    return made


def trained(kernel: str, folder: Path) -> tuple[list[str], list[str]]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OPENBLAS", "OMP", "MKL"))}
    environment |= {"OPENBLAS_CORETYPE": kernel} if kernel else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], env=environment, check=True, capture_output=True, timeout=120
    )
    kernels, digests = json.loads(done.stdout)
    return kernels, digests


def test_digest_is_that_of_every_kernel_thread_and_order(folder):
    """Five processes; each names its kernel, so that one which fell back to another is seen."""
    found = {kernel: trained(kernel, folder) for kernel in KERNELS}
    assert len({digest for _, digests in found.values() for digest in digests}) == 1
    assert len({name for kernel in KERNELS[1:] for name in found[kernel][0]}) == len(KERNELS) - 1

"""The benchmark of training: its methods on small data, and its lines."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench import learners, training
from bench.learners import Figures

FIGURES = Figures(cpu=2.0, seconds=1.0, peak=200.0, extra=30.0, answer=5.0)


@pytest.mark.parametrize("kind", list(training.ASKED_IN_MEMORY))
def test_methods_agree_in_memory(kind):
    """Those of this environment."""
    methods = (training.OURS, training.FACTOR, "numpy.linalg.lstsq")
    figures = {method: learners.once("memory", method, kind, "2000", "8") for method in methods}
    assert training.agreeing(figures) == figures
    assert all(one.cpu > 0 and one.peak > 0 for one in figures.values())


def test_files_hold_the_same_rows(tmp_path):
    """In row groups of equal size; what pandas reads gives what a training gives."""
    paths = learners.write_files(tmp_path, 700, 4, 300)
    found = [learners.once("file", training.OURS, str(path), "2").answer for path in paths]
    table = pd.read_csv(paths[0]).to_numpy()
    assert found == [pytest.approx(np.abs(learners.lstsq()(table)).sum(), rel=1e-9)] * 2


def test_answers_that_differ_are_refused():
    with pytest.raises(AssertionError, match=r"5\.1"):
        training.agreeing({"one": FIGURES, "other": replace(FIGURES, answer=5.1)})


def test_lines_compare_each_method_with_ours():
    """In the same round: the median of the ratios is not the ratio of medians."""

    def by(_, method, *__, threads=1):
        return replace(FIGURES, cpu=2.0 if method == training.OURS else 5.0)

    lines = training.memory_lines("0/1", [training.in_memory("0/1", 9, 3, by)] * 3)
    assert [line[1] for line in lines] == list(learners.IN_MEMORY)
    assert lines[0] == ["0/1", "linplane", "2.00", "1.00", "1.00", "30", ""]
    assert lines[-1] == ["0/1", "scikit-learn", "5.00", "2.50", "1.00", "30", ">= 8"]
    lines = training.file_lines(".csv", [training.from_file(training.ROOT / "rows.csv", by)])
    assert lines[0] == ["csv", "linplane", "2.00", "1.00", "1.00", "200", "<= 260 MB"]
    assert lines[1] == ["csv", "pandas + scikit-learn", "5.00", "2.50", "1.00", "200", ">= 1.33"]

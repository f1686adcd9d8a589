"""A training from task to artifact: the same in, the same bytes out."""

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_api.artifact import parse_artifact
from linplane_api.task import SyntheticData, Task
from linplane_trainer import train
from linplane_trainer.batch import Batch
from linplane_trainer.data import synthetic
from linplane_trainer.errors import BadData, TrainingFailed
from linplane_trainer.fit import fitting
from linplane_trainer.fit.exact_rows import ExactRows
from linplane_trainer.fit.types import FitOptions
from linplane_trainer.fit.wide.rows import WideRows
from linplane_trainer.holdout import Holdout, HoldoutDraws


def made(samples=200, columns=3, noise=0.2, **fields):
    return Task("m", "v1", SyntheticData(samples, columns, noise), **fields)


def learn(tmp_path, task):
    return train.train(task, tmp_path).artifact


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(60, 3000),
    features=st.integers(1, 12),
    noise=st.sampled_from([0.0, 1e-6, 0.5, 20.0]),
    seed=st.integers(0, 2**31 - 1),
)
def test_synthetic_data_gives_back_what_made_it(tmp_path_factory, samples, features, noise, seed):
    """Coefficient J of xJ, the documented intercept, and the noise, as close as the standard errors say."""
    task = made(samples, features, noise, seed=seed)
    model = train.train(task, tmp_path_factory.getbasetemp()).artifact
    training = model.training
    errors = np.array([*training.standard_errors, training.intercept_standard_error])
    found = np.array([*model.coefficients, model.intercept])
    expected = np.array([*synthetic.true_coefficients(task.data), synthetic.INTERCEPT])
    assert (np.abs(found - expected) <= 7 * errors + 1e-9).all()
    assert training.noise == pytest.approx(noise, rel=5 / np.sqrt(training.samples - features - 1), abs=1e-9)
    assert model.features == tuple(f"x{number}" for number in range(1, features + 1))
    assert model.target == "y"


def test_batches_of_synthetic_data_are_one_stream(monkeypatch):
    """However they are cut."""
    data = SyntheticData(100, 3, 1.0)
    (whole,) = synthetic.batches(data, Holdout(seed=5))
    monkeypatch.setattr(synthetic, "BATCH_CELLS", 28)
    parts = np.concatenate([batch.values for batch in synthetic.batches(data, Holdout(seed=5))])
    assert parts.tolist() == whole.values.tolist()


def test_holdout_is_not_drawn_from_the_data():
    """The bare seed is the holdout's: the same stream for both would hold out rows by what is in them."""
    (batch,) = synthetic.batches(SyntheticData(10, 1, 1.0), Holdout())
    assert batch.values[0, 0] != np.random.Generator(np.random.PCG64(0)).standard_normal()


def test_equal_tasks_give_equal_bytes(tmp_path):
    """And each setting that decides something is in the artifact."""
    digests = {learn(tmp_path, made(seed=1)).digest for _ in range(3)}
    assert len(digests) == 1
    for other in ({"seed": 2}, {"ridge": 1e-3}, {"holdout_percent": 5}, {"fit_intercept": False}):
        assert learn(tmp_path, made(**({"seed": 1} | other))).digest not in digests


def test_training_uses_one_blas_thread(tmp_path):
    """Whatever was set around it, which is put back: sums that are split over threads round differently."""

    def blas():
        return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}

    seen = []
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        train.train(made(), tmp_path, lambda *_: seen.append(blas()))
        assert blas() == {2}
    assert seen == [{1}]


def test_artifact_records_how_it_was_made(tmp_path):
    """Facts of the task and of the software, and it reads back as itself."""
    model = learn(tmp_path, made(ridge=0.25, holdout_percent=30, seed=8))
    training = model.training
    assert (training.ridge, training.holdout_percent, training.seed, training.fit_intercept) == (0.25, 30, 8, True)
    assert training.software == {"fit": "exact-1"}
    assert parse_artifact(model.to_file("2026-01-01T00:00:00Z")).artifact == model
    assert len(model.checks) == 3


def test_versions_of_the_software_are_facts(tmp_path):
    """They decide nothing, so they are outside of the digest."""
    software = train.train(made(), tmp_path).facts.software
    assert set(software) == {"linplane", "numpy", "pyarrow", "python", "python-flint"}
    assert software["numpy"] == np.__version__


def test_fit_of_many_features_records_what_decides_its_digits(tmp_path, monkeypatch):
    """A factor in doubles depends on numpy."""
    monkeypatch.setattr(fitting, "MAX_EXACT", 4)
    training = [learn(tmp_path, made(columns=features)).training for features in (4, 5)]
    assert training[0].software == {"fit": "exact-1"}
    assert set(training[1].software) == {"linplane", "numpy", "python"}
    assert (training[0].evaluation.rows is None, training[1].evaluation.rows is None) == (False, True)


@pytest.mark.parametrize(("features", "way"), [(512, ExactRows), (513, WideRows)])
def test_exact_sums_are_kept_for_512_features(features, way):
    assert isinstance(fitting.rows_for(FitOptions(tuple(map(str, range(features))))), way)


def test_artifact_contains_no_row_of_the_data(train_csv):
    """Check rows are made of rounded moments."""
    cells = [[3.14159 + i, 2.71828 * i * i] for i in range(12)]
    model = train_csv("a,y\n" + "".join(f"{a},{y}\n" for a, y in cells))
    assert not {check.features[0] for check in model.checks} & {a for a, _ in cells}


@pytest.mark.parametrize("noise", [0.0, 1e-300, 1e9])
def test_models_of_any_noise_read_back(tmp_path, noise):
    """Every number that comes out is a number of JSON."""
    model = learn(tmp_path, made(noise=noise))
    assert parse_artifact(model.to_file(None)).digest == model.digest


@pytest.mark.parametrize("noise", [1e300, 1.7e308])
def test_noise_beyond_doubles_is_refused(tmp_path, noise):
    """Its square is infinite, or it is itself."""
    with pytest.raises(BadData, match="too large"):
        learn(tmp_path, made(noise=noise))


def test_coefficients_that_are_enormous_read_back(train_csv):
    """Beyond 2^53 and without a fraction, JSON's integers, and the smallest doubles."""
    text = "a,b,y\n" + "".join(f"{i}e-9,{i * i}e200,{i + i**3}e20\n" for i in range(1, 20))
    model = train_csv(text)
    assert parse_artifact(model.to_file(None)).artifact == model


@pytest.mark.parametrize("fields", [{"features": ("x1",)}, {"target": "y"}, {"holdout_key": "x1"}])
def test_synthetic_data_brings_its_own_columns(tmp_path, fields):
    """Naming some would promise what is not so."""
    with pytest.raises(BadData, match="brings its own columns"):
        learn(tmp_path, made(**fields))


def test_synthetic_data_of_one_row_is_an_error(tmp_path):
    """Is refused as any row would be."""
    with pytest.raises(BadData, match="fewer than"):
        learn(tmp_path, made(1))


def test_progress_of_synthetic_data_counts_rows(tmp_path):
    """Done of all."""
    seen = []
    train.train(made(300_000, 2), tmp_path, lambda *call: seen.append(call))
    assert seen[-1] == (300_000, 300_000, 300_000)
    assert len(seen) > 1


def test_out_of_memory_may_be_retried(tmp_path, monkeypatch):
    """On another node, or with more of it."""

    def batches(*_):
        yield Batch(np.zeros((0, 4)), np.zeros(0, dtype=bool), HoldoutDraws(Holdout()).draw(0))
        raise MemoryError

    monkeypatch.setattr(synthetic, "batches", batches)
    with pytest.raises(TrainingFailed, match="out of memory"):
        learn(tmp_path, made())

"""`describe`: the statistics of a training, against known figures; where the version is looked for."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from linplane_api.artifact import ArtifactFile, parse_artifact
from linplane_api.task import FileData, SyntheticData, Task
from linplane_cli.fit_statistics import coefficients_of, statistics_of
from linplane_cli.main import main
from linplane_cli.student import student_quantile
from linplane_trainer.train import train
from unit.api.examples import trained

DIABETES = Path(__file__).parents[2] / "data/public/diabetes.csv"
CLOSE = 1e-9  # statsmodels' own rounding


def run(*arguments: str | Path) -> Result:
    """The result of the command."""
    return CliRunner().invoke(main, ["describe", *map(str, arguments)])


def learn(**fields: Any) -> ArtifactFile:
    """The file of a training on the diabetes data."""
    given_fields = {"data": FileData(str(DIABETES)), "target": "progression", "holdout_percent": 0} | fields
    return parse_artifact(train(Task("m", "v1", **given_fields), Path()).to_file("2026-03-01T11:00:00Z"))


# statsmodels 0.15.0, OLS(progression, add_constant(others)).fit() and the same without the constant: rsquared,
# rsquared_adj, fvalue, aic, bic; then params, bse, tvalues and conf_int of a few; variance_inflation_factor
WITH_INTERCEPT = (0.5177484222203499, 0.5065592904853231, 46.272439585243234, 4793.985724247039, 4838.990132949893)
ABOUT_ZERO = (None, None, 372.2979937179572, 4816.520322732395, 4857.433421553172)
LINES = {
    True: {
        "intercept": (-334.567138518785, 67.45462110434147, -4.959884631199149, -467.1480711792054, -201.9862058583646),
        "age": (-0.03636122422362251, 0.2170414354087622, -0.1675312557491249, -0.4629525453421404, 0.3902300968948953),
        "s1": (-1.0899963340632306, 0.5733318585500614, -1.9011612869722567, -2.2168705390627617, 0.03687787093630024),
    },
    False: {
        "bmi": (5.35372591756687, 0.734622724778058, 7.287721624980117, 3.909846616876181, 6.7976052182575595),
        "s1": (1.263585906379273, 0.33044375015089805, 3.823906204315418, 0.6141084606201129, 1.9130633521384328),
    },
}  # fmt: skip
INFLATION = (
    *(1.2173065138070076, 1.2780710154103616, 1.5094373738445483, 1.4594277776838307, 59.202510134318615),
    *(39.1933699727707, 15.402156007513453, 8.890986360329643, 10.075967132038336, 1.4846226073834823),
)


@pytest.mark.parametrize("intercept", [True, False])
def test_statistics_are_those_of_statsmodels(intercept: bool) -> None:
    """But for R2 without an intercept, which is about the mean here as everywhere."""
    file = learn(fit_intercept=intercept)
    fit = statistics_of(file)
    assert fit is not None
    assert (fit.degrees, fit.f_degrees) == (431 + (not intercept), (10, 431 + (not intercept)))
    found = (fit.r2, fit.adjusted_r2, fit.f, fit.aic, fit.bic)
    for known, one in zip(WITH_INTERCEPT if intercept else ABOUT_ZERO, found, strict=True):
        assert known is None or one == pytest.approx(known, rel=CLOSE)
    assert file.artifact.training is not None
    assert fit.r2 == pytest.approx(file.artifact.training.evaluation.r2, rel=1e-14)
    lines = {one.name: one for one in coefficients_of(file)}
    assert list(lines)[:1] == (["intercept"] if intercept else ["age"])
    for name, known_line in LINES[intercept].items():
        line = lines[name]
        assert (line.value, line.standard_error, line.t, line.low, line.high) == pytest.approx(known_line, rel=CLOSE)
    if intercept:
        assert [one.variance_inflation for one in lines.values()] == [None, *(pytest.approx(v) for v in INFLATION)]


# scipy 1.17, stats.t.ppf(0.975, degrees)
QUANTILES = {
    1: 12.706204736174694, 2: 4.302652729749462, 5: 2.5705818356363146, 10: 2.228138851986274, 30: 2.0422724563012378,
    120: 1.9799304050824402, 431: 1.9654833203397435, 20180: 1.9600815470327548, 10**8: 1.9599640082627663,
}  # fmt: skip


@pytest.mark.parametrize("degrees", QUANTILES)
def test_quantile_of_student_is_the_known_one(degrees: int) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(QUANTILES[degrees], rel=1e-14)


@pytest.mark.parametrize("level", [0.6, 0.75, 0.9, 0.975, 0.999])
def test_quantile_of_student_with_one_or_two_degrees_has_a_closed_form(level: float) -> None:
    """Cauchy's distribution, and 2 a sqrt(2 / (1 - 4 a a)) with a = level - 0.5."""
    centre = level - 0.5
    assert student_quantile(level, 1) == pytest.approx(math.tan(math.pi * centre), rel=1e-9, abs=1e-12)
    closed = 2 * centre * math.sqrt(2 / (1 - 4 * centre * centre))
    assert student_quantile(level, 2) == pytest.approx(closed, rel=1e-9, abs=1e-12)


def test_ridge_has_neither_errors_nor_tests() -> None:
    """They would ignore the bias."""
    file = learn(ridge=2.0)
    fit = statistics_of(file)
    assert fit is not None
    assert (fit.r2, fit.f, fit.aic) == (None, None, None)
    assert {(one.t, one.low, one.variance_inflation) for one in coefficients_of(file)} == {(None, None, None)}


def test_exact_fit_has_no_tests(tmp_path: Path) -> None:
    """Every t and F is infinite; nor has one of as many rows as coefficients."""
    for text in ("a,y\n1,2\n2,4\n3,6\n", "a,y\n1,2\n2,5\n"):
        (tmp_path / "rows.csv").write_text(text)
        file = learn(data=FileData(str(tmp_path / "rows.csv")), target="y")
        fit = statistics_of(file)
        assert fit is not None
        assert (fit.f, fit.aic, fit.r2) == (None, None, None)
        assert [one.t for one in coefficients_of(file)] == [None, None]


def test_squares_too_large_for_a_double_are_no_problem(tmp_path: Path) -> None:
    """The target's sum of squares is above 1e308."""
    (tmp_path / "rows.csv").write_text("a,y\n" + "".join(f"{i},{i * 1e160 + i % 3 * 1e150}\n" for i in range(9)))
    fit = statistics_of(learn(data=FileData(str(tmp_path / "rows.csv")), target="y"))
    assert fit is not None
    assert fit.f == pytest.approx(8e21, rel=0.3)
    assert fit.r2 == pytest.approx(1)


def test_artifact_of_an_earlier_trainer_has_what_it_has() -> None:
    """No facts, so no R2 of the fitted rows; no inflation."""
    training = msgspec.structs.replace(trained().training, variance_inflation=None)
    artifact = msgspec.structs.replace(trained(), training=training)
    file = parse_artifact(artifact.to_file(None))
    fit = statistics_of(file)
    assert fit is not None
    assert (fit.r2, fit.f) == (None, None)
    assert fit.aic is not None
    assert [one.variance_inflation for one in coefficients_of(file)] == [None] * 3


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., Path]:
    """store(data=...): trains m-v1 into a folder, which it returns."""

    def make(**fields: Any) -> Path:
        (tmp_path / "m-v1.json").write_bytes(
            train(Task("m", "v1", **fields), tmp_path).to_file(datetime(2026, 3, 1, 11, tzinfo=UTC).isoformat())
        )
        return tmp_path

    return make


def test_version_of_a_folder_is_described_whole(store: Callable[..., Path]) -> None:
    """Coefficients, fit, evaluation, columns, facts; as JSON with all numbers."""
    fields = {"target": "progression", "features": ("bmi", "bp"), "holdout_percent": 25, "seed": 3}
    folder = store(data=FileData(str(DIABETES)), **fields)
    answer = run("version", "m-v1", "--dir", folder)
    assert answer.exit_code == 0, answer.output
    file = parse_artifact((folder / "m-v1.json").read_bytes())
    lines = [" ".join(line.split()) for line in answer.stdout.splitlines()]
    assert lines[:2] == [f"{file.digest}, trained 2026-03-01T11:00:00+00:00", "target: progression"]
    assert "COEFFICIENT VALUE STD ERROR T 2.5 % 97.5 % VIF" in lines
    assert any(line.startswith("intercept ") and line.endswith(" -") for line in lines)
    training = file.artifact.training
    assert training is not None
    assert f"rows fitted {training.samples}" in lines
    assert f"rows held out {442 - training.samples} (25 %, seed 3)" in lines
    assert "EVALUATED ON ROWS MSE R2 50 % WITHIN 80 % WITHIN 90 % WITHIN 95 % WITHIN 99 % WITHIN" in lines
    assert any(line.startswith("progression (target) ") for line in lines)
    assert any(line.startswith("data: sha256 9193026b7622ff94") for line in lines)
    body = json.loads(run("version", "m-v1", "--dir", folder, "-o", "json").stdout)
    assert body["digest"] == file.digest
    assert [one["name"] for one in body["statistics"]["coefficients"]] == ["intercept", "bmi", "bp"]
    assert body["statistics"]["fit"] == json.loads(msgspec.json.encode(statistics_of(file)))
    assert run("version", "--artifact", folder / "m-v1.json").stdout == answer.stdout


def test_version_of_local_mode_is_read_from_its_state(store: Callable[..., Path]) -> None:
    """The artifact that the status names, though a file of that name is there."""
    folder = store(data=SyntheticData(50, 2, 0.1))
    weights = '{"coefficients": {"area": 12.3}, "intercept": 150}'
    objects = folder / ".linplane/objects"
    for plural, name, body in (
        ("linearmodels", "m-v1", {"status": {"artifact": "linplane-m-v1-x"}}),
        ("linearmodels", "m-v2", {}),
        ("configmaps", "linplane-m-v1-x", {"data": {"model.json": weights}}),
    ):
        (objects / plural).mkdir(parents=True, exist_ok=True)
        (objects / plural / f"{name}.json").write_text(json.dumps(body))
    answer = run("version", "m-v1", "--dir", folder)
    assert answer.exit_code == 0, answer.output
    assert [line.split() for line in answer.stdout.splitlines()[-2:]] == [
        ["intercept", "150", *"-----"],
        ["area", "12.3", *"-----"],
    ]
    assert json.loads(run("version", "m-v1", "--dir", folder, "-o", "json").stdout)["statistics"]["fit"] is None
    assert (
        "version m-v2 has no artifact: see `linplane get version m-v2`"
        in run("version", "m-v2", "--dir", folder).stderr
    )


def test_what_cannot_be_described_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    for arguments, message, code in (
        (["version", "m-v9", "--dir", tmp_path], "has no version m-v9, neither in a state nor trained", 1),
        (["version", "bad", "--dir", tmp_path], "bad.json: coefficients: is missing", 1),
        (["routes", "rent"], "versions are what can be described", 2),
        ([], "versions are what can be described", 2),
        (["version"], "one NAME is needed", 2),
        (["version", "a", "b"], "one NAME is needed", 2),
        (["version", "a", "--artifact", tmp_path / "bad.json"], "one NAME is needed", 2),
        (["version", "--artifact", tmp_path / "bad.json", "--state", tmp_path], "--state is for --dir", 2),
    ):
        answer = run(*arguments)
        assert message in answer.stderr
        assert answer.exit_code == code

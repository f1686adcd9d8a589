"""`linplane describe`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from . import grammar
from .grammar import Kind
from .output import output_option, print_json, print_table, say
from .reading import artifact_of_version, read_artifact

if TYPE_CHECKING:
    from linplane_api.artifact import ArtifactFile
    from linplane_api.facts import Facts

    from .fit_statistics import Coefficient, FitStatistics

UNKNOWN = "-"


@click.command(
    epilog="""\b
Examples:
  linplane describe version penguin-mass-v1 --dir manifests/examples/penguins
  linplane describe version --artifact rent-v1.json -o json
"""
)
@grammar.kind()
@grammar.names()
@grammar.folder("The folder of manifests, or of artifacts that `train` made.")
@grammar.state()
@grammar.artifact("This artifact, without NAME.")
@output_option
@click.pass_context
def describe(  # noqa: PLR0913, PLR0917 - one parameter per option
    ctx: click.Context,
    kind: Kind | None,
    names: tuple[str, ...],
    folder: Path,
    state: Path | None,
    artifact: Path | None,
    output: str,
) -> None:
    """Print what a training found: coefficients with their precision, the fit, its rows and what is known of them."""
    if kind is not grammar.VERSION:
        raise click.UsageError("versions are what can be described: linplane describe version NAME")
    place = grammar.chosen_place(ctx)
    if place != "--dir" and ctx.get_parameter_source("state") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--state is for --dir")
    if (artifact is not None) == bool(names) or len(names) > 1:
        raise click.UsageError("one NAME is needed, or --artifact without a NAME")
    from .fit_statistics import coefficients_of, statistics_of

    file = read_artifact(artifact) if artifact is not None else artifact_of_version(folder, state, names[0])
    coefficients, statistics = coefficients_of(file), statistics_of(file)
    if output == "json":
        import msgspec

        found = {"coefficients": coefficients, "fit": statistics}
        print_json({**msgspec.to_builtins(file), "statistics": msgspec.to_builtins(found)})
        return
    _print(file, coefficients, statistics)


def _print(file: "ArtifactFile", coefficients: "Sequence[Coefficient]", statistics: "FitStatistics | None") -> None:
    artifact = file.artifact
    trained = f", trained {file.trained_at}" if file.trained_at else ""
    say(f"{file.digest}{trained}\ntarget: {artifact.target or 'unknown'}\n")
    print_coefficients(coefficients)
    if artifact.training is None or statistics is None:
        return
    say()
    print_table(("statistic", "value"), list(_statistics(file, statistics)))
    say()
    _print_evaluation(file)
    say()
    _print_columns(file)
    if file.facts is not None and (lines := list(_facts(file.facts))):
        say("\n" + "\n".join(lines))


def print_coefficients(coefficients: "Sequence[Coefficient]") -> None:
    """The table of coefficients, `-` for what is not known."""
    headers = ("coefficient", "value", "std error", "t", "2.5 %", "97.5 %", "vif")
    print_table(
        headers,
        [
            (one.name, *map(number, (one.value, one.standard_error, one.t, one.low, one.high, one.variance_inflation)))
            for one in coefficients
        ],
    )


def number(value: float | None) -> str:
    """Six digits, `-` for None."""
    return UNKNOWN if value is None else f"{value:.6g}"


def _statistics(file: "ArtifactFile", fit: "FitStatistics") -> Iterator[tuple[str, str]]:
    training = file.artifact.training
    assert training is not None
    held = training.evaluation.samples if training.evaluation.on == "Holdout" else 0
    yield "rows fitted", str(training.samples)
    yield "rows held out", f"{held} ({training.holdout_percent} %, seed {training.seed}{_by_key(training.holdout_key)})"
    yield "rows dropped", str(training.dropped_rows)
    yield "ridge", number(training.ridge)
    yield "degrees of freedom", str(fit.degrees)
    yield "noise", number(fit.noise)
    yield "R2", number(fit.r2)
    yield "adjusted R2", number(fit.adjusted_r2)
    degrees = "" if fit.f_degrees is None else f" ({fit.f_degrees[0]} and {fit.f_degrees[1]} degrees of freedom)"
    yield "F", number(fit.f) + degrees
    yield "AIC", number(fit.aic)
    yield "BIC", number(fit.bic)


def _by_key(key: str | None) -> str:
    return "" if key is None else f", by {key}"


def _print_evaluation(file: "ArtifactFile") -> None:
    training = file.artifact.training
    assert training is not None
    evaluation = training.evaluation
    quantiles = evaluation.residual_quantiles or ()
    headers = ("evaluated on", "rows", "mse", "r2", *(f"{one.percent} % within" for one in quantiles))
    numbers = (evaluation.mse, file.r2, *(one.value for one in quantiles))
    print_table(headers, [(evaluation.on, evaluation.samples, *map(number, numbers))])


def _print_columns(file: "ArtifactFile") -> None:
    training, target = file.artifact.training, file.facts.target if file.facts else None
    assert training is not None
    columns = list(zip(file.artifact.features, training.feature_statistics, strict=True))
    columns += [] if target is None else [(f"{file.artifact.target or 'target'} (target)", target)]
    rows = [(name, *map(number, (one.minimum, one.maximum, one.mean, one.standard_deviation))) for name, one in columns]
    print_table(("column", "minimum", "maximum", "mean", "deviation"), rows)


def _facts(facts: "Facts") -> Iterator[str]:
    if facts.left_out:
        more = facts.left_out_count - len(facts.left_out)
        yield "left out: " + ", ".join(one.column for one in facts.left_out) + (f" and {more} more" if more else "")
    yield from (f"warning: {one.reason}: {one.message}" for one in facts.warnings)
    if facts.sha256:
        yield f"data: sha256 {facts.sha256}"
    if facts.software:
        yield "trained by: " + ", ".join(f"{name} {version}" for name, version in sorted(facts.software.items()))

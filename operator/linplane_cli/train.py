"""`linplane train`."""

from pathlib import Path
from typing import Any

import click

from . import grammar
from .describe import number, print_coefficients
from .output import fail, output_option, print_json, print_table, say
from .train_credentials import environment_credentials
from .train_options import make_task, option_of, task_options

LISTED = 32  # coefficients, as many as a status lists


@click.command(
    epilog="""\b
Examples:
  linplane train v3 --samples 200 --noise 0.2
  linplane train v1 --model rent --data flats.csv --target rent --features area,rooms
  linplane train v1 --model rent --query 'select area, rooms, rent from flats' --target rent
"""
)
@grammar.name(grammar.VERSION, former="--version")
@task_options
@grammar.folder("The folder for artifacts.", exists=False, former="--store")
@click.option("--replace", is_flag=True, help="Replace a version that exists.")
@output_option
def train(folder: Path, replace: bool, output: str, **options: Any) -> None:
    """Train one version, store its artifact, and verify it as a server would."""
    import os
    import sys
    from datetime import UTC, datetime

    from linplane_api.canonical import FormatError
    from linplane_trainer.cpus import thread_count
    from linplane_trainer.errors import TrainerError
    from linplane_trainer.model_store import train_to_store
    from linplane_trainer.progress import progress_bar

    from .fit_statistics import coefficients_of

    try:
        task = make_task(options, os.environ)
        credentials = environment_credentials(task, os.environ)
        folder.mkdir(parents=True, exist_ok=True)
        with progress_bar(f"{task.model}-{task.version}", sys.stderr) as progress:
            stored = train_to_store(
                task,
                folder,
                Path(),
                lambda: datetime.now(UTC),
                replace=replace,
                progress=progress,
                credentials=credentials,
                threads=thread_count(),
            )
    except FormatError as error:
        raise click.UsageError(f"{option_of(error.path)}: {error.problem.replace('`', '')}") from error
    except TrainerError as error:
        source = options["data"] or options["query_file"] or (options["query"] and "the query")
        fail(f"{source}: {error}" if source else str(error))
    except OSError as error:
        fail(f"{error.filename or folder}: {error.strerror or error}")
    training = stored.artifact_file.artifact.training
    assert training is not None
    if output == "json":
        import msgspec

        print_json({**msgspec.to_builtins(stored.artifact_file), "path": str(stored.path)})
        return
    evaluation = training.evaluation
    coefficients = coefficients_of(stored.artifact_file)
    most = LISTED + int(training.fit_intercept)
    print_coefficients(coefficients[:most])
    if len(coefficients) > most:
        say(f"and {len(coefficients) - most} more, which -o json prints")
    say()
    print_table(
        ("version", "samples", "dropped", "on", "mse", "r2", "noise"),
        [
            (
                f"{task.model}-{task.version}",
                training.samples,
                training.dropped_rows,
                evaluation.on,
                *map(number, (evaluation.mse, evaluation.r2)),
                "" if training.noise is None else number(training.noise),
            )
        ],
    )
    warnings = stored.artifact_file.facts.warnings if stored.artifact_file.facts else ()
    if warnings:
        say("\n" + "\n".join(f"warning: {warning.reason}: {warning.message}" for warning in warnings))
    say(f"\nstored and checked: {stored.path}\n{stored.artifact_file.digest}")

"""What `linplane train` is asked to do: its options, and the Task that they make."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .grammar import Decorator, Function

OPTIONS: tuple[Decorator, ...] = (
    click.option("--model", default="model", show_default=True, help="The model's name, a DNS label."),
    click.option("--samples", type=click.IntRange(2), help="Generate this many rows instead of reading data."),
    click.option("--noise", default=0.1, show_default=True, help="Standard deviation of the noise of generated rows."),
    click.option("--feature-count", default=3, show_default=True, help="Number of features of generated rows."),
    click.option(
        "--data", help="A CSV with a header or Parquet, a folder of such files, or its URL: http(s), s3://BUCKET/PATH."
    ),
    click.option("--query", help="Read the rows of this query to PostgreSQL: PGHOST, PGDATABASE, PGUSER say where."),
    click.option("--query-file", help="The file with that query."),
    click.option("--target", help="The target column."),
    click.option("--features", help='Feature columns, comma-separated: a,"b, c"  [default: every numeric one].'),
    click.option("--exclude", help="Numeric columns that are no features, comma-separated."),
    click.option("--separator", help="The character between two values of the CSV, or `tab`  [default: a comma]."),
    click.option("--decimal", type=click.Choice([".", ","]), help="The decimal mark of the CSV  [default: a point]."),
    click.option("--null-value", multiple=True, help="A word for a gap in the CSV, such as -999; repeatable."),
    click.option("--fit-intercept/--no-fit-intercept", default=True, show_default=True, help="Fit an intercept."),
    click.option("--ridge", default=0.0, show_default=True, type=click.FloatRange(0), help="L2 penalty."),
    click.option(
        "--holdout-percent",
        default=20,
        show_default=True,
        type=click.IntRange(0, 90),
        help="Percentage of rows held out.",
    ),
    click.option("--holdout-key", help="A column by which rows are held out  [default: the place in the data]."),
    click.option(
        "--seed",
        default=0,
        show_default=True,
        type=click.IntRange(0, 2**31 - 1),
        help="Seed of generated rows and of the holdout.",
    ),
    click.option("--allowed-host", multiple=True, help="Allow data from this host only; repeatable  [default: any]."),
)
"""Those of the training itself; where its result goes is the command's matter."""


def task_options(function: Function) -> Function:
    """Adds OPTIONS, listed by the help in their order."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def make_task(options: dict[str, Any], environment: Mapping[str, str]) -> Any:
    """The Task of the options; where a query goes is in the environment. Raises click.UsageError or FormatError."""
    from linplane_api.canonical import convert
    from linplane_api.routing import Label, VersionName
    from linplane_api.task import Task

    _check(options["model"], Label, "--model: lower-case letters, digits and hyphens are needed, at most 63")
    _check(options["version"], VersionName, "VERSION: lower-case letters, digits and dots are needed, at most 32")
    data = _data(options, environment)
    features, exclude = _names(options, "features"), _names(options, "exclude")
    if features and exclude:
        raise click.UsageError("--exclude: of listed --features none can be left out")
    same = ("model", "version", "target", "ridge", "seed")
    body = {name: options[name] for name in same} | {"data": data, "features": features or None, "exclude": exclude}
    body |= {"fitIntercept": options["fit_intercept"], "holdoutPercent": options["holdout_percent"]}
    body |= {"holdoutKey": options["holdout_key"] or None}
    return convert(body, Task, "")


def _data(options: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The `data` of the Task. Raises click.UsageError unless there is exactly one source."""
    given = [name for name in ("samples", "data", "query", "query_file") if options[name] is not None]
    if len(given) != 1:
        raise click.UsageError("exactly one of --samples, --data, --query and --query-file is needed")
    if given == ["samples"]:
        return _generated(options)
    data, csv = options["data"], _csv_options(options)
    if not options["target"]:
        raise click.UsageError(f"--target is needed with --{given[0].replace('_', '-')}")
    if data is None:
        return _query(options, csv, environment)
    if data.startswith("s3://"):
        return _bucket(options, environment) | csv
    if "://" in data:
        return {"from": "uri", "uri": data, "allowedHosts": options["allowed_host"], "allowFile": True} | csv
    return {"from": "file", "path": str(Path(data).absolute())} | csv


def _query(options: dict[str, Any], csv: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The host is as trusted as the user who named it in the environment. Raises click.UsageError or OSError."""
    if csv:
        raise click.UsageError("the rows of a query are no CSV: leave out --separator, --decimal and --null-value")
    query = options["query"]
    if query is None:
        try:
            query = Path(options["query_file"]).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise click.UsageError("--query-file: the file is not text in UTF-8") from error
    if not query.strip():
        raise click.UsageError("the query is empty")
    hosts = options["allowed_host"] or [environment.get("PGHOST", "")]
    return {"from": "postgres", "query": query, "allowedHosts": [host for host in hosts if host], "allowSocket": True}


def _bucket(options: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The AWS SDK finds credentials, and a region that is not given, in the environment and in ~/.aws. The endpoint is
    as trusted as the user who named it in the environment. Raises click.UsageError.
    """
    from urllib.parse import urlsplit

    bucket, _, path = options["data"].removeprefix("s3://").partition("/")
    if not bucket or not path or path.startswith("/") or "//" in path or "@" in bucket:
        raise click.UsageError(
            "--data: a bucket and a path are needed, as s3://rows/sales/2026.csv or s3://rows/sales/"
        )
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    place = urlsplit(endpoint or "")
    if endpoint and (place.scheme not in ("http", "https") or not place.hostname or place.path.strip("/")):
        raise click.UsageError("AWS_ENDPOINT_URL: http:// or https:// with a host and no path is needed")
    hosts = options["allowed_host"] or [place.hostname]
    found = {"bucket": bucket, "path": path, "region": region or None, "endpoint": endpoint and endpoint.rstrip("/")}
    return {"from": "s3", "ambient": True, "allowedHosts": [host for host in hosts if host], **found}


def _generated(options: dict[str, Any]) -> dict[str, Any]:
    if options["target"] or options["features"] or options["exclude"]:
        raise click.UsageError("generated rows have their own columns: leave out --target and --features or --exclude")
    if options["holdout_key"]:
        raise click.UsageError("generated rows have no column for a key: leave out --holdout-key")
    if options["separator"] or options["decimal"] or options["null_value"]:
        raise click.UsageError("generated rows are no CSV: leave out --separator, --decimal and --null-value")
    sizes = {"samples": options["samples"], "featureCount": options["feature_count"]}
    return {"from": "synthetic", "noise": options["noise"]} | sizes


def _names(options: dict[str, Any], option: str) -> list[str]:
    """The columns of an option, which may be quoted as in a CSV. Raises click.UsageError."""
    import csv

    try:
        names = next(csv.reader([options[option] or ""], skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise click.UsageError(f'--{option}: quotes are misplaced; a name with a comma is written as "a, b"') from error
    return [name.strip() for name in names]


def _csv_options(options: dict[str, Any]) -> dict[str, Any]:
    """How the CSV is written, empty if the usual way. Raises click.UsageError."""
    from linplane_api.task import SEPARATORS

    separator, decimal, null_values = options["separator"], options["decimal"], options["null_value"]
    if not (separator or decimal or null_values):
        return {}
    separator = {"tab": "\t", None: ","}.get(separator, separator)
    if len(separator) != 1 or separator not in SEPARATORS:
        raise click.UsageError("--separator: `tab` or one character is needed, but no letter, digit, quote or point")
    if decimal == separator:
        raise click.UsageError("--decimal: a comma separates the values, unless --separator names another character")
    return {"csv": {"separator": separator, "decimal": decimal or ".", "nullValues": null_values}}


def option_of(path: str) -> str:
    """`data.featureCount` as `--feature-count`."""
    import re

    field = re.sub(r"\[.*", "", path).rpartition(".")[2]
    return "--" + re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", field)


def _check(value: str, kind: Any, text: str) -> None:
    from linplane_api.canonical import FormatError, convert

    try:
        convert(value, kind, "")
    except FormatError as error:
        raise click.UsageError(text) from error

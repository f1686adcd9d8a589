"""`linplane status | switch | freeze | unfreeze`: the admin port of a server, for people without curl."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .output import fail, output_option, print_json, print_table

TIMEOUT_SECONDS = 10.0


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--url", default="http://127.0.0.1:8081", show_default=True, help="The server's admin address."),
        click.option("--route", help="The route; needed where there is more than one."),
        click.option(
            "--token-file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A bearer token."
        ),
        output_option,
    ):
        command = option(command)
    return command


@click.command(epilog="\b\nExample:\n  linplane status --route penguin-mass")
@_options
def status(url: str, route: str | None, token_file: Path | None, output: str) -> None:
    """Print what this server answers with: versions, hits, errors, mean latency, and the switches that it saw."""
    body = _call("GET", f"{url}/status", token_file)
    routes = {name: r for name, r in body["routes"].items() if route in (None, name)}
    if route and not routes:
        fail(f"the server has no route {route}")
    if output == "json":
        print_json({**body, "routes": routes})
        return
    rows = [
        (name, version, "*" if version == r["current"] else "", v["hits"], v["errors"], _ms(v["meanLatencyMs"]))
        for name, r in sorted(routes.items())
        for version, v in sorted(r["versions"].items())
    ]
    click.echo(f"replica {body['replica']}, {'ready' if body['ready'] else 'not ready'}, sequence {body['sequence']}\n")
    print_table(("route", "version", "current", "hits", "errors", "mean ms"), rows)
    switches = [s for s in body["switches"] if route in (None, s["route"])]
    if switches:
        click.echo()
        print_table(("route", "from", "to", "at"), [(s["route"], s["from"], s["to"], s["at"]) for s in switches])


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _command(name: str, path: str, text: str, example: str) -> click.Command:
    @click.command(name, help=text, epilog=f"\b\nExample:\n  {example}")
    @click.argument("version")
    @_options
    def run(version: str, url: str, route: str | None, token_file: Path | None, output: str) -> None:
        from urllib.parse import urlencode

        query = urlencode({"version": version, **({"route": route} if route else {})})
        body = _call("POST", f"{url}{path}?{query}", token_file)
        if output == "json":
            print_json(body)
        else:
            click.echo(body.get("message") or body.get("detail") or f"{name}: {version}")

    return run


switch = _command(
    "switch",
    "/switch_model",
    "Make VERSION the current version of a route: refused, with the reason, where it could not serve.",
    "linplane switch v2 --route penguin-mass",
)
freeze = _command("freeze", "/freeze", "Freeze VERSION: it answers nothing until it is unfrozen.", "linplane freeze v1")
unfreeze = _command("unfreeze", "/unfreeze", "Unfreeze VERSION.", "linplane unfreeze v1")


def _call(method: str, url: str, token_file: Path | None) -> dict[str, Any]:
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, Request, build_opener

    if not url.startswith(("http://", "https://")):
        raise click.UsageError("--url must begin with http:// or https://")
    headers = {"Accept": "application/json"}
    if token_file:
        headers["Authorization"] = f"Bearer {token_file.read_text(encoding='utf-8').strip()}"
    request = Request(url, method=method, headers=headers)  # noqa: S310 - the scheme was checked
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_SECONDS) as answer:
            result: dict[str, Any] = json.load(answer)
            return result
    except HTTPError as error:
        fail(_reason(error.read()) or f"{error.code} {error.reason}")
    except (URLError, OSError) as error:
        fail(f"{url.partition('?')[0]}: {getattr(error, 'reason', error)}")
    except ValueError:
        fail(f"{url.partition('?')[0]} did not answer with JSON: is it the admin port?")


def _reason(body: bytes) -> str:
    try:
        problem = json.loads(body)
        return f"{problem['status']} {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return ""

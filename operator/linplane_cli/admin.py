"""`linplane status | switch | freeze | unfreeze`: calls of a server's admin port."""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from . import grammar
from .output import fail, output_option, print_json, print_table, say
from .reading import running_admin_url

TIMEOUT_SECONDS = 10.0
NOT_ADMIN = "; is --url the admin port (8081 by default)?"


def _address(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command the address of its place as `url`. Raises click.UsageError."""

    @wraps(command)
    def run(*, folder: Path | None, state: Path | None, url: str, **given: Any) -> Any:
        ctx = click.get_current_context()
        of_folder = grammar.chosen_place(ctx) == "--dir"
        if not of_folder and ctx.get_parameter_source("state") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--state is for --dir")
        if of_folder and folder is not None:
            url = running_admin_url(folder, state)
        return command(url=url, **given)

    return run


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        _address,
        grammar.state(),
        grammar.folder("The folder of a running `linplane local`, instead of --url.", default=None),
        grammar.url(8081, "admin"),
        click.option(
            "--token-file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A bearer token."
        ),
        output_option,
    ):
        command = option(command)
    return command


@click.command(epilog="\b\nExample:\n  linplane status penguin-mass")
@grammar.name(grammar.ROUTE, required=False, former="--route")
@_options
def status(url: str, route: str | None, token_file: Path | None, output: str) -> None:
    """Print what this server serves: versions, hits, errors, mean latency, and the switches that it saw."""
    body = _call("GET", url, "/status", token_file)
    if not isinstance(body.get("routes"), dict):
        fail(f"{url} is not a server's admin port")
    routes = {name: r for name, r in body["routes"].items() if route in (None, name)}
    if route and not routes:
        fail(f"the server has no route {route}")
    if output == "json":
        print_json({**body, "routes": routes})
        return
    _print_status(route, body, routes)


def _print_status(route: str | None, body: dict[str, Any], routes: dict[str, Any]) -> None:
    say(f"replica {body['replica']}, {'ready' if body['ready'] else 'not ready'}, sequence {body['sequence']}\n")
    rows = []
    for name, found in sorted(routes.items()):
        shares = {share["version"]: f"{share['percent']:g}" for share in found["traffic"]}
        for version, v in sorted(found["versions"].items()):
            mark = "*" if version == found["current"] else ""
            rows.append(
                (name, version, mark, shares.get(version, "0"), v["hits"], v["errors"], _ms(v["meanLatencyMs"]))
            )
    print_table(("route", "version", "current", "percent", "hits", "errors", "mean ms"), rows)
    for name, found in sorted(routes.items()):
        if found["unavailable"]:
            say(f"{name}: the current version's share is answered 503: {found['unavailable']}", err=True)
    switches = [s for s in body["switches"] if route in (None, s["route"])]
    if switches:
        say()
        print_table(("route", "from", "to", "at"), [(s["route"], s["from"], s["to"], s["at"]) for s in switches])


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _command(name: str, path: str, text: str, example: str) -> click.Command:
    @click.command(name, help=text, epilog=f"\b\nExample:\n  {example}")
    @grammar.name(grammar.VERSION)
    @click.option("--route", help="Its route; needed if there is more than one.")
    @_options
    def run(version: str, url: str, route: str | None, token_file: Path | None, output: str) -> None:
        from urllib.parse import urlencode

        query = urlencode({"version": version, **({"route": route} if route else {})})
        body = _call("POST", url, f"{path}?{query}", token_file)
        if output == "json":
            print_json(body)
            return
        say(_outcome(body))
        for warning in body.get("warnings") or ():
            say(f"Warning: {warning}", err=True)

    return run


def _outcome(body: dict[str, Any]) -> str:
    """The effect of an admin call in one line."""
    if "to" in body:
        pending = "" if body.get("converged") else "; not every replica has loaded it yet"
        return f"{body.get('route')}: {body['to']} is the current version, before {body.get('from')}{pending}"
    which = f"{body.get('model')} {body.get('version')}"
    if body.get("frozen"):
        return f"{which} is frozen" + ("" if body.get("withdrawn") else "; a replica may still serve it")
    return f"{which} is not frozen" + ("" if body.get("observed") else "; not in effect yet")


switch = _command(
    "switch",
    "/switch_model",
    "Make VERSION the current version of a route: refused, with the reason, if it could not serve.",
    "linplane switch v2 --route penguin-mass",
)
freeze = _command("freeze", "/freeze", "Freeze VERSION: it serves nothing until it is unfrozen.", "linplane freeze v1")
unfreeze = _command("unfreeze", "/unfreeze", "Unfreeze VERSION.", "linplane unfreeze v1")


def _call(method: str, base: str, path: str, token_file: Path | None) -> dict[str, Any]:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, Request, build_opener

    if not base.startswith(("http://", "https://")):
        raise click.UsageError("--url must begin with http:// or https://")
    headers = {"Accept": "application/json"}
    if token_file:
        headers["Authorization"] = f"Bearer {_token(token_file)}"
    try:
        request = Request(base.rstrip("/") + path, method=method, headers=headers)  # noqa: S310 - the scheme was checked
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_SECONDS) as answer:
            result = json.load(answer)
            return result if isinstance(result, dict) else {}
    except HTTPError as error:
        body = error.read()
        fail((_reason(body) or f"{error.code} {error.reason}") + (NOT_ADMIN if _is_no_path(body) else ""))
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        shown = getattr(reason, "strerror", None) or reason
        fail(f"{base}: {shown}; is `linplane local` running, or a port-forward?")
    except (ValueError, HTTPException):
        fail(f"{base} did not answer with JSON: is it the admin port?")


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"token file {path}: {getattr(error, 'strerror', None) or 'is not plain text'}")


def _is_no_path(body: bytes) -> bool:
    """True for the answer of a Linplane server whose port does not have the path."""
    from linplane_api.names import PROBLEM_TYPE_PREFIX

    try:
        return bool(json.loads(body)["type"] == f"{PROBLEM_TYPE_PREFIX}no-path")
    except (ValueError, KeyError, TypeError):
        return False


def _reason(body: bytes) -> str:
    try:
        problem = json.loads(body)
        return f"{problem['status']} {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return ""

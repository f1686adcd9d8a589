"""A command that a person can paste to see a route answer."""

import json

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.kinds import CONFIG_MAP
from linplane_api.routing import parse_entry

from ..compile.objects import Object, data_of, name_of, status_of
from .store import Store

MAX_FEATURES = 8


def curl_line(route: Object, store: Store) -> str:
    """A prediction with a row that the version's artifact checks itself by; empty where that would not fit a line."""
    routing = store.get(CONFIG_MAP, names.routing_name(names.DEFAULT_SERVER)) or {}
    text = data_of(routing).get(names.route_key(name_of(route)))
    try:
        document = parse_entry(text).document if text else None
    except FormatError:
        return ""
    served = document.versions.get(document.current or "") if document else None
    if served is None or len(served.features) > MAX_FEATURES or not status_of(route).get("url"):
        return ""
    row = served.checks[-1].features if served.checks else (1.0,) * len(served.features)
    named = {name: float(f"{value:.3g}") for name, value in zip(served.features, row, strict=True)}
    body = json.dumps({"features": named}, ensure_ascii=False)
    if "'" in body:
        return ""
    return f"curl {status_of(route)['url']}/predict -H content-type:application/json -d '{body}'"

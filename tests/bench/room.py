"""How many routes fit one ModelServer, by features: its routing ConfigMap holds 1 MiB."""

import json
import random
from collections.abc import Sequence

from linplane_api.artifact import parse_artifact
from linplane_api.conditions import Cause, Reason
from linplane_api.resources import ModelRouteSpec, parse_spec
from linplane_operator.compile.artifacts import Verdict, Version
from linplane_operator.compile.routing import compile_document
from linplane_operator.compile.routing_map import Wanted, compile_map

from . import page

FEATURES = (1, 3, 10, 30, 100, 300)
NAMES = (("v1",), ("v1", "v2"))
MOST = 3000  # more than fit

TEXT = """Written by `make bench-cluster`: how many fit a routing ConfigMap, with coefficients of 17 digits and features
of 12 letters. A route with a candidate has the weights of two versions.

{table}"""


def measure() -> dict[str, str]:
    """The section."""
    rows = [
        [str(features), *(str(_fitting(features, names)) for names in (("v1",), ("v1", "v2")))] for features in FEATURES
    ]
    table = page.table(("features", "routes of one version", "routes of two versions"), rows)
    return {"Routes of one ModelServer": TEXT.format(table=table)}


def _fitting(features: int, names: Sequence[str]) -> int:
    draw = random.Random(features)
    versions = {name: Version(name, False, _verdict(draw, features)) for name in names}
    split = [{"version": name, "percent": 10} for name in names[1:]]
    spec = parse_spec({"spec": {"model": "penguin-mass", "version": names[0], "split": split}}, ModelRouteSpec)
    wanted = {}
    for number in range(MOST):
        name = f"penguin-mass-{number:04}"
        compiled = compile_document(name, spec, versions, None, replicas=2)
        wanted[name] = Wanted(compiled.entry, "")
    return len(compile_map(None, {}, wanted)[0].routes)


def _verdict(draw: random.Random, features: int) -> Verdict:
    coefficients = {f"feature_{number:04}": draw.gauss(0, 1) for number in range(features)}
    weights = json.dumps({"coefficients": coefficients, "intercept": draw.gauss(0, 1)})
    return Verdict(parse_artifact(weights), Cause(Reason.VALIDATED, "sound"))

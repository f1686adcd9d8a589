"""Artifacts and documents to begin from, made by hypothesis or by hand, and ways to damage their bytes."""

import json
import random
from typing import Any

from hypothesis import strategies as st

from linplane_api.artifact import Artifact, Evaluation, ResidualQuantile, Training, with_checks
from linplane_api.facts import ColumnStatistics
from linplane_api.routing import Candidate, RateLimit, RouteDocument, ServedVersion, SplitKey

CANARY = "canary-7f3a"
FINITE = st.floats(allow_nan=False, allow_infinity=False)
MILD = st.floats(min_value=-1e100, max_value=1e100)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def artifacts(draw: st.DrawFn) -> Artifact:
    """Any artifact without training facts, with its checks."""
    features = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    size = len(features)
    coefficients = draw(st.lists(FINITE, min_size=size, max_size=size))
    return with_checks(Artifact(tuple(features), tuple(coefficients), draw(FINITE), target=draw(st.none() | NAMES)))


def trained() -> Artifact:
    """An artifact with every field set."""
    statistics = ColumnStatistics(172.0, 231.0, 200.915, 14.0617)
    facts = Training(
        samples=333,
        dropped_rows=11,
        noise=393.26,
        evaluation=Evaluation("Holdout", 67, 151_000.25, 0.7589, "sha256:" + "5e" * 32, (ResidualQuantile(50, 260.5),)),
        fit_intercept=True,
        ridge=0.0,
        holdout_percent=20,
        seed=7,
        standard_errors=(1.518, 5.1),
        intercept_standard_error=307.33,
        feature_statistics=(statistics, statistics),
        software={"numpy": "2.1.0", "python": "3.11"},
        holdout_key="island",
        variance_inflation=(1.5, 12.5),
    )
    model = Artifact(("flipper", CANARY), (49.68, -0.1), -5780.83, target="mass", training=facts)
    return with_checks(model)


def document() -> RouteDocument:
    """A routing document with every field set."""
    model = trained()
    served = ServedVersion(model.digest, model.features, model.coefficients, model.intercept, model.checks)
    return RouteDocument(
        route="penguins",
        model="penguin-mass",
        current="v1",
        split=(Candidate("v2", 1025), Candidate("v3", 0)),
        split_key=SplitKey(CANARY, "X-User-Id"),
        versions={"v1": served, "v2": served},
        features_by_version={"v1": model.features, "v2": model.features, "v0": ("bill",)},
        previous="v0",
        rate_limit=RateLimit(50.0, 100, "Client", 2),
    )


def shuffled(text: bytes, seed: int) -> str:
    """The same JSON with the keys of every object in another order, and spaces."""
    chance = random.Random(seed)

    def mixed(value: Any) -> Any:
        if isinstance(value, dict):
            items = list(value.items())
            chance.shuffle(items)
            return {key: mixed(item) for key, item in items}
        return [mixed(item) for item in value] if isinstance(value, list) else value

    return json.dumps(mixed(json.loads(text)), indent=1)


def damaged(data: bytes, seed: int) -> bytes:
    """The same bytes cut, flipped, or with a field that is gone, not a number, or of another kind."""
    chance = random.Random(seed)
    way = seed % 5
    if way == 0:
        return data[: chance.randrange(len(data))]
    if way == 1:
        place = chance.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
    body = json.loads(data)
    parent, key = chance.choice(list(_places(body)))
    if way == 2:
        del parent[key]
    elif way == 3:
        parent[key] = chance.choice([float("nan"), float("inf"), -float("inf")])
    else:
        parent[key] = chance.choice([None, True, "text", [], {}, -1, 10**400, [[]], {"more": 1}])
    return json.dumps(body).encode()


def _places(value: Any) -> Any:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield value, key
        yield from _places(item)

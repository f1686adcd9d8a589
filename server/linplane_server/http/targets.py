"""Maps the path of a request to the prediction that it addresses: pure."""

from ..interfaces.mlflow import MLFLOW
from ..interfaces.native import NATIVE
from ..interfaces.v1 import V1_PROTOCOL
from ..interfaces.v2.infer import INFERENCE
from ..interfaces.v2.pages import MODELS, PREFIX
from ..predict.interface import Interface, Target

PREDICT = "/predict"
INVOCATIONS = "/invocations"
ROUTES = "/routes/"
V1_MODELS = "/v1/models/"
V1_PREDICT = ":predict"
V2_MODELS = PREFIX + MODELS
V2_INFER = "/infer"

_BY_HOST = {PREDICT: Target(NATIVE), INVOCATIONS: Target(MLFLOW)}
_BY_NAME: tuple[tuple[str, str, Interface], ...] = (
    (ROUTES, PREDICT, NATIVE),
    (ROUTES, INVOCATIONS, MLFLOW),
    (V1_MODELS, V1_PREDICT, V1_PROTOCOL),
)
"""What is before the name of a route, what is after it, and the interface."""


def target_paths() -> list[tuple[str, Interface]]:
    """Returns the paths of all predictions, with `{route}` and `{version}` for the names."""
    model = f"{V2_MODELS}{{route}}"
    return [
        *((path, target.interface) for path, target in _BY_HOST.items()),
        *((f"{before}{{route}}{after}", interface) for before, after, interface in _BY_NAME),
        (model + V2_INFER, INFERENCE),
        (f"{model}/versions/{{version}}{V2_INFER}", INFERENCE),
    ]


def find_target(path: str) -> Target | None:
    """Returns the target of a prediction; None if nothing is predicted at this path."""
    for before, after, interface in _BY_NAME:
        if path.startswith(before) and path.endswith(after):
            name = path[len(before) : -len(after)]
            return Target(interface, name) if name and "/" not in name else None
    if path.startswith(V2_MODELS) and path.endswith(V2_INFER):
        return _v2_target(path[len(V2_MODELS) : -len(V2_INFER)].split("/"))
    return _BY_HOST.get(path)


def below(root_path: str, path: str) -> str:
    """Returns a path without the prefix `root_path`, if it has it: some proxies remove it, and others do not."""
    rest = path.removeprefix(root_path)
    return rest or "/" if root_path and rest != path and rest[:1] in ("", "/") else path


def _v2_target(parts: list[str]) -> Target | None:
    """`parts` are those between `models` and `infer`: ROUTE, or ROUTE, `versions`, VERSION."""
    if not all(parts):
        return None
    if len(parts) == 1:
        return Target(INFERENCE, parts[0])
    if len(parts) == 3 and parts[1] == "versions":
        return Target(INFERENCE, parts[0], parts[2])
    return None

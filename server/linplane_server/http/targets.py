"""Maps the path of a request to the prediction that it addresses: pure."""

from ..interfaces.native import NATIVE
from ..interfaces.v2.infer import INFERENCE
from ..predict.interface import Target

PREDICT = "/predict"
ROUTES = "/routes/"
V2_MODELS = "/v2/models/"
V2_INFER = "/infer"

_BY_HOST = Target(NATIVE)


def find_target(path: str) -> Target | None:
    """Returns the target of a prediction; None if nothing is predicted at this path."""
    if path == PREDICT:
        return _BY_HOST
    if path.startswith(ROUTES) and path.endswith(PREDICT):
        name = path[len(ROUTES) : -len(PREDICT)]
        return Target(NATIVE, name) if name and "/" not in name else None
    if path.startswith(V2_MODELS) and path.endswith(V2_INFER):
        return _v2_target(path[len(V2_MODELS) : -len(V2_INFER)].split("/"))
    return None


def _v2_target(parts: list[str]) -> Target | None:
    """`parts` are those between `models` and `infer`: ROUTE, or ROUTE, `versions`, VERSION."""
    if not all(parts):
        return None
    if len(parts) == 1:
        return Target(INFERENCE, parts[0])
    if len(parts) == 3 and parts[1] == "versions":
        return Target(INFERENCE, parts[0], parts[2])
    return None

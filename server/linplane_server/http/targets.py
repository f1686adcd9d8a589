"""Maps the path of a request to the prediction that it addresses: pure."""

from ..interfaces.native import NATIVE
from ..predict.interface import Target

PREDICT = "/predict"
ROUTES = "/routes/"

_BY_HOST = Target(NATIVE)


def find_target(path: str) -> Target | None:
    """Returns the target of a prediction; None if nothing is predicted at this path."""
    if path == PREDICT:
        return _BY_HOST
    if path.startswith(ROUTES) and path.endswith(PREDICT):
        name = path[len(ROUTES) : -len(PREDICT)]
        return Target(NATIVE, name) if name and "/" not in name else None
    return None

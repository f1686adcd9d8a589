"""A fleet of LinearModels and ModelRoutes to load an API server with: every version has weights of its own."""

import json
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from cluster.client import Client
from linplane_api.names import API_VERSION

Object = dict[str, Any]

VERSIONS = 20
FEATURES = 5
FROZEN = 2  # the oldest versions of each model
THREADS = 4


def model_names(routes: int) -> list[str]:
    """One model a route."""
    return [f"m{number:03}" for number in range(routes)]


def objects(routes: int, versions: int = VERSIONS) -> Iterator[Object]:
    """ConfigMaps with weights, LinearModels, then a ModelRoute a model; of equal arguments the same ones."""
    draw = random.Random(1)
    for name in model_names(routes):
        data = {f"v{n}": json.dumps(_weights(draw)) for n in range(1, versions + 1)}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    for name in model_names(routes):
        for number in range(1, versions + 1):
            yield linear_model(name, f"v{number}", frozen=number <= FROZEN < versions)
    for name in model_names(routes):
        spec = {"model": name, "version": f"v{versions}"}
        yield {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": name}, "spec": spec}


def linear_model(model: str, version: str, *, frozen: bool = False) -> Object:
    """A version whose weights are in the ConfigMap of its model."""
    spec: Object = {"model": model, "version": version, "weights": {"configMapKeyRef": {"name": model, "key": version}}}
    if frozen:
        spec["frozen"] = True
    metadata = {"name": f"{model}-{version}"}
    return {"apiVersion": API_VERSION, "kind": "LinearModel", "metadata": metadata, "spec": spec}


def _weights(draw: random.Random) -> Object:
    features = [f"x{number}" for number in range(FEATURES)]
    return {"coefficients": {feature: draw.gauss(0, 1) for feature in features}, "intercept": draw.gauss(0, 1)}


def at_once(work: Callable[[Client, Any], object], items: Iterable[Any], clients: Sequence[Client]) -> None:
    """Does the work for each item, a thread a client. Raises what a thread raised."""
    waiting, lock = iter(list(items)), threading.Lock()
    failed: list[BaseException] = []

    def run(client: Client) -> None:
        try:
            while not failed:
                with lock:
                    item = next(waiting, None)
                if item is None:
                    return
                work(client, item)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]

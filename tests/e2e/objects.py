"""The objects that the stories apply."""

from typing import Any

Object = dict[str, Any]
API = "linplane.dev/v1alpha1"
WEIGHTS = '{"coefficients": {"area": %s}, "intercept": %s}'


def version(model: str, version: str, **spec: Any) -> Object:
    """A LinearModel."""
    return {
        "apiVersion": API,
        "kind": "LinearModel",
        "metadata": {"name": f"{model}-{version}"},
        "spec": {"model": model, "version": version, **spec},
    }


def trained(model: str, version_: str, data: Object, **training: Any) -> Object:
    """A LinearModel with a training."""
    return version(model, version_, training={"data": data, **training})


def handmade(model: str, version_: str, slope: float, intercept: float) -> tuple[Object, Object]:
    """A LinearModel of hand-written weights, with one feature `area`, and the ConfigMap of its weights."""
    name = f"{model}-{version_}"
    weights = config_map(name, {"model.json": WEIGHTS % (slope, intercept)})
    return weights, version(model, version_, weights={"configMapKeyRef": {"name": name, "key": "model.json"}})


def route(model: str, current: str, name: str = "", **spec: Any) -> Object:
    """A ModelRoute with the name of its model, unless `name` is given."""
    return {
        "apiVersion": API,
        "kind": "ModelRoute",
        "metadata": {"name": name or model},
        "spec": {"model": model, "version": current, **spec},
    }


def server(name: str = "default", **spec: Any) -> Object:
    """A ModelServer."""
    return {"apiVersion": API, "kind": "ModelServer", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, data: dict[str, str]) -> Object:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def service(name: str, port: int) -> Object:
    """A Service in front of pods labelled `app=NAME`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": port}]},
    }

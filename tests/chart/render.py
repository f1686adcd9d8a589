"""Renders the chart as Helm does, without a cluster and without a helm binary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).parents[2] / "helm/linplane"
RELEASE = "linplane"
NAMESPACE = "linplane-system"

Values = Mapping[str, Any]
Object = dict[str, Any]


def render_text(values: Values | None = None, *, release: str = RELEASE, namespace: str = NAMESPACE) -> dict[str, str]:
    """The rendered text by template, such as `operator/deployment.yaml`; templates that give nothing are left out.
    Raises helm_python.HelmError, also for values that the schema refuses.
    """
    with helm_python.Chart.load(CHART) as chart:
        rendered = chart.render(dict(values or {}), name=release, namespace=namespace, is_install=True)
    texts = {path.split("/templates/", 1)[1]: text for path, text in rendered.items()}
    return {path: texts[path] for path in sorted(texts) if texts[path].strip()}


def objects(texts: Mapping[str, str]) -> list[Object]:
    """The objects of rendered templates, in the order of their paths."""
    parsed = [yaml.load_all(text, yaml.CSafeLoader) for path, text in texts.items() if path.endswith(".yaml")]
    return [body for bodies in parsed for body in bodies if body]


def render(values: Values | None = None, **names: str) -> list[Object]:
    """Every object of an installation, including those of `helm test`."""
    return objects(render_text(values, **names))


def is_hook(body: Object) -> bool:
    """True if only `helm test` creates it."""
    return "helm.sh/hook" in (body["metadata"].get("annotations") or {})

"""manifests/install.yaml: the chart's default, for people without Helm."""

import re

from .render import NAMESPACE, is_hook, objects, render_text

HEAD = f"""# Linplane without Helm: kubectl apply --server-side -f manifests/install.yaml
# Rendered from helm/linplane with its default values by `make generate`.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/name: linplane
    app.kubernetes.io/part-of: linplane
    pod-security.kubernetes.io/enforce: restricted
"""


def manifest() -> str:
    """The YAML of all objects of the chart, without Helm's own labels, annotations and hooks."""
    parts = [HEAD]
    for path, text in render_text().items():
        if not path.endswith(".yaml") or all(is_hook(body) for body in objects({path: text})):
            continue
        plain = re.sub(r"^ +helm\.sh/chart: .*\n", "", text, flags=re.MULTILINE)
        plain = plain.replace("app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kubectl")
        plain = plain.replace("  annotations: {helm.sh/resource-policy: keep}\n", "")
        parts.append(plain.strip().removeprefix("---").strip() + "\n")
    return "---\n".join(parts)

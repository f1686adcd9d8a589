"""The text of the templates that are generated from other files: CRDs, policies, the operator's permissions."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CRDS = Path(__file__).parents[2] / "crds"
LABELS = '  labels: {{{{- include "linplane.labels" (list . "{component}") | nindent 4 }}}}\n'
KEEP = """  {{- if .Values.crds.keep }}
  annotations: {helm.sh/resource-policy: keep}
  {{- end }}
"""
POLICY_LABELS = "  labels: {app.kubernetes.io/name: linplane, app.kubernetes.io/component: policy}\n"
ACTIONS = "  validationActions: [Warn, Audit]\n"
CHOSEN = """  {{- $deny := or .Values.hardened (eq .Values.policies.versionInUse "Deny") }}
  validationActions: {{ ternary "[Deny]" "[Warn, Audit]" $deny }}
"""
GENERATED = "{{{{- /* Generated from {source} by `make generate`. */}}}}\n"


def crd_names() -> list[str]:
    """The files in crds/ that are CRDs."""
    return sorted(path.name for path in CRDS.glob("*.yaml") if path.name != "policies.yaml")


def crd(name: str) -> str:
    """The template of one CRD: its text, byte for byte, with labels, and kept at an uninstallation if so configured."""
    text = (CRDS / name).read_text(encoding="utf-8")
    title = f"  name: {name.removesuffix('.yaml')}.linplane.dev\n"
    assert text.count(title) == 1, f"{name}: its metadata is not as expected"
    assert "{{" not in text, f"{name}: Helm would take that for its own"
    text = text.replace(title, title + LABELS.format(component="crd") + KEEP)
    head = GENERATED.format(source=f"crds/{name}") + "{{- if .Values.crds.enabled }}\n"
    return f"{head}{text}{{{{- end }}}}\n"


def policies() -> str:
    """The template of the admission policies: their text, with labels, and a choice for what is in use."""
    text = (CRDS / "policies.yaml").read_text(encoding="utf-8")
    assert "{{" not in text, "policies.yaml: Helm would take that for its own"
    text = text.replace(POLICY_LABELS, LABELS.format(component="policy"))
    text = text.replace(ACTIONS, CHOSEN, 2)  # a version in use, a ModelServer in use
    head = GENERATED.format(source="crds/policies.yaml") + "{{- if .Values.policies.enabled }}\n"
    return f"{head}{text}{{{{- end }}}}\n"


def operator_rules(rules: Iterable[Mapping[str, Any]]) -> str:
    """The operator's rights as the rules of a Role."""
    lines = "".join(f"- {json.dumps(rule)}\n" for rule in rules)
    head = GENERATED.format(source="operator/linplane_operator/kube/permissions.py")
    return f'{head}{{{{- define "linplane.operatorRules" -}}}}\n{lines}{{{{- end -}}}}\n'

{{- /* Generated from operator/linplane_operator/kube/permissions.py by `make generate`. */}}
{{- define "linplane.operatorRules" -}}
- {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]}
- {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
- {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "list", "watch", "create", "patch"]}
- {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch", "create", "patch"]}
- {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "watch", "create", "patch"]}
- {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]}
- {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "list"]}
- {"apiGroups": ["linplane.dev"], "resources": ["linearmodels"], "verbs": ["get", "list", "watch"]}
- {"apiGroups": ["linplane.dev"], "resources": ["linearmodels/status"], "verbs": ["patch"]}
- {"apiGroups": ["linplane.dev"], "resources": ["modelroutes"], "verbs": ["get", "list", "watch"]}
- {"apiGroups": ["linplane.dev"], "resources": ["modelroutes/status"], "verbs": ["patch"]}
- {"apiGroups": ["linplane.dev"], "resources": ["modelservers"], "verbs": ["get", "list", "watch", "create", "patch"]}
- {"apiGroups": ["linplane.dev"], "resources": ["modelservers/status"], "verbs": ["patch"]}
- {"apiGroups": ["linplane.dev"], "resources": ["replicareports"], "verbs": ["get", "list", "watch", "delete", "create", "patch"]}
- {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["get", "list", "watch", "create", "patch"]}
- {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": ["get", "create", "patch"]}
- {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["get", "create", "patch"]}
{{- end -}}

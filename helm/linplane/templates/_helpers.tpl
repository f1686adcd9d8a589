{{/*
The prefix of all names: at most 46 characters, so that every name made of it is a DNS label, and beginning with a letter and
without dots, which Helm takes in a release's name and a Service does not.
*/}}
{{- define "linplane.fullname" -}}
{{- $name := .Release.Name -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if not (contains .Chart.Name .Release.Name) -}}
{{- $name = printf "%s-%s" .Release.Name .Chart.Name -}}
{{- end -}}
{{- regexReplaceAll "^([0-9])" ($name | replace "." "-") "r${1}" | trunc 46 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels of selectors, which never change. Call with (list . COMPONENT). */}}
{{- define "linplane.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ $.Chart.Name }}
app.kubernetes.io/instance: {{ $.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of every object. Call with (list . COMPONENT). */}}
{{- define "linplane.labels" -}}
{{- $ := index . 0 -}}
{{ include "linplane.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ $.Chart.Name }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name ($.Chart.Version | replace "+" "_") }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "linplane.operatorName" -}}
{{ include "linplane.fullname" . }}-operator
{{- end -}}

{{- define "linplane.serviceAccountName" -}}
{{- if .Values.operator.serviceAccount.create -}}
{{- .Values.operator.serviceAccount.name | default (include "linplane.operatorName" .) -}}
{{- else -}}
{{- required "operator.serviceAccount.name: needed where operator.serviceAccount.create is false" .Values.operator.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image's full name. Call with (list . IMAGE). */}}
{{- define "linplane.image" -}}
{{- $ := index . 0 -}}
{{- $image := index . 1 -}}
{{- $name := printf "%s/%s" (trimSuffix "/" $.Values.image.registry) $image.repository | trimPrefix "/" -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default $.Values.image.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A pod's part of the restricted profile. */}}
{{- define "linplane.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* A container's part of the restricted profile. */}}
{{- define "linplane.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Egress of operator, servers and trainers: DNS, at any address, and the API server. */}}
{{- define "linplane.clusterEgress" -}}
- ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
- ports:
  {{- range .Values.networkPolicies.apiServerPorts }}
  - {protocol: TCP, port: {{ . }}}
  {{- end }}
  {{- with .Values.networkPolicies.apiServer }}
  to: {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

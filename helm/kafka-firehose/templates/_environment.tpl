{{/* The data of the ConfigMap. What the chart sets itself can't disagree with what Kubernetes does. */}}
{{- define "kafka-firehose.configData" -}}
HTTP_ADDR: {{ printf ":%d" (int .Values.port) | quote }}
SHUTDOWN_TIMEOUT: {{ printf "%ds" (int .Values.shutdown.timeoutSeconds) | quote }}
{{- if .Values.nativeHistograms }}
METRICS_NATIVE_HISTOGRAMS: "true"
{{- end }}
{{- if include "kafka-firehose.hasRuntimeSettings" . }}
RUNTIME_SETTINGS_FILE: /etc/kafka-firehose/runtime/settings.json
{{- end }}
{{- range $name, $value := .Values.config }}
{{- with include "kafka-firehose.text" $value }}
{{ $name }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* env and envFrom of a container; the argument is a list of the root and the name of the ConfigMap. */}}
{{- define "kafka-firehose.environment" -}}
{{- $root := first . -}}
envFrom:
  - configMapRef: {name: {{ last . | quote }}}
  {{- with $root.Values.extraEnvFrom }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
{{- with include "kafka-firehose.env" $root }}
env:
  {{- trim . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "kafka-firehose.env" -}}
{{- if eq .Values.workload.kind "StatefulSet" }}
- name: KAFKA_GROUP_INSTANCE_ID
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{- range $name, $ref := .Values.secretEnv }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $ref.name | quote }}, key: {{ $ref.key | quote }}}}
{{- end }}
{{- range $name, $ref := .Values.files }}
- name: {{ $name }}
  value: {{ printf "%s/%s" (include "kafka-firehose.directory" $ref) $ref.key | quote }}
{{- end }}
{{- range $name, $_ := .Values.tokens }}
- name: {{ $name }}
  value: {{ printf "/etc/kafka-firehose/tokens/%s" $name | quote }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if kindIs "invalid" (index . "value") }}
- {{ tpl (toYaml (omit . "value")) $ | nindent 2 | trim }}
{{- else }}
- name: {{ tpl .name $ | quote }}
  value: {{ tpl (include "kafka-firehose.text" .value) $ | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where a Secret or ConfigMap of files is mounted. */}}
{{- define "kafka-firehose.directory" -}}
{{- if .secret }}/etc/kafka-firehose/secrets/{{ .secret }}{{ else }}/etc/kafka-firehose/configmaps/{{ .configMap }}{{ end -}}
{{- end -}}

{{/* The objects that files come from, each once: {"DIRECTORY": {"secret": NAME} or {"configMap": NAME}}. */}}
{{- define "kafka-firehose.sources" -}}
{{- $sources := dict -}}
{{- range .Values.files }}{{ $_ := set $sources (include "kafka-firehose.directory" .) (omit . "key") }}{{ end -}}
{{- toJson $sources -}}
{{- end -}}

{{/* Whole directories: what is mounted with subPath never changes. */}}
{{- define "kafka-firehose.mounts" -}}
{{- range $directory, $_ := include "kafka-firehose.sources" . | fromJson }}
- name: {{ include "kafka-firehose.volume" $directory }}
  mountPath: {{ $directory }}
  readOnly: true
{{- end }}
{{- if .Values.tokens }}
- name: tokens
  mountPath: /etc/kafka-firehose/tokens
  readOnly: true
{{- end }}
{{- if include "kafka-firehose.hasRuntimeSettings" . }}
- name: runtime-settings
  mountPath: /etc/kafka-firehose/runtime
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}

{{/* The argument is a list of the root and the name of the ConfigMap of the environment. */}}
{{- define "kafka-firehose.volumes" -}}
{{- $root := first . -}}
{{- $config := last . -}}
{{- with $root -}}
{{- range $directory, $source := include "kafka-firehose.sources" . | fromJson }}
- name: {{ include "kafka-firehose.volume" $directory }}
  {{- with $source.secret }}
  secret: {secretName: {{ . | quote }}, defaultMode: 288}
  {{- end }}
  {{- with $source.configMap }}
  configMap: {name: {{ . | quote }}, defaultMode: 288}
  {{- end }}
{{- end }}
{{- if .Values.tokens }}
- name: tokens
  projected:
    defaultMode: 288 # 0440 in octal
    sources:
      {{- range $name, $token := .Values.tokens }}
      - serviceAccountToken:
          audience: {{ $token.audience | quote }}
          expirationSeconds: {{ int ($token.expirationSeconds | default 3600) }}
          path: {{ $name }}
      {{- end }}
{{- end }}
{{- if include "kafka-firehose.hasRuntimeSettings" . }}
- name: runtime-settings
  configMap: {name: {{ printf "%s-runtime" $config | quote }}, defaultMode: 288}
{{- end }}
{{- with .Values.extraVolumes }}
{{ tpl (toYaml .) $root }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Whether the chart has the file of RUNTIME_SETTINGS_FILE, and not a value of the user's. It is there although it says nothing, so that
no pod restarts when it begins to. */}}
{{- define "kafka-firehose.hasRuntimeSettings" -}}
{{- if not (has "RUNTIME_SETTINGS_FILE" (include "kafka-firehose.variables" . | fromJsonArray)) }}true{{ end -}}
{{- end -}}

{{/* The file of the runtime settings, as data of a ConfigMap. */}}
{{- define "kafka-firehose.runtimeData" -}}
settings.json: {{ toPrettyJson .Values.runtimeSettings | quote }}
{{- end -}}

{{/* The name of the volume of a directory: at most 63 characters, without dots. */}}
{{- define "kafka-firehose.volume" -}}
{{- printf "files-%s" (sha256sum . | trunc 10) -}}
{{- end -}}

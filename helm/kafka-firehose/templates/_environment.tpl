{{/* The data of the ConfigMap. What the chart sets itself can't disagree with what Kubernetes does. */}}
{{- define "kafka-firehose.configData" -}}
HTTP_ADDR: {{ printf ":%d" (int .Values.port) | quote }}
SHUTDOWN_TIMEOUT: {{ printf "%ds" (int .Values.shutdown.timeoutSeconds) | quote }}
{{- if .Values.nativeHistograms }}
METRICS_NATIVE_HISTOGRAMS: "true"
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
{{- with .Values.extraVolumeMounts }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}

{{- define "kafka-firehose.volumes" -}}
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
{{- with .Values.extraVolumes }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}

{{/* The name of the volume of a directory: at most 63 characters, without dots. */}}
{{- define "kafka-firehose.volume" -}}
{{- printf "files-%s" (sha256sum . | trunc 10) -}}
{{- end -}}

{{/* The pod that runs kafka-firehose check as the workload would see things: with its settings, secrets and network.
The argument has root, values (test or preflight), account and config, the names of the service account and the ConfigMap. */}}
{{- define "kafka-firehose.checkPod" -}}
restartPolicy: Never
activeDeadlineSeconds: {{ add .values.timeoutSeconds 60 }}
serviceAccountName: {{ .account | quote }}
{{ include "kafka-firehose.surroundings" .root | trim }}
{{- with include "kafka-firehose.scheduling" .root | trim }}
{{ . }}
{{- end }}
containers:
  - name: check
    {{- include "kafka-firehose.program" (list .root .config) | nindent 4 }}
    args:
      - check
      - -timeout={{ int .values.timeoutSeconds }}s
      {{- if .values.strict }}
      - -strict
      {{- end }}
    resources:
      {{- toYaml .values.resources | nindent 6 }}
{{- with include "kafka-firehose.volumes" (list .root .config) }}
volumes:
  {{- trim . | nindent 2 }}
{{- end }}
{{- end -}}

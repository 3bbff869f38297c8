{{/* What a PodMonitor and a ServiceMonitor have in common; the argument is a list of the root and its values. */}}
{{- define "kafka-firehose.endpoint" -}}
{{- $root := first . -}}
{{- $monitor := last . -}}
- port: http
  path: /metrics
  {{- with $monitor.interval }}
  interval: {{ . }}
  {{- end }}
  {{- with $monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  relabelings:
    # The alerts and the autoscaler look for this name.
    - targetLabel: job
      replacement: {{ include "kafka-firehose.fullname" $root | quote }}
    # Dashboard and alerts name a pod by this, and an address says nothing at night.
    - sourceLabels: [__meta_kubernetes_pod_name]
      targetLabel: instance
    {{- with $monitor.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What they are about; the argument is the same. Prometheus would drop the buckets for native histograms. */}}
{{- define "kafka-firehose.monitored" -}}
{{- $root := first . -}}
{{- if and $root.Values.nativeHistograms (not (hasKey (last .).spec "scrapeClassicHistograms")) -}}
scrapeClassicHistograms: true
{{ end -}}
namespaceSelector:
  matchNames: [{{ include "kafka-firehose.namespace" $root | quote }}]
selector:
  matchLabels:
    {{- include "kafka-firehose.selector" $root | nindent 4 }}
{{- end -}}

{{/* behavior of a HorizontalPodAutoscaler. Each change is a rebalance: up by two pods a minute at most, down by
one at a time and only after a long calm, whose seconds are the argument. */}}
{{- define "kafka-firehose.scaling" -}}
scaleUp:
  stabilizationWindowSeconds: 60
  policies:
    - {type: Pods, value: 2, periodSeconds: 60}
scaleDown:
  stabilizationWindowSeconds: {{ int . }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 120}
{{- end -}}

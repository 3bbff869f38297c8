{{/* The pod, the same for both kinds of workload. */}}
{{- define "kafka-firehose.pod" -}}
metadata:
  labels:
    {{- include "kafka-firehose.podLabels" (list . (include "kafka-firehose.selector" .)) | nindent 4 }}
  annotations:
    {{- $own := dict "kubectl.kubernetes.io/default-container" "kafka-firehose" "checksum/config" (include "kafka-firehose.configData" . | sha256sum) }}
    {{- toYaml (mergeOverwrite $own .Values.podAnnotations) | nindent 4 }}
spec:
  serviceAccountName: {{ include "kafka-firehose.serviceAccount" . | quote }}
  {{- include "kafka-firehose.surroundings" . | trim | nindent 2 }}
  terminationGracePeriodSeconds: {{ add .Values.shutdown.timeoutSeconds .Values.shutdown.marginSeconds }}
  {{- with include "kafka-firehose.scheduling" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with include "kafka-firehose.spread" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  containers:
    - name: kafka-firehose
      {{- include "kafka-firehose.program" (list . (include "kafka-firehose.fullname" .)) | nindent 6 }}
      ports:
        - name: http
          containerPort: {{ int .Values.port }}
      {{- with .Values.lifecycle }}
      lifecycle:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- range list (list "startup" "/livez") (list "liveness" "/livez") (list "readiness" "/readyz") }}
      {{ first . }}Probe:
        httpGet: {path: {{ last . }}, port: http}
        {{- toYaml (get $.Values.probes (first .)) | nindent 8 }}
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      {{- with .Values.resizePolicy }}
      resizePolicy:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- with .Values.extraContainers }}
    {{- tpl (toYaml .) $ | nindent 4 }}
    {{- end }}
  {{- with include "kafka-firehose.volumes" (list . (include "kafka-firehose.fullname" .)) }}
  volumes:
    {{- trim . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Security context, DNS and pull secrets of a pod: the same for the workload and its checks. */}}
{{- define "kafka-firehose.surroundings" -}}
# It calls no Kubernetes API. The tokens of IRSA and Pod Identity are volumes of their own.
automountServiceAccountToken: false
# A Service named kafka would come as KAFKA_PORT=tcp://..., among our own settings.
enableServiceLinks: false
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $field := list "dnsPolicy" "dnsConfig" "hostAliases" }}
{{- with get $.Values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Image, environment and mounts of a container; the argument is a list of the root and the name of the ConfigMap. */}}
{{- define "kafka-firehose.program" -}}
{{- $root := first . -}}
image: {{ include "kafka-firehose.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- with $root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "kafka-firehose.environment" . }}
# The reason for an exit, such as a setting that can't be used, is then in the pod's status.
terminationMessagePolicy: FallbackToLogsOnError
{{- with include "kafka-firehose.mounts" $root }}
volumeMounts:
  {{- trim . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where the pods go. */}}
{{- define "kafka-firehose.scheduling" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- end -}}

{{/* How far the pods are apart. */}}
{{- define "kafka-firehose.spread" -}}
{{- if .Values.topologySpread.enabled }}
topologySpreadConstraints:
  {{- if .Values.topologySpread.constraints }}
  {{- tpl (toYaml .Values.topologySpread.constraints) . | nindent 2 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "kafka-firehose.selector" $ | nindent 8 }}
    # Only pods of the same revision count, or an update would end up uneven.
    matchLabelKeys: [{{ ternary "controller-revision-hash" "pod-template-hash" (eq $.Values.workload.kind "StatefulSet") }}]
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

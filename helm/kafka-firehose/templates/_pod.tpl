{{/* The pod, the same for both kinds of workload. */}}
{{- define "kafka-firehose.pod" -}}
metadata:
  labels:
    {{- include "kafka-firehose.selector" . | nindent 4 }}
    {{- include "kafka-firehose.version" . | nindent 4 }}
    {{- with mergeOverwrite (dict) .Values.commonLabels .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: kafka-firehose
    checksum/config: {{ include "kafka-firehose.configData" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "kafka-firehose.surroundings" . | trim | nindent 2 }}
  terminationGracePeriodSeconds: {{ add .Values.shutdown.timeoutSeconds .Values.shutdown.marginSeconds }}
  {{- with include "kafka-firehose.scheduling" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with include "kafka-firehose.spread" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  containers:
    - name: kafka-firehose
      {{- include "kafka-firehose.program" . | nindent 6 }}
      ports:
        - name: http
          containerPort: {{ .Values.port }}
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
  {{- with include "kafka-firehose.volumes" . }}
  volumes:
    {{- trim . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Who a pod is, the same for the workload and its test. */}}
{{- define "kafka-firehose.surroundings" -}}
serviceAccountName: {{ include "kafka-firehose.serviceAccount" . | quote }}
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
{{- end -}}

{{/* What a container runs, with what it is given. */}}
{{- define "kafka-firehose.program" -}}
image: {{ include "kafka-firehose.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "kafka-firehose.environment" . }}
# The reason for an exit, such as a setting that can't be used, is then in the pod's status.
terminationMessagePolicy: FallbackToLogsOnError
{{- with include "kafka-firehose.mounts" . }}
volumeMounts:
  {{- trim . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where the pods go. */}}
{{- define "kafka-firehose.scheduling" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
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

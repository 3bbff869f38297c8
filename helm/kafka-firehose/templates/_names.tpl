{{- define "kafka-firehose.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of every object. 52 characters leave room for what a StatefulSet appends to it in labels. */}}
{{- define "kafka-firehose.fullname" -}}
{{- $name := include "kafka-firehose.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if contains $name .Release.Name }}{{ $full = .Release.Name }}{{ end -}}
{{- .Values.fullnameOverride | default $full | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "kafka-firehose.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{/* What selects the pods. It may never change: a Deployment's selector can't. */}}
{{- define "kafka-firehose.selector" -}}
app.kubernetes.io/name: {{ include "kafka-firehose.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* What selects the pod of helm test, and never those of the workload: what counts or scrapes members has to leave it out. */}}
{{- define "kafka-firehose.testLabels" -}}
app.kubernetes.io/name: {{ include "kafka-firehose.testName" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "kafka-firehose.testName" -}}
{{- printf "%s-test" (include "kafka-firehose.name" . | trunc 58 | trimSuffix "-") -}}
{{- end -}}

{{/* Labels of an object; the argument is a list of the root and labels of its own, which win. */}}
{{- define "kafka-firehose.labels" -}}
{{- $root := first . -}}
{{- $chart := printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- $labels := dict "helm.sh/chart" $chart "app.kubernetes.io/managed-by" $root.Release.Service "app.kubernetes.io/version" (include "kafka-firehose.version" $root) -}}
{{- toYaml (mergeOverwrite $labels (include "kafka-firehose.selector" $root | fromYaml) $root.Values.commonLabels (last . | default dict)) -}}
{{- end -}}

{{/* Labels of a pod; the argument is a list of the root and the labels that select the pod, which win. */}}
{{- define "kafka-firehose.podLabels" -}}
{{- $root := first . -}}
{{- $labels := dict "app.kubernetes.io/version" (include "kafka-firehose.version" $root) -}}
{{- toYaml (mergeOverwrite $labels $root.Values.commonLabels $root.Values.podLabels (last . | fromYaml)) -}}
{{- end -}}

{{- define "kafka-firehose.version" -}}
{{- .Values.image.tag | default .Chart.AppVersion | replace "+" "_" | trunc 63 | trimAll "-_." -}}
{{- end -}}

{{/* metadata of an object; the argument is a list of the root and labels of its own. */}}
{{- define "kafka-firehose.metadata" -}}
{{- $root := first . -}}
name: {{ include "kafka-firehose.fullname" $root | quote }}
namespace: {{ include "kafka-firehose.namespace" $root | quote }}
labels:
  {{- include "kafka-firehose.labels" . | nindent 2 }}
{{- end -}}

{{- define "kafka-firehose.serviceAccount" -}}
{{- $made := ternary (include "kafka-firehose.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $made -}}
{{- end -}}

{{- /* The digest that is used: one that a release has put there gives way to a tag that is set. */ -}}
{{- define "kafka-firehose.imageDigest" -}}
{{- $released := index (.Chart.Annotations | default dict) "kafka-firehose/image-digest" -}}
{{- if not (and .Values.image.tag (eq .Values.image.digest ($released | default "none"))) -}}
{{- .Values.image.digest -}}
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.image" -}}
{{- $name := .Values.image.repository -}}
{{- with .Values.global.imageRegistry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end -}}
{{- with include "kafka-firehose.imageDigest" . -}}
{{- printf "%s@%s" $name . -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.workloadAPI" -}}
apiVersion: apps/v1
kind: {{ .Values.workload.kind }}
{{- end -}}

{{- define "kafka-firehose.autoscaled" -}}
{{- if or .Values.keda.enabled .Values.autoscaling.enabled }}true{{ end -}}
{{- end -}}

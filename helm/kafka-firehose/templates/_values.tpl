{{/* A setting as text. Helm reads numbers from files as floats, and prints large ones as 1e+06. */}}
{{- define "kafka-firehose.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* Bytes of a Kubernetes quantity (512Mi, 1.5G, 1000) or of a size as the service reads it (256MiB). */}}
{{- define "kafka-firehose.bytes" -}}
{{- $text := include "kafka-firehose.text" . | trim -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexReplaceAll "^[0-9.]+\\s*" $text "" | trimSuffix "B" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if not (hasKey $units $unit) }}{{ fail (printf "%q is not a size that this chart can read: want a number and k, M, G, T, Ki, Mi, Gi or Ti" $text) }}{{ end -}}
{{- mulf $number (get $units $unit) | int64 -}}
{{- end -}}

{{/* The limit of memory in bytes, or nothing. */}}
{{- define "kafka-firehose.memoryLimit" -}}
{{- with dig "limits" "memory" "" .Values.resources }}{{ include "kafka-firehose.bytes" . }}{{ end -}}
{{- end -}}

{{/* The names of all variables that the values set, as a list. The service takes an empty one for unset. */}}
{{- define "kafka-firehose.variables" -}}
{{- $names := concat (keys .Values.secretEnv) (keys .Values.files) (keys .Values.tokens) -}}
{{- range $name, $value := .Values.config }}
{{- if not (has $value (list nil "")) }}{{ $names = append $names $name }}{{ end }}
{{- end -}}
{{- range .Values.extraEnv }}{{ $names = append $names .name }}{{ end -}}
{{- toJson $names -}}
{{- end -}}

{{/* The ports, but for 443, of what config names by a URL: the registry, the endpoints of OAuth and AWS, proxies. */}}
{{- define "kafka-firehose.urlPorts" -}}
{{- $urls := list -}}
{{- range $name, $value := .Values.config -}}
{{- $text := toString ($value | default "") -}}
{{- if regexMatch "^(SCHEMA_REGISTRY_URL|KAFKA_SASL_OAUTH_ENDPOINT|AWS_ENDPOINT_URL.*|HTTPS?_PROXY)$" $name }}{{ $urls = concat $urls (splitList "," (nospace $text) | compact) }}{{ end -}}
{{- if eq $name "FIREHOSE_STREAM_OPTIONS" -}}
{{- range regexFindAll "\"endpoint_url\"\\s*:\\s*\"[^\"]+" $text -1 }}{{ $urls = append $urls (splitList "\"" . | last) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $ports := list -}}
{{- range $urls -}}
{{- $url := urlParse (ternary . (printf "http://%s" .) (contains "://" .)) -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) | int) -}}
{{- end -}}
{{- without (uniq $ports) 443 | toJson -}}
{{- end -}}

{{/* Checks what a schema can't, or can't say in words. */}}
{{- define "kafka-firehose.check" -}}
{{- include "kafka-firehose.checkConfig" . -}}
{{- include "kafka-firehose.checkScaling" . -}}
{{- include "kafka-firehose.checkMonitors" . -}}
{{- include "kafka-firehose.checkMemory" . -}}
{{- end -}}

{{- define "kafka-firehose.checkConfig" -}}
{{- $set := include "kafka-firehose.variables" . | fromJsonArray -}}
{{- range $name, $owner := dict "SHUTDOWN_TIMEOUT" "shutdown.timeoutSeconds" "HTTP_ADDR" "port" "KAFKA_GROUP_INSTANCE_ID" "workload.kind StatefulSet" "METRICS_NATIVE_HISTOGRAMS" "nativeHistograms" -}}
{{- if has $name $set }}{{ fail (printf "config.%s: the chart sets it, from %s" $name $owner) }}{{ end -}}
{{- end -}}
{{- range keys .Values.config | sortAlpha -}}
{{- if regexMatch "_(PASSWORD|SECRET|TOKEN|ACCESS_KEY)$" . }}{{ fail (printf "config.%s: a secret in a ConfigMap is none; put it in a Secret, and name that in files (as %s_FILE) or secretEnv" . .) }}{{ end -}}
{{- end -}}
{{- range $set -}}
{{- if lt (len (without $set .)) (sub (len $set) 1) }}{{ fail (printf "%s is set more than once among config, secretEnv, files, tokens and extraEnv" .) }}{{ end -}}
{{- end -}}
{{- if not .Values.extraEnvFrom -}}
{{- range list (list "KAFKA_BROKERS") (list "KAFKA_GROUP_ID") (list "KAFKA_TOPICS" "KAFKA_TOPIC_PATTERN") (list "FIREHOSE_STREAM" "FIREHOSE_ROUTES") (list "AWS_REGION") -}}
{{- $missing := true -}}
{{- range . }}{{ if has . $set }}{{ $missing = false }}{{ end }}{{ end -}}
{{- if $missing }}{{ fail (printf "config.%s is not set; the service needs it" (join " or config." .)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.checkScaling" -}}
{{- if and .Values.keda.enabled .Values.autoscaling.enabled }}{{ fail "keda.enabled and autoscaling.enabled: two autoscalers would fight over the number of pods; want one of them" }}{{ end -}}
{{- if and (include "kafka-firehose.autoscaled" .) (eq .Values.workload.kind "StatefulSet") -}}
{{- fail "workload.kind StatefulSet and an autoscaler don't go together: nobody reads the partitions of a static member that was scaled in until KAFKA_SESSION_TIMEOUT has passed" -}}
{{- end -}}
{{- range list .Values.keda .Values.autoscaling -}}
{{- if gt (int .minReplicas) (int .maxReplicas) }}{{ fail "minReplicas is above maxReplicas" }}{{ end -}}
{{- end -}}
{{- $none := list "0" "0%" -}}
{{- if and (has (toString .Values.workload.maxUnavailable) $none) (has (toString .Values.workload.maxSurge) $none) -}}
{{- fail "workload.maxUnavailable and workload.maxSurge are both 0: no pod could ever be replaced" -}}
{{- end -}}
{{- end -}}

{{/* Their series would differ in a label or two, and every sum, and the pods that KEDA counts, would be doubled. */}}
{{- define "kafka-firehose.checkMonitors" -}}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled }}{{ fail "podMonitor.enabled and serviceMonitor.enabled: each pod would be scraped twice, and every sum would be double; want one of them" }}{{ end -}}
{{- end -}}

{{/* The process takes nine tenths of the limit for GOMEMLIMIT, and 48 MiB beside the buffers. */}}
{{- define "kafka-firehose.checkMemory" -}}
{{- with include "kafka-firehose.memoryLimit" . -}}
{{- $setting := $.Values.config.MAX_BUFFERED_BYTES | default "256MiB" -}}
{{- $beside := 50331648 -}}
{{- $buffers := include "kafka-firehose.bytes" $setting | int64 -}}
{{- $usable := sub (div (mul (int64 .) 9) 10) $beside -}}
{{- if gt $buffers $usable -}}
{{- $need := ceil (divf (mulf (add $buffers $beside) 10) 9 1048576) | int64 -}}
{{- fail (printf "MAX_BUFFERED_BYTES (%v) and 48 MiB don't fit into nine tenths of resources.limits.memory (%v): raise the limit to %dMi, or lower config.MAX_BUFFERED_BYTES to %dMiB" $setting $.Values.resources.limits.memory $need (div $usable 1048576)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

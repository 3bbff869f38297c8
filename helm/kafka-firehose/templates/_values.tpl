{{/* Every template begins with this: empty values become the defaults, and values that can't work are refused. */}}
{{- define "kafka-firehose.prepare" -}}
{{- include "kafka-firehose.fillDefaults" . -}}
{{- include "kafka-firehose.check" . -}}
{{- end -}}

{{/* Puts the default, of files/defaults.json, where there is no value: Helm takes a null for a wish that the default be
not there, and --reuse-values brings the values of an older chart, and nulls as they were given. */}}
{{- define "kafka-firehose.fillDefaults" -}}
{{- $values := .Values -}}
{{- include "kafka-firehose.dropNulls" $values -}}
{{- range $path, $default := .Files.Get "files/defaults.json" | fromJson -}}
{{- $at := $values -}}
{{- $names := splitList "." $path -}}
{{- range initial $names -}}
{{- if kindIs "invalid" (index $at .) }}{{ $_ := set $at . dict }}{{ end -}}
{{- $at = index $at . -}}
{{- end -}}
{{- if kindIs "invalid" (index $at (last $names)) }}{{ $_ := set $at (last $names) $default }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.dropNulls" -}}
{{- $values := . -}}
{{- range $key, $value := $values -}}
{{- if kindIs "invalid" $value }}{{ $_ := unset $values $key }}{{ else if kindIs "map" $value }}{{ include "kafka-firehose.dropNulls" $value }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* A value as text. Helm reads numbers from files as floats, and prints large ones as 1e+06. */}}
{{- define "kafka-firehose.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end -}}
{{- else if not (kindIs "invalid" .) -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* A setting of config as text; nothing if it isn't there. The argument is a list of the root and the name. */}}
{{- define "kafka-firehose.setting" -}}
{{- include "kafka-firehose.text" (get (first .).Values.config (last .)) -}}
{{- end -}}

{{/* Whether a switch of config is on, as the service reads it; nothing if it isn't. */}}
{{- define "kafka-firehose.isTrue" -}}
{{- if regexMatch "^(1|t|T|TRUE|true|True)$" (include "kafka-firehose.setting" .) }}true{{ end -}}
{{- end -}}

{{/* Bytes of a Kubernetes quantity: 512Mi, 1.5G, 1000. */}}
{{- define "kafka-firehose.bytes" -}}
{{- $text := include "kafka-firehose.text" . | trim -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if not (hasKey $units $unit) }}{{ fail (printf "resources.limits.memory holds %q: want a number and k, M, G, T, Ki, Mi, Gi or Ti, such as 512Mi" $text) }}{{ end -}}
{{- mulf (float64 $number) (get $units $unit) | int64 -}}
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
{{- $text := include "kafka-firehose.text" $value -}}
{{- if regexMatch "^(SCHEMA_REGISTRY_URL|(KAFKA_SASL|SCHEMA_REGISTRY)_OAUTH_ENDPOINT|AWS_ENDPOINT_URL.*|HTTPS?_PROXY)$" $name }}{{ $urls = concat $urls (splitList "," (nospace $text) | compact) }}{{ end -}}
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
{{- include "kafka-firehose.checkImage" . -}}
{{- include "kafka-firehose.checkKeys" . -}}
{{- include "kafka-firehose.checkScaling" . -}}
{{- include "kafka-firehose.checkMonitors" . -}}
{{- include "kafka-firehose.checkMemory" . -}}
{{- include "kafka-firehose.checkRecovery" . -}}
{{- end -}}

{{- define "kafka-firehose.checkConfig" -}}
{{- $set := include "kafka-firehose.variables" . | fromJsonArray -}}
{{- range $name, $owner := dict "SHUTDOWN_TIMEOUT" "shutdown.timeoutSeconds" "HTTP_ADDR" "port" "KAFKA_GROUP_INSTANCE_ID" "workload.kind StatefulSet" "METRICS_NATIVE_HISTOGRAMS" "nativeHistograms" -}}
{{- if has $name $set }}{{ fail (printf "config.%s: the chart sets it, from %s" $name $owner) }}{{ end -}}
{{- end -}}
{{- if and .Values.runtimeSettings (has "RUNTIME_SETTINGS_FILE" $set) }}{{ fail "runtimeSettings: RUNTIME_SETTINGS_FILE is set, and names another file; want only one of them" }}{{ end -}}
{{- with include "kafka-firehose.settingFaults" . | trim }}{{ fail (printf "\n%s" .) }}{{ end -}}
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

{{/* The parts of an image's name are in values of their own, and a registry is no URL. */}}
{{- define "kafka-firehose.checkImage" -}}
{{- $name := toString .Values.image.repository -}}
{{- $last := splitList "/" $name | last -}}
{{- if not $name }}{{ fail "image.repository is empty: want the registry and name of the image that you built with deploy/Dockerfile" }}
{{- else if contains "://" $name }}{{ fail (printf "image.repository holds %q: want it without the scheme, %s" $name (splitList "://" $name | last)) }}
{{- else if contains "@" $name }}{{ fail (printf "image.repository holds %q: want %s, and the digest in image.digest" $name (splitList "@" $name | first)) }}
{{- else if contains ":" $last }}{{ fail (printf "image.repository holds %q: want %s, and %s in image.tag" $name (trimSuffix (printf ":%s" (splitList ":" $last | last)) $name) (splitList ":" $last | last)) }}
{{- else if not (regexMatch "^([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]+)?/)?[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*$" $name) -}}
{{- fail (printf "image.repository holds %q: want a registry, slashes and names in small letters, such as registry.example.com/team/kafka-firehose" $name) -}}
{{- end -}}
{{- with .Values.global.imageRegistry }}{{ if not (regexMatch "^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]+)?(/[a-z0-9._-]+)*/?$" .) -}}
{{- fail (printf "global.imageRegistry holds %q: want the host of a registry, without a scheme, such as registry.example.com" .) -}}
{{- end }}{{ end -}}
{{- end -}}

{{/* Keys that the chart sets: a second one would break the selector, or override the chart's own. */}}
{{- define "kafka-firehose.checkKeys" -}}
{{- range $value, $reserved := dict
  "commonLabels" (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/managed-by")
  "podLabels" (list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/managed-by")
  "podAnnotations" (list "checksum/config") -}}
{{- range keys (get $.Values $value) | sortAlpha -}}
{{- if or (has . $reserved) (hasPrefix "helm.sh/" .) }}{{ fail (printf "%s: the chart sets %s itself%s" $value . (ternary ", and selects the pods by it" "" (eq $value "podLabels"))) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $value, $owners := dict "bootstrapServers" "config.KAFKA_BROKERS" "consumerGroup" "config.KAFKA_GROUP_ID" "topic" "config.KAFKA_TOPICS" "lagThreshold" "keda.lagThreshold" "excludePersistentLag" "keda.excludePersistentLag" -}}
{{- if hasKey $.Values.keda.kafkaMetadata $value }}{{ fail (printf "keda.kafkaMetadata.%s: the chart sets it, from %s" $value $owners) }}{{ end -}}
{{- end -}}
{{- range list "username" "password" "key" "keyPassword" -}}
{{- if hasKey $.Values.keda.kafkaMetadata . }}{{ fail (printf "keda.kafkaMetadata.%s: a ScaledObject keeps no secret; put it in a TriggerAuthentication, and name that in keda.authenticationRef" .) }}{{ end -}}
{{- end -}}
{{- range $monitor := list "podMonitor" "serviceMonitor" -}}
{{- range list "selector" "namespaceSelector" "endpoints" "podMetricsEndpoints" -}}
{{- if hasKey (get $.Values $monitor).spec . }}{{ fail (printf "%s.spec.%s: the chart sets it itself" $monitor .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.checkScaling" -}}
{{- if and .Values.keda.enabled .Values.autoscaling.enabled }}{{ fail "keda.enabled and autoscaling.enabled: two autoscalers would fight over the number of pods; want one of them" }}{{ end -}}
{{- if and (include "kafka-firehose.autoscaled" .) (eq .Values.workload.kind "StatefulSet") -}}
{{- fail "workload.kind StatefulSet and an autoscaler don't go together: nobody reads the partitions of a static member that was scaled in until KAFKA_SESSION_TIMEOUT has passed" -}}
{{- end -}}
{{- if .Values.keda.enabled -}}
{{- with (include "kafka-firehose.kedaLogin" . | fromJson).faults -}}
{{- fail (printf "keda.enabled: KEDA has to log in to the brokers, too, and the chart cannot pass these settings on: %s. Make a TriggerAuthentication by hand and name it in keda.authenticationRef, or use autoscaling" (join "; " .)) -}}
{{- end -}}
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

{{/* The process takes nine tenths of the limit for GOMEMLIMIT, and 64 MiB beside the buffers. */}}
{{- define "kafka-firehose.checkMemory" -}}
{{- with include "kafka-firehose.memoryLimit" . -}}
{{- $setting := include "kafka-firehose.setting" (list $ "MAX_BUFFERED_BYTES") | default "256MiB" -}}
{{- $beside := 67108864 -}}
{{- $buffers := include "kafka-firehose.amount" (list "size" $setting) | float64 | int64 -}}
{{- $usable := sub (div (mul (int64 .) 9) 10) $beside -}}
{{- if gt $buffers $usable -}}
{{- $need := ceil (divf (mulf (add $buffers $beside) 10) 9 1048576) | int64 -}}
{{- fail (printf "MAX_BUFFERED_BYTES (%v) and 64 MiB don't fit into nine tenths of resources.limits.memory (%v): raise the limit to %dMi, or lower config.MAX_BUFFERED_BYTES to %dMiB" $setting $.Values.resources.limits.memory $need (div $usable 1048576)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

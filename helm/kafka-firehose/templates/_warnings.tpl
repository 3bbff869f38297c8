{{/* Values that work and are risky or probably a mistake: a list of sentences. */}}
{{- define "kafka-firehose.warnings" -}}
{{- concat (include "kafka-firehose.recordWarnings" . | fromJsonArray) (include "kafka-firehose.networkWarnings" . | fromJsonArray)
  (include "kafka-firehose.podWarnings" . | fromJsonArray) (include "kafka-firehose.scalingWarnings" . | fromJsonArray)
  (include "kafka-firehose.monitorWarnings" . | fromJsonArray) (include "kafka-firehose.recoveryWarnings" . | fromJsonArray) | toJson -}}
{{- end -}}

{{/* Settings that lose records or deliver too many. */}}
{{- define "kafka-firehose.recordWarnings" -}}
{{- $warnings := list -}}
{{- range $name, $risk := dict
  "KAFKA_AUTO_OFFSET_RESET=latest" "a partition without a committed offset starts at its end; records from before the first start are never delivered."
  "BAD_RECORD_POLICY=skip" "records that are too large or can't be decoded are lost; only a counter and the log tell of them."
  "KAFKA_ISOLATION_LEVEL=read_uncommitted" "records of aborted transactions are delivered, too." -}}
{{- $held := splitList "=" $name -}}
{{- if eq (include "kafka-firehose.setting" (list $ (first $held))) (last $held) }}{{ $warnings = append $warnings (printf "%s: %s" $name $risk) }}{{ end -}}
{{- end -}}
{{- $check := include "kafka-firehose.setting" (list . "FIREHOSE_STARTUP_CHECK") -}}
{{- if and $check (not (include "kafka-firehose.isTrue" (list . "FIREHOSE_STARTUP_CHECK"))) -}}
{{- $warnings = append $warnings "FIREHOSE_STARTUP_CHECK is false: a stream that is missing or has other settings is noticed only when records are refused." -}}
{{- end -}}
{{- toJson $warnings -}}
{{- end -}}

{{/* Settings that let others read the traffic. */}}
{{- define "kafka-firehose.networkWarnings" -}}
{{- $warnings := list -}}
{{- $set := include "kafka-firehose.variables" . | fromJsonArray -}}
{{- $elsewhere := or .Values.extraEnvFrom (and (has "KAFKA_TLS_ENABLED" $set) (not (include "kafka-firehose.setting" (list . "KAFKA_TLS_ENABLED")))) -}}
{{- if not (or $elsewhere (include "kafka-firehose.isTrue" (list . "KAFKA_TLS_ENABLED"))) -}}
{{- $warnings = append $warnings (printf "KAFKA_TLS_ENABLED is not %s: records and passwords cross the network to Kafka as they are." (ternary "true" "set" (has "KAFKA_TLS_ENABLED" $set))) -}}
{{- end -}}
{{- if include "kafka-firehose.isTrue" (list . "KAFKA_TLS_INSECURE_SKIP_VERIFY") -}}
{{- $warnings = append $warnings "KAFKA_TLS_INSECURE_SKIP_VERIFY is true: anyone between the pods and Kafka can read and change everything, the login included. Use KAFKA_TLS_CA_FILE instead." -}}
{{- end -}}
{{- range list "SCHEMA_REGISTRY_URL" "SCHEMA_REGISTRY_OAUTH_ENDPOINT" "KAFKA_SASL_OAUTH_ENDPOINT" -}}
{{- if contains "http://" (include "kafka-firehose.setting" (list $ .)) }}{{ $warnings = append $warnings (printf "%s is not https: requests and the login can be read on the network." .) }}{{ end -}}
{{- end -}}
{{- toJson $warnings -}}
{{- end -}}

{{/* Pods that may run out of memory, differ in version or be replaced together. */}}
{{- define "kafka-firehose.podWarnings" -}}
{{- $warnings := list -}}
{{- if not (include "kafka-firehose.memoryLimit" .) -}}
{{- $warnings = append $warnings "resources.limits.memory is not set. GOMEMLIMIT follows MAX_BUFFERED_BYTES then, and nothing stops the node from running out." -}}
{{- end -}}
{{- if and (not (include "kafka-firehose.imageDigest" .)) (has .Values.image.tag (list "latest" "main" "master" "dev" "edge" "stable")) -}}
{{- $warnings = append $warnings (printf "image.tag is %s: pods can run different versions, and a rollback may change nothing. Want image.digest, or the tag of a version." .Values.image.tag) -}}
{{- end -}}
{{- if and (eq .Values.workload.kind "Deployment") (eq (toString .Values.workload.maxUnavailable) "100%") -}}
{{- $warnings = append $warnings "workload.maxUnavailable is 100%: an update stops all pods at once." -}}
{{- end -}}
{{- if not .Values.podDisruptionBudget.enabled -}}
{{- $warnings = append $warnings "podDisruptionBudget is not enabled: draining nodes may take all pods at once." -}}
{{- end -}}
{{- if and (eq .Values.workload.kind "StatefulSet") (eq (include "kafka-firehose.setting" (list . "KAFKA_GROUP_PROTOCOL")) "consumer") -}}
{{- $warnings = append $warnings "With KAFKA_GROUP_PROTOCOL=consumer the broker's session timeout decides whether a static member keeps its partitions over a restart." -}}
{{- end -}}
{{- if and .Values.preflight.enabled .Values.serviceAccount.create -}}
{{- $warnings = append $warnings (printf "preflight runs as the service account %s-preflight, because the chart's own is not there before the first install. EKS Pod Identity, or the trust policy of the role, has to allow it." (include "kafka-firehose.fullname" .)) -}}
{{- end -}}
{{- toJson $warnings -}}
{{- end -}}

{{/* The number of pods, and the autoscalers. */}}
{{- define "kafka-firehose.scalingWarnings" -}}
{{- $warnings := list -}}
{{- if .Values.keda.enabled -}}
{{- if not .Values.keda.throttleGuard.serverAddress -}}
{{- $warnings = append $warnings "keda.throttleGuard.serverAddress is not set: a stream that throttles makes lag grow, and KEDA adds pods that share the same quota. While Firehose is out, it may take pods away." -}}
{{- end -}}
{{- if and .Values.extraEnvFrom (not (include "kafka-firehose.setting" (list . "KAFKA_SASL_MECHANISM"))) (not (hasKey .Values.keda.kafkaMetadata "sasl")) -}}
{{- $warnings = append $warnings "KEDA logs in as config says, and doesn't see extraEnvFrom: if a login to Kafka or TLS is set there, name them in keda.kafkaMetadata and keda.authenticationRef." -}}
{{- end -}}
{{- if eq (include "kafka-firehose.setting" (list . "KAFKA_SASL_MECHANISM")) "AWS_MSK_IAM" -}}
{{- $warnings = append $warnings "KEDA asks MSK itself: the role of its operator has to be allowed kafka-cluster:Connect, DescribeGroup and DescribeTopic, or to assume the one that it is told." -}}
{{- end -}}
{{- else if .Values.autoscaling.enabled -}}
{{- $warnings = append $warnings "autoscaling looks at CPU, not at lag, and doesn't know how many partitions there are." -}}
{{- else if eq (int .Values.workload.replicas) 0 -}}
{{- $warnings = append $warnings "workload.replicas is 0: nothing is delivered, and the lag grows until retention takes records away." -}}
{{- else if eq (int .Values.workload.replicas) 1 -}}
{{- $warnings = append $warnings "workload.replicas is 1: nothing is delivered while that pod is replaced." -}}
{{- end -}}
{{- toJson $warnings -}}
{{- end -}}

{{/* Monitoring that is not there. */}}
{{- define "kafka-firehose.monitorWarnings" -}}
{{- $warnings := list -}}
{{- $monitored := or .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- if not (or $monitored .Values.podAnnotations) -}}
{{- $warnings = append $warnings "Neither podMonitor nor serviceMonitor is enabled. See that Prometheus scrapes the pods." -}}
{{- end -}}
{{- if not $monitored -}}
{{- $uses := list -}}
{{- if .Values.prometheusRule.enabled }}{{ $uses = append $uses "prometheusRule" }}{{ end -}}
{{- if and .Values.keda.enabled .Values.keda.throttleGuard.serverAddress }}{{ $uses = append $uses "keda.throttleGuard" }}{{ end -}}
{{- with $uses -}}
{{- $warnings = append $warnings (printf "The series for %s have namespace=%q and job=%q. Neither podMonitor nor serviceMonitor is enabled: see that your scrape configuration sets both." (join " and " .) (include "kafka-firehose.namespace" $) (include "kafka-firehose.fullname" $)) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.prometheusRule.enabled -}}
{{- $warnings = append $warnings "prometheusRule is not enabled. See that somebody is told when records stop." -}}
{{- else if not .Values.prometheusRule.runbookBaseURL -}}
{{- $warnings = append $warnings "prometheusRule.runbookBaseURL is not set: alerts carry no link to what to do. The runbooks are in deploy/runbooks." -}}
{{- end -}}
{{- toJson $warnings -}}
{{- end -}}

{{/* Jobs of replays, redrives and audits that stay in the values. A schedule is meant to stay. */}}
{{- define "kafka-firehose.recoveryWarnings" -}}
{{- $warnings := list -}}
{{- $jobs := list -}}
{{- range $value := list "replays" "redrives" }}{{ range $name := keys (get $.Values $value) | sortAlpha }}{{ $jobs = append $jobs (printf "%s.%s" $value $name) }}{{ end }}{{ end -}}
{{- with $jobs -}}
{{- $warnings = append $warnings (printf "Remove %s from the values when it has ended. An upgrade that changes its pods is refused while its Job is there (the template of a Job is immutable); one after the Job was removed starts it again, and sends everything twice once the brokers have forgotten its progress (offsets.retention.minutes, 7 days)." (join " and " .)) -}}
{{- end -}}
{{- $audits := list -}}
{{- range $name := keys .Values.audits | sortAlpha }}{{ if not (get $.Values.audits $name).schedule }}{{ $audits = append $audits (printf "audits.%s" $name) }}{{ end }}{{ end -}}
{{- with $audits -}}
{{- $warnings = append $warnings (printf "Remove %s from the values when it has ended. An upgrade that changes its pod is refused while its Job is there (the template of a Job is immutable); one after the Job was removed audits once more." (join " and " .)) -}}
{{- end -}}
{{- toJson $warnings -}}
{{- end -}}

{{/* How KEDA logs in to the brokers, from the settings of the service: {"metadata": of the triggers, "spec": of the
TriggerAuthentication, "faults": the settings that KEDA has no parameter for}. */}}
{{- define "kafka-firehose.kedaLogin" -}}
{{- $own := .Values.keda.kafkaMetadata -}}
{{- $state := dict "metadata" dict "secretTargetRef" list "configMapTargetRef" list "env" list "faults" list -}}
{{- $set := include "kafka-firehose.variables" . | fromJsonArray -}}
{{- $mechanism := include "kafka-firehose.setting" (list . "KAFKA_SASL_MECHANISM") -}}
{{- $args := dict "root" . "state" $state "set" $set "mechanism" $mechanism -}}
{{- range $name, $key := dict "KAFKA_SASL_MECHANISM" "sasl" "KAFKA_TLS_ENABLED" "tls" -}}
{{- if and (has $name $set) (not (include "kafka-firehose.setting" (list $ $name))) (not (hasKey $own $key)) -}}
{{- $_ := set $state "faults" (append $state.faults (printf "%s is not in config; want it there, or keda.kafkaMetadata.%s" $name $key)) -}}
{{- end -}}
{{- end -}}
{{- if and $mechanism (not (hasKey $own "sasl")) }}{{ include "kafka-firehose.kedaSASL" $args }}{{ end -}}
{{- if and (include "kafka-firehose.isTrue" (list . "KAFKA_TLS_ENABLED")) (not (hasKey $own "tls")) }}{{ include "kafka-firehose.kedaTLS" $args }}{{ end -}}
{{- $spec := dict -}}
{{- range list "secretTargetRef" "configMapTargetRef" "env" }}{{ if get $state . }}{{ $_ := set $spec . (get $state .) }}{{ end }}{{ end -}}
{{- with $state.podIdentity }}{{ $_ := set $spec "podIdentity" . }}{{ end -}}
{{- dict "metadata" $state.metadata "spec" $spec "faults" (ternary list $state.faults (not (empty .Values.keda.authenticationRef))) | toJson -}}
{{- end -}}

{{- define "kafka-firehose.kedaSASL" -}}
{{- $names := dict "PLAIN" "plaintext" "SCRAM-SHA-256" "scram_sha256" "SCRAM-SHA-512" "scram_sha512" "OAUTHBEARER" "oauthbearer" "AWS_MSK_IAM" "oauthbearer" -}}
{{- $_ := set .state.metadata "sasl" (get $names .mechanism) -}}
{{- $credentials := list (list "username" "KAFKA_SASL_USERNAME") (list "password" "KAFKA_SASL_PASSWORD") -}}
{{- $cannot := list -}}
{{- if eq .mechanism "AWS_MSK_IAM" -}}
{{- $credentials = list -}}
{{- include "kafka-firehose.kedaMSK" . -}}
{{- else if eq .mechanism "OAUTHBEARER" -}}
{{- $credentials = list (list "username" "KAFKA_SASL_OAUTH_CLIENT_ID") (list "password" "KAFKA_SASL_OAUTH_CLIENT_SECRET") (list "oauthTokenEndpointUri" "KAFKA_SASL_OAUTH_ENDPOINT") -}}
{{- range list (list "scopes" "KAFKA_SASL_OAUTH_SCOPE") (list "oauthExtensions" "KAFKA_SASL_OAUTH_EXTENSIONS") }}{{ if has (last .) $.set }}{{ $credentials = append $credentials . }}{{ end }}{{ end -}}
{{- $cannot = list "KAFKA_SASL_OAUTH_TOKEN" "KAFKA_SASL_OAUTH_TOKEN_FILE" "KAFKA_SASL_OAUTH_AUDIENCE" "KAFKA_SASL_OAUTH_CA_FILE" -}}
{{- if contains " " (include "kafka-firehose.setting" (list .root "KAFKA_SASL_OAUTH_SCOPE")) }}{{ $cannot = append $cannot "KAFKA_SASL_OAUTH_SCOPE" }}{{ end -}}
{{- end -}}
{{- range $cannot }}{{ if has . $.set }}{{ $_ := set $.state "faults" (append $.state.faults (printf "KEDA has no parameter for %s" .)) }}{{ end }}{{ end -}}
{{- range $credentials }}{{ include "kafka-firehose.kedaParameter" (dict "root" $.root "state" $.state "set" $.set "parameter" (first .) "name" (last .)) }}{{ end -}}
{{- end -}}

{{/* MSK's login with a role: the one that is named, the service account's by IRSA, or KEDA's own. */}}
{{- define "kafka-firehose.kedaMSK" -}}
{{- $region := include "kafka-firehose.setting" (list .root "KAFKA_SASL_AWS_REGION") | default (include "kafka-firehose.setting" (list .root "AWS_REGION")) -}}
{{- if not $region }}{{ $_ := set .state "faults" (append .state.faults "config has neither KAFKA_SASL_AWS_REGION nor AWS_REGION") }}{{ end -}}
{{- $_ := set .state "metadata" (merge .state.metadata (dict "saslTokenProvider" "aws_msk_iam" "awsRegion" $region)) -}}
{{- $identity := dict "provider" "aws" -}}
{{- $role := include "kafka-firehose.setting" (list .root "KAFKA_SASL_AWS_ROLE_ARN") -}}
{{- if $role -}}
{{- $_ := set $identity "roleArn" $role -}}
{{- with include "kafka-firehose.setting" (list .root "KAFKA_SASL_AWS_ROLE_EXTERNAL_ID") }}{{ $_ := set $identity "externalID" . }}{{ end -}}
{{- else if hasKey .root.Values.serviceAccount.annotations "eks.amazonaws.com/role-arn" -}}
{{- $_ := set $identity "identityOwner" "workload" -}}
{{- end -}}
{{- $_ := set .state "podIdentity" $identity -}}
{{- end -}}

{{- define "kafka-firehose.kedaTLS" -}}
{{- $_ := set .state.metadata "tls" "enable" -}}
{{- if include "kafka-firehose.isTrue" (list .root "KAFKA_TLS_INSECURE_SKIP_VERIFY") }}{{ $_ := set .state.metadata "unsafeSsl" "true" }}
{{- else if and (has "KAFKA_TLS_SERVER_NAME" .set) (not (hasKey .root.Values.keda.kafkaMetadata "unsafeSsl")) -}}
{{- $_ := set .state "faults" (append .state.faults "KEDA has no parameter for KAFKA_TLS_SERVER_NAME") -}}
{{- end -}}
{{- range list (list "ca" "KAFKA_TLS_CA_FILE") (list "cert" "KAFKA_TLS_CERT_FILE") (list "key" "KAFKA_TLS_KEY_FILE") -}}
{{- if has (last .) $.set }}{{ include "kafka-firehose.kedaParameter" (dict "root" $.root "state" $.state "set" $.set "parameter" (first .) "name" (last .)) }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Where KEDA finds a parameter: where the pods find the setting. */}}
{{- define "kafka-firehose.kedaParameter" -}}
{{- $values := .root.Values -}}
{{- $file := get $values.files .name | default (get $values.files (printf "%s_FILE" .name)) -}}
{{- $secret := get $values.secretEnv .name -}}
{{- if $secret -}}
{{- $_ := set .state "secretTargetRef" (append .state.secretTargetRef (dict "parameter" .parameter "name" $secret.name "key" $secret.key)) -}}
{{- else if and $file $file.secret -}}
{{- $_ := set .state "secretTargetRef" (append .state.secretTargetRef (dict "parameter" .parameter "name" $file.secret "key" $file.key)) -}}
{{- else if $file -}}
{{- $_ := set .state "configMapTargetRef" (append .state.configMapTargetRef (dict "parameter" .parameter "name" $file.configMap "key" $file.key)) -}}
{{- else if and (include "kafka-firehose.setting" (list .root .name)) (not (hasSuffix "_FILE" .name)) -}}
{{- $_ := set .state "configMapTargetRef" (append .state.configMapTargetRef (dict "parameter" .parameter "name" (include "kafka-firehose.fullname" .root) "key" .name)) -}}
{{- else if and (has .name .set) (not (hasSuffix "_FILE" .name)) -}}
{{- $_ := set .state "env" (append .state.env (dict "parameter" .parameter "name" .name "containerName" "kafka-firehose")) -}}
{{- else -}}
{{- $_ := set .state "faults" (append .state.faults (printf "%s: KEDA reads it from secretEnv or files, and it is in neither" .name)) -}}
{{- end -}}
{{- end -}}

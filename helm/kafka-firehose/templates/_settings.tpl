{{/* The faults of all settings, one a line, by files/settings.json, which is made from the program's own rules. */}}
{{- define "kafka-firehose.settingFaults" -}}
{{- $known := .Files.Get "files/settings.json" | fromJson -}}
{{- range $place := list "config" "secretEnv" "files" "tokens" -}}
{{- range $name, $value := get $.Values $place -}}
{{- $of := dict "known" $known "place" $place "name" $name "value" $value "setting" (get $known.settings $name) -}}
{{- if not (hasKey $known.settings $name) -}}
{{- include "kafka-firehose.nameFault" $of -}}
{{- else -}}
{{- include (printf "kafka-firehose.%sFault" $place) $of -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $variable := .Values.extraEnv -}}
{{- include "kafka-firehose.extraEnvFault" (dict "known" $known "place" "extraEnv" "name" .name "value" (get . "value") "setting" (get $known.settings .name)) -}}
{{- end -}}
{{- $set := include "kafka-firehose.variables" . | fromJsonArray -}}
{{- range $name, $setting := $known.settings -}}
{{- if and (eq $setting.kind "secret") (has $name $set) (has (printf "%s_FILE" $name) $set) }}
{{ $name }} and {{ $name }}_FILE are both set: want only one of them
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The fault of a name that is no setting. */}}
{{- define "kafka-firehose.nameFault" -}}
{{- $meant := include "kafka-firehose.suggestion" . }}
{{ .place }}.{{ .name }} is not a setting; {{ with $meant }}did you mean {{ . }}?{{ else }}want one of deploy/docs/settings.md, or extraEnv for a variable of something else{{ end }}
{{- end -}}

{{/* The setting that was meant: by another program's name, or the one with the most pairs of characters in common. */}}
{{- define "kafka-firehose.suggestion" -}}
{{- $name := regexReplaceAll "([a-z0-9])([A-Z])" .name "${1}_${2}" | upper | replace "-" "_" | replace "." "_" -}}
{{- $best := 0.55 -}}
{{- $meant := get .known.meant $name -}}
{{- if not $meant -}}
{{- $pairs := list -}}
{{- range $i := until (sub (len $name) 1 | max 0 | int) }}{{ $pairs = append $pairs (substr $i (add $i 2 | int) $name) }}{{ end -}}
{{- range $known := keys .known.settings | sortAlpha -}}
{{- $common := 0 -}}
{{- range uniq $pairs }}{{ if contains . $known }}{{ $common = add1 $common }}{{ end }}{{ end -}}
{{- $alike := divf (mul 2 $common) (add (len $pairs) (len $known) -1) -}}
{{- if gt $alike $best }}{{ $best = $alike }}{{ $meant = $known }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $meant -}}
{{- end -}}

{{- define "kafka-firehose.configFault" -}}
{{- $text := include "kafka-firehose.text" .value -}}
{{- if eq .setting.kind "secret" }}
config.{{ .name }}: a ConfigMap keeps no secret; put it in a Secret, and name that in {{ if not .setting.foreign }}files (as {{ .name }}_FILE) or {{ end }}secretEnv
{{- else if regexMatch "-----BEGIN|\n" $text }}
{{- if .setting.path }}
config.{{ .name }} holds the content of a file: put the file into a Secret or ConfigMap, and name that in files
{{- else }}{{ include "kafka-firehose.valueFault" . }}{{ end -}}
{{- else if and (not .setting.pattern) (regexMatch "://[^/@\\s]+@" $text) }}
config.{{ .name }} holds a login, and a ConfigMap keeps no secret; put the whole value in a Secret, and name that in secretEnv
{{- else -}}
{{- include "kafka-firehose.valueFault" . -}}
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.secretEnvFault" -}}
{{- if eq .setting.kind "file" -}}
{{- $twin := trimSuffix "_FILE" .name }}
secretEnv.{{ .name }}: the Secret's content would be taken for the path of a file; want it in files{{ if hasKey .known.settings $twin }}, or {{ $twin }} in secretEnv{{ end }}
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.filesFault" -}}
{{- $twin := printf "%s_FILE" .name -}}
{{- if not .setting.path }}
files.{{ .name }}: the path of the file would be taken for {{ .name }} itself; want {{ if hasKey .known.settings $twin }}{{ $twin }} in files, or {{ .name }} in secretEnv{{ else if eq .setting.kind "secret" }}it in secretEnv{{ else }}it in config or secretEnv{{ end }}
{{- else if and .value.configMap (regexMatch "(PASSWORD|SECRET|TOKEN|KEY|CREDENTIALS)_FILE$" .name) }}
files.{{ .name }}: a ConfigMap keeps no secret; put the file in a Secret, and name that as secret
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.tokensFault" -}}
{{- $twin := printf "%s_FILE" .name -}}
{{- if ne .setting.kind "file" }}
tokens.{{ .name }}: the path of the token would be taken for {{ .name }} itself{{ if hasKey .known.settings $twin }}; want {{ $twin }}{{ else }}; want a setting that ends in _TOKEN_FILE{{ end }}
{{- end -}}
{{- end -}}

{{/* Any variable may be among extraEnv; one of the service's own has to be right. */}}
{{- define "kafka-firehose.extraEnvFault" -}}
{{- if contains "{{" (printf "%s%v" .name .value) -}}
{{- else if not .setting -}}
{{- if regexMatch "^(KAFKA|FIREHOSE|RECORD|SCHEMA_REGISTRY)_" .name }}{{ include "kafka-firehose.nameFault" . }}{{ end -}}
{{- else if and (eq .setting.kind "secret") .value }}
extraEnv.{{ .name }}: the definition of a pod keeps no secret; put it in a Secret, and name that in secretEnv
{{- else -}}
{{- include "kafka-firehose.valueFault" . -}}
{{- end -}}
{{- end -}}

{{/* The fault of a value, or nothing. An empty value counts as unset. */}}
{{- define "kafka-firehose.valueFault" -}}
{{- $text := include "kafka-firehose.text" .value -}}
{{- $number := has (kindOf .value) (list "float64" "int64" "int") -}}
{{- $literal := has .setting.kind (list "text" "list" "file") -}}
{{- $pattern := .setting.pattern | default (get .known.kinds .setting.kind) -}}
{{- if has .value (list nil "") -}}
{{- else if and $number (or (ge (float64 .value) 9007199254740992.0) (le (float64 .value) -9007199254740992.0)) }}
{{ .place }}.{{ .name }}: YAML rounds numbers above 9007199254740992; put it in quotes (with --set, use --set-string)
{{- else if and $number $literal }}
{{ .place }}.{{ .name }}: YAML reads this as the number {{ $text }}, and 00123 as 83; put it in quotes (with --set, use --set-string)
{{- else if and (kindIs "bool" .value) $literal (not .setting.foreign) }}
{{ .place }}.{{ .name }}: YAML reads this as {{ $text }}, and so it reads yes, no, on and off; put it in quotes (with --set, use --set-string)
{{- else if and .setting.words (not (has $text .setting.words)) }}
{{ .place }}.{{ .name }} holds {{ include "kafka-firehose.shown" . }}: {{ .setting.want }}
{{- else if and $pattern (not (regexMatch $pattern $text)) }}
{{ .place }}.{{ .name }} holds {{ include "kafka-firehose.shown" . }}: {{ .setting.wantKind | default .setting.want }}
{{- else if or (hasKey .setting "low") (hasKey .setting "high") -}}
{{- $amount := include "kafka-firehose.amount" (list .setting.kind $text) | float64 -}}
{{- $low := ternary .setting.low $amount (hasKey .setting "low") -}}
{{- $high := ternary .setting.high $amount (hasKey .setting "high") -}}
{{- if or (lt $amount $low) (gt $amount $high) }}
{{ .place }}.{{ .name }} holds {{ include "kafka-firehose.shown" . }}: {{ .setting.want }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A value for a message: never a secret, never a login, and cut when it is long. */}}
{{- define "kafka-firehose.shown" -}}
{{- $text := include "kafka-firehose.text" .value -}}
{{- if regexMatch "PASS|SECRET|TOKEN|CREDENTIAL|JAAS" .name -}}
a secret
{{- else -}}
{{- regexReplaceAll "(?s)^.*@" $text "***@" | trunc 80 | quote -}}
{{- end -}}
{{- end -}}

{{/* The argument, a kind and a text, as a number: bytes of a size, nanoseconds of a duration. */}}
{{- define "kafka-firehose.amount" -}}
{{- $text := last . -}}
{{- if eq (first .) "size" -}}
{{- $units := dict "" 1 "K" 1024 "M" 1048576 "G" 1073741824 -}}
{{- mulf (regexFind "^[0-9]+" $text | float64) (get $units (regexFind "[KMG]" $text)) -}}
{{- else if eq (first .) "duration" -}}
{{- $units := dict "ns" 1 "us" 1e3 "µs" 1e3 "μs" 1e3 "ms" 1e6 "s" 1e9 "m" 6e10 "h" 36e11 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+[a-zµμ]+" $text -1 -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- $sum = addf $sum (mulf (float64 $number) (get $units (trimPrefix $number .))) -}}
{{- end -}}
{{- if hasPrefix "-" $text }}-{{ end }}{{ $sum -}}
{{- else -}}
{{- $text -}}
{{- end -}}
{{- end -}}

{{/* The Job of replay, redrive or audit; the argument has root, command, name, shards, args, offsets if a file is mounted, and schedule for a
CronJob. */}}
{{- define "kafka-firehose.recoveryJob" -}}
{{- $root := .root -}}
apiVersion: batch/v1
kind: {{ ternary "CronJob" "Job" (not (empty .schedule)) }}
metadata:
  name: {{ include "kafka-firehose.recoveryName" . | quote }}
  namespace: {{ include "kafka-firehose.namespace" $root | quote }}
  labels:
    {{- include "kafka-firehose.labels" (list $root nil) | nindent 4 }}
spec:
  {{- with .schedule }}
  schedule: {{ . | quote }}
  # Days and hours of the objects are in UTC.
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  # A run that could not start in this time is left out: its range would be a later one.
  startingDeadlineSeconds: 3600
  jobTemplate:
    metadata:
      labels:
        {{- include "kafka-firehose.labels" (list $root nil) | nindent 8 }}
    spec:
      {{- include "kafka-firehose.recoveryJobSpec" $ | nindent 6 }}
  {{- else }}
  {{- include "kafka-firehose.recoveryJobSpec" . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "kafka-firehose.recoveryJobSpec" -}}
{{- $root := .root -}}
completionMode: Indexed
completions: {{ .shards }}
parallelism: {{ .shards }}
# A pod that is about to end still sends: its successor waits, or both would send the same records.
podReplacementPolicy: Failed
backoffLimitPerIndex: {{ int $root.Values.recoveryJobs.retries }}
podFailurePolicy:
  rules:
    # A drained node is no fault: the next pod continues at the last commit, or audits from the beginning.
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget}]
    # 1: some records can't be delivered, or are not where they should be. 2: nothing was sent, or an audit has no result: mostly because
    # the flags, the settings or the access is wrong.
    - action: FailIndex
      onExitCodes: {containerName: {{ .command }}, operator: In, values: [1, 2]}
ttlSecondsAfterFinished: {{ int $root.Values.recoveryJobs.ttlSecondsAfterFinished }}
template:
  metadata:
    labels:
      {{- include "kafka-firehose.podLabels" (list $root (include "kafka-firehose.recoveryLabels" $root)) | nindent 6 }}
    {{- with $root.Values.podAnnotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ include "kafka-firehose.serviceAccount" $root | quote }}
    {{- include "kafka-firehose.surroundings" $root | trim | nindent 4 }}
    terminationGracePeriodSeconds: {{ add $root.Values.shutdown.timeoutSeconds $root.Values.shutdown.marginSeconds }}
    {{- with include "kafka-firehose.scheduling" $root | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    containers:
      - name: {{ .command }}
        {{- include "kafka-firehose.recoveryProgram" . | nindent 8 }}
        args:
          - {{ .command }}
          {{- toYaml .args | nindent 10 }}
        resources:
          {{- toYaml $root.Values.resources | nindent 10 }}
    {{- with include "kafka-firehose.recoveryVolumes" . | trim }}
    volumes:
      {{- . | nindent 6 }}
    {{- end }}
{{- end -}}

{{/* The program of the workload, with the file of offsets mounted beside the other volumes. */}}
{{- define "kafka-firehose.recoveryProgram" -}}
{{- $program := include "kafka-firehose.program" (list .root (include "kafka-firehose.fullname" .root)) | fromYaml -}}
{{- if .offsets -}}
{{- $mount := dict "name" "offsets" "mountPath" "/etc/kafka-firehose/offsets" "readOnly" true -}}
{{- $_ := set $program "volumeMounts" (append ($program.volumeMounts | default list) $mount) -}}
{{- end -}}
{{- toYaml $program -}}
{{- end -}}

{{- define "kafka-firehose.recoveryVolumes" -}}
{{- include "kafka-firehose.volumes" (list .root (include "kafka-firehose.fullname" .root)) }}
{{- with .offsets }}
- name: offsets
  {{- if .secret }}
  secret: {secretName: {{ .secret | quote }}, defaultMode: 288}
  {{- else }}
  configMap: {name: {{ .configMap | quote }}, defaultMode: 288}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The name of a Job follows from the name of the replay alone. The API server refuses the second of two Jobs of one replay, which would
send everything twice. At most 59 characters, because a pod's host name is the Job's with its index; at most 50 for an audit, because a
CronJob adds eleven to it. */}}
{{- define "kafka-firehose.recoveryName" -}}
{{- $full := include "kafka-firehose.fullname" .root -}}
{{- if gt (len $full) 26 }}{{ $full = printf "%s-%s" ($full | trunc 17 | trimSuffix "-") (sha256sum $full | trunc 8) }}{{ end -}}
{{- printf "%s-%s-%s" $full .command .name -}}
{{- end -}}

{{/* Labels of its pods, which neither the Service nor a monitor nor the budget of disruptions selects. */}}
{{- define "kafka-firehose.recoveryLabels" -}}
app.kubernetes.io/name: {{ include "kafka-firehose.recoveryLabel" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "kafka-firehose.recoveryLabel" -}}
{{- printf "%s-recovery" (include "kafka-firehose.name" . | trunc 54 | trimSuffix "-") -}}
{{- end -}}

{{/* The flags of a replay as a list; the argument has name and replay. */}}
{{- define "kafka-firehose.replayArgs" -}}
{{- $args := list (printf "-name=%s" .name) -}}
{{- with .replay -}}
{{- with .from }}{{ $args = append $args (printf "-from=%s" .) }}{{ end -}}
{{- with .to }}{{ $args = append $args (printf "-to=%s" .) }}{{ end -}}
{{- with .offsets }}{{ $args = append $args (printf "-offsets=/etc/kafka-firehose/offsets/%s" .key) }}{{ end -}}
{{- with .topics }}{{ $args = append $args (printf "-topic=%s" (join "," .)) }}{{ end -}}
{{- with include "kafka-firehose.text" .partitions }}{{ $args = append $args (printf "-partitions=%s" .) }}{{ end -}}
{{- with .stream }}{{ $args = append $args (printf "-stream=%s" .) }}{{ end -}}
{{- with include "kafka-firehose.text" .maxBytesPerSecond }}{{ $args = append $args (printf "-max-bytes-per-second=%s" .) }}{{ end -}}
{{- if .allowGaps }}{{ $args = append $args "-allow-gaps" }}{{ end -}}
{{- if .dryRun }}{{ $args = append $args "-dry-run" }}{{ end -}}
{{- $args = append $args (printf "-shard=$(JOB_COMPLETION_INDEX)/%d" (int (.shards | default 1))) -}}
{{- end -}}
{{- toJson $args -}}
{{- end -}}

{{/* The flags of a redrive as a list. */}}
{{- define "kafka-firehose.redriveArgs" -}}
{{- $args := list -}}
{{- with .reason }}{{ $args = append $args (printf "-reason=%s" .) }}{{ end -}}
{{- with .topic }}{{ $args = append $args (printf "-topic=%s" .) }}{{ end -}}
{{- with .since }}{{ $args = append $args (printf "-since=%s" .) }}{{ end -}}
{{- with .max }}{{ $args = append $args (printf "-max=%d" (int64 .)) }}{{ end -}}
{{- if .dryRun }}{{ $args = append $args "-dry-run" }}{{ end -}}
{{- toJson $args -}}
{{- end -}}

{{/* The flags of an audit as a list. */}}
{{- define "kafka-firehose.auditArgs" -}}
{{- $args := list (printf "-from=%s" .from) (printf "-to=%s" .to) (printf "-objects=%s" .objects) -}}
{{- with .errors }}{{ $args = append $args (printf "-errors=%s" .) }}{{ end -}}
{{- with .topics }}{{ $args = append $args (printf "-topic=%s" (join "," .)) }}{{ end -}}
{{- with .output }}{{ $args = append $args (printf "-o=%s" .) }}{{ end -}}
{{- with .missing }}{{ $args = append $args (printf "-missing=%s" .) }}{{ end -}}
{{- with .due }}{{ $args = append $args (printf "-due=%s" .) }}{{ end -}}
{{- with .late }}{{ $args = append $args (printf "-late=%s" .) }}{{ end -}}
{{- with .id }}{{ $args = append $args (printf "-id=%s" .) }}{{ end -}}
{{- with .parallel }}{{ $args = append $args (printf "-parallel=%d" (int .)) }}{{ end -}}
{{- toJson $args -}}
{{- end -}}

{{/* Refuses replays, redrives and audits that could not run as they are meant. */}}
{{- define "kafka-firehose.checkRecovery" -}}
{{- range $name, $replay := .Values.replays -}}
{{- $at := printf "replays.%s" $name -}}
{{- include "kafka-firehose.checkRecoveryName" (dict "at" $at "name" $name "max" 24) -}}
{{- $replay = $replay | default dict -}}
{{- if and $replay.offsets (or $replay.from $replay.to) }}{{ fail (printf "%s: offsets names the records; want it without from and to" $at) }}{{ end -}}
{{- if not (or $replay.offsets (and $replay.from $replay.to)) }}{{ fail (printf "%s: want from and to, or offsets with the file that audit -missing has written" $at) }}{{ end -}}
{{- range $key := list "from" "to" }}{{ include "kafka-firehose.checkTime" (dict "at" (printf "%s.%s" $at $key) "time" (get $replay $key)) }}{{ end -}}
{{- if and $replay.from (not (lt (include "kafka-firehose.unixTime" $replay.from | int64) (include "kafka-firehose.unixTime" $replay.to | int64))) }}{{ fail (printf "%s: the range is empty, from %s to %s; want from before to" $at $replay.from $replay.to) }}{{ end -}}
{{- end -}}
{{- range $name, $redrive := .Values.redrives -}}
{{- include "kafka-firehose.checkRecoveryName" (dict "at" (printf "redrives.%s" $name) "name" $name "max" 24) -}}
{{- include "kafka-firehose.checkTime" (dict "at" (printf "redrives.%s.since" $name) "time" ($redrive | default dict).since) -}}
{{- end -}}
{{- if gt (len .Values.redrives) 1 }}{{ fail (printf "redrives: %s would run at the same time and send the same letters; want one at a time" (keys .Values.redrives | sortAlpha | join " and ")) }}{{ end -}}
{{- if and .Values.redrives (not (has "DEAD_LETTER_TOPIC" (include "kafka-firehose.variables" . | fromJsonArray))) (not .Values.extraEnvFrom) }}{{ fail "redrives: DEAD_LETTER_TOPIC is not set, so there are no letters to send" }}{{ end -}}
{{- range $name, $audit := .Values.audits -}}
{{- include "kafka-firehose.checkAudit" (dict "at" (printf "audits.%s" $name) "name" $name "audit" ($audit | default dict)) -}}
{{- end -}}
{{- end -}}

{{- define "kafka-firehose.checkAudit" -}}
{{- $at := .at -}}
{{- $audit := .audit -}}
{{- include "kafka-firehose.checkRecoveryName" (dict "at" $at "name" .name "max" 16) -}}
{{- range $key := list "from" "to" "objects" }}{{ if not (get $audit $key) }}{{ fail (printf "%s: want %s; from and to are the range, objects is where the stream delivers to" $at $key) }}{{ end }}{{ end -}}
{{- $ages := 0 -}}
{{- range $key := list "from" "to" -}}
{{- $time := get $audit $key -}}
{{- if include "kafka-firehose.isAge" $time }}{{ $ages = add1 $ages }}
{{- else if $audit.schedule }}{{ fail (printf "%s.%s holds %q: each run of the schedule would audit the same time; want an age such as 26h" $at $key $time) }}
{{- else }}{{ include "kafka-firehose.checkTime" (dict "at" (printf "%s.%s" $at $key) "time" $time) }}{{ end -}}
{{- end -}}
{{- if and (eq (int $ages) 0) (not (lt (include "kafka-firehose.unixTime" $audit.from | int64) (include "kafka-firehose.unixTime" $audit.to | int64))) }}{{ fail (printf "%s: the range is empty, from %s to %s; want from before to" $at $audit.from $audit.to) }}{{ end -}}
{{- if and (eq (int $ages) 2) (not (gt (include "kafka-firehose.ageSeconds" $audit.from | int64) (include "kafka-firehose.ageSeconds" $audit.to | int64))) }}{{ fail (printf "%s: the range is empty, from %s ago to %s ago; want the larger age in from" $at $audit.from $audit.to) }}{{ end -}}
{{- end -}}

{{/* The seconds of an age. */}}
{{- define "kafka-firehose.ageSeconds" -}}
{{- $zero := toDate "2006-01-02" "2001-01-01" -}}
{{- sub (unixEpoch $zero) (dateModify (printf "-%s" .) $zero | unixEpoch) -}}
{{- end -}}

{{/* Not empty for an age such as 24h, which counts from the start of a pod. */}}
{{- define "kafka-firehose.isAge" -}}
{{- if regexMatch "^([0-9]+([.][0-9]+)?(h|m|s|ms))+$" . }}true{{ end -}}
{{- end -}}

{{- define "kafka-firehose.checkRecoveryName" -}}
{{- if or (gt (len .name) (int .max)) (not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" .name)) -}}
{{- fail (printf "%s: the name becomes part of a Job's; want at most %d of a-z, 0-9 and -, with a letter or a digit at both ends" .at (int .max)) -}}
{{- end -}}
{{- end -}}

{{/* An age would count from the start of each pod: the shards would have different ranges, and a pod that starts again another one. */}}
{{- define "kafka-firehose.checkTime" -}}
{{- if and .time (not (regexMatch "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?$" .time)) -}}
{{- $age := ternary ". An age counts from the start of each pod, and these would differ" "" (not (empty (include "kafka-firehose.isAge" .time))) -}}
{{- fail (printf "%s holds %q: want an RFC 3339 time such as 2026-01-31T08:00:00Z, or a day such as 2026-01-31%s" .at .time $age) -}}
{{- end -}}
{{- end -}}

{{/* Seconds of a time or a day. */}}
{{- define "kafka-firehose.unixTime" -}}
{{- $time := . -}}
{{- if not (contains "T" $time) }}{{ $time = printf "%sT00:00:00Z" $time }}{{ end -}}
{{- toDate "2006-01-02T15:04:05Z07:00" $time | unixEpoch -}}
{{- end -}}

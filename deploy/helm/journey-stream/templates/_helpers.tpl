{{- define "journey.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "journey.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "journey.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{ include "journey.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "journey.image" -}}
{{- if .Values.image.digest }}{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}{{ else }}{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}{{ end }}
{{- end }}

{{- define "journey.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "journey.fullname" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{/* A setting of the release, or its default where the chart has to know it: dict "root" $ "name" "partitions" "default" 8 */}}
{{- define "journey.setting" -}}
{{- $value := ternary (get .root.Values.config .name) nil (hasKey .root.Values.config .name) -}}
{{- if kindIs "invalid" $value }}{{ .default }}{{ else }}{{ $value }}{{ end }}
{{- end }}

{{/* All of journey.yaml: what the values say, and over it what the chart mounts and probes. */}}
{{- define "journey.settings" -}}
{{- if not .Values.config.bootstrap_servers }}{{ fail "config.bootstrap_servers: name your brokers, such as [kafka-kafka-bootstrap:9092]" }}{{ end }}
{{- $decided := dict "metrics_host" "0.0.0.0" "metrics_port" 9464 "serve_host" "0.0.0.0" "serve_port" 8600 "serve_database" "/data/journey.duckdb" }}
{{- if .Values.model }}{{ $_ := set $decided "model" "model.yaml" }}{{ end }}
{{- if .Values.churn }}{{ $_ := set $decided "churn" "churn.yaml" }}{{ end }}
{{- if .Values.kafka.caSecret.name }}{{ $_ := set $decided "ssl_cafile" "/etc/kafka/ca/ca.crt" }}{{ end }}
{{- $login := include "journey.login" (dict "root" . "part" "router") | fromJson }}
{{- if $login.certificate.name }}{{ $_ := set $decided "ssl_certfile" "/etc/kafka/user/user.crt" }}{{ $_ := set $decided "ssl_keyfile" "/etc/kafka/user/user.key" }}{{ end }}
{{- /* Who may look at customers is for the map to know: its tokens are in no other pod, and without them it would be refused. */}}
{{- mergeOverwrite (dict "log_format" "json") (omit (deepCopy .Values.config) "serve_customers") $decided | toYaml }}
{{- end }}

{{- define "journey.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "journey.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What is the same in every pod. */}}
{{- define "journey.pod" -}}
serviceAccountName: {{ include "journey.serviceAccountName" . }}
automountServiceAccountToken: false
# Kubernetes' variables about services would begin with JOURNEY_, too.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "journey.podSecurity" . | nindent 2 }}
{{- end }}

{{- define "journey.container" -}}
image: {{ include "journey.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{- include "journey.containerSecurity" . | nindent 2 }}
{{- end }}

{{/* How a part logs in to the brokers, as JSON: as its own user where Strimzi makes one, else as the values say.
dict "root" $ "part" "router" */}}
{{- define "journey.login" -}}
{{- $values := .root.Values }}
{{- $user := printf "%s-%s" (include "journey.fullname" .root) .part }}
{{- if and (eq ($values.config.sasl_mechanism | default "") "OAUTHBEARER") (not $values.kafka.oauthClientSecret.name) }}
{{- fail "kafka.oauthClientSecret.name: config.sasl_mechanism OAUTHBEARER wants a Secret with that of config.oauth_client_id" }}
{{- end }}
{{- $login := dict "username" ($values.config.sasl_username | default "") "password" $values.kafka.passwordSecret "certificate" $values.kafka.certificateSecret }}
{{- if $values.strimzi.user.enabled }}
{{- if or $login.username $login.password.name $login.certificate.name $values.kafka.oauthClientSecret.name }}
{{- fail "strimzi.user.enabled: each part logs in as a user of its own; leave config.sasl_username and the names of kafka.passwordSecret, kafka.certificateSecret and kafka.oauthClientSecret empty" }}
{{- end }}
{{- if eq $values.strimzi.user.authentication "tls" }}
{{- $login = set $login "certificate" (dict "name" $user "certificate" "user.crt" "key" "user.key") }}
{{- else }}
{{- $login = merge (dict "username" $user "password" (dict "name" $user "key" "password")) $login }}
{{- end }}
{{- end }}
{{- toJson $login }}
{{- end }}

{{/* The Secrets of a part, as JSON, by the settings that name their files. dict "root" $ "part" "router" */}}
{{- define "journey.secrets" -}}
{{- $values := .root.Values }}
{{- $login := include "journey.login" . | fromJson }}
{{- $secrets := dict "sasl_password_file" $login.password "oauth_client_secret_file" $values.kafka.oauthClientSecret "oauth_cafile" $values.kafka.oauthCaSecret "pseudonym_key_file" $values.pseudonymKeySecret "erasure_key_file" $values.erasureKeySecret "schema_registry_password_file" $values.schemaRegistryPasswordSecret }}
{{- if eq .part "serve" }}
{{- $secrets = merge (dict "serve_token_file" $values.serve.tokenSecret "serve_admin_token_file" $values.serve.adminTokenSecret) $secrets }}
{{- end }}
{{- $named := dict }}
{{- range $setting, $secret := $secrets }}
{{- if $secret.name }}{{ $_ := set $named $setting $secret }}{{ end }}
{{- end }}
{{- toJson $named }}
{{- end }}

{{/* Variables of a container. None holds a secret: these are files. dict "root" $ "part" "router" */}}
{{- define "journey.env" -}}
{{- $login := include "journey.login" . | fromJson -}}
- {name: JOURNEY_CONFIG, value: /etc/journey-stream/journey.yaml}
{{- with $login.username }}
# KEDA takes it from here.
- {name: JOURNEY_SASL_USERNAME, value: {{ . | quote }}}
{{- end }}
{{- range $setting := list "oauth_client_id" "oauth_token_url" "oauth_scope" }}
{{- with get $.root.Values.config $setting }}
# As above.
- {name: JOURNEY_{{ upper $setting }}, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- range $setting, $_ := include "journey.secrets" . | fromJson }}
- {name: JOURNEY_{{ upper $setting }}, value: /etc/secrets/{{ $setting }}}
{{- end }}
{{- if eq .part "serve" }}
{{- with .root.Values.config.serve_customers }}
- {name: JOURNEY_SERVE_CUSTOMERS, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* dict "root" $ "part" "router" */}}
{{- define "journey.mounts" -}}
- {name: settings, mountPath: /etc/journey-stream, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if .root.Values.kafka.caSecret.name }}
- {name: kafka-ca, mountPath: /etc/kafka/ca, readOnly: true}
{{- end }}
{{- if (include "journey.login" . | fromJson).certificate.name }}
- {name: kafka-user, mountPath: /etc/kafka/user, readOnly: true}
{{- end }}
{{- if include "journey.secrets" . | fromJson }}
- {name: secrets, mountPath: /etc/secrets, readOnly: true}
{{- end }}
{{- end }}

{{/* dict "root" $ "part" "router" */}}
{{- define "journey.volumes" -}}
- name: settings
  configMap: {name: {{ include "journey.fullname" .root }}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- with .root.Values.kafka.caSecret }}
{{- if .name }}
- name: kafka-ca
  secret: {secretName: {{ .name | quote }}, items: [{key: {{ .key | quote }}, path: ca.crt}]}
{{- end }}
{{- end }}
{{- with (include "journey.login" . | fromJson).certificate }}
{{- if .name }}
- name: kafka-user
  secret: {secretName: {{ .name | quote }}, defaultMode: 0440, items: [{key: {{ .certificate | quote }}, path: user.crt}, {key: {{ .key | quote }}, path: user.key}]}
{{- end }}
{{- end }}
{{- with include "journey.secrets" . | fromJson }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $setting, $secret := . }}
      - secret: {name: {{ $secret.name | quote }}, items: [{key: {{ $secret.key | quote }}, path: {{ $setting }}}]}
      {{- end }}
{{- end }}
{{- end }}

{{/* dict "port" "metrics": what each answers is in docs/operating.md. */}}
{{- define "journey.probes" -}}
# Settings and topics are checked before anything answers.
startupProbe:
  httpGet: {path: /healthz, port: {{ .port }}}
  periodSeconds: 2
  timeoutSeconds: 6
  failureThreshold: 60
# The event loop is given 5 s to answer.
livenessProbe:
  httpGet: {path: /healthz, port: {{ .port }}}
  periodSeconds: 10
  timeoutSeconds: 6
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: {{ .port }}}
  periodSeconds: 5
  timeoutSeconds: 6
{{- end }}

{{/* dict "root" $ "part" "router": on different nodes if there are any. */}}
{{- define "journey.placement" -}}
{{- $values := get .root.Values .part -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "journey.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .part }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* dict "root" $ "part" "router": a pod is made anew when its settings change. */}}
{{- define "journey.podMetadata" -}}
labels:
  {{- include "journey.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .part }}
  {{- if has .part (list "router" "tasks") }}
  journey-stream/worker: "true"
  {{- end }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/settings: {{ include "journey.files" .root | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* The files of the ConfigMap. */}}
{{- define "journey.files" -}}
journey.yaml: |
  {{- include "journey.settings" . | nindent 2 }}
{{- if .Values.model }}
model.yaml: |
  {{- .Values.model | nindent 2 }}
{{- end }}
{{- if .Values.churn }}
churn.yaml: |
  {{- .Values.churn | nindent 2 }}
{{- end }}
{{- end }}

{{/* The topics that touchpoints come from, as a JSON list: in the settings a list, or a string with commas. */}}
{{- define "journey.sources" -}}
{{- $sources := .Values.config.sources | default (list "touchpoints.web" "touchpoints.email" "touchpoints.store" "touchpoints.crm") }}
{{- if kindIs "string" $sources }}{{ $sources = splitList "," ($sources | nospace) }}{{ end }}
{{- $sources | toJson }}
{{- end }}

{{/* A number of bytes: Helm reads whole numbers as fractions, which it would print with an exponent. */}}
{{- define "journey.bytes" -}}
{{- get .root.Values.config .name | default .default | int64 }}
{{- end }}

{{/* "45d" in milliseconds. */}}
{{- define "journey.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 }}
{{- $unit := regexFind "[a-z]+$" . }}
{{- if not (hasKey $units $unit) }}{{ fail (printf "config.retention: found %q; expected a length of time such as 45d" .) }}{{ end }}
{{- mul (regexFind "^[0-9]+" . | int64) (get $units $unit | int64) }}
{{- end }}

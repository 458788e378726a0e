{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* What servers and jobs have in common. Only what tests/unit/helm.py knows too is used: no Helm is there to try it. */}}
{{- define "lakehouse.labels" }}
app.kubernetes.io/name: lakehouse
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "lakehouse.environment" }}
- name: LAKEHOUSE_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secretName }}
      key: secret
- name: LAKEHOUSE_ADMIN_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secretName }}
      key: admin-access-key-id
      optional: true
- name: LAKEHOUSE_ADMIN_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secretName }}
      key: admin-secret-access-key
      optional: true
{{- if .Values.database.url }}
- name: LAKEHOUSE_DATABASE__URL
  value: {{ .Values.database.url | quote }}
- name: LAKEHOUSE_DATABASE__PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secretName }}
      key: database-password
      optional: true
{{- end }}
{{- if .Values.objectStore.url }}
- name: LAKEHOUSE_OBJECT_STORE__URL
  value: {{ .Values.objectStore.url | quote }}
- name: LAKEHOUSE_OBJECT_STORE__ENDPOINT
  value: {{ .Values.objectStore.endpoint | quote }}
- name: LAKEHOUSE_OBJECT_STORE__REGION
  value: {{ .Values.objectStore.region | quote }}
- name: LAKEHOUSE_OBJECT_STORE__ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secretName }}
      key: store-access-key-id
      optional: true
- name: LAKEHOUSE_OBJECT_STORE__SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secretName }}
      key: store-secret-access-key
      optional: true
{{- end }}
- name: LAKEHOUSE_EXTERNAL_URL
  value: {{ .Values.externalUrl | quote }}
- name: LAKEHOUSE_TRUSTED_PROXIES
  value: {{ .Values.trustedProxies | quote }}
- name: LAKEHOUSE_METRICS__ACCESS
  value: {{ .Values.metrics.access | quote }}
{{- range $name, $value := .Values.environment }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- define "lakehouse.pod" }}
terminationGracePeriodSeconds: {{ .Values.gracePeriod }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: lakehouse
    image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args: ["serve", "--host", "0.0.0.0", "--port", "8000", "--data", "/data", "--workers", {{ .Values.workers | quote }}]
    env: {{- include "lakehouse.environment" . | nindent 6 }}
    ports:
      - name: http
        containerPort: 8000
    startupProbe:
      httpGet:
        path: /_health
        port: http
      periodSeconds: 2
      failureThreshold: 60
    readinessProbe:
      httpGet:
        path: /_health
        port: http
      periodSeconds: 5
    livenessProbe:
      httpGet:
        path: /_health
        port: http
      periodSeconds: 20
      timeoutSeconds: 5
      failureThreshold: 6
    resources: {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: ["ALL"]
    volumeMounts:
      - name: data
        mountPath: /data
      - name: tmp
        mountPath: /tmp
nodeSelector: {{- toYaml .Values.nodeSelector | nindent 2 }}
tolerations: {{- toYaml .Values.tolerations | nindent 2 }}
affinity: {{- toYaml .Values.affinity | nindent 2 }}
{{- end }}

"""A manifest in the shape of F5's, written here from what is known of nginx/kubernetes-ingress' deployments/: it is not F5's."""

F5_YAML = """\
apiVersion: v1
kind: Namespace
metadata: {name: nginx-ingress}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: nginx-ingress, namespace: nginx-ingress}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: nginx-ingress}
rules:
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {apiGroups: [networking.k8s.io], resources: [ingresses, ingressclasses], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: nginx-ingress}
subjects: [{kind: ServiceAccount, name: nginx-ingress, namespace: nginx-ingress}]
roleRef: {kind: ClusterRole, name: nginx-ingress, apiGroup: rbac.authorization.k8s.io}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: policies.k8s.nginx.org}
spec:
  group: k8s.nginx.org
  names: {kind: Policy, listKind: PolicyList, plural: policies, singular: policy}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: nginx-config, namespace: nginx-ingress}
data:
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: nginx.org/ingress-controller}
---
apiVersion: v1
kind: Service
metadata: {name: nginx-ingress, namespace: nginx-ingress}
spec: {type: NodePort, ports: [{port: 80, name: http}], selector: {app: nginx-ingress}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx-ingress, namespace: nginx-ingress}
spec:
  replicas: 1
  selector: {matchLabels: {app: nginx-ingress}}
  template:
    metadata: {labels: {app: nginx-ingress}}
    spec:
      serviceAccountName: nginx-ingress
      automountServiceAccountToken: true
      containers:
      - name: nginx-ingress
        image: nginx/nginx-ingress:5.5.4
        imagePullPolicy: IfNotPresent
        ports:
        - {name: http, containerPort: 80}
        - {name: https, containerPort: 443}
        - {name: readiness-port, containerPort: 8081}
        readinessProbe: {httpGet: {path: /nginx-ready, port: readiness-port}, periodSeconds: 1}
        resources: {requests: {cpu: 100m, memory: 128Mi}}
        securityContext: {allowPrivilegeEscalation: false, runAsUser: 101, runAsNonRoot: true, capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}
        env:
        - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        args: [-nginx-configmaps=$(POD_NAMESPACE)/nginx-config, -report-ingress-status, -external-service=nginx-ingress]
"""
F5_DAEMON_SET = (
    F5_YAML.replace("kind: Deployment", "kind: DaemonSet")
    .replace("  replicas: 1\n", "")
    .replace("containerPort: 80}", "containerPort: 80, hostPort: 80}")
)

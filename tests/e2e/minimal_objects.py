"""A minimal valid body for every stored resource of every GA group version, with what Kubernetes
says of it: scope, whether the server keeps a generation, and what a DELETE answers with."""

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
SELECTOR = {"matchLabels": {"a": "b"}}
ONCE = {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
HOOK = {"name": "a.example.com", "clientConfig": {"url": "https://hook.example"}, "rules": [RULE],
        "sideEffects": "None", "admissionReviewVersions": ["v1"]}


def csr(subject="/O=group/CN=user", *options):
    """A certificate request of a fresh key, or with "-x509" its certificate, base64 of PEM."""
    import base64
    import subprocess

    pem = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                          "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null",
                          "-subj", subject, *options], check=True, capture_output=True).stdout
    return base64.b64encode(pem).decode()


class Row:
    def __init__(self, group_version, resource, kind, scope, body, generation=False, returns="Status",
                 name=None, orphans=False):
        self.group_version, self.resource, self.kind = group_version, resource, kind
        self.namespaced = scope == "ns"
        self.body, self.generation, self.returns = body, generation, returns
        self.name = name or "e2e-minimal"
        self.orphans = orphans  # a DELETE with no policy leaves dependents

    def __str__(self):
        return f"{self.group_version}/{self.resource}"

    def path(self, namespace):
        base = "/api/" if "/" not in self.group_version else "/apis/"
        base += self.group_version
        return f"{base}/namespaces/{namespace}/{self.resource}" if self.namespaced else \
            f"{base}/{self.resource}"

    def object(self, namespace):
        body = dict(self.body() if callable(self.body) else self.body)
        meta = {"name": self.name, **body.pop("metadata", {})}
        if self.namespaced:
            meta["namespace"] = namespace
        # Events belong to the namespace of what they are about.
        for field in ("involvedObject", "regarding"):
            if field in body:
                body[field] = {**body[field], "namespace": namespace}
        return {"apiVersion": self.group_version, "kind": self.kind, "metadata": meta, **body}


def hpa(metrics):
    return {"spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
                     "maxReplicas": 3, **metrics}}


ROWS = [
    Row("v1", "configmaps", "ConfigMap", "ns", {"data": {"a": "b"}}),
    Row("v1", "endpoints", "Endpoints", "ns",
        {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}),
    Row("v1", "events", "Event", "ns", {"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "R",
                                        "message": "m", "type": "Normal"}),
    Row("v1", "limitranges", "LimitRange", "ns",
        {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}),
    Row("v1", "namespaces", "Namespace", "cluster", {}, returns="object"),
    Row("v1", "nodes", "Node", "cluster", {}),
    Row("v1", "persistentvolumeclaims", "PersistentVolumeClaim", "ns",
        {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
        returns="object"),
    Row("v1", "persistentvolumes", "PersistentVolume", "cluster",
        {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                  "hostPath": {"path": "/data"}}}, returns="object"),
    Row("v1", "pods", "Pod", "ns", {"spec": TEMPLATE["spec"]}, generation=True, returns="object"),
    Row("v1", "podtemplates", "PodTemplate", "ns", {"template": TEMPLATE}, generation=True,
        returns="object"),
    Row("v1", "replicationcontrollers", "ReplicationController", "ns",
        {"spec": {"selector": {"a": "b"}, "template": TEMPLATE}}, generation=True, orphans=True),
    Row("v1", "resourcequotas", "ResourceQuota", "ns", {"spec": {"hard": {"pods": "3"}}},
        returns="object"),
    Row("v1", "secrets", "Secret", "ns", {"data": {"a": "Yg=="}}),
    Row("v1", "serviceaccounts", "ServiceAccount", "ns", {}, returns="object"),
    Row("v1", "services", "Service", "ns", {"spec": {"ports": [{"port": 80}]}}, returns="object"),
    Row("apps/v1", "controllerrevisions", "ControllerRevision", "ns", {"revision": 1, "data": {"a": 1}}),
    Row("apps/v1", "daemonsets", "DaemonSet", "ns", {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
        generation=True),
    Row("apps/v1", "deployments", "Deployment", "ns",
        {"spec": {"selector": SELECTOR, "template": TEMPLATE}}, generation=True),
    Row("apps/v1", "replicasets", "ReplicaSet", "ns",
        {"spec": {"selector": SELECTOR, "template": TEMPLATE}}, generation=True),
    Row("apps/v1", "statefulsets", "StatefulSet", "ns",
        {"spec": {"serviceName": "s", "selector": SELECTOR, "template": TEMPLATE}}, generation=True),
    Row("batch/v1", "cronjobs", "CronJob", "ns",
        {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": ONCE}}}}, generation=True),
    Row("batch/v1", "jobs", "Job", "ns", {"spec": {"template": ONCE}}, generation=True, orphans=True),
    Row("autoscaling/v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "ns",
        hpa({"targetCPUUtilizationPercentage": 50})),
    Row("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "ns", hpa({"metrics": [
        {"type": "Resource", "resource": {"name": "cpu", "target": {
            "type": "Utilization", "averageUtilization": 50}}}]})),
    Row("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", "ns",
        {"spec": {"minAvailable": 1, "selector": SELECTOR}}, generation=True),
    Row("networking.k8s.io/v1", "ingressclasses", "IngressClass", "cluster",
        {"spec": {"controller": "example.com/x"}}, generation=True),
    Row("networking.k8s.io/v1", "ingresses", "Ingress", "ns",
        {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}, generation=True),
    Row("networking.k8s.io/v1", "ipaddresses", "IPAddress", "cluster",
        {"spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "s"}}},
        name="10.96.77.7"),
    Row("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", "ns", {"spec": {"podSelector": {}}},
        generation=True),
    Row("networking.k8s.io/v1", "servicecidrs", "ServiceCIDR", "cluster",
        {"spec": {"cidrs": ["10.97.0.0/16"]}}),
    Row("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", "ns",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
        generation=True),
    Row("events.k8s.io/v1", "events", "Event", "ns",
        {"eventTime": "2026-01-01T00:00:00.000000Z", "action": "Test", "reason": "R", "type": "Normal",
         "reportingController": "example.com/x", "reportingInstance": "x-1",
         "regarding": {"kind": "Pod", "name": "p"}}, name="e2e-minimal-new"),
    Row("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", "cluster",
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}}),
    Row("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", "cluster",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    Row("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", "ns",
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
         "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "u"}]}),
    Row("rbac.authorization.k8s.io/v1", "roles", "Role", "ns",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    Row("storage.k8s.io/v1", "csidrivers", "CSIDriver", "cluster", {"spec": {"attachRequired": True}},
        returns="object"),
    Row("storage.k8s.io/v1", "csinodes", "CSINode", "cluster",
        {"spec": {"drivers": [{"name": "d.example.com", "nodeID": "n"}]}}, returns="object"),
    Row("storage.k8s.io/v1", "csistoragecapacities", "CSIStorageCapacity", "ns",
        {"storageClassName": "c", "capacity": "1Gi"}),
    Row("storage.k8s.io/v1", "storageclasses", "StorageClass", "cluster",
        {"provisioner": "example.com/x"}, returns="object"),
    Row("storage.k8s.io/v1", "volumeattachments", "VolumeAttachment", "cluster",
        {"spec": {"attacher": "d.example.com", "nodeName": "n",
                  "source": {"persistentVolumeName": "v"}}}, returns="object"),
    Row("storage.k8s.io/v1", "volumeattributesclasses", "VolumeAttributesClass", "cluster",
        {"driverName": "d.example.com", "parameters": {"a": "b"}}, returns="object"),
    Row("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass", "cluster", {"value": 5},
        generation=True),
    Row("coordination.k8s.io/v1", "leases", "Lease", "ns",
        {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}}),
    Row("node.k8s.io/v1", "runtimeclasses", "RuntimeClass", "cluster", {"handler": "h"}),
    Row("certificates.k8s.io/v1", "certificatesigningrequests", "CertificateSigningRequest", "cluster",
        lambda: {"spec": {"request": csr(), "signerName": "example.com/signer", "usages": ["client auth"]}}),
    Row("admissionregistration.k8s.io/v1", "mutatingadmissionpolicies", "MutatingAdmissionPolicy", "cluster",
        {"spec": {"matchConstraints": {"resourceRules": [RULE]}, "reinvocationPolicy": "Never",
                  "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {
                      "expression": "Object{metadata: Object.metadata{labels: {'a': 'b'}}}"}}]}},
        generation=True),
    Row("admissionregistration.k8s.io/v1", "mutatingadmissionpolicybindings",
        "MutatingAdmissionPolicyBinding", "cluster", {"spec": {"policyName": "p"}}, generation=True),
    Row("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration",
        "cluster", {"webhooks": [{**HOOK, "failurePolicy": "Ignore", "namespaceSelector": {
            "matchLabels": {"never": "there"}}}]}, generation=True),
    Row("admissionregistration.k8s.io/v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy",
        "cluster", {"spec": {"matchConstraints": {"resourceRules": [RULE]},
                             "validations": [{"expression": "true"}]}}, generation=True),
    Row("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding", "cluster",
        {"spec": {"policyName": "p", "validationActions": ["Audit"]}}, generation=True),
    Row("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration", "cluster", {"webhooks": [{**HOOK, "failurePolicy": "Ignore",
            "namespaceSelector": {"matchLabels": {"never": "there"}}}]}, generation=True),
    Row("flowcontrol.apiserver.k8s.io/v1", "flowschemas", "FlowSchema", "cluster",
        {"spec": {"priorityLevelConfiguration": {"name": "exempt"}, "matchingPrecedence": 900}},
        generation=True),
    Row("flowcontrol.apiserver.k8s.io/v1", "prioritylevelconfigurations", "PriorityLevelConfiguration",
        "cluster", {"spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 1, "limitResponse": {"type": "Reject"}}}}, generation=True),
    Row("resource.k8s.io/v1", "deviceclasses", "DeviceClass", "cluster", {"spec": {}}, generation=True,
        returns="object"),
    Row("resource.k8s.io/v1", "resourceclaims", "ResourceClaim", "ns",
        {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}},
        returns="object"),
    Row("resource.k8s.io/v1", "resourceclaimtemplates", "ResourceClaimTemplate", "ns",
        {"spec": {"spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}]}}}},
        returns="object"),
    Row("resource.k8s.io/v1", "resourceslices", "ResourceSlice", "cluster",
        {"spec": {"driver": "d.example.com", "nodeName": "n",
                  "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1}, "devices": []}},
        generation=True, returns="object"),
    Row("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", "cluster",
        {"spec": {"group": "example.com", "scope": "Namespaced",
                  "names": {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"},
                  "versions": [{"name": "v1", "served": True, "storage": True,
                                "schema": {"openAPIV3Schema": {"type": "object"}}}]}},
        generation=True, name="gizmos.example.com"),
    Row("apiregistration.k8s.io/v1", "apiservices", "APIService", "cluster",
        {"spec": {"group": "far.example.com", "version": "v1", "groupPriorityMinimum": 100,
                  "versionPriority": 10, "service": {"namespace": "default", "name": "s"},
                  "insecureSkipTLSVerify": True}}, name="v1.far.example.com"),
]

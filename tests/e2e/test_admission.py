"""Admission plugins on Pods: ServiceAccount, Priority, DefaultTolerationSeconds."""

import itertools

import pytest

from conftest import check_stopped
from harness import Server, pod, pintle, status_of
from minimal_objects import csr

numbers = itertools.count()
PODS = "/api/v1/namespaces/default/pods"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture(scope="module")
def server(workdir):
    """One with every plugin on."""
    s = Server(workdir / "data", ["--disable-admission-plugins="]).init().start()
    yield s
    check_stopped(s)


@pytest.fixture(scope="module")
def accounts(raw):
    status = status_of(raw.post(PODS, pod("early")), 403, "Forbidden")
    assert status["message"] == ('pods "early" is forbidden: error looking up service account '
                                 'default/default: serviceaccount "default" not found')
    assert raw.post(ACCOUNTS, {"metadata": {"name": "default"},
                               "imagePullSecrets": [{"name": "registry"}]}).status == 201
    assert raw.post(ACCOUNTS, {"metadata": {"name": "quiet"},
                               "automountServiceAccountToken": False}).status == 201


def make(raw, **spec):
    body = pod(f"pod-{next(numbers)}")
    body["spec"].update(spec)
    made = raw.post(PODS, body)
    assert made.status == 201, made
    return made.json()["spec"]


def test_a_pod_gets_the_default_account_and_its_token(raw, accounts):
    spec = make(raw, initContainers=[{"name": "first", "image": "example/c:1"}])
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    [volume] = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-") and len(volume["name"]) == 21
    assert volume["projected"] == {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {
            "apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}
    for container in spec["containers"] + spec["initContainers"]:
        assert container["volumeMounts"] == [{"name": volume["name"], "readOnly": True,
                                              "mountPath": PATH}]


MIRROR = {"kubernetes.io/config.mirror": "0123456789abcdef", "kubernetes.io/config.source": "file"}


def test_a_mirror_gets_nothing(raw, accounts):
    """Not even where there is no default account: it shows what runs already."""
    assert raw.post("/api/v1/namespaces", {"metadata": {"name": "bare"}}).status == 201
    body = pod("picture", annotations=MIRROR, namespace="bare")
    body["spec"]["nodeName"] = "n1"
    made = raw.post("/api/v1/namespaces/bare/pods", body)
    assert made.status == 201, made
    spec = made.json()["spec"]
    assert "volumes" not in spec and not spec.get("serviceAccountName") and "imagePullSecrets" not in spec


@pytest.mark.parametrize("spec, why", [
    ({"serviceAccountName": "default"}, "a mirror pod may not reference service accounts"),
    ({"imagePullSecrets": [{"name": "s"}]}, "a mirror pod may not reference secrets"),
    ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "a mirror pod may not reference secrets"),
    ({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
     "a mirror pod may not use ServiceAccountToken volume projections")])
def test_what_a_mirror_may_not_name(raw, accounts, spec, why):
    body = pod("picture", annotations=MIRROR)
    body["spec"] |= {"nodeName": "n1", **spec}
    status = status_of(raw.post(PODS, body), 403, "Forbidden")
    assert status["message"] == f'pods "picture" is forbidden: {why}'


def test_who_wants_no_token_gets_none(raw, accounts):
    for spec in (make(raw, serviceAccountName="quiet"),
                 make(raw, automountServiceAccountToken=False)):
        assert "volumes" not in spec and "volumeMounts" not in spec["containers"][0]
    assert "volumes" in make(raw, serviceAccountName="quiet", automountServiceAccountToken=True)
    own = {"name": "main", "image": "x", "volumeMounts": [{"name": "mine", "mountPath": PATH}]}
    spec = make(raw, containers=[own], volumes=[{"name": "mine", "emptyDir": {}}])
    assert [v["name"] for v in spec["volumes"]] == ["mine"]
    body = pod("missing")
    body["spec"]["serviceAccountName"] = "missing"
    status_of(raw.post(PODS, body), 403, "Forbidden")


def test_priority(raw, accounts):
    assert make(raw)["priority"] == 0
    critical = make(raw, priorityClassName="system-node-critical")
    assert critical["priority"] == 2000001000
    assert critical["preemptionPolicy"] == "PreemptLowerPriority"
    body = pod("unknown")
    body["spec"]["priorityClassName"] = "unknown"
    assert "no PriorityClass with name unknown was found" in status_of(raw.post(PODS, body),
                                                                       403)["message"]
    body = pod("wrong")
    body["spec"]["priority"] = 7
    assert "must not be provided in pod spec" in status_of(raw.post(PODS, body), 403)["message"]
    assert raw.post(CLASSES, {"metadata": {"name": "usual"}, "value": 50, "globalDefault": True,
                              "preemptionPolicy": "Never"}).status == 201
    usual = make(raw)
    assert (usual["priority"], usual["priorityClassName"], usual["preemptionPolicy"]) == (
        50, "usual", "Never")
    assert raw.delete(f"{CLASSES}/usual").status == 200


def test_tolerations_of_nodes_that_are_away(raw, accounts):
    assert [(t["key"], t["effect"], t["tolerationSeconds"]) for t in make(raw)["tolerations"]] == [
        ("node.kubernetes.io/not-ready", "NoExecute", 300),
        ("node.kubernetes.io/unreachable", "NoExecute", 300)]
    assert len(make(raw, tolerations=[{"operator": "Exists"}])["tolerations"]) == 1


def test_an_update_without_what_admission_added(raw, accounts):
    name = f"pod-{next(numbers)}"
    made = raw.post(PODS, pod(name)).json()
    del made["spec"]["priority"], made["spec"]["preemptionPolicy"]
    made["metadata"]["labels"] = {"a": "b"}
    made["spec"]["tolerations"] = [{"key": "mine", "operator": "Exists"}]
    updated = raw.put(f"{PODS}/{name}", made)
    assert updated.status == 200, updated
    assert [t["key"] for t in updated.json()["spec"]["tolerations"]] == [
        "mine", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]


def test_an_unknown_plugin_is_refused(scratch):
    done = pintle("apiserver", "--data-dir", scratch / "d", "--disable-admission-plugins=Nothing")
    assert done.returncode == 1 and "'Nothing' is no admission plugin" in done.stderr


def test_a_runtime_class_gives_overhead_and_a_place(raw, accounts):
    classes = "/apis/node.k8s.io/v1/runtimeclasses"
    body = pod("classless")
    body["spec"]["runtimeClassName"] = "heavy"
    status = status_of(raw.post(PODS, body), 403, "Forbidden")
    assert status["message"] == 'pods "classless" is forbidden: pod rejected: RuntimeClass "heavy" not found'
    assert raw.post(classes, {
        "metadata": {"name": "heavy"}, "handler": "vm", "overhead": {"podFixed": {"cpu": "250m", "memory": "1Gi"}},
        "scheduling": {"nodeSelector": {"vm": "yes"}, "tolerations": [
            {"key": "vm", "operator": "Exists"},
            {"key": "vm", "operator": "Equal", "value": "old", "effect": "NoSchedule"}]}}).status == 201
    spec = make(raw, runtimeClassName="heavy", nodeSelector={"disk": "fast"}, overhead={"cpu": "0.25", "memory": "1024Mi"})
    assert spec["overhead"] == {"cpu": "250m", "memory": "1Gi"}
    assert spec["nodeSelector"] == {"disk": "fast", "vm": "yes"}
    assert [t for t in spec["tolerations"] if t["key"] == "vm"] == [{"key": "vm", "operator": "Exists"}]
    for wrong, words in (
            ({"overhead": {"cpu": "1"}}, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"),
            ({"nodeSelector": {"vm": "no"}}, "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; "
                                             "pod.spec.nodeSelector[vm] = no")):
        body["spec"].pop("overhead", None)
        body["spec"].update(wrong)
        assert words in status_of(raw.post(PODS, body), 403, "Forbidden")["message"]
    body = pod("classless")
    body["spec"]["overhead"] = {"cpu": "1"}
    assert "Pod Overhead set without corresponding RuntimeClass defined Overhead" in \
        status_of(raw.post(PODS, body), 403, "Forbidden")["message"]


def test_a_limit_range_gives_defaults_and_bounds(raw, accounts):
    ns = "/api/v1/namespaces/limited"
    assert raw.post("/api/v1/namespaces", {"metadata": {"name": "limited"}}).status == 201
    assert raw.post(f"{ns}/serviceaccounts", {"metadata": {"name": "default"}}).status == 201
    assert raw.post(f"{ns}/limitranges", {"metadata": {"name": "both"}, "spec": {"limits": [
        {"type": "Container", "min": {"cpu": "50m"}, "max": {"cpu": "500m", "memory": "1Gi"},
         "default": {"cpu": "400m", "memory": "512Mi"}, "defaultRequest": {"cpu": "100m"},
         "maxLimitRequestRatio": {"cpu": "4"}},
        {"type": "Pod", "max": {"memory": "1Gi"}},
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}]}}).status == 201

    def make_with(*resources, init=()):
        body = pod(f"pod-{next(numbers)}")
        body["spec"]["containers"] = [{"name": f"c{i}", "image": "x", "resources": r} for i, r in enumerate(resources)]
        body["spec"]["initContainers"] = [{"name": f"i{i}", "image": "x", "resources": r} for i, r in enumerate(init)]
        body["metadata"].pop("namespace", None)
        return raw.post(f"{ns}/pods", body)

    made = make_with({}, {"requests": {"cpu": "200m", "memory": "1Mi"}})
    assert made.status == 201, made
    made = made.json()
    first, second = (c["resources"] for c in made["spec"]["containers"])
    assert first == {"limits": {"cpu": "400m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "512Mi"}}
    assert second == {"limits": {"cpu": "400m", "memory": "512Mi"}, "requests": {"cpu": "200m", "memory": "1Mi"}}
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c0; cpu, memory limit for container c0; "
        "cpu, memory limit for container c1")
    for resources, words in (
            ([{"requests": {"cpu": "10m"}, "limits": {"cpu": "40m"}}],
             "minimum cpu usage per Container is 50m, but request is 10m"),
            ([{"requests": {"cpu": "200m"}, "limits": {"cpu": "1"}}],
             "[maximum cpu usage per Container is 500m, but limit is 1, "
             "cpu max limit to request ratio per Container is 4, but provided ratio is 5.000000]"),
            ([{"limits": {"memory": "600Mi"}, "requests": {"memory": "1Mi"}}] * 2,
             "maximum memory usage per Pod is 1Gi, but limit is 1200Mi")):
        status = status_of(make_with(*resources), 403, "Forbidden")
        assert status["message"].split(" is forbidden: ")[1] == words
    assert make_with({}, init=[{"limits": {"memory": "1Gi"}}]).status == 201

    def claim(size):
        return raw.post(f"{ns}/persistentvolumeclaims", {
            "metadata": {"name": f"c-{size.lower()}"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}})

    assert claim("2Gi").status == 201
    assert "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi" in \
        status_of(claim("3Gi"), 403, "Forbidden")["message"]
    assert "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi" in \
        status_of(claim("1Mi"), 403, "Forbidden")["message"]


def test_default_classes(raw):
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    default = {"storageclass.kubernetes.io/is-default-class": "true"}

    def claim(name, **spec):
        return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {
            "requests": {"storage": "1Gi"}}, **spec}}

    assert "storageClassName" not in raw.post(claims, claim("classless")).json()["spec"]
    for name, annotations in (("plain", {}), ("standard", default)):
        assert raw.post(classes, {"metadata": {"name": name, "annotations": annotations}, "provisioner": "e/p",
                                  "allowVolumeExpansion": True}).status == 201
    made = raw.post(claims, claim("c")).json()
    assert made["spec"]["storageClassName"] == "standard"
    assert raw.post(claims, claim("none", storageClassName="")).json()["spec"]["storageClassName"] == ""
    # Only what is bound to a class that allows it grows.
    bigger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    status_of(raw.patch(f"{claims}/c", bigger), 422, "Invalid")
    bound = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    for name in ("c", "none"):
        assert raw.patch(f"{claims}/{name}/status", bound).status == 200
    assert raw.patch(f"{claims}/c", bigger).status == 200
    refused = status_of(raw.patch(f"{claims}/none", bigger), 403, "Forbidden")
    assert "must support resize" in refused["message"]

    ingresses = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
    ingress = {"metadata": {"name": "i"}, "spec": {"rules": [{"host": "a.b"}]}}
    assert raw.post("/apis/networking.k8s.io/v1/ingressclasses", {
        "metadata": {"name": "front", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "e.x/c"}}).status == 201
    assert raw.post(ingresses, ingress).json()["spec"]["ingressClassName"] == "front"


def test_who_approves_and_signs(server, raw):
    root = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    jane = {"Impersonate-User": "jane"}
    spec = {"request": csr(), "signerName": "example.com/signer", "usages": ["client auth"]}
    made = raw.post(root, {"metadata": {"name": "jane"}, "spec": spec}).json()
    assert raw.post(f"{rbac}/clusterroles", {"metadata": {"name": "csrs"}, "rules": [
        {"apiGroups": ["certificates.k8s.io"], "resources": [f"certificatesigningrequests{s}" for s in
                                                             ("", "/approval", "/status")],
         "verbs": ["*"]}]}).status == 201
    bind = {"metadata": {"name": "csrs"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io",
                                                      "kind": "ClusterRole", "name": "csrs"},
            "subjects": [{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}]}
    assert raw.post(f"{rbac}/clusterrolebindings", bind).status == 201
    made["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]}
    refused = status_of(raw.put(f"{root}/jane/approval", made, headers=jane), 403, "Forbidden")
    assert 'user not permitted to approve requests with signerName "example.com/signer"' in refused["message"]
    assert raw.put(f"{root}/jane/approval", made).status == 200
    assert raw.post(f"{rbac}/clusterroles", {"metadata": {"name": "approvers"}, "rules": [
        {"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": ["example.com/*"],
         "verbs": ["approve", "sign"]}]}).status == 201
    now = raw.get(f"{root}/jane").json()
    now["status"]["certificate"] = csr("/CN=jane", "-x509")
    assert "to sign requests" in status_of(raw.put(f"{root}/jane/status", now, headers=jane), 403)["message"]
    assert raw.post(f"{rbac}/clusterrolebindings", {
        **bind, "metadata": {"name": "approvers"}, "roleRef": {**bind["roleRef"], "name": "approvers"}}).status == 201
    assert raw.put(f"{root}/jane/status", now, headers=jane).status == 200
    masters = {**spec, "request": csr("/O=system:masters/CN=me"), "signerName": "kubernetes.io/kube-apiserver-client"}
    refused = status_of(raw.post(root, {"metadata": {"name": "master"}, "spec": masters}), 403, "Forbidden")
    assert "system:masters group is not allowed" in refused["message"]

"""PodSecurity: what the labels of a namespace demand of its Pods. Words are upstream's; the checks themselves have a
table in src/api/pod_security_test.c."""

import re

import pytest

from harness import status_of

LABEL = "pod-security.kubernetes.io/"
CORE = "/api/v1"
HOST = {"hostNetwork": True, "containers": [{"name": "c", "image": "x"}]}
PLAIN = {"containers": [{"name": "c", "image": "x"}]}
SAFE = {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "c", "image": "x", "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}


@pytest.fixture
def namespace(raw, request):
    count = iter(range(100))

    def make(**labels):
        name = f"{re.sub('[^a-z0-9]+', '-', request.node.name.removeprefix('test_'))[:40]}-{next(count)}"
        made = raw.post(f"{CORE}/namespaces", {"metadata": {
            "name": name, "labels": {LABEL + k.replace("_", "-"): v for k, v in labels.items()}}})
        assert made.status == 201, made
        return f"{CORE}/namespaces/{name}"

    return make


def warnings(answer):
    return [w.removeprefix('299 - "').removesuffix('"').replace('\\"', '"') for w in answer.headers.get_all("Warning") or []]


def pod(name, spec, **meta):
    return {"metadata": {"name": name, **meta}, "spec": spec}


def test_what_is_enforced(raw, namespace):
    n = namespace(enforce="baseline")
    refused = status_of(raw.post(f"{n}/pods", pod("a", HOST)), 403, "Forbidden")
    assert refused["message"] == \
        'pods "a" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    assert refused["details"] == {"name": "a", "kind": "pods"}
    made = raw.post(f"{n}/pods", pod("b", PLAIN))
    assert made.status == 201 and warnings(made) == []


def test_a_version_of_then(raw, namespace):
    n = namespace(enforce="restricted", enforce_version="v1.18")
    assert raw.post(f"{n}/pods", pod("a", {**PLAIN, "securityContext": {"runAsNonRoot": True}, "containers": [
        {"name": "c", "image": "x", "securityContext": {"allowPrivilegeEscalation": False}}]})).status == 201
    assert 'violates PodSecurity "restricted:v1.18": allowPrivilegeEscalation != false' in \
        status_of(raw.post(f"{n}/pods", pod("b", PLAIN)), 403, "Forbidden")["message"]
    assert raw.post(f"{namespace(enforce='restricted')}/pods", pod("c", SAFE)).status == 201


def test_what_is_warned_of(raw, namespace):
    n = namespace(warn="restricted", warn_version="v1.24")
    text = 'would violate PodSecurity "restricted:v1.24": host namespaces (hostNetwork=true), allowPrivilegeEscalation ' \
        '!= false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities ' \
        '(container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" ' \
        'must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set ' \
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    made = raw.post(f"{n}/pods", pod("a", HOST))
    assert made.status == 201 and warnings(made) == [text]


def makers():
    template = {"metadata": {"labels": {"a": "b"}}, "spec": HOST}
    once = {"spec": {**HOST, "restartPolicy": "Never"}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    yield "/apis/apps/v1", "deployments", {"spec": spec}
    yield "/apis/apps/v1", "replicasets", {"spec": spec}
    yield "/apis/apps/v1", "daemonsets", {"spec": spec}
    yield "/apis/apps/v1", "statefulsets", {"spec": {**spec, "serviceName": "s"}}
    yield CORE, "replicationcontrollers", {"spec": {**spec, "selector": {"a": "b"}}}
    yield CORE, "podtemplates", {"template": template}
    yield "/apis/batch/v1", "jobs", {"spec": {"template": once}}
    yield "/apis/batch/v1", "cronjobs", {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": once}}}}


@pytest.mark.parametrize("group, resource, body", makers(), ids=lambda x: x if isinstance(x, str) else "")
def test_what_makes_pods_is_warned_of_and_made(raw, server, group, resource, body):
    raw.post(f"{CORE}/namespaces", {"metadata": {"name": "makers", "labels": {LABEL + "enforce": "baseline"}}})
    made = raw.post(f"{group}/namespaces/makers/{resource}", {"metadata": {"name": "m"}, **body})
    assert made.status == 201, made
    assert warnings(made) == ['would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)']


def test_changes_of_pods(raw, namespace):
    """A Pod that was there before the label may change, but not what it runs."""
    n = namespace()
    assert raw.post(f"{n}/pods", pod("a", HOST)).status == 201
    assert raw.patch(n, {"metadata": {"labels": {LABEL + "enforce": "baseline"}}}).status == 200
    assert raw.patch(f"{n}/pods/a", {"metadata": {"labels": {"x": "y"}}}).status == 200
    assert raw.patch(f"{n}/pods/a/status", {"status": {"message": "m"}}).status == 200
    image = {"spec": {"containers": [{"name": "c", "image": "other"}]}}
    status_of(raw.patch(f"{n}/pods/a", image, "strategic-merge-patch"), 403, "Forbidden")
    debug = {"spec": {"ephemeralContainers": [{"name": "e", "image": "x", "securityContext": {"privileged": True}}]}}
    refused = raw.patch(f"{n}/pods/a/ephemeralcontainers", debug, "strategic-merge-patch")
    assert 'privileged (container "e" must not set securityContext.privileged=true)' in \
        status_of(refused, 403, "Forbidden")["message"]
    assert raw.delete(f"{n}/pods/a").status == 200


def test_a_label_tells_of_the_pods_that_are_there(raw, namespace):
    n = namespace()
    owner = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r", "controller": True}]
    for name, spec, more in (("z", HOST, {}), ("b", HOST, {"ownerReferences": owner}), ("a", HOST, {"ownerReferences": owner}),
                             ("c", SAFE, {}), ("d", {**HOST, "hostPID": True, "hostNetwork": False}, {}),
                             ("e", {**PLAIN, "volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, {})):
        assert raw.post(f"{n}/pods", pod(name, spec, **more)).status == 201

    def label(**labels):
        got = raw.patch(n, {"metadata": {"labels": {LABEL + k.replace("_", "-"): v for k, v in labels.items()}}})
        assert got.status == 200, got
        return warnings(got)

    name = n.rsplit("/", 1)[1]
    assert label(enforce="baseline") == [
        f'existing pods in namespace "{name}" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 3 other pods): host namespaces", "e: hostPath volumes"]
    assert label(warn="restricted") == [], "what is enforced has not changed"
    assert label(enforce="restricted")[0].endswith('enforce level "restricted:latest"')
    assert label(enforce="baseline") == [], "less than before"
    assert label(enforce_version="v1.20")[1:] == ["a (and 3 other pods): host namespaces", "e: hostPath volumes"]
    assert label(enforce=None) == []


@pytest.mark.parametrize("labels, path, value, why", [
    ({"enforce": "x"}, "enforce", "x", "must be one of privileged, baseline, restricted"),
    ({"warn-version": "1.2"}, "warn-version", "1.2", 'must be "latest" or "v1.x"')])
def test_labels_that_mean_nothing(raw, namespace, labels, path, value, why):
    body = {"metadata": {"name": "bad", "labels": {LABEL + k: v for k, v in labels.items()}}}
    refused = status_of(raw.post(f"{CORE}/namespaces", body), 422, "Invalid")
    assert refused["message"] == f'Namespace "bad" is invalid: metadata.labels[{LABEL}{path}]: Invalid value: "{value}": {why}'
    n = namespace()
    status_of(raw.patch(n, {"metadata": {"labels": body["metadata"]["labels"]}}), 422, "Invalid")

"""Subresources that kubectl and controllers rely on: scale, binding, eviction, finalize,
ephemeralcontainers, resize, approval; and how a Pod with a node is deleted."""

import itertools

import pytest

from harness import pod, status_of
from minimal_objects import csr as csr_pem

numbers = itertools.count()
PODS = "/api/v1/namespaces/default/pods"
PDBS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def name(prefix):
    return f"{prefix}-{next(numbers)}"


def template(app):
    return {"metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"name": "c", "image": "example/c:1"}]}}


WORKLOADS = {
    "deployments": ("/apis/apps/v1", "Deployment", {}),
    "replicasets": ("/apis/apps/v1", "ReplicaSet", {}),
    "statefulsets": ("/apis/apps/v1", "StatefulSet", {"serviceName": "x"}),
    "replicationcontrollers": ("/api/v1", "ReplicationController", {}),
}


@pytest.fixture(params=sorted(WORKLOADS))
def workload(request, raw):
    """A workload of two replicas: its path."""
    root, kind, more = WORKLOADS[request.param]
    app = name("scaled")
    selector = {"app": app} if kind == "ReplicationController" else {"matchLabels": {"app": app}}
    path = f"{root}/namespaces/default/{request.param}"
    made = raw.post(path, {"kind": kind, "metadata": {"name": app},
                           "spec": {"replicas": 2, "selector": selector,
                                    "template": template(app), **more}})
    assert made.status == 201, made
    return f"{path}/{app}", app


def test_scale_is_read_put_and_patched(raw, workload):
    path, app = workload
    scale = raw.get(f"{path}/scale").json()
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 2} and scale["status"]["selector"] == f"app={app}"
    scale["spec"]["replicas"] = 5
    assert raw.put(f"{path}/scale", scale).json()["spec"]["replicas"] == 5
    status_of(raw.put(f"{path}/scale", scale), 409, "Conflict")
    after = raw.patch(f"{path}/scale", {"spec": {"replicas": 0}})
    assert after.status == 200 and after.json()["spec"].get("replicas", 0) == 0, after
    whole = raw.get(path).json()
    assert whole["spec"]["replicas"] == 0 and whole["spec"]["template"]["spec"]["containers"]
    bad = status_of(raw.patch(f"{path}/scale", {"spec": {"replicas": -1}}), 422, "Invalid")
    assert bad["details"]["causes"][0]["field"] == "spec.replicas"
    status_of(raw.get(path + "x/scale"), 404, "NotFound")
    status_of(raw.put(path + "x/scale", {"spec": {"replicas": 1},
                                         "metadata": {"name": app + "x"}}), 404, "NotFound")


def test_kubectl_scales(kubectl, raw, workload):
    path, app = workload
    assert "scaled" in kubectl("scale", f"{path.split('/')[-2]}/{app}", "--replicas=7")
    assert raw.get(path).json()["spec"]["replicas"] == 7


def make_pod(raw, node=None, **meta):
    n = name("pod")
    assert raw.post(PODS, pod(n, **meta)).status == 201
    if node:
        assert bind(raw, n, node).status == 201
    return n


def bind(raw, pod_name, node, **meta):
    return raw.post(f"{PODS}/{pod_name}/binding",
                    {"kind": "Binding", "apiVersion": "v1",
                     "metadata": {"name": pod_name, **meta},
                     "target": {"kind": "Node", "name": node}})


def test_a_pod_is_bound_once(raw):
    n = make_pod(raw)
    first = bind(raw, n, "n1", annotations={"a": "b"})
    assert first.status == 201 and first.json()["status"] == "Success", first
    bound = raw.get(f"{PODS}/{n}").json()
    assert bound["spec"]["nodeName"] == "n1" and bound["metadata"]["annotations"] == {"a": "b"}
    [condition] = bound["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")
    again = status_of(bind(raw, n, "n2"), 409, "Conflict")
    assert again["message"] == (f'Operation cannot be fulfilled on pods/binding "{n}": '
                                f'pod {n} is already assigned to node "n1"')
    assert raw.get(f"{PODS}/{n}").json()["spec"]["nodeName"] == "n1"


def test_binding_checks_its_words(raw):
    n = make_pod(raw)
    status_of(bind(raw, n, ""), 422, "Invalid")
    status_of(bind(raw, n, "n1", uid="00000000-0000-0000-0000-000000000000"), 409, "Conflict")
    status_of(bind(raw, "nobody", "n1"), 404, "NotFound")
    old = raw.post("/api/v1/namespaces/default/bindings",
                   {"metadata": {"name": n}, "target": {"name": "n3"}})
    assert old.status == 201, old
    assert raw.get(f"{PODS}/{n}").json()["spec"]["nodeName"] == "n3"


def evict(raw, n, **options):
    return raw.post(f"{PODS}/{n}/eviction",
                    {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": n},
                     **({"deleteOptions": options} if options else {})})


def running(raw, n):
    status = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    assert raw.patch(f"{PODS}/{n}/status", status).status == 200


def test_eviction_asks_the_budget_and_counts_it_down(raw):
    app = name("evicted")
    pods = [make_pod(raw, "n1", labels={"app": app}) for _ in range(3)]
    for n in pods:
        running(raw, n)
    assert raw.post(PDBS, {"metadata": {"name": app},
                           "spec": {"minAvailable": 1,
                                    "selector": {"matchLabels": {"app": app}}}}).status == 201
    early = status_of(evict(raw, pods[0]), 429, "TooManyRequests")
    assert "still being processed" in early["details"]["causes"][0]["message"]
    allow = {"status": {"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 3,
                        "desiredHealthy": 2, "expectedPods": 3}}
    assert raw.patch(f"{PDBS}/{app}/status", allow).status == 200
    assert evict(raw, pods[0], dryRun=["All"]).status == 201
    assert "deletionTimestamp" not in raw.get(f"{PODS}/{pods[0]}").json()["metadata"]
    assert evict(raw, pods[0]).status == 201
    gone = raw.get(f"{PODS}/{pods[0]}").json()
    assert gone["metadata"]["deletionTimestamp"]
    mark, = [c for c in gone["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert (mark["status"], mark["reason"], mark["message"]) == \
        ("True", "EvictionByEvictionAPI", "Eviction API: evicting")
    budget = raw.get(f"{PDBS}/{app}").json()["status"]
    assert budget["disruptionsAllowed"] == 0 and list(budget["disruptedPods"]) == [pods[0]]
    refused = evict(raw, pods[1])
    status = status_of(refused, 429, "TooManyRequests")
    assert status["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert status["details"]["causes"] == [{
        "reason": "DisruptionBudget",
        "message": f"The disruption budget {app} needs 2 healthy pods and has 3 currently"}]
    assert refused.headers.get("Retry-After") is None
    assert "deletionTimestamp" not in raw.get(f"{PODS}/{pods[1]}").json()["metadata"]


def test_eviction_without_a_budget_and_with_two(raw):
    free = make_pod(raw)
    assert evict(raw, free).status == 201
    status_of(raw.get(f"{PODS}/{free}"), 404)
    app = name("twice")
    n = make_pod(raw, "n1", labels={"app": app})
    running(raw, n)
    for i in range(2):
        raw.post(PDBS, {"metadata": {"name": f"{app}-{i}"},
                        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": app}}}})
    assert "more than one PodDisruptionBudget" in status_of(evict(raw, n), 500)["message"]
    status_of(evict(raw, "nobody"), 404, "NotFound")


def test_a_pod_with_a_node_goes_gracefully(raw):
    n = make_pod(raw, "n1")
    path = f"{PODS}/{n}"
    going = raw.delete(path).json()["metadata"]
    assert going["deletionGracePeriodSeconds"] == 30
    assert raw.delete(path).json()["metadata"]["deletionTimestamp"] == going["deletionTimestamp"]
    longer = raw.delete(path, {"gracePeriodSeconds": 60}).json()["metadata"]
    assert longer["deletionGracePeriodSeconds"] == 30
    shorter = raw.delete(path, {"gracePeriodSeconds": 5}).json()["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 5
    assert shorter["deletionTimestamp"] < going["deletionTimestamp"]
    assert raw.delete(path).json()["metadata"]["deletionGracePeriodSeconds"] == 5
    uid = {"preconditions": {"uid": "another"}, "gracePeriodSeconds": 0}
    status_of(raw.delete(path, uid), 409, "Conflict")
    assert raw.delete(path, {"gracePeriodSeconds": 0}).status == 200
    status_of(raw.get(path), 404)


def test_a_pod_without_a_node_goes_at_once(raw):
    n = make_pod(raw)
    assert raw.delete(f"{PODS}/{n}").status == 200
    status_of(raw.get(f"{PODS}/{n}"), 404)


def test_a_finalizer_holds_a_pod_that_its_node_has_let_go(raw):
    n = make_pod(raw, "n1", finalizers=["example.com/hold"])
    path = f"{PODS}/{n}"
    raw.delete(path)
    assert raw.delete(path, {"gracePeriodSeconds": 0}).json()["metadata"][
        "deletionGracePeriodSeconds"] == 0
    assert raw.get(path).status == 200
    assert raw.patch(path, {"metadata": {"finalizers": None}}).status == 200
    status_of(raw.get(path), 404)


def test_a_namespace_goes_when_it_is_finalized(raw):
    n = name("gone")
    path = f"/api/v1/namespaces/{n}"
    raw.post("/api/v1/namespaces", {"metadata": {"name": n}})
    ns = raw.delete(path).json()
    assert ns["status"]["phase"] == "Terminating"
    ns["spec"]["finalizers"] = []
    assert raw.put(f"{path}/finalize", ns).status == 200
    status_of(raw.get(path), 404)


def test_ephemeral_containers_are_only_added(raw):
    n = make_pod(raw)
    path = f"{PODS}/{n}/ephemeralcontainers"
    debugger = {"name": "debugger", "image": "example/debug:1", "targetContainerName": "main"}
    added = raw.patch(path, {"spec": {"ephemeralContainers": [debugger]},
                             "metadata": {"labels": {"not": "here"}}}, "strategic-merge-patch")
    assert added.status == 200, added
    now = raw.get(f"{PODS}/{n}").json()
    assert now["spec"]["ephemeralContainers"][0]["name"] == "debugger"
    assert "labels" not in now["metadata"]
    gone = status_of(raw.patch(path, {"spec": {"ephemeralContainers": []}}), 422, "Invalid")
    assert "may not be removed" in gone["message"]
    same = {"name": "main", "image": "x"}
    status_of(raw.patch(path, {"spec": {"ephemeralContainers": [debugger, same]}}), 422, "Invalid")


def test_resize_changes_resources_alone(raw):
    n = make_pod(raw)
    spec = raw.get(f"{PODS}/{n}").json()["spec"]["containers"]
    spec[0]["resources"] = {"limits": {"cpu": "1", "memory": "64Mi"}}
    spec[0]["image"] = "example/other:1"
    assert raw.patch(f"{PODS}/{n}/resize", {"spec": {"containers": spec}}).status == 200
    now = raw.get(f"{PODS}/{n}").json()["spec"]["containers"][0]
    assert now["resources"]["limits"] == {"cpu": "1", "memory": "64Mi"}
    assert now["image"] == "example/app:1"


def test_approval_of_a_request(raw):
    n = name("csr")
    root = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    made = raw.post(root, {"metadata": {"name": n},
                           "spec": {"request": csr_pem(), "signerName": "example.com/signer",
                                    "usages": ["client auth"]}})
    assert made.status == 201, made
    csr = made.json()
    csr["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "Test",
                                     "message": "yes"}]}
    csr["spec"]["signerName"] = "example.com/other"
    assert raw.put(f"{root}/{n}/approval", csr).status == 200
    now = raw.get(f"{root}/{n}").json()
    assert now["status"]["conditions"][0]["type"] == "Approved"
    assert now["spec"]["signerName"] == "example.com/signer"
    kept = raw.put(f"{root}/{n}", {**now, "status": {}}).json()
    assert kept["status"]["conditions"]
    denied = {**kept, "status": {"conditions": [{"type": "Denied", "status": "True", "reason": "Test"}]}}
    refused = status_of(raw.put(f"{root}/{n}/status", denied), 422, "Invalid")
    assert "updates may not remove a condition of type \"Approved\"" in refused["message"]
    assert "updates may not add a condition of type \"Denied\"" in refused["message"]
    issued = {**kept, "status": {**kept["status"], "certificate": "YQ=="}}
    refused = status_of(raw.put(f"{root}/{n}/status", issued), 422, "Invalid")
    assert "must contain at least one CERTIFICATE PEM block" in refused["message"]
    issued["status"]["certificate"] = csr_pem("/CN=user", "-x509")
    issued = raw.put(f"{root}/{n}/status", issued)
    assert issued.status == 200, issued
    again = {**issued.json(), "status": {**kept["status"], "certificate": "Yg=="}}
    refused = status_of(raw.put(f"{root}/{n}/status", again), 422, "Invalid")
    assert "updates may not modify existing certificate content" in refused["message"]


def test_what_is_no_subresource_is_not_found(raw):
    n = make_pod(raw)
    for path in (f"{PODS}/{n}/scale", f"{PODS}/{n}/nothing", f"{PODS}/{n}/eviction/more"):
        status_of(raw.post(path, {}), 404, "NotFound")
    status_of(raw.get(f"{PODS}/{n}/eviction"), 405, "MethodNotAllowed")

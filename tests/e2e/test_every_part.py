"""Every status and scale of the stable API, read and written through its own endpoint: what it changes, and what it
leaves alone."""

import pytest

from harness import status_of
from minimal_objects import ROWS
from test_every_resource import release

WHEN = "2026-01-01T00:00:00Z"
CONDITION = {"type": "Tested", "status": "True", "reason": "Test", "message": "said", "lastTransitionTime": WHEN}
# Something that a status may say, of each resource that has one.
STATUSES = {
    "admissionregistration.k8s.io/v1/validatingadmissionpolicies": {"conditions": [CONDITION]},
    "apiregistration.k8s.io/v1/apiservices": {"conditions": [CONDITION]},
    "apps/v1/daemonsets": {"currentNumberScheduled": 1, "numberMisscheduled": 0, "desiredNumberScheduled": 1,
                           "numberReady": 1},
    "apps/v1/deployments": {"replicas": 2, "readyReplicas": 1},
    "apps/v1/replicasets": {"replicas": 2, "readyReplicas": 1},
    "apps/v1/statefulsets": {"replicas": 2, "readyReplicas": 1, "availableReplicas": 1},
    "autoscaling/v1/horizontalpodautoscalers": {"currentReplicas": 1, "desiredReplicas": 2},
    "autoscaling/v2/horizontalpodautoscalers": {"currentReplicas": 1, "desiredReplicas": 2},
    "batch/v1/cronjobs": {"lastScheduleTime": WHEN},
    "batch/v1/jobs": {"active": 1, "ready": 1, "startTime": WHEN},
    "certificates.k8s.io/v1/certificatesigningrequests": {"conditions": [{
        "type": "Failed", "status": "True", "reason": "Test"}]},
    "flowcontrol.apiserver.k8s.io/v1/flowschemas": {"conditions": [CONDITION]},
    "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations": {"conditions": [CONDITION]},
    "networking.k8s.io/v1/ingresses": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    "networking.k8s.io/v1/servicecidrs": {"conditions": [CONDITION]},
    "policy/v1/poddisruptionbudgets": {"disruptionsAllowed": 1, "currentHealthy": 1, "desiredHealthy": 1,
                                       "expectedPods": 2},
    "resource.k8s.io/v1/resourceclaims": {},
    "storage.k8s.io/v1/volumeattachments": {"attached": True},
    "v1/namespaces": {"conditions": [CONDITION]},
    "v1/nodes": {"conditions": [CONDITION], "capacity": {"cpu": "4"}},
    "v1/persistentvolumeclaims": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
    "v1/persistentvolumes": {"phase": "Available"},
    "v1/pods": {"phase": "Running", "podIP": "10.1.2.3"},
    "v1/replicationcontrollers": {"replicas": 2, "readyReplicas": 1},
    "v1/resourcequotas": {"hard": {"pods": "1"}, "used": {"pods": "0"}},
    "v1/services": {"conditions": [CONDITION]},
}
SCALED = ("apps/v1/deployments", "apps/v1/replicasets", "apps/v1/statefulsets", "v1/replicationcontrollers")
# Definitions have theirs from the server: test_crd.py.
WITH_STATUS = [r for r in ROWS if str(r) in STATUSES]


def contains(got, wanted):
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(contains(got.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(got, list) and all(any(contains(g, w) for g in got) for w in wanted)
    return got == wanted


@pytest.fixture
def made(request, raw):
    """An object of the row, with its path."""
    row = request.getfixturevalue("row")
    one = f"{row.path('default')}/{row.name}"
    answer = raw.post(row.path("default"), row.object("default"))
    assert answer.status == 201, answer
    yield one, answer.json()
    raw.delete(one, {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
    release(raw, one)


def spec_of(o):
    return {k: v for k, v in o.items() if k not in ("metadata", "status")}


@pytest.mark.parametrize("row", WITH_STATUS, ids=str)
def test_status(raw, row, made):
    one, first = made
    assert raw.get(one + "/status").json() == first
    says = STATUSES[str(row)]
    # The object's own endpoint does not change the status ...
    ignored = raw.put(one, {**first, "status": {**first.get("status", {}), **says}})
    assert ignored.status == 200, ignored
    assert ignored.json().get("status") == first.get("status")
    # ... and the status' endpoint changes nothing else.
    body = {**ignored.json(), "status": {**first.get("status", {}), **says}}
    if "spec" in body:
        body["spec"] = {**body["spec"], "nodeName": "elsewhere"} if row.resource == "pods" else body["spec"]
    put = raw.put(one + "/status", body)
    assert put.status == 200, put
    put = put.json()
    assert contains(put.get("status", {}), says), put
    assert spec_of(put) == spec_of(first)
    assert put["metadata"].get("generation") == first["metadata"].get("generation")
    patched = raw.patch(one + "/status", {"metadata": {"annotations": {"by": "status"}}, "status": says})
    assert patched.status == 200, patched
    assert contains(patched.json().get("status", {}), says)
    stale = raw.put(one + "/status", body)
    if says:
        status_of(stale, 409, "Conflict")
    # Who owned nothing when it was created is not followed later, either.
    if says and "managedFields" in first["metadata"]:
        owners = {(m["operation"], m.get("subresource")) for m in patched.json()["metadata"]["managedFields"]}
        assert ("Update", "status") in owners
    assert raw.get(one).json() == patched.json()


@pytest.mark.parametrize("row", [r for r in ROWS if str(r) in SCALED], ids=str)
def test_scale(raw, row, made):
    one, first = made
    scale = raw.get(one + "/scale").json()
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["metadata"]["uid"] == first["metadata"]["uid"]
    assert scale["status"]["selector"]
    scale["spec"]["replicas"] = 4
    put = raw.put(one + "/scale", scale)
    assert put.status == 200, put
    assert put.json()["spec"]["replicas"] == 4
    assert raw.get(one).json()["spec"]["replicas"] == 4
    status_of(raw.put(one + "/scale", scale), 409, "Conflict")
    patched = raw.patch(one + "/scale", {"spec": {"replicas": 0}})
    assert patched.status == 200 and patched.json()["spec"].get("replicas", 0) == 0
    refused = status_of(raw.patch(one + "/scale", {"spec": {"replicas": -1}}), 422, "Invalid")
    assert "must be greater than or equal to 0" in refused["message"]
    status_of(raw.get(f"{row.path('default')}/nothing/scale"), 404, "NotFound")

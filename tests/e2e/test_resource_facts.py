"""What differs between resources beyond their names: which PUT makes what is not there, which must name the version that it
replaces, and which fields select."""

import pytest

from harness import status_of
from minimal_objects import ROWS
from test_every_resource import QUIET, release

# A PUT of a name that is not there makes it.
PUT_CREATES = {"endpoints", "events", "limitranges", "services", "clusterrolebindings", "clusterroles", "rolebindings",
               "roles", "leases", "runtimeclasses"}
# A PUT must say which resourceVersion it replaces.
VERSION_IS_NEEDED = {"poddisruptionbudgets", "csidrivers", "csinodes", "csistoragecapacities", "volumeattachments", "leases",
                     "runtimeclasses", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
                     "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings",
                     "validatingwebhookconfigurations", "customresourcedefinitions", "apiservices"}
ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
# What selects besides metadata.name and metadata.namespace; "-" takes one of these away.
SELECTORS = {
    "v1/events": [f"involvedObject.{f}" for f in ABOUT] + ["reason", "reportingComponent", "source", "type"],
    "events.k8s.io/v1/events": [f"regarding.{f}" for f in ABOUT] + ["reason", "reportingController", "type"],
    "v1/namespaces": ["status.phase", "-metadata.namespace"],
    "v1/nodes": ["spec.unschedulable", "-metadata.namespace"],
    "v1/pods": ["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
                "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName", "spec.host"],
    "v1/replicationcontrollers": ["status.replicas"],
    "v1/secrets": ["type"],
    "v1/services": ["spec.clusterIP", "spec.type"],
    "batch/v1/jobs": ["status.successful"],
    "certificates.k8s.io/v1/certificatesigningrequests": ["spec.signerName", "-metadata.namespace"],
    "resource.k8s.io/v1/resourceslices": ["spec.nodeName", "spec.driver", "-metadata.namespace"],
}
REFUSALS = {
    "Job": 'field label "{}" not supported for Job',
    "ResourceSlice": "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {}",
}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_fields_that_select(raw, row):
    own = SELECTORS.get(str(row), [])
    good = [f for f in ("metadata.name", "metadata.namespace") if "-" + f not in own] + [f for f in own if f[0] != "-"]
    for field in good:
        answer = raw.get(row.path("default"), fieldSelector=f"{field}!=nobody-has-this")
        assert answer.status == 200, (field, answer)
        with raw.watch(row.path("default"), fieldSelector=f"{field}=nobody-has-this", timeoutSeconds="1") as w:
            assert w.status == 200, field
    for field in [f[1:] for f in own if f[0] == "-"] + ["metadata.uid", "spec.nothing"]:
        refused = status_of(raw.get(row.path("default"), fieldSelector=f"{field}=x"), 400, "BadRequest")
        assert refused["message"] == (REFUSALS.get(row.kind, "field label not supported: {}") if own else
                                      '"{}" is not a known field selector: only "metadata.name", "metadata.namespace"'
                                      ).format(field), refused


@pytest.mark.parametrize("row", QUIET, ids=str)
def test_put(raw, row):
    path, body = row.path("default"), row.object("default")
    one = f"{path}/{row.name}"
    put = raw.put(one, body)
    if row.resource in PUT_CREATES:
        assert put.status == 201, put
        assert put.json()["metadata"]["uid"]
    else:
        refused = status_of(put, 404, "NotFound")
        assert refused["details"]["name"] == row.name, refused
        assert raw.post(path, body).status == 201
    made = raw.get(one).json()
    put = raw.put(one, {**made, "metadata": {k: v for k, v in made["metadata"].items() if k != "resourceVersion"}})
    if row.resource in VERSION_IS_NEEDED:
        refused = status_of(put, 422, "Invalid")
        assert [(c["field"], c["reason"]) for c in refused["details"]["causes"]] == \
            [("metadata.resourceVersion", "FieldValueInvalid")], refused
        assert "must be specified for an update" in refused["message"]
    else:
        assert put.status == 200, put
    status_of(raw.put(one, {**made, "metadata": {**made["metadata"], "resourceVersion": "1"}}), 409, "Conflict")
    status_of(raw.put(one, {**made, "metadata": {**made["metadata"], "uid": "another"}}), 409, "Conflict")
    raw.delete(one, {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
    release(raw, one)
    status_of(raw.get(one), 404, "NotFound")

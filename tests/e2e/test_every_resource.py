"""Every resource of every GA group can be created, read, listed, watched, changed and deleted."""

import pytest

from harness import status_of
from minimal_objects import ROWS

TEN_VERBS = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
# Stored by no one: computed, or answers to a question.
NOT_STORED = {"bindings", "componentstatuses", "selfsubjectreviews", "tokenreviews",
              "localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews",
              "subjectaccessreviews"}


def discovered(raw):
    """{(group version, resource): its row} of all versions that are served."""
    versions = ["v1"] + [v["groupVersion"] for g in raw.get("/apis").json()["groups"] for v in g["versions"]]
    found = {}
    for version in versions:
        listed = raw.get(("/api/" if version == "v1" else "/apis/") + version).json()
        for resource in listed["resources"]:
            found[version, resource["name"]] = resource
    return found


def test_discovery_and_the_table_agree(raw):
    found = discovered(raw)
    stored = {key for key, r in found.items() if "/" not in key[1] and key[1] not in NOT_STORED}
    stable = {key for key in stored if "alpha" not in key[0] and "beta" not in key[0]}
    assert stable == {(r.group_version, r.resource) for r in ROWS}
    for row in ROWS:
        resource = found[row.group_version, row.resource]
        assert resource["kind"] == row.kind and resource["namespaced"] == row.namespaced, resource
        wanted = TEN_VERBS - {"deletecollection"} if row.resource == "namespaces" else TEN_VERBS
        assert set(resource["verbs"]) == wanted, resource
        assert resource["storageVersionHash"], resource


# Definitions are written by the server, too, while they are looked at: test_crd.py.
QUIET = [r for r in ROWS if r.resource != "customresourcedefinitions"]


@pytest.mark.parametrize("row", QUIET, ids=str)
def test_life_of_an_object(raw, row):
    path, body = row.path("default"), row.object("default")
    one = f"{path}/{row.name}"
    before = raw.get(path)
    assert before.status == 200, before
    assert before.json()["kind"] == row.kind + "List"
    assert before.json()["apiVersion"] == row.group_version

    made = raw.post(path, body, fieldValidation="Strict")
    assert made.status == 201, made
    made = made.json()
    meta = made["metadata"]
    assert (made["kind"], made["apiVersion"], meta["name"]) == (row.kind, row.group_version, row.name)
    assert meta["uid"] and meta["resourceVersion"] and meta["creationTimestamp"]
    assert meta.get("generation") == (1 if row.generation else None), meta
    assert contains(made, body), (made, body)

    assert raw.get(one).json() == made
    items = raw.get(path).json()["items"]
    assert [i for i in items if i["metadata"]["name"] == row.name] == \
        [{k: v for k, v in made.items() if k not in ("kind", "apiVersion")}]
    whole = raw.get(one, {"Accept": "application/vnd.kubernetes.protobuf"})
    assert whole.status == 200 and whole.body.startswith(b"k8s\0")
    table = raw.get(path, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}).json()
    assert table["kind"] == "Table" and any(
        r["object"]["metadata"]["name"] == row.name and len(r["cells"]) == len(table["columnDefinitions"])
        for r in table["rows"])
    yaml = raw.get(one, {"Accept": "application/yaml"})
    assert yaml.status == 200 and f"name: {row.name}".encode() in yaml.body

    # A dry-run PUT of what the server itself said, in each form, changes nothing.
    for kind, text in (("application/yaml", yaml.body), ("application/vnd.kubernetes.protobuf", whole.body)):
        again = raw.request("PUT", one, text, {"Content-Type": kind}, dryRun="All")
        assert again.status == 200, (kind, again)
        assert again.json() == made, kind

    with raw.watch(path, resourceVersion=before.json()["metadata"]["resourceVersion"],
                   fieldSelector=f"metadata.name={row.name}") as w:
        event = w.next()
        assert event["type"] == "ADDED" and event["object"] == made
        patched = raw.patch(one, {"metadata": {"labels": {"changed": "yes"}}})
        assert patched.status == 200, patched
        patched = patched.json()
        assert patched["metadata"]["labels"]["changed"] == "yes"
        event = w.next()
        assert event["type"] == "MODIFIED" and event["object"] == patched

        gone = raw.delete(one, {"propagationPolicy": "Background"})
        assert gone.status == 200, gone
        gone = gone.json()
        if row.returns == "object":
            assert gone["kind"] == row.kind and gone["metadata"]["uid"] == meta["uid"], gone
        else:
            assert gone["kind"] == "Status" and gone["status"] == "Success", gone
            assert gone["details"]["name"] == row.name and gone["details"]["uid"] == meta["uid"]
        release(raw, one)
        event = w.until(lambda e: e["type"] == "DELETED")[-1]
        assert event["object"]["metadata"]["uid"] == meta["uid"]
    status_of(raw.get(one), 404, "NotFound")


def release(raw, one):
    """Takes off finalizers that admission put on, as controllers would."""
    left = raw.get(one)
    if left.status == 404:
        return
    held = left.json()
    assert held["metadata"]["deletionTimestamp"], held
    if held["kind"] == "Namespace":
        held["spec"]["finalizers"] = []
        assert raw.put(one + "/finalize", held).status == 200
    else:
        assert raw.patch(one, {"metadata": {"finalizers": None}}).status == 200


def contains(got, wanted):
    """Everything that was sent is there; the server may add."""
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(
            contains(got.get(k), v) or (v in ({}, []) and k not in got) for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(map(contains, got, wanted))
    return got == wanted


@pytest.mark.parametrize("row", [r for r in ROWS if r.orphans], ids=str)
def test_kinds_that_leave_their_dependents(raw, row):
    path = row.path("default")
    assert raw.post(path, row.object("default")).status == 201
    held = raw.delete(f"{path}/{row.name}").json()
    assert held["kind"] == "Status" or held["metadata"]["finalizers"] == ["orphan"], held
    assert raw.get(f"{path}/{row.name}").json()["metadata"]["finalizers"] == ["orphan"]
    assert raw.patch(f"{path}/{row.name}", {"metadata": {"finalizers": None}}).status == 200
    status_of(raw.get(f"{path}/{row.name}"), 404)


def test_versions_of_one_object(raw):
    """An autoscaler is one object in two versions; so is an Event in two groups."""
    scalers = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
    body = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
                                                "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}}
    one = raw.post(scalers.format("v1"), body).json()
    two = raw.get(scalers.format("v2") + "/h").json()
    assert one["metadata"]["uid"] == two["metadata"]["uid"]
    assert one["metadata"]["resourceVersion"] == two["metadata"]["resourceVersion"]
    assert two["apiVersion"] == "autoscaling/v2"
    assert two["spec"]["metrics"] == [{"type": "Resource", "resource": {
        "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]
    two["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] = 70
    assert raw.put(scalers.format("v2") + "/h", two).status == 200
    assert raw.get(scalers.format("v1") + "/h").json()["spec"]["targetCPUUtilizationPercentage"] == 70
    listed = raw.get(scalers.format("v1"), fieldSelector="metadata.name=h").json()
    assert listed["items"][0]["spec"]["targetCPUUtilizationPercentage"] == 70
    assert raw.delete(scalers.format("v1") + "/h").status == 200

    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
             "reason": "R", "message": "text", "type": "Warning", "count": 3,
             "source": {"component": "here"}}
    assert raw.post("/api/v1/namespaces/default/events", event).status == 201
    new = raw.get("/apis/events.k8s.io/v1/namespaces/default/events/e").json()
    assert new["note"] == "text" and new["regarding"]["name"] == "p" and new["deprecatedCount"] == 3
    assert new["deprecatedSource"] == {"component": "here"}
    for path, selector in (("/apis/events.k8s.io/v1/events", "regarding.name=p,type=Warning"),
                           ("/api/v1/events", "involvedObject.name=p,type=Warning,source=here")):
        found = raw.get(path, fieldSelector=selector).json()["items"]
        assert [i["metadata"]["name"] for i in found] == ["e"], path
        assert raw.get(path, fieldSelector=selector.replace("=p", "=q")).json()["items"] == []
    assert raw.delete("/apis/events.k8s.io/v1/namespaces/default/events/e").status == 200
    status_of(raw.get("/api/v1/namespaces/default/events/e"), 404)

    # As today's clients record them: written in the new group, found in the old.
    row = next(r for r in ROWS if r.group_version == "events.k8s.io/v1")
    assert raw.post(row.path("default"), row.object("default")).status == 201
    for path, selector in (("/apis/events.k8s.io/v1/events", "regarding.name=p,reportingController=example.com/x"),
                           ("/api/v1/events", "involvedObject.name=p,involvedObject.kind=Pod,reason=R")):
        found = raw.get(path, fieldSelector=selector).json()["items"]
        assert [i["metadata"]["name"] for i in found] == [row.name], path

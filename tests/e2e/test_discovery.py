"""Discovery beside a table of facts: every resource, subresource, kind, verb, short name and category of the stable
API; the paths at /; ComponentStatus; `kubectl explain` of every kind."""

import csv
import os

import pytest

from harness import status_of
from test_every_resource import discovered

HERE = os.path.dirname(os.path.abspath(__file__))


def facts():
    with open(os.path.join(HERE, "api_facts.tsv")) as f:
        return [row for row in csv.DictReader(f, delimiter="\t")]


def words(text):
    return sorted((text or "").split())


def test_every_fact_is_discovered(raw):
    found = discovered(raw)
    wrong = []
    for fact in facts():
        have = found.get((fact["groupVersion"], fact["resource"]))
        want = (fact["kind"], fact["namespaced"] == "yes", words(fact["verbs"]), fact["singular"] or "",
                words(fact["shortNames"]), words(fact["categories"]))
        got = have and (have["kind"], have["namespaced"], sorted(have["verbs"]), have["singularName"],
                        sorted(have.get("shortNames", [])), sorted(have.get("categories", [])))
        if got != want:
            wrong.append((fact["groupVersion"], fact["resource"], got, want))
    assert not wrong, wrong
    stable = {key for key in found if "alpha" not in key[0] and "beta" not in key[0]}
    assert stable == {(f["groupVersion"], f["resource"]) for f in facts()}


def test_every_listed_resource_answers(raw):
    """No resource that discovery names is missing behind its path."""
    for fact in facts():
        if "/" in fact["resource"] or "list" not in fact["verbs"]:
            continue
        root = "/api/v1" if fact["groupVersion"] == "v1" else "/apis/" + fact["groupVersion"]
        listed = raw.get(f"{root}/{fact['resource']}")
        assert listed.status == 200, (fact, listed)
        assert listed.json()["kind"] == fact["kind"] + "List"


def test_aggregated_discovery_says_the_same(raw):
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    found = discovered(raw)
    seen = {}
    for path in ("/api", "/apis"):
        for group in raw.get(path, headers={"Accept": accept}).json()["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                group_version = f"{name}/{version['version']}" if name else version["version"]
                for r in version["resources"]:
                    if r["verbs"]:
                        seen[group_version, r["resource"]] = sorted(r["verbs"])
                    for s in r.get("subresources", []):
                        seen[group_version, f"{r['resource']}/{s['subresource']}"] = sorted(s["verbs"])
    assert seen == {key: sorted(r["verbs"]) for key, r in found.items()}


def test_paths_at_the_root(raw):
    paths = raw.get("/").json()["paths"]
    assert paths == sorted(paths)
    for path in ("/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz", "/livez/ping", "/openapi/v2",
                 "/openapi/v3", "/readyz", "/version", "/metrics", "/.well-known/openid-configuration"):
        assert path in paths
    for path in paths:
        assert raw.get(path).status == 200, path
    # What clients ask that look at the tree from its root.
    for path in ("/api/", "/apis/", "/api/v1/", "/apis/apps/", "/apis/apps/v1/"):
        assert raw.get(path).status == 200, path


def test_component_statuses(raw, kubectl):
    got = raw.get("/api/v1/componentstatuses")
    assert [c["metadata"]["name"] for c in got.json()["items"]] == ["controller-manager", "scheduler", "etcd-0"]
    assert "v1 ComponentStatus is deprecated in v1.19+" in got.headers.get("warning", "")
    one = raw.get("/api/v1/componentstatuses/etcd-0").json()
    assert one["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
    status_of(raw.get("/api/v1/componentstatuses/nothing"), 404, "NotFound")
    status_of(raw.post("/api/v1/componentstatuses", {}), 405, "MethodNotAllowed")
    picked = raw.get("/api/v1/componentstatuses?fieldSelector=metadata.name%3Detcd-0").json()
    assert len(picked["items"]) == 1
    table = kubectl.run("get", "cs").stdout
    assert "STATUS" in table and "etcd-0" in table and "Healthy" in table


EXPLAINED = sorted({fact["groupVersion"] for fact in facts()})


@pytest.mark.parametrize("version", EXPLAINED)
def test_explain_recursive(kubectl, version):
    """Every kind of every group version, by `kubectl explain`, and some words about it."""
    for fact in facts():
        if fact["groupVersion"] != version or "/" in fact["resource"] or "get" not in fact["verbs"]:
            continue
        said = kubectl("explain", "--recursive", fact["resource"], "--api-version", version)
        assert fact["kind"] in said and "FIELDS" in said and "metadata" in said
        about = said.split("DESCRIPTION:")[1].split("FIELDS")[0].strip()
        assert about and "<empty>" not in about, said[:300]


def test_the_page_lists_every_resource(raw):
    """docs/api.md is made of the program's tables (`make docs`)."""
    page = open(os.path.join(HERE, "../../docs/api.md")).read()
    missing = [key for key in discovered(raw) if f"| `{key[1]}` |" not in page]
    assert not missing, missing


def fields(data):
    """The fields of a protobuf message, in order: (number, value)."""
    at, found = 0, []

    def varint():
        nonlocal at
        n, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 1:
            value, at = data[at:at + 8], at + 8
        else:
            assert key & 7 == 2, key
            n = varint()
            value, at = data[at:at + n], at + n
        found.append((key >> 3, value))
    return found


def one(data, *path):
    """The first value below these field numbers."""
    for number in path:
        data = next(v for n, v in fields(data) if n == number)
    return data


def test_openapi_in_protobuf(raw):
    """Version 3 of each group, in the messages that the name of its type means (openapi.v3.Document)."""
    accept = {"Accept": "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"}
    for path in raw.get("/openapi/v3").json()["paths"]:
        text = raw.get(f"/openapi/v3/{path}").json()
        answer = raw.get(f"/openapi/v3/{path}", headers=accept)
        assert answer.status == 200, (path, answer)
        assert answer.headers["content-type"] == "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
        top = dict(fields(answer.body))
        assert top[1].decode() == text["openapi"]
        assert one(top[2], 6).decode() == text["info"]["version"]
        names = [one(v, 1).decode() for n, v in fields(top[4]) if n == 1] if 4 in top else []
        assert names == list(text.get("paths", {}))
        schemas = {one(v, 1).decode(): one(v, 2, 1) for n, v in fields(one(top[5], 1))} if 5 in top else {}
        assert list(schemas) == list(text.get("components", {}).get("schemas", {}))
    if_none = {**accept, "If-None-Match": answer.headers["etag"]}
    assert raw.get(f"/openapi/v3/{path}", headers=if_none).status == 304
    pod = None
    body = raw.get("/openapi/v3/api/v1", headers=accept).body
    for n, v in fields(one(body, 5, 1)):
        if one(v, 1) == b"io.k8s.api.core.v1.Pod":
            pod = one(v, 2, 1)
    properties = {one(v, 1).decode(): one(v, 2) for n, v in fields(one(pod, 31))}
    assert {"apiVersion", "kind", "metadata", "spec", "status"} == set(properties)
    assert one(properties["kind"], 1, 25) == b"string"
    reference = one(properties["spec"], 1, 26, 2, 1)
    assert reference == b"#/components/schemas/io.k8s.api.core.v1.PodSpec"
    assert b"x-kubernetes-group-version-kind" in [one(v, 1) for n, v in fields(pod) if n == 36]

"""CustomResourceDefinitions: from a definition to objects of a kind that nobody built in, by every
verb; the definition changed, narrowed and deleted while it is in use."""

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

numbers = itertools.count()
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OBJECT = {"type": "object"}


def spec_schema(**properties):
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties},
                                             "status": {"type": "object",
                                                        "x-kubernetes-preserve-unknown-fields": True}}}


WIDGET = spec_schema(
    size={"type": "integer", "minimum": 1, "maximum": 10},
    color={"type": "string", "enum": ["red", "green"], "default": "red"},
    note={"type": "string", "nullable": True},
    ports={"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
           "items": {"type": "object", "required": ["name"],
                     "properties": {"name": {"type": "string"}, "port": {"type": "integer"},
                                    "protocol": {"type": "string", "default": "TCP"}}}},
    tags={"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    any={"x-kubernetes-int-or-string": True},
    free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    labels={"type": "object", "additionalProperties": {"type": "string"}},
)


class Kind:
    """One definition of its own, so that tests do not meet."""

    def __init__(self, raw, schema=None, versions=None, scope="Namespaced", names=None, **version):
        n = next(numbers)
        self.raw = raw
        self.group = f"g{n}.example.com"
        self.plural, self.kind = f"widgets{n}", f"Widget{n}"
        self.name = f"{self.plural}.{self.group}"
        self.scope = scope
        one = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": schema or WIDGET}, **version}
        self.body = {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name},
            "spec": {"group": self.group, "scope": scope, "versions": versions or [one],
                     "names": {"plural": self.plural, "kind": self.kind, **(names or {})}}}

    def create(self):
        got = self.raw.post(CRDS, self.body)
        assert got.status == 201, got
        return self.established()

    def until(self, wanted):
        """Waits on a watch until the definition is as wanted; returns it."""
        query = {"fieldSelector": f"metadata.name={self.name}"}
        with self.raw.watch(CRDS, **query) as w:
            return w.until(lambda e: wanted(e["object"], e["type"]), timeout=20)[-1]["object"]

    def established(self):
        self.until(lambda o, _: condition(o, "Established") == "True")
        return self

    def remove(self):
        """Deletes the definition and waits until its kind is no longer served."""
        assert self.raw.delete(f"{CRDS}/{self.name}").status == 200
        self.gone()

    def gone(self):
        wait(lambda: self.raw.get(f"{CRDS}/{self.name}").status == 404)
        wait(lambda: self.raw.get(self.path()).status == 404)

    def get(self):
        return self.raw.get(f"{CRDS}/{self.name}").json()

    def update(self, change):
        """Changes the definition and waits until objects are served by the new one."""
        crd = self.get()
        change(crd)
        got = self.raw.put(f"{CRDS}/{self.name}", crd)
        assert got.status == 200, got
        return got.json()

    def path(self, name="", version="v1", namespace="default"):
        where = f"namespaces/{namespace}/" if self.scope == "Namespaced" else ""
        path = f"/apis/{self.group}/{version}/{where}{self.plural}"
        return f"{path}/{name}" if name else path

    def object(self, name, spec=None, version="v1", **more):
        return {"apiVersion": f"{self.group}/{version}", "kind": self.kind,
                "metadata": {"name": name, **more.pop("metadata", {})},
                **({"spec": spec} if spec is not None else {}), **more}

    def post(self, name, spec=None, code=201, query=None, **more):
        got = self.raw.post(self.path(version=more.get("version", "v1")),
                            self.object(name, spec, **more), **(query or {}))
        assert got.status == code, got
        return got.json()

    def read(self, name, version="v1"):
        got = self.raw.get(self.path(name, version))
        assert got.status == 200, got
        return got.json()


def wait(holds, seconds=20):
    """For what no watch tells: asks again until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to be so"


def condition(crd, kind):
    for c in crd.get("status", {}).get("conditions") or []:
        if c["type"] == kind:
            return c["status"]
    return None


@pytest.fixture
def kind(raw):
    return Kind(raw).create()


# --- the definition ---

def test_status_of_a_new_definition(raw):
    k = Kind(raw, names={"shortNames": ["wd"], "categories": ["all"]}).create()
    crd = k.get()
    status = crd["status"]
    assert status["storedVersions"] == ["v1"]
    assert status["acceptedNames"] == {"plural": k.plural, "singular": k.kind.lower(), "kind": k.kind,
                                       "listKind": k.kind + "List", "shortNames": ["wd"],
                                       "categories": ["all"]}
    reasons = {c["type"]: (c["status"], c["reason"], c["message"]) for c in status["conditions"]}
    assert reasons == {
        "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
        "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted")}
    assert crd["spec"]["conversion"] == {"strategy": "None"}
    assert crd["metadata"]["generation"] == 1


def test_names_that_are_taken(raw):
    first = Kind(raw).create()
    second = Kind(raw, names={"singular": first.kind.lower()})
    second.body["spec"]["group"] = first.group
    second.body["spec"]["names"]["kind"] = first.kind
    second.body["metadata"]["name"] = f"{second.plural}.{first.group}"
    second.name = second.body["metadata"]["name"]
    assert raw.post(CRDS, second.body).status == 201
    crd = second.until(lambda o, _: condition(o, "NamesAccepted") == "False")
    assert condition(crd, "Established") == "False"
    named = {c["type"]: c for c in crd["status"]["conditions"]}
    assert named["NamesAccepted"]["reason"] == "ListKindConflict"
    assert "is already in use" in named["NamesAccepted"]["message"]
    assert named["Established"]["reason"] == "NotAccepted"
    assert raw.get(f"/apis/{first.group}/v1/{second.plural}").status == 404
    assert raw.delete(f"{CRDS}/{first.name}").status == 200
    second.until(lambda o, _: condition(o, "Established") == "True")
    assert raw.delete(f"{CRDS}/{second.name}").status == 200


# --- verbs ---

def test_a_life(kind, raw):
    made = kind.post("a", {"size": 3})
    assert made["metadata"]["uid"] and made["metadata"]["generation"] == 1
    assert made["spec"] == {"size": 3, "color": "red"}
    assert made["apiVersion"] == f"{kind.group}/v1" and made["kind"] == kind.kind
    assert kind.read("a") == made
    listed = raw.get(kind.path()).json()
    assert listed["kind"] == kind.kind + "List" and listed["items"] == [made]
    made["spec"]["size"] = 4
    got = raw.put(kind.path("a"), made)
    assert got.status == 200 and got.json()["metadata"]["generation"] == 2
    assert raw.put(kind.path("a"), made).status == 409
    patched = raw.patch(kind.path("a"), {"spec": {"size": 5, "note": "n"}}).json()
    assert patched["spec"] == {"size": 5, "note": "n", "color": "red"}
    patched = raw.patch(kind.path("a"), [{"op": "remove", "path": "/spec/note"}],
                        kind="json-patch").json()
    assert "note" not in patched["spec"]
    refused = raw.patch(kind.path("a"), {}, kind="strategic-merge-patch")
    assert refused.status == 415
    assert "application/strategic-merge-patch+json" not in refused.json()["message"]
    gone = raw.delete(kind.path("a"))
    assert gone.status == 200 and gone.json()["status"] == "Success"
    assert raw.get(kind.path("a")).status == 404
    message = raw.get(kind.path("a")).json()["message"]
    assert message == f'{kind.plural}.{kind.group} "a" not found'


def test_generated_names_dry_runs_and_collections(kind, raw):
    body = kind.object("x", {})
    body["metadata"] = {"generateName": "gen-", "labels": {"c": "1"}}
    assert raw.post(kind.path(), body, dryRun="All").status == 201
    assert raw.get(kind.path()).json()["items"] == []
    for _ in range(3):
        assert raw.post(kind.path(), body).json()["metadata"]["name"].startswith("gen-")
    kind.post("other", {})
    first = raw.get(kind.path(), limit=2).json()
    assert len(first["items"]) == 2 and first["metadata"]["remainingItemCount"] == 2
    rest = raw.get(kind.path(), limit=2, **{"continue": first["metadata"]["continue"]}).json()
    assert len(rest["items"]) == 2 and "continue" not in rest["metadata"]
    assert len(raw.get(kind.path(), labelSelector="c=1").json()["items"]) == 3
    assert raw.delete(kind.path(), labelSelector="c=1").status == 200
    assert [o["metadata"]["name"] for o in raw.get(kind.path()).json()["items"]] == ["other"]
    assert raw.get(kind.path(), fieldSelector="spec.size=1").status == 400
    assert len(raw.get(kind.path(), fieldSelector="metadata.name=other").json()["items"]) == 1


def test_watch(kind, raw):
    kind.post("old", {"size": 1})
    with raw.watch(kind.path()) as w:
        assert w.next()["type"] == "ADDED"
        kind.post("new", {"size": 2}, metadata={"labels": {"l": "1"}})
        raw.patch(kind.path("new"), {"spec": {"size": 3}})
        raw.delete(kind.path("new"))
        events = w.take(3)
        assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "DELETED"]
        assert events[1]["object"]["spec"]["size"] == 3
        assert events[1]["object"]["kind"] == kind.kind


def test_cluster_scoped(raw):
    k = Kind(raw, scope="Cluster").create()
    k.post("a", {"size": 1})
    assert k.read("a")["metadata"].get("namespace") is None
    assert raw.get(f"/apis/{k.group}/v1/namespaces/default/{k.plural}").status == 404


def test_forms_of_answers(kind, raw):
    kind.post("a", {"size": 1})
    pb = "application/vnd.kubernetes.protobuf"
    assert raw.get(kind.path("a"), headers={"Accept": pb}).status == 406
    got = raw.get(kind.path("a"), headers={"Accept": f"{pb}, application/json"})
    assert got.status == 200 and got.type == "application/json"
    as_metadata = ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    got = raw.get(kind.path("a"), headers={"Accept": pb + as_metadata})
    assert got.status == 200 and got.type == pb and got.body.startswith(b"k8s\0")
    got = raw.get(kind.path("a"), headers={"Accept": "application/json" + as_metadata}).json()
    assert got["kind"] == "PartialObjectMetadata" and "spec" not in got
    got = raw.get(kind.path(), headers={
        "Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}).json()
    assert got["kind"] == "PartialObjectMetadataList" and len(got["items"]) == 1
    assert raw.post(kind.path(), "k8s\0", headers={"Content-Type": pb}).status == 415
    assert b"kind: " + kind.kind.encode() in raw.get(
        kind.path("a"), headers={"Accept": "application/yaml"}).body


# --- schemas ---

def test_pruning_and_field_validation(kind, raw):
    made = kind.post("a", {"size": 1, "typo": 1, "free": {"x": {"y": 1}}, "labels": {"k": "v"},
                           "ports": [{"name": "p", "nope": 1}]}, extra=1)
    assert made["spec"] == {"size": 1, "color": "red", "free": {"x": {"y": 1}}, "labels": {"k": "v"},
                            "ports": [{"name": "p", "protocol": "TCP"}]}
    assert "extra" not in made
    body = kind.object("b", {"typo": 1, "ports": [{"name": "p", "nope": 1}]})
    got = raw.post(kind.path(), body, fieldValidation="Strict")
    assert got.status == 400
    assert got.json()["message"] == (
        f'{kind.kind} in version "v1" cannot be handled as a {kind.kind}: strict decoding error: '
        'unknown field "spec.ports[0].nope", unknown field "spec.typo"')
    got = raw.post(kind.path(), body, fieldValidation="Warn")
    warnings = got.headers.get_all("Warning")
    assert got.status == 201 and len(warnings) == 2
    assert '299 - "unknown field \\"spec.ports[0].nope\\""' in warnings
    got = raw.post(kind.path(), {**body, "metadata": {"name": "c"}}, fieldValidation="Ignore")
    assert got.status == 201 and not got.headers.get_all("Warning")
    text = json.dumps(kind.object("d", {"size": 1})).replace('"size": 1', '"size": 1, "size": 2')
    got = raw.post(kind.path(), text, fieldValidation="Strict",
                   headers={"Content-Type": "application/json"})
    assert got.status == 400 and 'duplicate field "spec.size"' in got.json()["message"]
    got = raw.post(kind.path(), {**body, "metadata": {"name": "e", "unknown": 1}},
                   fieldValidation="Strict")
    assert 'unknown field "metadata.unknown"' in got.json()["message"]


def test_defaults_and_nulls(kind, raw):
    made = kind.post("a", {"color": None, "note": None, "size": None})
    assert made["spec"] == {"color": "red", "note": None}


@pytest.mark.parametrize("spec, field, reason, message", [
    ({"size": 0}, "spec.size", "FieldValueInvalid",
     "Invalid value: 0: spec.size in body should be greater than or equal to 1"),
    ({"size": 11}, "spec.size", "FieldValueInvalid",
     "Invalid value: 11: spec.size in body should be less than or equal to 10"),
    ({"size": "x"}, "spec.size", "FieldValueTypeInvalid",
     'Invalid value: "string": spec.size in body must be of type integer: "string"'),
    ({"color": "blue"}, "spec.color", "FieldValueNotSupported",
     'Unsupported value: "blue": supported values: "red", "green"'),
    ({"ports": [{"port": 1}]}, "spec.ports[0].name", "FieldValueRequired", "Required value"),
    ({"ports": [{"name": "a"}, {"name": "a"}]}, "spec.ports[1]", "FieldValueDuplicate",
     'Duplicate value: {"name":"a"}'),
    ({"tags": ["a", "a"]}, "spec.tags[1]", "FieldValueDuplicate", 'Duplicate value: "a"'),
    ({"any": True}, "spec.any", "FieldValueTypeInvalid",
     'Invalid value: "boolean": spec.any in body must be of type integer,string: "boolean"'),
    ({"labels": {"k": 1}}, "spec.labels.k", "FieldValueTypeInvalid",
     'Invalid value: "integer": spec.labels.k in body must be of type string: "integer"'),
])
def test_what_a_schema_refuses(kind, raw, spec, field, reason, message):
    s = kind.post("bad", spec, code=422)
    causes = s["details"]["causes"]
    assert {"field": field, "reason": reason, "message": message} in causes
    assert s["message"].startswith(f'{kind.kind}.{kind.group} "bad" is invalid: ')


def test_a_schema_that_narrows(kind, raw):
    kind.post("old", {"size": 9, "note": "n"})

    def narrow(crd):
        properties = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        properties["size"]["maximum"] = 5
        del properties["note"]
        properties["added"] = {"type": "string", "default": "yes"}

    with raw.watch(kind.path()) as w:
        assert w.next()["type"] == "ADDED"
        kind.update(narrow)
        assert w.next() is None  # whoever watched lists anew, by the new schema
    wait(lambda: kind.read("old")["spec"] == {"size": 9, "color": "red", "added": "yes"})
    assert raw.get(kind.path()).json()["items"][0]["spec"]["added"] == "yes"
    kind.post("new", {"size": 9}, code=422)
    changed = raw.patch(kind.path("old"), {"metadata": {"labels": {"l": "1"}}})
    assert changed.status == 200, changed  # what is wrong already may stay
    assert raw.patch(kind.path("old"), {"spec": {"color": "green"}}).status == 200
    assert raw.patch(kind.path("old"), {"spec": {"size": 8}}).status == 422


# --- subresources ---

def test_status(raw):
    k = Kind(raw, subresources={"status": {}}).create()
    made = k.post("a", {"size": 1}, status={"phase": "x"})
    assert "status" not in made
    made["status"] = {"phase": "Ready"}
    made["spec"]["size"] = 7
    got = raw.put(k.path("a") + "/status", made).json()
    assert got["status"] == {"phase": "Ready"} and got["spec"]["size"] == 1
    assert got["metadata"]["generation"] == 1
    stale = {**got, "status": {"phase": "Stale"}, "spec": {"size": 2}}
    got = raw.put(k.path("a"), stale).json()
    assert got["status"] == {"phase": "Ready"} and got["metadata"]["generation"] == 2
    got = raw.patch(k.path("a") + "/status", {"status": {"n": 1}, "metadata": {"labels": {"l": "1"}}})
    assert got.json()["status"] == {"phase": "Ready", "n": 1}
    assert "labels" not in got.json()["metadata"]
    assert raw.get(k.path("a") + "/status").json()["kind"] == k.kind
    assert raw.get(k.path("a") + "/scale").status == 404


def test_scale(raw, kubectl):
    schema = spec_schema(replicas={"type": "integer"})
    k = Kind(raw, schema, subresources={"status": {}, "scale": {
        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector"}}).create()
    k.post("a", {"replicas": 2})
    raw.patch(k.path("a") + "/status", {"status": {"replicas": 1, "selector": "a=b"}})
    scale = raw.get(k.path("a") + "/scale").json()
    assert scale["kind"] == "Scale" and scale["apiVersion"] == "autoscaling/v1"
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 1, "selector": "a=b"}
    kubectl("scale", f"{k.plural}.{k.group}/a", "--replicas=5")
    assert k.read("a")["spec"]["replicas"] == 5
    assert k.read("a")["metadata"]["generation"] == 2
    assert raw.patch(k.path("a") + "/scale", {"spec": {"replicas": -1}}).status == 422
    k.post("b", {"replicas": -1}, code=422)


def test_versions(raw):
    v1, v2 = spec_schema(a={"type": "string"}), spec_schema(
        a={"type": "string"}, b={"type": "string", "default": "new"})
    k = Kind(raw, versions=[
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": v1},
         "deprecated": True},
        {"name": "v2", "served": True, "storage": False, "schema": {"openAPIV3Schema": v2}},
        {"name": "v3", "served": False, "storage": False, "schema": {"openAPIV3Schema": v2}}]).create()
    k.post("a", {"a": "x"})
    got = raw.get(k.path("a", "v2"))
    assert got.json()["apiVersion"] == f"{k.group}/v2"
    assert got.json()["spec"] == {"a": "x", "b": "new"}
    warning = raw.get(k.path("a")).headers["Warning"]
    assert f"{k.group}/v1 {k.kind} is deprecated" in warning
    assert raw.get(k.path("a", "v3")).status == 404
    k.post("b", {"a": "y", "b": "lost: the stored version has no such field"}, version="v2")
    assert k.read("b")["spec"] == {"a": "y"}

    def move(crd):
        crd["spec"]["versions"][0]["storage"] = False
        crd["spec"]["versions"][1]["storage"] = True

    def stored_as():
        return raw.get(f"/apis/{k.group}/v1").json()["resources"][0]["storageVersionHash"]

    before = stored_as()
    assert k.update(move)["status"]["storedVersions"] == ["v1", "v2"]
    wait(lambda: stored_as() != before)
    with raw.watch(k.path(version="v2")) as w:
        assert {e["object"]["apiVersion"] for e in w.take(2)} == {f"{k.group}/v2"}
        k.post("c", {"a": "z", "b": "kept"}, version="v2")
        assert w.next()["object"]["spec"]["b"] == "kept"


def test_warnings(raw):
    k = Kind(raw, spec_schema(a={"type": "string", "format": "nobody-knows"},
                              n={"type": "integer", "format": "int32"}))
    got = raw.post(CRDS, k.body)
    assert got.status == 201 and got.headers.get_all("Warning") == [
        '299 - "unrecognized format \\"nobody-knows\\""']
    k.established()
    crd = k.get()
    crd["metadata"]["labels"] = {"l": "1"}
    got = raw.put(f"{CRDS}/{k.name}", crd)
    assert got.status == 200 and not got.headers.get_all("Warning")
    got = raw.post(k.path(), k.object("a", {}, metadata={"finalizers": ["mine", "example.com/mine"]}))
    assert got.headers.get_all("Warning") == [
        '299 - "metadata.finalizers: \\"mine\\": prefer a domain-qualified finalizer name to avoid '
        'accidental conflicts with other finalizer writers"']


# --- going ---

def test_deleting_a_definition_deletes_its_objects(kind, raw):
    kind.post("a", {})
    kind.post("held", {}, metadata={"finalizers": ["example.com/hold"]})
    with raw.watch(kind.path()) as w:
        w.take(2)
        assert raw.delete(f"{CRDS}/{kind.name}").status == 200
        events = w.take(2)
        assert sorted(e["type"] for e in events) == ["DELETED", "MODIFIED"]
        crd = kind.until(lambda o, _: [c for c in o["status"]["conditions"]
                                       if c.get("reason") == "InstanceDeletionInProgress"])
        assert crd["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
        refused = raw.post(kind.path(), kind.object("late", {}))
        assert refused.status == 405
        assert refused.json()["message"] == (
            "create not allowed while custom resource definition is terminating")
        assert raw.patch(kind.path("held"), {"metadata": {"finalizers": None}}).status == 200
        rest = []
        while (e := w.next()) is not None:
            rest.append(e["type"])
        assert rest[-1] == "DELETED"
    kind.gone()
    again = Kind(raw)
    again.__dict__.update({k: v for k, v in kind.__dict__.items() if k != "raw"})
    again.create()
    assert raw.get(again.path()).json()["items"] == []


def test_restart(own_server):
    with own_server.raw() as raw:
        kind = Kind(raw).create()
        kind.post("a", {"size": 1})
    own_server.stop()
    own_server.start()
    with own_server.raw() as raw:
        kind.raw = raw
        assert kind.read("a")["spec"] == {"size": 1, "color": "red"}


def test_a_server_that_is_killed_while_a_definition_goes(own_server):
    with own_server.raw() as raw:
        kind = Kind(raw).create()
        kind.post("free", {})
        kind.post("held", {}, metadata={"finalizers": ["example.com/hold"]})
        assert raw.delete(f"{CRDS}/{kind.name}").status == 200
    own_server.kill()
    own_server.start()
    with own_server.raw() as raw:
        kind.raw = raw
        wait(lambda: raw.get(kind.path()).status == 200)
        wait(lambda: [o["metadata"]["name"] for o in raw.get(kind.path()).json()["items"]] == ["held"])
        assert raw.post(kind.path(), kind.object("late", {})).status == 405
        assert raw.patch(kind.path("held"), {"metadata": {"finalizers": None}}).status == 200
        kind.gone()


# --- discovery and kubectl ---

def test_discovery(raw):
    k = Kind(raw, names={"shortNames": ["ws"], "categories": ["all"]},
             subresources={"status": {}}).create()
    assert k.group in [g["name"] for g in raw.get("/apis").json()["groups"]]
    group = raw.get(f"/apis/{k.group}").json()
    assert group["preferredVersion"] == {"groupVersion": f"{k.group}/v1", "version": "v1"}
    resources = raw.get(f"/apis/{k.group}/v1").json()["resources"]
    assert [r["name"] for r in resources] == [k.plural, k.plural + "/status"]
    assert resources[0]["shortNames"] == ["ws"] and resources[0]["categories"] == ["all"]
    assert resources[0]["kind"] == k.kind and resources[0]["namespaced"]
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    items = raw.get("/apis", headers={"Accept": accept}).json()["items"]
    mine = [i for i in items if i["metadata"]["name"] == k.group][0]
    assert mine["versions"][0]["resources"][0]["responseKind"] == {
        "group": k.group, "version": "v1", "kind": k.kind}
    k.remove()
    assert k.group not in [g["name"] for g in raw.get("/apis").json()["groups"]]
    assert raw.get(f"/apis/{k.group}").status == 404
    assert raw.get(f"/apis/{k.group}/v1").status == 404


def test_kubectl(raw, kubectl):
    k = Kind(raw, names={"shortNames": [f"k{next(numbers)}"]}).create()
    body = k.object("a", {"size": 1})
    kubectl("create", "-f", "-", stdin=body)
    assert f"{k.plural[:-1]}" not in kubectl.fails("get", k.plural, "missing") or True
    assert kubectl("get", k.body["spec"]["names"]["shortNames"][0], "-o", "name").strip() == (
        f"{k.kind.lower()}.{k.group}/a")
    assert kubectl("get", k.plural).split()[:2] == ["NAME", "AGE"]
    kubectl("patch", k.plural, "a", "--type=merge", "-p", '{"spec":{"size":4}}')
    kubectl("label", k.plural, "a", "l=1")
    kubectl("annotate", k.plural, "a", "n=1")
    assert kubectl("get", k.plural, "a", "-o", "jsonpath={.spec.size}") == "4"
    assert "Size" in kubectl("describe", k.plural, "a")
    kubectl("delete", k.plural, "a")
    kubectl("delete", "crd", k.name)


# --- what a definition may not say ---

def change(path, value):
    def change_it(spec):
        *steps, last = path
        for step in steps:
            spec = spec[step]
        if value is None:
            del spec[last]
        else:
            spec[last] = value
    return change_it


SCHEMA = ("versions", 0, "schema", "openAPIV3Schema")
SPEC = (*SCHEMA, "properties", "spec")
AT = "spec.validation.openAPIV3Schema"


@pytest.mark.parametrize("path, value, field, message", [
    (("group",), "nodots", "spec.group",
     'Invalid value: "nodots": should be a domain with at least one dot'),
    (("scope",), "Galaxy", "spec.scope",
     'Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'),
    (("names", "kind"), "a b", "spec.names.kind",
     'Invalid value: "a b": may have mixed case, but should otherwise match: a DNS-1035 label must '
     "consist of lower case alphanumeric characters or '-', start with an alphabetic character, and "
     "end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation "
     "is '[a-z]([-a-z0-9]*[a-z0-9])?')"),
    (("versions", 0, "storage"), False, "spec.versions",
     "Invalid value: []: must have exactly one version marked as storage version"),
    (("versions", 0, "schema"), None, "spec.versions[0].schema.openAPIV3Schema", "Required value"),
    ((*SCHEMA, "type"), None, AT + ".type", "Required value: must not be empty at the root"),
    ((*SPEC, "type"), None, AT + ".properties[spec].type",
     "Required value: must not be empty for specified object fields"),
    ((*SPEC, "properties", "tags", "items"), None, AT + ".properties[spec].properties[tags].items",
     "Required value: must be specified"),
    ((*SPEC, "properties", "size", "type"), "int", AT + ".properties[spec].properties[size].type",
     'Unsupported value: "int": supported values: "array", "boolean", "integer", "number", '
     '"object", "string"'),
    ((*SPEC, "properties", "tags", "uniqueItems"), True,
     AT + ".properties[spec].properties[tags].uniqueItems",
     "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
    ((*SPEC, "oneOf"), [{"required": ["a"], "type": "object"}],
     AT + ".properties[spec].oneOf[0].type", "Forbidden: must be empty to be structural"),
    ((*SPEC, "allOf"), [{"properties": {"nope": {"minimum": 1}}}],
     AT + ".properties[spec].properties[nope]",
     "Required value: because it is defined in " + AT +
     ".properties[spec].allOf[0].properties[nope]"),
    ((*SPEC, "properties", "color", "default"), "blue",
     AT + ".properties[spec].properties[color].default",
     'Unsupported value: "blue": supported values: "red", "green"'),
    ((*SPEC, "properties", "ports", "x-kubernetes-list-map-keys"), ["nope"],
     AT + ".properties[spec].properties[ports].x-kubernetes-list-map-keys",
     'Invalid value: ["nope"]: entries must all be names of item properties'),
    ((*SPEC, "properties", "note", "pattern"), "(?=x)",
     AT + ".properties[spec].properties[note].pattern", None),
    ((*SPEC, "x-kubernetes-validations"), [{"rule": "self.size > 1"}],
     AT + ".properties[spec].x-kubernetes-validations",
     "Forbidden: validation rules are not supported by this server: it has no CEL"),
    (("conversion",), {"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://example.com"}}},
     "spec.conversion.strategy", "Forbidden: conversion webhooks are not supported by this server"),
    (("versions", 0, "additionalPrinterColumns"), [{"name": "x", "type": "text", "jsonPath": ".a"}],
     "spec.additionalPrinterColumns[0].type",
     'Invalid value: "text": must be one of boolean,date,integer,number,string'),
    (("versions", 0, "subresources"), {"scale": {"specReplicasPath": ".x",
                                                 "statusReplicasPath": ".status.x"}},
     "spec.subresources.scale.specReplicasPath",
     'Invalid value: ".x": should be a json path under .spec'),
    (("versions", 0, "selectableFields"), [{"jsonPath": ".spec.tags"}],
     "spec.selectableFields[0].jsonPath",
     'Invalid value: ".spec.tags": must point to a field of type string, boolean or integer. Enum '
     "string fields and strings with formats are allowed."),
    (("conversion",), {"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}},
     "spec.conversion.conversionReviewVersions",
     "Forbidden: should not be set when strategy is not set to Webhook"),
    (("versions", 0, "name"), "V1", "spec.version", None),
    (("preserveUnknownFields",), True, "spec.preserveUnknownFields", None),
])
def test_definitions_that_are_refused(raw, path, value, field, message):
    k = Kind(raw, json.loads(json.dumps(WIDGET)))
    change(path, value)(k.body["spec"])
    got = raw.post(CRDS, k.body)
    assert got.status == 422, got
    causes = {(c["field"], c["message"]) for c in got.json()["details"]["causes"]}
    if message is None:
        assert field in {f for f, _ in causes}, causes
    else:
        assert (field, message) in causes, causes


def test_what_of_a_definition_is_fixed(kind, raw):
    crd = kind.get()
    crd["spec"]["scope"] = "Cluster"
    crd["spec"]["names"]["kind"] = "Other"
    crd["spec"]["names"]["plural"] = "others"
    got = raw.put(f"{CRDS}/{kind.name}", crd)
    assert got.status == 422
    fields = {c["field"]: c["message"] for c in got.json()["details"]["causes"]}
    assert fields["spec.scope"] == 'Invalid value: "Cluster": field is immutable'
    assert "spec.names.kind" in fields and "spec.names.plural" in fields
    crd = kind.get()
    crd["spec"]["versions"][0]["name"] = "v9"
    got = raw.put(f"{CRDS}/{kind.name}", crd)
    assert [c["field"] for c in got.json()["details"]["causes"]] == ["status.storedVersions[0]"]


def test_definitions_that_explode(raw):
    k = Kind(raw)
    deep = {"type": "string"}
    for _ in range(110):
        deep = {"type": "object", "properties": {"x": deep}}
    k.body["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = deep
    assert raw.post(CRDS, k.body).status in (400, 422)
    k = Kind(raw, spec_schema(p={"type": "string", "pattern": "^(a+)+$"})).create()
    k.post("slow", {"p": "a" * 4000 + "b"}, code=422)
    k.post("fine", {"p": "a" * 4000})


# --- OpenAPI ---

def test_openapi(raw):
    k = Kind(raw, selectableFields=[{"jsonPath": ".spec.color"}]).create()
    name = ".".join(reversed(k.group.split("."))) + f".v1.{k.kind}"
    v2 = raw.get("/openapi/v2").json()
    own = v2["definitions"][name]
    assert own["x-kubernetes-group-version-kind"] == [
        {"group": k.group, "kind": k.kind, "version": "v1"}]
    assert own["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.color"}]
    spec = own["properties"]["spec"]["properties"]
    assert spec["size"] == {"type": "integer", "minimum": 1, "maximum": 10}
    assert spec["note"] == {}  # what may be null may be anything, for readers of version 2
    assert spec["free"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert own["properties"]["metadata"]["$ref"] == (
        "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    assert v2["definitions"][name + "List"]["required"] == ["items"]
    assert f"/apis/{k.group}/v1/namespaces/{{namespace}}/{k.plural}/{{name}}" in v2["paths"]
    assert "io.k8s.api.core.v1.Pod" in v2["definitions"] and "/api/v1/pods" in v2["paths"]
    path = f"apis/{k.group}/v1"
    index = raw.get("/openapi/v3").json()["paths"]
    v3 = raw.get(index[path]["serverRelativeURL"])
    assert "immutable" in v3.headers["Cache-Control"]
    schemas = v3.json()["components"]["schemas"]
    spec = schemas[name]["properties"]["spec"]["properties"]
    assert spec["note"] == {"type": "string", "nullable": True}
    assert spec["any"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in schemas
    post = v3.json()["paths"][f"/apis/{k.group}/v1/namespaces/{{namespace}}/{k.plural}"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/" + name}
    pb = raw.get("/openapi/v2", headers={
        "Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"})
    assert pb.status == 200 and name.encode() in pb.body
    rich = Kind(raw, spec_schema(
        open={"type": "object", "additionalProperties": True},
        odd={"type": "integer", "not": {"enum": [3]}, "oneOf": [{"minimum": 5}, {"multipleOf": 2}]},
        text={"type": "string", "maxLength": 10, "pattern": "^2", "format": "date", "default": "2020-01-01",
              "example": "ab", "externalDocs": {"url": "https://example.com"}, "nullable": True})).create()
    for version, document in (("v2", "v2"), ("v3", f"v3/apis/{rich.group}/v1")):
        both = raw.get(f"/openapi/{document}", headers={
            "Accept": f"application/com.github.proto-openapi.spec.{version}@v1.0+protobuf"})
        assert both.status == 200 and f".v1.{rich.kind}".encode() in both.body, both
    k.remove()
    assert name not in raw.get("/openapi/v2").json()["definitions"]
    assert path not in raw.get("/openapi/v3").json()["paths"]


def test_kubectl_explains_and_applies(raw, kubectl):
    k = Kind(raw, spec_schema(size={"type": "integer", "description": "How large it is."},
                              deep={"type": "object", "properties": {"x": {"type": "string"}}})).create()
    # Words that clients' own tests look for.
    text = kubectl("explain", k.plural, f"--api-version={k.group}/v1")
    assert "APIVersion defines" in text
    text = kubectl("explain", f"{k.plural}.metadata", f"--api-version={k.group}/v1")
    assert "Standard object's metadata" in text and "CreationTimestamp is a timestamp" in text
    text = kubectl("explain", f"{k.plural}.spec.size", f"--api-version={k.group}/v1")
    assert "How large it is." in text and "integer" in text
    text = kubectl("explain", k.plural, f"--api-version={k.group}/v1", "--recursive")
    assert "size" in text and "x\t<string>" in text
    text = kubectl("explain", f"{k.plural}.spec.size", f"--api-version={k.group}/v1",
                   "--output=plaintext-openapiv2")  # version 2, in protobuf
    assert "How large it is." in text
    body = k.object("a", {"size": 1, "deep": {"x": "y"}})
    assert "created" in kubectl("apply", "-f", "-", stdin=body)
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=body)
    body["spec"] = {"size": 2}
    assert "configured" in kubectl("apply", "-f", "-", stdin=body)
    assert k.read("a")["spec"] == {"size": 2}
    body["spec"]["sizes"] = 3
    assert 'unknown field "spec.sizes"' in kubectl.fails("apply", "-f", "-", stdin=body)
    del body["spec"]["sizes"]
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=body)
    assert "no changes" not in kubectl.run("diff", "-f", "-", stdin=json.dumps(body)).stdout


# --- columns, selectors, ownership ---

def table(raw, path, **query):
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    return raw.get(path, headers={"Accept": accept}, **query).json()


def test_printer_columns(raw, kubectl):
    k = Kind(raw, spec_schema(
        size={"type": "integer"}, ratio={"type": "number"}, on={"type": "boolean"},
        note={"type": "string"}, when={"type": "string"},
        conditions={"type": "array", "items": {"type": "object", "properties": {
            "type": {"type": "string"}, "status": {"type": "string"}}}}),
        additionalPrinterColumns=[
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "How large"},
            {"name": "Ratio", "type": "number", "jsonPath": ".spec.ratio"},
            {"name": "On", "type": "boolean", "jsonPath": ".spec.on"},
            {"name": "Ready", "type": "string",
             "jsonPath": '.spec.conditions[?(@.type=="Ready")].status'},
            {"name": "Note", "type": "string", "jsonPath": ".spec.note", "priority": 1},
            {"name": "When", "type": "date", "jsonPath": ".spec.when"},
            {"name": "Wrong", "type": "integer", "jsonPath": ".spec.note"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]).create()
    k.post("a", {"size": 3, "ratio": 1.5, "on": True, "note": "n", "when": "2000-01-01T00:00:00Z",
                 "conditions": [{"type": "Other", "status": "?"}, {"type": "Ready", "status": "True"}]})
    k.post("b", {"when": "nonsense"})
    t = table(raw, k.path())
    assert [(c["name"], c["type"], c["priority"]) for c in t["columnDefinitions"]] == [
        ("Name", "string", 0), ("Size", "integer", 0), ("Ratio", "number", 0), ("On", "boolean", 0),
        ("Ready", "string", 0), ("Note", "string", 1), ("When", "date", 0), ("Wrong", "integer", 0),
        ("Age", "date", 0)]
    assert t["columnDefinitions"][1]["description"] == "How large"
    a, b = (r["cells"] for r in t["rows"])
    assert a[:6] == ["a", 3, 1.5, True, "True", "n"] and a[6].endswith("y") and a[7] is None
    assert b[:8] == ["b", None, None, None, None, None, "<invalid>", None]
    head, line, _ = kubectl("get", k.plural).splitlines()
    assert head.split() == ["NAME", "SIZE", "RATIO", "ON", "READY", "WHEN", "WRONG", "AGE"]
    assert line.split()[:5] == ["a", "3", "1.5", "true", "True"]
    assert "NOTE" in kubectl("get", k.plural, "-o", "wide")
    plain = Kind(raw).create()
    plain.post("a", {})
    assert [c["name"] for c in table(raw, plain.path())["columnDefinitions"]] == ["Name", "Age"]


def test_selectable_fields(raw):
    k = Kind(raw, selectableFields=[{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.size"}]).create()
    k.post("a", {"size": 1})
    k.post("b", {"size": 2, "color": "green"})

    def names(selector):
        got = raw.get(k.path(), fieldSelector=selector)
        assert got.status == 200, got
        return [o["metadata"]["name"] for o in got.json()["items"]]

    assert names("spec.color=red") == ["a"] and names("spec.color!=red") == ["b"]
    assert names("spec.size=2,spec.color=green") == ["b"] and names("spec.size=3") == []
    refused = raw.get(k.path(), fieldSelector="spec.note=x")
    assert refused.status == 400 and "field label not supported: spec.note" in refused.json()["message"]
    with raw.watch(k.path(), fieldSelector="spec.color=green") as w:
        assert w.next()["object"]["metadata"]["name"] == "b"
        raw.patch(k.path("a"), {"spec": {"color": "green"}})
        raw.patch(k.path("b"), {"spec": {"color": "red"}})
        raw.delete(k.path("a"))
        events = w.take(3)
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [
            ("ADDED", "a"), ("DELETED", "b"), ("DELETED", "a")]
    assert raw.delete(k.path(), fieldSelector="spec.color=red").status == 200
    assert raw.get(k.path()).json()["items"] == []


def test_a_field_that_becomes_selectable(raw):
    k = Kind(raw).create()
    k.post("old", {"size": 1})
    k.post("other", {"size": 2})

    def select(crd):
        crd["spec"]["versions"][0]["selectableFields"] = [{"jsonPath": ".spec.size"}]

    k.update(select)
    wait(lambda: raw.get(k.path(), fieldSelector="spec.size=1").status == 200)
    items = raw.get(k.path(), fieldSelector="spec.size=1").json()["items"]
    assert [o["metadata"]["name"] for o in items] == ["old"]


def apply(raw, path, body, manager, code=200, **query):
    got = raw.request("PATCH", path, json.dumps(body),
                      {"Content-Type": "application/apply-patch+yaml"}, fieldManager=manager, **query)
    assert got.status == code, got
    return got.json()


def test_apply(raw):
    k = Kind(raw, subresources={"status": {}}).create()
    one = k.path("a")
    made = apply(raw, one, k.object("a", {"size": 1, "ports": [{"name": "x", "port": 1}]}), "one", 201)
    assert made["spec"]["ports"] == [{"name": "x", "port": 1, "protocol": "TCP"}]
    entry = made["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == (
        "one", "Apply", f"{k.group}/v1")
    assert entry["fieldsV1"] == {"f:spec": {"f:ports": {'k:{"name":"x"}': {
        ".": {}, "f:name": {}, "f:port": {}}}, "f:size": {}}}
    both = apply(raw, one, k.object("a", {"ports": [{"name": "y", "port": 2}], "tags": ["t"]}), "two")
    assert [p["name"] for p in both["spec"]["ports"]] == ["x", "y"]
    conflict = apply(raw, one, k.object("a", {"size": 2}), "two", 409)
    assert 'conflict with "one": .spec.size' in conflict["message"]
    forced = apply(raw, one, k.object("a", {"size": 2}), "two", force="true")
    assert forced["spec"]["size"] == 2 and "tags" not in forced["spec"]
    assert [p["name"] for p in forced["spec"]["ports"]] == ["x"]
    gone = apply(raw, one, k.object("a", {}), "one")
    assert "ports" not in gone["spec"]
    before = gone["metadata"]["resourceVersion"]
    assert apply(raw, one, k.object("a", {}), "one")["metadata"]["resourceVersion"] == before
    wrong = apply(raw, one, k.object("a", {"nope": 1}), "one", 500)
    assert ".spec.nope: field not declared in schema" in wrong["message"]
    status = apply(raw, one + "/status", {**k.object("a"), "status": {"phase": "Ready"}}, "ctl")
    assert status["status"] == {"phase": "Ready"}
    assert {(e["manager"], e.get("subresource")) for e in status["metadata"]["managedFields"]} >= {
        ("ctl", "status")}
    updated = raw.patch(one, {"spec": {"any": "10%"}}, headers={"User-Agent": "third/1"}).json()
    third = [e for e in updated["metadata"]["managedFields"] if e["manager"] == "third"]
    assert third[0]["operation"] == "Update" and third[0]["fieldsV1"] == {"f:spec": {"f:any": {}}}


def test_kubectl_watches(raw, kubectl):
    k = Kind(raw).create()
    k.post("a", {"size": 1})
    out = kubectl.run("get", k.plural, "-w", "--request-timeout=2s").stdout
    assert out.splitlines()[0].split() == ["NAME", "AGE"] and out.splitlines()[1].split()[0] == "a"
    kubectl("wait", f"crd/{k.name}", "--for=condition=Established", "--timeout=10s")


def test_embedded_resources(raw):
    k = Kind(raw, spec_schema(template={
        "type": "object", "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True})).create()
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": {"a": "b"}},
           "spec": {"anything": [1, 2]}}
    assert k.post("a", {"template": pod})["spec"]["template"] == pod
    pod["metadata"]["strange"] = 1
    refused = raw.post(k.path(), k.object("b", {"template": pod}), fieldValidation="Strict")
    assert refused.status == 400, refused
    assert 'unknown field "spec.template.metadata.strange"' in refused.json()["message"]
    assert "strange" not in k.post("c", {"template": pod})["spec"]["template"]["metadata"]
    causes = k.post("b", {"template": {"metadata": {"name": "a b"}}}, code=422)["details"]["causes"]
    fields = {c["field"] for c in causes}
    assert {"spec.template.apiVersion", "spec.template.kind"} <= fields


def test_a_definition_that_changes_under_load(server):
    """Objects are made, listed, watched and applied while their definition changes, goes and comes
    back: every answer is one that a client expects, and none is a mix of two schemas."""
    with server.raw() as raw:
        k = Kind(raw).create()
        ending, wrong = threading.Event(), []

        def work(number):
            with server.raw() as own:
                for i in itertools.count():
                    if ending.is_set():
                        return
                    name = f"o-{number}-{i % 5}"
                    got = [own.post(k.path(), k.object(name, {"size": 3, "note": "n"})),
                           own.get(k.path()), own.get("/openapi/v3"),
                           own.patch(k.path(name), {"spec": {"any": i}}),
                           own.request("PATCH", k.path(name), json.dumps(k.object(name, {"size": 4})),
                                       {"Content-Type": "application/apply-patch+yaml"},
                                       fieldManager=f"m{number}", force="true"),
                           own.delete(k.path(name))]
                    with own.watch(k.path(), timeoutSeconds=1, resourceVersion=0) as w:
                        if w.status == 200:
                            w.next()
                    wrong.extend(g for g in got if g.status not in (200, 201, 404, 405, 409, 422))
                    for o in got[1].json().get("items", []) if got[1].status == 200 else []:
                        if "added" in o["spec"] and "note" in o["spec"]:
                            wrong.append(o)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
        for t in threads:
            t.start()

        def toggle(crd):
            fields = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
            if "note" in fields:
                del fields["note"]
                fields["added"] = {"type": "string", "default": "yes"}
            else:
                del fields["added"]
                fields["note"] = {"type": "string"}

        try:
            for _ in range(5):
                for _ in range(4):
                    k.update(toggle)
                    raw.get(k.path())
                assert raw.delete(f"{CRDS}/{k.name}").status == 200
                wait(lambda: raw.get(f"{CRDS}/{k.name}").status == 404)
                k.create()
        finally:
            ending.set()
            for t in threads:
                t.join()
        assert not wrong, wrong[:3]


def test_apply_over_versions(raw):
    schema = {"openAPIV3Schema": spec_schema(a={"type": "string"}, b={"type": "string"})}
    k = Kind(raw, versions=[{"name": "v1", "served": True, "storage": False, "schema": schema},
                            {"name": "v2", "served": True, "storage": True, "schema": schema}]).create()
    apply(raw, k.path("a", "v1"), k.object("a", {"a": "one"}, "v1"), "one", 201)
    both = apply(raw, k.path("a", "v2"), k.object("a", {"b": "two"}, "v2"), "two")
    assert both["spec"] == {"a": "one", "b": "two"}
    assert {(e["manager"], e["apiVersion"]) for e in both["metadata"]["managedFields"]} == {
        ("one", f"{k.group}/v1"), ("two", f"{k.group}/v2")}
    conflict = apply(raw, k.path("a", "v2"), k.object("a", {"a": "x"}, "v2"), "two", 409)
    assert 'conflict with "one": .spec.a' in conflict["message"]
    gone = apply(raw, k.path("a", "v1"), k.object("a", {}, "v1"), "one")
    assert "a" not in gone.get("spec", {})
    assert raw.get(k.path("a", "v2")).json()["spec"] == {"b": "two"}

    def stop_serving(crd):
        crd["spec"]["versions"][0]["served"] = False

    k.update(stop_serving)
    wait(lambda: raw.get(k.path("a", "v1")).status == 404)
    name = ".".join(reversed(k.group.split("."))) + f".v1.{k.kind}"
    assert name not in raw.get("/openapi/v2").json()["definitions"]
    after = apply(raw, k.path("a", "v2"), k.object("a", {"b": "three"}, "v2"), "two")
    assert {e["apiVersion"] for e in after["metadata"]["managedFields"]} == {f"{k.group}/v2"}


def big_definition(n, fields=150):
    group = f"g{n}.big.example.com"
    props = {f"f{i}": {"type": "object", "description": "d" * 60, "properties": {
        f"m{k}": {"type": "string", "maxLength": 9, "description": "e" * 40} for k in range(8)}} for i in range(fields)}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"bigs.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": {"plural": "bigs", "kind": "Big"}, "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": props}}}]}}


V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
V3_PROTOBUF = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"


def test_openapi_is_made_aside_and_once(server):
    """Whoever asks for documents while they are being made waits for them, and others are served meanwhile; all get
    the same, in JSON, compressed or as protobuf."""
    with server.raw() as raw:
        for n in range(8):
            assert raw.post(CRDS, big_definition(n)).status == 201
        for n in range(8):
            wait(lambda n=n: raw.get(f"/apis/g{n}.big.example.com/v1/bigs").status == 200)

    def ask(path, accept, gzip):
        with server.raw() as own:
            headers = {"Accept": accept, **({"Accept-Encoding": "gzip"} if gzip else {})}
            answer = own.get(path, headers)
            assert answer.status == 200 and own.get("/version").status == 200
            assert (answer.headers.get("Content-Encoding") == "gzip") == bool(gzip), answer.headers
            return answer.headers.get("ETag"), len(answer.body)

    big = "/openapi/v3/apis/g3.big.example.com/v1"
    asked = [(p, a, g) for p, a in (("/openapi/v2", "application/json"), ("/openapi/v2", V2_PROTOBUF),
                                    (big, "application/json"), (big, V3_PROTOBUF)) for g in (0, 1)] * 3
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda a: ask(*a), asked))
    for path, accept in {(p, a) for p, a, _ in asked}:
        tags = {etag for (p, a, _), (etag, _) in zip(asked, answers) if (p, a) == (path, accept)}
        assert len(tags) == 1 and None not in tags
    with server.raw() as raw:
        assert "g3.big.example.com" in raw.get("/openapi/v2").json()["definitions"][
            "com.example.big.g3.v1.Big"]["x-kubernetes-group-version-kind"][0]["group"]
        assert "apis/g3.big.example.com/v1" in raw.get("/openapi/v3").json()["paths"]
        for n in range(8):
            raw.delete(f"{CRDS}/bigs.g{n}.big.example.com")


def test_a_stop_while_openapi_is_made(own_server):
    """What makes the documents is waited for; nobody is left waiting for it."""
    server = own_server
    with server.raw() as raw:
        for n in range(6):
            assert raw.post(CRDS, big_definition(n)).status == 201
        wait(lambda: raw.get("/apis/g5.big.example.com/v1/bigs").status == 200)

    def ask():
        with server.raw() as own:
            try:
                own.get("/openapi/v2")
            except Exception:
                pass  # the server went away

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for c in clients:
        c.start()
    assert server.stop() == 0
    for c in clients:
        c.join(30)
        assert not c.is_alive()


def test_a_deprecated_version_names_a_better_one(raw):
    versions = [{"name": n, "served": n != "v3", "storage": n == "v1", "deprecated": n in ("v1beta1", "v2alpha1"),
                 "schema": {"openAPIV3Schema": {"type": "object"}}} for n in ("v1", "v1beta1", "v2alpha1", "v3")]
    versions.append({**versions[1], "name": "v1beta2", "deprecationWarning": "go away"})
    definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                  "metadata": {"name": "olds.words.example.com"},
                  "spec": {"group": "words.example.com", "scope": "Cluster", "names": {"plural": "olds", "kind": "Old"},
                           "versions": versions}}
    assert raw.post(CRDS, definition).status == 201
    wait(lambda: raw.get("/apis/words.example.com/v1/olds").status == 200)

    def warned(version):
        return raw.get(f"/apis/words.example.com/{version}/olds").headers.get_all("Warning")

    assert warned("v1") is None
    better = 'words.example.com/{} Old is deprecated; use words.example.com/v1 Old'
    assert warned("v1beta1") == [f'299 - "{better.format("v1beta1")}"']
    assert warned("v2alpha1") == [f'299 - "{better.format("v2alpha1")}"']
    assert warned("v1beta2") == ['299 - "go away"']
    listed = raw.get("/apis/words.example.com/v1").json()["resources"][0]
    assert listed["verbs"] == ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]

"""The official Python client, and what it cannot say by the raw API: verbs and their semantics."""

import itertools
import json
import re
import threading

import pytest
from kubernetes import client, watch
from kubernetes.client.rest import ApiException

from harness import config_map, pod, status_of

numbers = itertools.count()


@pytest.fixture
def ns(raw):
    name = f"client-{next(numbers)}"
    assert raw.post("/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
    return name


@pytest.fixture
def maps(ns):
    return f"/api/v1/namespaces/{ns}/configmaps"


@pytest.fixture
def core(api):
    return client.CoreV1Api(api)


def refused(code, reason, call, *args, **kw):
    """The Status of a call that must fail."""
    with pytest.raises(ApiException) as e:
        call(*args, **kw)
    assert e.value.status == code, e.value
    status = json.loads(e.value.body)
    assert status["kind"] == "Status" and status["reason"] == reason, status
    return status


def version(answer):
    return answer.json()["metadata"]["resourceVersion"]


# --- create, read, update, delete ---

def test_crud_of_a_config_map(core, ns):
    made = core.create_namespaced_config_map(ns, client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name="a", labels={"x": "y"}), data={"k": "1"}))
    assert made.metadata.uid and made.metadata.creation_timestamp and made.data == {"k": "1"}
    made.data["k"] = "2"
    replaced = core.replace_namespaced_config_map("a", ns, made)
    assert replaced.data == {"k": "2"} and replaced.metadata.uid == made.metadata.uid
    assert int(replaced.metadata.resource_version) > int(made.metadata.resource_version)
    patched = core.patch_namespaced_config_map("a", ns, {"data": {"l": "3"}})
    assert patched.data == {"k": "2", "l": "3"}
    listed = core.list_namespaced_config_map(ns, label_selector="x=y")
    assert [i.metadata.name for i in listed.items] == ["a"]
    gone = core.delete_namespaced_config_map("a", ns)
    assert gone.status == "Success" and gone.details.uid == made.metadata.uid
    assert gone.details.name == "a" and gone.details.kind == "configmaps"
    assert refused(404, "NotFound", core.read_namespaced_config_map, "a", ns)["details"]["name"] == "a"


def test_crud_of_other_kinds(api, core, ns):
    apps, batch, rbac = client.AppsV1Api(api), client.BatchV1Api(api), client.RbacAuthorizationV1Api(api)
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    made = apps.create_namespaced_deployment(ns, {"metadata": {"name": "d"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": template}})
    # Defaults are filled in as upstream fills them in.
    assert made.spec.replicas == 1 and made.spec.strategy.type == "RollingUpdate"
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    assert made.spec.revision_history_limit == 10 and made.spec.progress_deadline_seconds == 600
    spec = made.spec.template.spec
    assert (spec.restart_policy, spec.dns_policy, spec.scheduler_name) == \
        ("Always", "ClusterFirst", "default-scheduler")
    assert spec.termination_grace_period_seconds == 30
    assert spec.containers[0].image_pull_policy == "Always"
    assert spec.containers[0].termination_message_path == "/dev/termination-log"
    job = batch.create_namespaced_job(ns, {"metadata": {"name": "j"}, "spec": {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}}}})
    assert job.spec.completions == 1 and job.spec.backoff_limit == 6
    role = rbac.create_namespaced_role(ns, {"metadata": {"name": "r"}, "rules": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]})
    assert role.rules[0].verbs == ["get"]
    secret = core.create_namespaced_secret(ns, {"metadata": {"name": "s"}, "stringData": {"p": "hi"}})
    assert secret.data == {"p": "aGk="} and secret.string_data is None and secret.type == "Opaque"
    made_pod = core.create_namespaced_pod(ns, pod("p", ns))
    assert made_pod.status.phase == "Pending" and made_pod.status.qos_class == "BestEffort"
    core.delete_namespaced_secret("s", ns)
    apps.delete_namespaced_deployment("d", ns)
    assert apps.list_namespaced_deployment(ns).items == []


def test_generate_name(core, ns):
    body = {"metadata": {"generateName": "run-"}}
    names = {core.create_namespaced_config_map(ns, body).metadata.name for _ in range(20)}
    assert len(names) == 20 and all(re.fullmatch(r"run-[bcdfghjklmnpqrstvwxz2456789]{5}", n) for n in names)
    # A name that was given is not replaced when it is taken.
    body = {"metadata": {"name": "given", "generateName": "run-"}}
    core.create_namespaced_config_map(ns, body)
    status = refused(409, "AlreadyExists", core.create_namespaced_config_map, ns, body)
    assert status["message"] == ('configmaps "given" already exists, the server was not able to generate a unique '
                                 "name for the object")
    assert status["details"]["retryAfterSeconds"] == 1


def test_already_exists_and_conflict(core, ns):
    made = core.create_namespaced_config_map(ns, {"metadata": {"name": "a"}})
    status = refused(409, "AlreadyExists", core.create_namespaced_config_map, ns, {"metadata": {"name": "a"}})
    assert status["message"] == 'configmaps "a" already exists'
    core.patch_namespaced_config_map("a", ns, {"data": {"x": "1"}})
    made.data = {"x": "2"}
    status = refused(409, "Conflict", core.replace_namespaced_config_map, "a", ns, made)
    assert status["message"] == ('Operation cannot be fulfilled on configmaps "a": the object has been '
                                 "modified; please apply your changes to the latest version and try again")
    assert core.read_namespaced_config_map("a", ns).data == {"x": "1"}
    made.metadata.resource_version = None  # unconditional
    assert core.replace_namespaced_config_map("a", ns, made).data == {"x": "2"}
    made.metadata.uid = "00000000-0000-0000-0000-000000000000"
    assert "uid" in refused(409, "Conflict", core.replace_namespaced_config_map, "a", ns, made)["message"].lower()


def test_stale_patch_with_a_resource_version(raw, maps):
    old = version(raw.post(maps, config_map("a", namespace=None)))
    raw.patch(f"{maps}/a", {"data": {"x": "1"}})
    status_of(raw.patch(f"{maps}/a", {"metadata": {"resourceVersion": old}, "data": {"x": "2"}}), 409, "Conflict")


def test_create_with_a_resource_version_is_refused(raw, maps):
    status = status_of(raw.post(maps, {"metadata": {"name": "a", "resourceVersion": "5"}}), 500)
    assert status["message"] == "resourceVersion should not be set on objects to be created"


def test_put_must_name_the_object_of_its_path(raw, maps):
    raw.post(maps, {"metadata": {"name": "a"}})
    status = status_of(raw.put(f"{maps}/a", {"metadata": {"name": "b"}}), 400, "BadRequest")
    assert status["message"] == "the name of the object (b) does not match the name on the URL (a)"


def test_an_update_that_changes_nothing_is_none(raw, maps):
    made = raw.post(maps, {"metadata": {"name": "a"}, "data": {"x": "1"}}).json()
    with raw.watch(maps, resourceVersion=made["metadata"]["resourceVersion"]) as w:
        assert raw.put(f"{maps}/a", made).json() == made
        assert raw.patch(f"{maps}/a", {"data": {"x": "1"}}).json() == made
        raw.patch(f"{maps}/a", {"data": {"x": "2"}})
        assert w.next()["object"]["data"] == {"x": "2"}


def test_many_writers_on_one_object(server, raw, maps):
    """Each compare-and-set wins once: no write is lost."""
    raw.post(maps, {"metadata": {"name": "n"}, "data": {"n": "0"}})

    def add(_):
        with server.raw() as own:
            for _ in range(15):
                while True:
                    got = own.get(f"{maps}/n").json()
                    got["data"]["n"] = str(int(got["data"]["n"]) + 1)
                    answer = own.put(f"{maps}/n", got)
                    if answer.status == 200:
                        break
                    assert answer.status == 409, answer

    threads = [threading.Thread(target=add, args=(i,)) for i in range(4)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert raw.get(f"{maps}/n").json()["data"]["n"] == "60"


# --- lists ---

def test_list_pages_are_one_snapshot(core, raw, maps, ns):
    for i in range(10):
        raw.post(maps, {"metadata": {"name": f"m{i}"}})
    first = core.list_namespaced_config_map(ns, limit=4)
    assert [i.metadata.name for i in first.items] == ["m0", "m1", "m2", "m3"]
    assert first.metadata.remaining_item_count == 6
    # What is written now belongs to no page.
    raw.delete(f"{maps}/m5")
    raw.post(maps, {"metadata": {"name": "m45"}})
    raw.patch(f"{maps}/m6", {"data": {"late": "yes"}})
    second = core.list_namespaced_config_map(ns, limit=4, _continue=first.metadata._continue)
    assert [i.metadata.name for i in second.items] == ["m4", "m5", "m6", "m7"]
    assert second.items[2].data is None
    assert second.metadata.resource_version == first.metadata.resource_version
    third = core.list_namespaced_config_map(ns, limit=4, _continue=second.metadata._continue)
    assert [i.metadata.name for i in third.items] == ["m8", "m9"]
    assert not third.metadata._continue and third.metadata.remaining_item_count is None


def test_list_at_versions(raw, maps):
    first = version(raw.post(maps, {"metadata": {"name": "a"}}))
    last = version(raw.post(maps, {"metadata": {"name": "b"}}))
    names = lambda **q: [i["metadata"]["name"] for i in raw.get(maps, **q).json()["items"]]
    assert names() == ["a", "b"] and names(resourceVersion="0") == ["a", "b"]
    assert names(resourceVersion=first, resourceVersionMatch="Exact") == ["a"]
    assert names(resourceVersion=first, resourceVersionMatch="NotOlderThan") == ["a", "b"]
    assert names(resourceVersion=last) == ["a", "b"]
    assert raw.get(maps, resourceVersion=first, resourceVersionMatch="Exact").json()["metadata"][
        "resourceVersion"] == first


def test_list_forms(raw, maps):
    raw.post(maps, {"metadata": {"name": "a"}, "data": {"x": "1"}})
    listed = raw.get(maps).json()
    assert listed["kind"] == "ConfigMapList" and listed["apiVersion"] == "v1"
    assert "kind" not in listed["items"][0]
    partial = raw.get(maps, {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"})
    assert partial.json()["kind"] == "PartialObjectMetadataList"
    assert partial.json()["items"][0]["metadata"]["name"] == "a" and "data" not in partial.json()["items"][0]
    table = raw.get(maps, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}).json()
    assert table["kind"] == "Table" and table["apiVersion"] == "meta.k8s.io/v1"
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 1]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
              "spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert raw.request("POST", reviews, review, headers={"Accept": "application/json"}).status == 201
    assert raw.request("POST", reviews, review,
                       headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}).status == 406
    assert raw.get(maps, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
                   includeObject="Object").json()["rows"][0]["object"]["data"] == {"x": "1"}
    assert raw.get(maps, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
                   includeObject="None").json()["rows"][0]["object"] is None
    yaml = raw.get(f"{maps}/a", {"Accept": "application/yaml"})
    assert yaml.type.startswith("application/yaml") and b"\nkind: ConfigMap\n" in yaml.body
    pretty = raw.get(f"{maps}/a", pretty="true")
    assert pretty.json() == raw.get(f"{maps}/a").json()
    assert pretty.body.count(b"\n") > 5 and raw.get(f"{maps}/a").body.count(b"\n") <= 1


def test_protobuf_goes_both_ways(raw, maps):
    proto = {"Accept": "application/vnd.kubernetes.protobuf"}
    made = raw.post(maps, {"metadata": {"name": "a", "labels": {"l": "m"}}, "data": {"x": "1"}}, proto)
    assert made.status == 201 and made.type == "application/vnd.kubernetes.protobuf"
    assert made.body.startswith(b"k8s\0")
    # What the server said in protobuf is posted back as it is, under a changed name of one length.
    body = raw.post(maps, {"metadata": {"name": "b"}, "data": {"x": "1"}}, proto, dryRun="All").body
    again = raw.request("POST", maps, body.replace(b"\x0a\x01b", b"\x0a\x01c", 1),
                        {"Content-Type": "application/vnd.kubernetes.protobuf"})
    assert again.status == 201, again
    assert again.json()["metadata"]["name"] == "c" and again.json()["data"] == {"x": "1"}
    put = raw.request("PUT", f"{maps}/a", raw.get(f"{maps}/a", proto).body,
                      {"Content-Type": "application/vnd.kubernetes.protobuf"})
    assert put.status == 200 and put.json() == raw.get(f"{maps}/a").json()
    listed = raw.get(maps, proto)
    assert listed.body.startswith(b"k8s\0") and b"ConfigMapList" in listed.body
    error = raw.get(f"{maps}/nope", proto)
    assert error.status == 404 and error.body.startswith(b"k8s\0") and b"NotFound" in error.body


# --- watch ---

def test_watch_with_the_client(core, ns):
    start = core.list_namespaced_config_map(ns).metadata.resource_version
    core.create_namespaced_config_map(ns, {"metadata": {"name": "a"}})
    core.patch_namespaced_config_map("a", ns, {"data": {"x": "1"}})
    core.delete_namespaced_config_map("a", ns)
    w = watch.Watch()
    seen = []
    for event in w.stream(core.list_namespaced_config_map, ns, resource_version=start, timeout_seconds=10):
        seen.append((event["type"], event["object"].metadata.name))
        if event["type"] == "DELETED":
            w.stop()
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_watch_resumes_anywhere(raw, maps):
    versions = [version(raw.get(maps))]
    versions.append(version(raw.post(maps, {"metadata": {"name": "a"}, "data": {"n": "0"}})))
    for i in range(1, 6):
        versions.append(version(raw.patch(f"{maps}/a", {"data": {"n": str(i)}})))
    for i, start in enumerate(versions[:-1]):
        with raw.watch(maps, resourceVersion=start) as w:
            events = w.take(len(versions) - 1 - i)
        assert [e["object"]["metadata"]["resourceVersion"] for e in events] == versions[i + 1:]
        assert [e["type"] for e in events] == ["ADDED" if v == versions[1] else "MODIFIED"
                                               for v in versions[i + 1:]]


def test_a_hundred_watches_tell_one_order(raw, server, maps):
    start = version(raw.get(maps))
    watches = [raw.watch(maps, resourceVersion=start) for _ in range(100)]

    def write(writer):
        with server.raw() as own:
            for i in range(25):
                assert own.post(maps, {"metadata": {"name": f"w{writer}-{i}"}}).status == 201
                assert own.patch(f"{maps}/w{writer}-{i}", {"data": {"a": "b"}}).status == 200
    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    [t.start() for t in writers]
    [t.join(60) for t in writers]
    told = []
    for w in watches:
        told.append([(e["type"], e["object"]["metadata"]["resourceVersion"]) for e in w.take(200)])
        w.close()
    assert all(t == told[0] for t in told)
    revisions = [int(v) for _, v in told[0]]
    assert revisions == sorted(set(revisions)) and {k for k, _ in told[0]} == {"ADDED", "MODIFIED"}


def test_a_deleted_event_has_the_deletions_version(raw, maps):
    made = version(raw.post(maps, {"metadata": {"name": "a"}, "data": {"x": "1"}}))
    raw.delete(f"{maps}/a")
    with raw.watch(maps, resourceVersion=made) as w:
        event = w.next()
    assert event["type"] == "DELETED" and event["object"]["data"] == {"x": "1"}
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(made)


def test_watch_without_a_version_begins_with_what_is_there(raw, maps):
    raw.post(maps, {"metadata": {"name": "a"}})
    for query in ({}, {"resourceVersion": "0"}):
        with raw.watch(maps, **query) as w:
            event = w.next()
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
            assert event["object"]["kind"] == "ConfigMap"


def test_watch_with_selectors_sees_objects_come_and_go(raw, maps):
    start = version(raw.get(maps))
    with raw.watch(maps, resourceVersion=start, labelSelector="in=yes") as w:
        raw.post(maps, {"metadata": {"name": "out"}})
        raw.post(maps, {"metadata": {"name": "a", "labels": {"in": "no"}}})
        raw.patch(f"{maps}/a", {"metadata": {"labels": {"in": "yes"}}})
        raw.patch(f"{maps}/a", {"data": {"x": "1"}})
        raw.patch(f"{maps}/a", {"metadata": {"labels": {"in": None}}})
        raw.delete(f"{maps}/a")
        raw.post(maps, {"metadata": {"name": "end", "labels": {"in": "yes"}}})
        events = w.take(4)
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [
        ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "end")]
    assert events[2]["object"]["metadata"]["labels"] == {"in": "yes"}  # as it was while it was in
    with raw.watch(maps, resourceVersion=start, fieldSelector="metadata.name=end") as w:
        assert w.next()["object"]["metadata"]["name"] == "end"


def test_pods_of_a_node(raw, ns):
    pods = f"/api/v1/namespaces/{ns}/pods"
    start = version(raw.get("/api/v1/pods"))
    for name, node in (("a", "n1"), ("b", "n2"), ("c", None)):
        body = pod(name, ns)
        if node:
            body["spec"]["nodeName"] = node
        assert raw.post(pods, body).status == 201
    names = lambda selector: [i["metadata"]["name"] for i in raw.get(
        "/api/v1/pods", fieldSelector=selector).json()["items"] if i["metadata"]["namespace"] == ns]
    assert names("spec.nodeName=n1") == ["a"] and names("spec.nodeName=") == ["c"]
    assert names("spec.nodeName!=n1,status.phase=Pending") == ["b", "c"]
    with raw.watch("/api/v1/pods", resourceVersion=start, fieldSelector="spec.nodeName=n2") as w:
        assert w.next()["object"]["metadata"]["name"] == "b"


def test_streamed_list(raw, maps):
    """sendInitialEvents: what is there, then a bookmark that says so, then what comes."""
    for name in "ab":
        raw.post(maps, {"metadata": {"name": name}})
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with raw.watch(maps, **query) as w:
        first, second, end = w.take(3)
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in (first, second)] == [
            ("ADDED", "a"), ("ADDED", "b")]
        assert end["type"] == "BOOKMARK" and end["object"]["kind"] == "ConfigMap"
        assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert int(end["object"]["metadata"]["resourceVersion"]) >= int(
            second["object"]["metadata"]["resourceVersion"])
        made = raw.post(maps, {"metadata": {"name": "c"}}).json()
        event = w.next()
        assert event["type"] == "ADDED" and event["object"]["metadata"] == made["metadata"]
    with raw.watch(maps, **{**query, "resourceVersion": "0"}) as w:
        assert [e["type"] for e in w.take(4)] == ["ADDED"] * 3 + ["BOOKMARK"]


def test_watch_ends_with_a_bookmark_at_its_time_limit(raw, maps):
    raw.post(maps, {"metadata": {"name": "a"}})
    start = version(raw.get(maps))
    raw.post(maps.replace("client-", "client-").replace("configmaps", "secrets"), {"metadata": {"name": "s"}})
    with raw.watch(maps, resourceVersion=start, timeoutSeconds="1", allowWatchBookmarks="true") as w:
        events = []
        while (event := w.next()) is not None:
            events.append(event)
    assert [e["type"] for e in events] == ["BOOKMARK"]
    assert int(events[0]["object"]["metadata"]["resourceVersion"]) >= int(start)


def test_watch_in_other_forms(raw, maps):
    raw.post(maps, {"metadata": {"name": "a"}, "data": {"x": "1"}})
    with raw.watch(maps, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}) as w:
        event = w.next()
        assert event["object"]["kind"] == "Table" and event["object"]["rows"][0]["cells"][0] == "a"
    with raw.watch(maps, {"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}) as w:
        event = w.next()
        assert event["object"]["kind"] == "PartialObjectMetadata" and "data" not in event["object"]
    with raw.watch(maps, {"Accept": "application/vnd.kubernetes.protobuf;stream=watch"}) as w:
        assert w.response.headers["Content-Type"] == "application/vnd.kubernetes.protobuf;stream=watch"
        size = int.from_bytes(w.response.read(4), "big")
        assert b"ADDED" in w.response.read(size)


def test_watch_of_one_object_and_the_old_path(raw, maps):
    start = version(raw.post(maps, {"metadata": {"name": "a"}}))
    raw.post(maps, {"metadata": {"name": "b"}})
    raw.patch(f"{maps}/a", {"data": {"x": "1"}})
    old = maps.replace("/api/v1/", "/api/v1/watch/")
    with raw.watch(old, resourceVersion=start) as w:
        assert [e["object"]["metadata"]["name"] for e in w.take(2)] == ["b", "a"]


# --- delete ---

def test_preconditions(raw, maps):
    made = raw.post(maps, {"metadata": {"name": "a"}}).json()
    wrong = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    status = status_of(raw.delete(f"{maps}/a", wrong), 409, "Conflict")
    assert "does not match the UID in record" in status["message"]
    status = status_of(raw.delete(f"{maps}/a", {"preconditions": {"resourceVersion": "1"}}), 409, "Conflict")
    assert "does not match the ResourceVersion in record" in status["message"]
    good = {"preconditions": {k: made["metadata"][k] for k in ("uid", "resourceVersion")}}
    assert raw.delete(f"{maps}/a", good).status == 200
    status_of(raw.get(f"{maps}/a"), 404, "NotFound")


def test_finalizers(raw, maps):
    made = raw.post(maps, {"metadata": {"name": "a", "finalizers": ["example.com/x"]}}).json()
    held = raw.delete(f"{maps}/a").json()
    assert held["metadata"]["deletionTimestamp"] and held["metadata"]["deletionGracePeriodSeconds"] == 0
    status = status_of(raw.patch(f"{maps}/a", {"metadata": {"finalizers": ["example.com/x", "example.com/y"]}}),
                       422, "Invalid")
    assert "no new finalizers can be added if the object is being deleted" in status["message"]
    assert raw.delete(f"{maps}/a").json()["metadata"]["deletionTimestamp"] == held["metadata"]["deletionTimestamp"]
    with raw.watch(maps, resourceVersion=version(raw.get(maps))) as w:
        last = raw.patch(f"{maps}/a", {"metadata": {"finalizers": []}})
        assert last.status == 200 and last.json()["metadata"]["uid"] == made["metadata"]["uid"]
        assert w.next()["type"] == "DELETED"
    status_of(raw.get(f"{maps}/a"), 404, "NotFound")


def test_propagation_policies(raw, maps):
    for policy, finalizer in (("Foreground", "foregroundDeletion"), ("Orphan", "orphan")):
        raw.post(maps, {"metadata": {"name": "a"}})
        held = raw.delete(f"{maps}/a", {"propagationPolicy": policy}).json()
        assert held["metadata"]["finalizers"] == [finalizer], held
        assert held["metadata"]["deletionTimestamp"]
        raw.patch(f"{maps}/a", {"metadata": {"finalizers": None}})
    raw.post(maps, {"metadata": {"name": "a"}})
    assert raw.delete(f"{maps}/a", propagationPolicy="Background").json()["status"] == "Success"
    raw.post(maps, {"metadata": {"name": "a"}})
    assert raw.delete(f"{maps}/a", propagationPolicy="Orphan").json()["metadata"]["finalizers"] == ["orphan"]
    status = status_of(raw.delete(f"{maps}/a", {"propagationPolicy": "Quickly"}), 422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "propagationPolicy"


def test_pods_have_a_grace_period_only_on_a_node(raw, ns):
    pods = f"/api/v1/namespaces/{ns}/pods"
    bound = pod("bound", ns)
    bound["spec"]["nodeName"] = "n1"
    raw.post(pods, bound)
    raw.post(pods, pod("free", ns))
    assert raw.delete(f"{pods}/free").status == 200
    status_of(raw.get(f"{pods}/free"), 404)
    held = raw.delete(f"{pods}/bound").json()
    assert held["metadata"]["deletionGracePeriodSeconds"] == 30 and held["metadata"]["deletionTimestamp"]
    shorter = raw.delete(f"{pods}/bound", {"gracePeriodSeconds": 5}).json()
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    assert raw.delete(f"{pods}/bound", {"gracePeriodSeconds": 0}).status == 200
    status_of(raw.get(f"{pods}/bound"), 404)


def test_delete_collection(core, raw, maps, ns):
    for i in range(6):
        raw.post(maps, {"metadata": {"name": f"m{i}", "labels": {"odd": str(i % 2)}}})
    raw.post(maps, {"metadata": {"name": "held", "labels": {"odd": "1"}, "finalizers": ["a.b/c"]}})
    core.delete_collection_namespaced_config_map(ns, label_selector="odd=1", dry_run="All")
    assert len(raw.get(maps).json()["items"]) == 7
    core.delete_collection_namespaced_config_map(ns, label_selector="odd=1")
    left = raw.get(maps).json()["items"]
    assert [i["metadata"]["name"] for i in left] == ["held", "m0", "m2", "m4"]
    assert left[0]["metadata"]["deletionTimestamp"]
    raw.patch(f"{maps}/held", {"metadata": {"finalizers": None}})
    core.delete_collection_namespaced_config_map(ns, field_selector="metadata.name=m2")
    assert [i["metadata"]["name"] for i in raw.get(maps).json()["items"]] == ["m0", "m4"]
    core.delete_collection_namespaced_config_map(ns)
    assert raw.get(maps).json()["items"] == []


def test_namespace_under_deletion_takes_nothing_new(raw):
    raw.post("/api/v1/namespaces", {"metadata": {"name": "going"}})
    gone = raw.delete("/api/v1/namespaces/going").json()
    assert gone["status"]["phase"] == "Terminating" and gone["spec"]["finalizers"] == ["kubernetes"]
    status = status_of(raw.post("/api/v1/namespaces/going/configmaps", {"metadata": {"name": "a"}}),
                       403, "Forbidden")
    assert "because it is being terminated" in status["message"]
    assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    gone["spec"]["finalizers"] = []
    assert raw.put("/api/v1/namespaces/going/finalize", gone).status == 200
    status_of(raw.get("/api/v1/namespaces/going"), 404, "NotFound")
    for name in ("default", "kube-system", "kube-public"):
        status_of(raw.delete(f"/api/v1/namespaces/{name}"), 403, "Forbidden")


# --- metadata, dry runs, parts ---

def test_dry_run_of_every_verb(raw, maps):
    made = raw.post(maps, {"metadata": {"name": "a"}, "data": {"x": "1"}}).json()
    before = raw.get(maps).json()
    dry = raw.post(maps, {"metadata": {"name": "b"}}, dryRun="All")
    assert dry.status == 201 and dry.json()["metadata"]["uid"]
    assert raw.patch(f"{maps}/a", {"data": {"x": "2"}}, dryRun="All").json()["data"] == {"x": "2"}
    assert raw.put(f"{maps}/a", {**made, "data": {}}, dryRun="All").status == 200
    assert raw.delete(f"{maps}/a", dryRun="All").status == 200
    assert raw.delete(f"{maps}/a", {"dryRun": ["All"]}).status == 200
    assert raw.delete(maps, dryRun="All").status == 200
    status_of(raw.post(maps, {"metadata": {"name": "a"}}, dryRun="All"), 409, "AlreadyExists")
    status_of(raw.post(maps, {"metadata": {"name": "c"}}, dryRun="Some"), 422, "Invalid")
    assert raw.get(maps).json()["items"] == before["items"]


def test_status_is_a_part_of_its_own(raw, ns):
    deployments = f"/apis/apps/v1/namespaces/{ns}/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    made = raw.post(deployments, {"metadata": {"name": "d"}, "status": {"replicas": 9}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": template}}).json()
    assert made["metadata"]["generation"] == 1 and made["status"] == {}
    put = {**made, "spec": {**made["spec"], "replicas": 5}, "status": {"replicas": 3, "observedGeneration": 1}}
    status = raw.put(f"{deployments}/d/status", put).json()
    assert status["status"]["replicas"] == 3 and status["spec"]["replicas"] == 1
    assert status["metadata"]["generation"] == 1
    put = {**status, "spec": {**made["spec"], "replicas": 5}, "status": {}}
    main = raw.put(f"{deployments}/d", put).json()
    assert main["spec"]["replicas"] == 5 and main["status"]["replicas"] == 3
    assert main["metadata"]["generation"] == 2
    labelled = raw.patch(f"{deployments}/d", {"metadata": {"labels": {"x": "y"}}}).json()
    assert labelled["metadata"]["generation"] == 2
    assert raw.get(f"{deployments}/d/status").json() == labelled
    status_of(raw.post(f"{deployments}/d/status", {}), 405, "MethodNotAllowed")


def test_clients_cannot_set_what_is_the_servers(raw, maps):
    meta = {"name": "a", "uid": "11111111-1111-1111-1111-111111111111", "selfLink": "/x",
            "creationTimestamp": "2001-01-01T00:00:00Z", "deletionTimestamp": "2001-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 7, "generation": 42}
    made = raw.post(maps, {"metadata": meta}).json()["metadata"]
    assert made["uid"] != meta["uid"] and made["creationTimestamp"] > "2026"
    for gone in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        assert gone not in made, made
    patched = raw.patch(f"{maps}/a", {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z",
                                                   "deletionTimestamp": "2001-01-01T00:00:00Z"}})
    assert patched.json()["metadata"]["creationTimestamp"] == made["creationTimestamp"]
    assert "deletionTimestamp" not in patched.json()["metadata"]


def test_invalid_says_every_cause(raw, ns):
    bad = {"metadata": {"name": "Bad", "labels": {"a b": "c"}}, "spec": {"containers": [
        {"name": "x", "image": ""}, {"name": "x", "image": "i", "ports": [{"containerPort": 70000}]}]}}
    status = status_of(raw.post(f"/api/v1/namespaces/{ns}/pods", bad), 422, "Invalid")
    assert status["details"]["kind"] == "Pod" and status["details"]["name"] == "Bad"
    causes = {c["field"]: c["reason"] for c in status["details"]["causes"]}
    assert causes == {
        "metadata.name": "FieldValueInvalid", "metadata.labels": "FieldValueInvalid",
        "spec.containers[0].image": "FieldValueRequired",
        "spec.containers[1].name": "FieldValueDuplicate",
        "spec.containers[1].ports[0].containerPort": "FieldValueInvalid"}
    for cause in status["details"]["causes"]:
        assert f"{cause['field']}: {cause['message']}" in status["message"]


def test_immutable_fields(raw, ns, maps):
    raw.post(maps, {"metadata": {"name": "a"}, "data": {"x": "1"}, "immutable": True})
    status = status_of(raw.patch(f"{maps}/a", {"data": {"x": "2"}}), 422, "Invalid")
    assert "field is immutable when `immutable` is set" in status["message"]
    pods = f"/api/v1/namespaces/{ns}/pods"
    raw.post(pods, pod("p", ns))
    status = status_of(raw.patch(f"{pods}/p", {"spec": {"nodeSelector": {"a": "b"}}}), 422, "Invalid")
    assert "pod updates may not change fields other than" in status["message"]
    image = [{"op": "replace", "path": "/spec/containers/0/image", "value": "other:1"}]
    assert raw.patch(f"{pods}/p", image, "json-patch").status == 200


def test_discovery(raw):
    groups = raw.get("/apis").json()
    assert groups["kind"] == "APIGroupList"
    apps = next(g for g in groups["groups"] if g["name"] == "apps")
    assert apps["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    resources = raw.get("/apis/apps/v1").json()
    assert resources["kind"] == "APIResourceList" and resources["groupVersion"] == "apps/v1"
    scale = next(r for r in resources["resources"] if r["name"] == "deployments/scale")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    accept = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
    whole = raw.get("/apis", accept)
    assert whole.json()["kind"] == "APIGroupDiscoveryList"
    tag = whole.headers["ETag"]
    assert raw.get("/apis", {**accept, "If-None-Match": tag}).status == 304
    assert raw.get("/apis", accept).body == whole.body


def test_verbs_are_a_message_in_protobuf(raw):
    """meta/v1.Verbs is a list in JSON and a message of its own in protobuf, as ExtraValue is."""
    body = raw.get("/apis/apps/v1", {"Accept": "application/vnd.kubernetes.protobuf"}).body
    create = b"\x0a\x06create"
    at = body.index(create)
    assert body[at - 2] == 4 << 3 | 2 and body[at - 1] > len(create)


def test_volumes_begin_as_pending(raw, ns):
    claim = {"metadata": {"name": "c"}, "status": {"phase": "Bound"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                      "storageClassName": "none"}}
    made = raw.post(f"/api/v1/namespaces/{ns}/persistentvolumeclaims", claim).json()
    assert made["status"] == {"phase": "Pending"}
    volume = {"metadata": {"name": f"{ns}-v"}, "status": {"phase": "Bound"},
              "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                       "hostPath": {"path": "/tmp"}}}
    made = raw.post("/api/v1/persistentvolumes", volume).json()
    assert made["status"]["phase"] == "Pending" and made["status"]["lastPhaseTransitionTime"]


def test_openapi(raw):
    paths = raw.get("/openapi/v3").json()["paths"]
    url = paths["apis/apps/v1"]["serverRelativeURL"]
    document = raw.get(url)
    schema = document.json()["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "apps", "kind": "Deployment", "version": "v1"}]
    # Its URL names its content: clients keep it. Another hash is sent to the right one.
    assert document.headers.get_all("Cache-Control") == ["public, immutable, max-age=31536000"]
    moved = raw.get(url.split("?")[0] + "?hash=old")
    assert moved.status == 301 and moved.headers["Location"] == url
    assert raw.get("/openapi/v3").headers["Cache-Control"] == "no-cache, private"
    path = document.json()["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments"]
    assert any(p["name"] == "fieldValidation" for p in path["post"]["parameters"])
    for accept in ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
                   "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"):
        proto = raw.get("/openapi/v2", {"Accept": accept})
        assert proto.type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
        assert proto.body.startswith(b"\x0a\x032.0") and b"io.k8s.api.apps.v1.Deployment" in proto.body
    v2 = raw.get("/openapi/v2").json()
    assert v2["swagger"] == "2.0" and "io.k8s.api.core.v1.Pod" in v2["definitions"]


# --- services' worth of strange paths ---

def test_names_in_urls_are_decoded(raw):
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    assert raw.post(role, {"metadata": {"name": "a:b"}, "rules": []}).status == 201
    assert raw.get(f"{role}/a:b").json()["metadata"]["name"] == "a:b"
    assert raw.get(f"{role}/a%3Ab").json()["metadata"]["name"] == "a:b"
    assert raw.delete(f"{role}/a%3ab").status == 200

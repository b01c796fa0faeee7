"""The official Python client: typed and dynamic, the four patches, apply, watches, Tables."""

import json

import pytest
from kubernetes import client, dynamic, watch
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

APPLY = "application/apply-patch+yaml"


@pytest.fixture
def ns(api):
    core = client.CoreV1Api(api)
    name = core.create_namespace({"metadata": {"generateName": "python-"}}).metadata.name
    yield name
    core.delete_namespace(name)


@pytest.fixture(scope="module")
def anything(api):
    return dynamic.DynamicClient(api)


def deployment(name="web", image="example/a:1"):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "a", "image": image}]}}}}


def refused(status, call, *args, **kw):
    with pytest.raises(client.ApiException) as e:
        call(*args, **kw)
    assert e.value.status == status, e.value


def test_typed_objects(api, ns):
    core = client.CoreV1Api(api)
    made = core.create_namespaced_config_map(ns, client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name="one", labels={"a": "b"}), data={"k": "v"}))
    assert made.metadata.creation_timestamp.tzinfo is not None
    refused(409, core.create_namespaced_config_map, ns, {"metadata": {"name": "one"}})
    made.data = {"k": "w"}
    assert core.replace_namespaced_config_map("one", ns, made).data == {"k": "w"}
    refused(409, core.replace_namespaced_config_map, "one", ns, made)
    listed = core.list_namespaced_config_map(ns, label_selector="a=b", limit=1)
    assert [o.metadata.name for o in listed.items] == ["one"] and not listed.metadata._continue
    assert core.delete_namespaced_config_map("one", ns).status == "Success"
    refused(404, core.read_namespaced_config_map, "one", ns)


def test_every_patch(api, anything, ns):
    deployments = anything.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.create(deployment(), namespace=ns)

    def patch(body, kind, **kw):
        return deployments.patch(body=body, name="web", namespace=ns, content_type=kind, **kw)

    assert patch([{"op": "test", "path": "/spec/replicas", "value": 2},
                  {"op": "replace", "path": "/spec/replicas", "value": 3}],
                 "application/json-patch+json").spec.replicas == 3
    assert patch({"metadata": {"annotations": {"a": "b"}}},
                 "application/merge-patch+json").metadata.annotations.a == "b"
    both = patch({"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "example/b:1"}]}}}},
                 "application/strategic-merge-patch+json")
    assert {c.name for c in both.spec.template.spec.containers} == {"a", "b"}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    with pytest.raises(ConflictError):
        patch(body, APPLY, field_manager="mine")
    mine = patch(body, APPLY, field_manager="mine", force_conflicts=True)
    assert mine.spec.replicas == 5
    assert "mine" in {m.manager for m in mine.metadata.managedFields}


def test_a_dynamic_client_applies_what_it_discovers(anything, ns):
    maps = anything.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1", "b": "2"}}
    maps.server_side_apply(body, name="x", namespace=ns, field_manager="first")
    maps.server_side_apply({**body, "data": {"c": "3"}}, name="x", namespace=ns, field_manager="second")
    left = maps.server_side_apply({**body, "data": {"a": "1"}}, name="x", namespace=ns, field_manager="first")
    assert left.data.to_dict() == {"a": "1", "c": "3"}
    maps.delete(name="x", namespace=ns)
    with pytest.raises(NotFoundError):
        maps.get(name="x", namespace=ns)


def test_a_watch_resumes(api, ns):
    core = client.CoreV1Api(api)
    start = core.list_namespaced_secret(ns).metadata.resource_version
    core.create_namespaced_secret(ns, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    core.patch_namespaced_secret("s", ns, {"metadata": {"labels": {"x": "y"}}})
    core.delete_namespaced_secret("s", ns)
    seen = []
    w = watch.Watch()
    for event in w.stream(core.list_namespaced_secret, ns, resource_version=start, timeout_seconds=30):
        seen.append((event["type"], event["object"].metadata.labels))
        if event["type"] == "DELETED":
            w.stop()
    assert [s[0] for s in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert seen[1][1] == {"x": "y"}


def test_tables_and_metadata_alone(api, ns):
    client.CoreV1Api(api).create_namespaced_pod(ns, {"metadata": {"name": "p"}, "spec": {
        "containers": [{"name": "c", "image": "example/c:1"}]}})

    def get(accept):
        answer = api.call_api(f"/api/v1/namespaces/{ns}/pods", "GET", header_params={"Accept": accept},
                              _return_http_data_only=True, _preload_content=False)
        return json.loads(answer.data)

    table = get("application/json;as=Table;g=meta.k8s.io;v=v1")
    assert [c["name"] for c in table["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    assert table["rows"][0]["cells"][:3] == ["p", "0/1", "Pending"]
    alone = get("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
    assert alone["kind"] == "PartialObjectMetadataList" and "spec" not in alone["items"][0]

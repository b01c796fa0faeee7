"""Server-side apply and managedFields: who owns what, conflicts, what goes when its manager gives it
up, and what every other write leaves behind."""

import itertools
import json

import pytest
import yaml


numbers = itertools.count()
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"
PODS = "/api/v1/namespaces/default/pods"


def name(prefix):
    return f"{prefix}-{next(numbers)}"


def apply(raw, path, body, manager="a", code=200, **query):
    query = {"fieldManager": manager, **query}
    text = body if isinstance(body, str) else json.dumps(body)
    path += "?" + "&".join(f"{k}={v}" for k, v in query.items())
    got = raw.request("PATCH", path, text, headers={"Content-Type": "application/apply-patch+yaml"})
    assert got.status == code, (got.status, got.body)
    return got.json()


def configmap(name, data=None, **meta):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta},
            **({"data": data} if data is not None else {})}


def deployment(name, replicas=None, image="example/a:1", **container):
    spec = {"selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                         "spec": {"containers": [{"name": "c", "image": image, **container}]}}}
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def entries(o):
    return {(e["manager"], e["operation"], e.get("subresource", "")): e
            for e in o["metadata"].get("managedFields", [])}


def fields(o, manager, operation="Apply", subresource=""):
    return entries(o)[(manager, operation, subresource)]["fieldsV1"]


# --- making and owning ---

def test_apply_makes_what_is_not_there(raw):
    n = name("new")
    o = apply(raw, f"{CONFIGMAPS}/{n}", configmap(n, {"k": "v"}, labels={"l": "1"}), code=201)
    assert o["data"] == {"k": "v"}
    e = entries(o)[("a", "Apply", "")]
    assert e["apiVersion"] == "v1" and e["fieldsType"] == "FieldsV1" and e["time"]
    assert e["fieldsV1"] == {"f:data": {"f:k": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}
    again = apply(raw, f"{CONFIGMAPS}/{n}", configmap(n, {"k": "v"}, labels={"l": "1"}))
    assert again == o


def test_a_create_is_an_update_of_nothing(raw):
    n = name("created")
    o = raw.request("POST", f"{DEPLOYMENTS}?fieldManager=maker",
                    json.dumps({**deployment(n, 2), "status": {"replicas": 7}})).json()
    owned = fields(o, "maker", "Update")
    assert set(owned) == {"f:spec"}
    assert owned["f:spec"]["f:strategy"] == {
        "f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}}
    template = owned["f:spec"]["f:template"]
    assert template["f:metadata"] == {"f:labels": {".": {}, "f:app": {}}}
    item = template["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert set(item) == {".", "f:image", "f:imagePullPolicy", "f:name", "f:resources",
                         "f:terminationMessagePath", "f:terminationMessagePolicy"}
    assert owned["f:spec"]["f:selector"] == {}


def test_the_manager_is_the_agent_where_none_is_named(raw):
    n = name("agent")
    made = raw.request("POST", CONFIGMAPS, json.dumps(configmap(n, {"a": "1"})),
                       headers={"User-Agent": "robot/v1 (linux) x"}).json()
    assert list(entries(made)) == [("robot", "Update", "")]
    merged = raw.request("PATCH", f"{CONFIGMAPS}/{n}", json.dumps({"data": {"b": "2"}}),
                         headers={"User-Agent": "other", "Content-Type":
                                  "application/merge-patch+json"}).json()
    assert fields(merged, "other", "Update") == {"f:data": {"f:b": {}}}
    assert fields(merged, "robot", "Update") == {"f:data": {".": {}, "f:a": {}}}


def test_two_managers_of_one_list_item(raw):
    n = name("shared")
    path = f"{DEPLOYMENTS}/{n}"
    apply(raw, path, deployment(n), "a", 201)
    more = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": n}, "spec": {
        "template": {"spec": {"containers": [{"name": "c", "env": [{"name": "E", "value": "1"}]},
                                             {"name": "d", "image": "example/d:1"}]}}}}
    o = apply(raw, path, more, "b")
    c, d = o["spec"]["template"]["spec"]["containers"]
    assert c["image"] == "example/a:1" and c["env"] == [{"name": "E", "value": "1"}]
    assert d["name"] == "d"
    # b gives up the whole of its containers: a's stays, less b's part.
    o = apply(raw, path, {**more, "spec": {"minReadySeconds": 1}}, "b")
    assert [x["name"] for x in o["spec"]["template"]["spec"]["containers"]] == ["c"]
    assert "env" not in o["spec"]["template"]["spec"]["containers"][0]
    assert fields(o, "b") == {"f:spec": {"f:minReadySeconds": {}}}


# --- giving up ---

def test_what_its_manager_gave_up_goes(raw):
    n = name("giveup")
    path = f"{CONFIGMAPS}/{n}"
    apply(raw, path, configmap(n, {"x": "1", "y": "2"}), "a", 201)
    apply(raw, path, configmap(n, {"y": "2", "z": "3"}), "b")
    o = apply(raw, path, configmap(n, {}), "a")
    assert o["data"] == {"y": "2", "z": "3"}  # y is b's too, x nobody's
    o = apply(raw, path, configmap(n), "b")
    assert not o.get("data")
    assert ("b", "Apply", "") not in entries(o)


def test_what_another_wrote_stays(raw):
    n = name("stays")
    path = f"{CONFIGMAPS}/{n}"
    apply(raw, path, configmap(n, {"x": "1"}), "a", 201)
    raw.request("PATCH", path + "?fieldManager=u", json.dumps({"data": {"u": "1"}}),
                headers={"Content-Type": "application/merge-patch+json"})
    o = apply(raw, path, configmap(n), "a")
    assert o["data"] == {"u": "1"}


# --- conflicts ---

def test_conflicts_are_named_by_field_and_manager(raw):
    n = name("conflict")
    path = f"{DEPLOYMENTS}/{n}"
    apply(raw, path, deployment(n, 1), "a", 201)
    s = apply(raw, path, deployment(n, 2), "b", 409)
    assert s["reason"] == "Conflict"
    assert s["message"] == 'Apply failed with 1 conflict: conflict with "a": .spec.replicas'
    assert s["details"]["causes"] == [{"reason": "FieldManagerConflict",
                                       "message": 'conflict with "a"', "field": ".spec.replicas"}]
    s = apply(raw, path, deployment(n, 2, image="example/b:1"), "b", 409)
    assert s["message"] == (
        'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.replicas\n'
        '- .spec.template.spec.containers[name="c"].image')
    o = apply(raw, path, deployment(n, 2), "b", force="true")
    assert o["spec"]["replicas"] == 2
    assert "f:replicas" not in fields(o, "a")["f:spec"]
    assert "f:replicas" in fields(o, "b")["f:spec"]
    # The same value is no conflict: both own it.
    o = apply(raw, path, deployment(n, 2), "c")
    assert all("f:replicas" in fields(o, m)["f:spec"] for m in "bc")


def test_conflict_with_an_update(raw):
    n = name("update")
    path = f"{CONFIGMAPS}/{n}"
    apply(raw, path, configmap(n, {"x": "1"}), "a", 201)
    o = raw.request("PATCH", path + "?fieldManager=u", json.dumps({"data": {"x": "2"}}),
                    headers={"Content-Type": "application/merge-patch+json"}).json()
    assert ("a", "Apply", "") not in entries(o)  # it has nothing left
    s = apply(raw, path, configmap(n, {"x": "1"}), "a", 409)
    assert s["message"] == 'Apply failed with 1 conflict: conflict with "u" using v1: .data.x'


def test_ports_are_told_apart_by_defaulted_keys(raw):
    n = name("ports")
    path = f"{SERVICES}/{n}"
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": n}, "spec": {
        "selector": {"a": "b"}, "ports": [{"name": "dns", "port": 53, "protocol": "UDP"},
                                          {"name": "dns-tcp", "port": 53}]}}
    o = apply(raw, path, service, "a", 201)
    assert [(p["port"], p["protocol"]) for p in o["spec"]["ports"]] == [(53, "UDP"), (53, "TCP")]
    assert set(fields(o, "a")["f:spec"]["f:ports"]) == {
        'k:{"port":53,"protocol":"TCP"}', 'k:{"port":53,"protocol":"UDP"}'}
    service["spec"]["ports"].pop()
    assert len(apply(raw, path, service, "a")["spec"]["ports"]) == 1


def test_sets_and_owners_are_shared(raw):
    n = name("sets")
    path = f"{CONFIGMAPS}/{n}"
    apply(raw, path, configmap(n, finalizers=["example.com/a", "example.com/b"]), "a", 201)
    o = apply(raw, path, configmap(n, finalizers=["example.com/b", "example.com/c"]), "b")
    assert o["metadata"]["finalizers"] == ["example.com/a", "example.com/b", "example.com/c"]
    assert fields(o, "b")["f:metadata"]["f:finalizers"] == {
        'v:"example.com/b"': {}, 'v:"example.com/c"': {}}
    o = apply(raw, path, configmap(n, finalizers=[]), "b")
    assert o["metadata"]["finalizers"] == ["example.com/a", "example.com/b"]
    o = apply(raw, path, configmap(n), "a")
    assert not o["metadata"].get("finalizers")


# --- subresources ---

def test_status_has_entries_of_its_own(raw):
    n = name("status")
    path = f"{DEPLOYMENTS}/{n}"
    o = apply(raw, path, {**deployment(n, 1), "status": {"replicas": 5}}, "a", 201)
    assert "f:status" not in fields(o, "a") and not o["status"].get("replicas")
    wish = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": n},
            "spec": {"replicas": 9}, "status": {"replicas": 3}}
    o = apply(raw, path + "/status", wish, "a")
    assert o["spec"]["replicas"] == 1 and o["status"]["replicas"] == 3
    assert fields(o, "a", subresource="status") == {"f:status": {"f:replicas": {}}}
    assert "f:replicas" in fields(o, "a")["f:spec"]
    apply(raw, f"{DEPLOYMENTS}/nothing-here/status",
          {**wish, "metadata": {"name": "nothing-here"}}, "a", 404)


def test_scale_takes_the_replicas_over(raw):
    n = name("scale")
    path = f"{DEPLOYMENTS}/{n}"
    apply(raw, path, deployment(n, 1), "a", 201)
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": n},
             "spec": {"replicas": 4}}
    s = apply(raw, path + "/scale", scale, "b", 409)
    assert s["details"]["causes"][0]["field"] == ".spec.replicas"
    o = apply(raw, path + "/scale", scale, "b", force="true")
    assert o["kind"] == "Scale" and o["spec"]["replicas"] == 4
    o = raw.get(path).json()
    assert fields(o, "b", subresource="scale") == {"f:spec": {"f:replicas": {}}}
    assert entries(o)[("b", "Apply", "scale")]["apiVersion"] == "apps/v1"
    assert "f:replicas" not in fields(o, "a")["f:spec"]
    raw.request("PUT", path + "/scale?fieldManager=hpa", json.dumps(
        {**scale, "spec": {"replicas": 6}}))
    o = raw.get(path).json()
    assert o["spec"]["replicas"] == 6
    assert fields(o, "hpa", "Update", "scale") == {"f:spec": {"f:replicas": {}}}
    assert ("b", "Apply", "scale") not in entries(o)


# --- versions ---

def test_ownership_across_versions(raw):
    n = name("hpa")
    root = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers/" + n
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
            "maxReplicas": 5, "minReplicas": 2}
    v2 = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
          "metadata": {"name": n}, "spec": spec}
    apply(raw, root.format("v2"), v2, "a", 201)
    v1 = {**v2, "apiVersion": "autoscaling/v1", "spec": {"maxReplicas": 6}}
    s = apply(raw, root.format("v1"), v1, "b", 409)
    assert s["message"].endswith('conflict with "a": .spec.maxReplicas')
    o = apply(raw, root.format("v1"), v1, "b", force="true")
    assert o["spec"]["maxReplicas"] == 6
    assert entries(o)[("a", "Apply", "")]["apiVersion"] == "autoscaling/v2"
    assert "f:maxReplicas" not in fields(o, "a")["f:spec"]
    # The same manager in the other version: what it said in v2 and says no more goes.
    o = apply(raw, root.format("v1"), {**v1, "spec": {**spec, "maxReplicas": 6,
                                                      "minReplicas": 2}}, "a")
    assert entries(o)[("a", "Apply", "")]["apiVersion"] == "autoscaling/v1"
    del spec["minReplicas"]
    o = apply(raw, root.format("v2"), {**v2, "spec": {**spec, "maxReplicas": 6}}, "a")
    assert o["spec"]["minReplicas"] == 1  # the default again


# --- nothing changed ---

def test_no_change_leaves_no_trace(raw):
    n = name("noop")
    path = f"{DEPLOYMENTS}/{n}"
    first = apply(raw, path, deployment(n, 1), "a", 201)
    assert apply(raw, path, deployment(n, 1), "a") == first
    put = raw.request("PUT", path + "?fieldManager=other", json.dumps(first)).json()
    assert put == first
    patched = raw.request("PATCH", path + "?fieldManager=third", "{}", headers={
        "Content-Type": "application/strategic-merge-patch+json"}).json()
    assert patched == first


def test_a_dry_run_shows_and_keeps_nothing(raw):
    n = name("dry")
    o = apply(raw, f"{CONFIGMAPS}/{n}", configmap(n, {"a": "1"}), code=201, dryRun="All")
    assert o["data"] == {"a": "1"} and entries(o)
    assert raw.get(f"{CONFIGMAPS}/{n}").status == 404


def test_reset(raw):
    for empty in ([], [{}]):
        n = name("reset")
        path = f"{CONFIGMAPS}/{n}"
        o = apply(raw, path, configmap(n, {"x": "1"}), "a", 201)
        o["metadata"]["managedFields"] = empty
        o = raw.request("PUT", path, json.dumps(o)).json()
        assert "managedFields" not in o["metadata"]
        o["data"]["y"] = "2"
        o = raw.request("PUT", path, json.dumps(o)).json()
        assert "managedFields" not in o["metadata"]  # until somebody applies
        s = apply(raw, path, configmap(n, {"x": "2"}), "b", 409)
        assert '"before-first-apply" using v1: .data.x' in s["message"]
        o = apply(raw, path, configmap(n, {"x": "2"}), "b", force="true")
        assert fields(o, "before-first-apply", "Update") == {"f:data": {".": {}, "f:y": {}}}


def test_an_update_may_not_lose_them_but_set_them(raw):
    n = name("lose")
    path = f"{CONFIGMAPS}/{n}"
    o = apply(raw, path, configmap(n, {"x": "1"}), "a", 201)
    del o["metadata"]["managedFields"]
    o = raw.request("PUT", path, json.dumps(o)).json()
    assert list(entries(o)) == [("a", "Apply", "")]
    o["metadata"]["managedFields"][0]["manager"] = "heir"
    o = raw.request("PUT", path, json.dumps(o)).json()
    assert list(entries(o)) == [("heir", "Apply", "")]


def test_old_updaters_become_ancient(raw):
    n = name("ancient")
    path = f"{CONFIGMAPS}/{n}"
    raw.request("POST", CONFIGMAPS + "?fieldManager=m0", json.dumps(configmap(n, {"k0": "0"})))
    for i in range(1, 14):
        o = raw.request("PATCH", f"{path}?fieldManager=m{i}", json.dumps({"data": {f"k{i}": "1"}}),
                        headers={"Content-Type": "application/merge-patch+json"}).json()
    managers = [m for m, _, _ in entries(o)]
    assert len(managers) == 10 and "ancient-changes" in managers
    everything = {f for m in managers for f in fields(o, m, "Update")["f:data"]}
    assert everything == {".", *(f"f:k{i}" for i in range(14))}


def test_every_encoding_keeps_them(raw, kubectl):
    n = name("enc")
    path = f"{CONFIGMAPS}/{n}"
    o = apply(raw, path, configmap(n, {"x": "1"}), "a", 201)
    got = raw.request("GET", path, headers={"Accept": "application/yaml"})
    assert yaml.safe_load(got.body)["metadata"]["managedFields"][0]["fieldsV1"] == fields(o, "a")
    shown = kubectl("get", "configmap", n, "-o", "json", "--show-managed-fields")
    assert json.loads(shown)["metadata"]["managedFields"] == o["metadata"]["managedFields"]
    assert "managedFields" not in kubectl.json("get", "configmap", n)["metadata"]


# --- what is refused ---

def test_refusals(raw):
    n = name("refused")
    path = f"{CONFIGMAPS}/{n}"
    good = configmap(n, {"a": "1"})
    ssa = {"Content-Type": "application/apply-patch+yaml"}
    got = raw.request("PATCH", path, json.dumps(good), headers=ssa)
    assert got.status == 422
    assert got.json()["message"] == ('PatchOptions.meta.k8s.io "" is invalid: fieldManager: '
                                     'Required value: is required for apply patch')
    got = raw.request("PATCH", path + "?force=true", "{}",
                      headers={"Content-Type": "application/merge-patch+json"})
    assert got.status == 422
    assert "force: Forbidden: may not be specified for non-apply patch" in got.json()["message"]
    got = raw.request("PATCH", path + "?fieldManager=a", b"\xa0",
                      headers={"Content-Type": "application/apply-patch+cbor"})
    assert got.status == 415
    s = apply(raw, path, {**good, "kind": "Secret"}, code=400)
    assert s["message"] == "invalid object type: /v1, Kind=Secret"
    s = apply(raw, path, configmap(n, managedFields=[]), code=400)
    assert s["message"] == "metadata.managedFields must be nil"
    s = apply(raw, path, "a: [", code=400)
    assert s["message"].startswith("error decoding YAML: ")
    s = apply(raw, path, configmap("another-name"), code=400)
    assert "does not match the name on the URL" in s["message"]
    s = apply(raw, path, configmap(n, uid="x"), code=409)
    assert s["message"] == ("uid mismatch: the provided object specified uid x, and no existing "
                            "object was found")
    s = apply(raw, path, good, "x" * 129, code=422)
    assert "may not be more than 128 bytes" in s["message"]
    assert raw.get(path).status == 404


def test_undeclared_fields_and_wrong_kinds_of_values(raw):
    n = name("strict")
    path = f"{DEPLOYMENTS}/{n}"
    wish = deployment(n)
    wish["spec"]["foo"] = 1
    s = apply(raw, path, wish, code=500)
    assert s["message"] == (
        f"failed to create typed patch object (/{n}; apps/v1, Kind=Deployment): "
        ".spec.foo: field not declared in schema")
    wish["spec"]["template"]["spec"]["containers"].append({"name": "c", "ports": {}})
    s = apply(raw, path, wish, code=500)
    assert "errors:\n  .spec.template.spec.containers: duplicate entries for key [name=\"c\"]" in \
        s["message"]
    assert '.spec.template.spec.containers[name="c"].ports: expected list, got &{' in s["message"]


def test_duplicate_keys_by_fieldValidation(raw):
    n = name("dup")
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {n}\ndata:\n  a: one\n  a: two\n"
    path = f"{CONFIGMAPS}/{n}"
    s = apply(raw, path, text, code=400, fieldValidation="Strict")
    assert s["message"].startswith("error strict decoding YAML: ")
    assert 'line 7: key "a" already set in map' in s["message"]
    got = raw.request("PATCH", path + "?fieldManager=a&fieldValidation=Warn", text,
                      headers={"Content-Type": "application/apply-patch+yaml"})
    assert got.status == 201 and 'key \\"a\\" already set in map' in got.headers["warning"]
    apply(raw, path, text, fieldValidation="Ignore")


# --- real clients ---

@pytest.fixture
def manifest(scratch):
    def write(*objects):
        p = scratch / "m.yaml"
        p.write_text("---\n".join(yaml.safe_dump(o) for o in objects))
        return str(p)
    return write


def test_kubectl(kubectl, raw, manifest):
    n = name("kubectl")
    kubectl("apply", "--server-side", "-f", manifest(deployment(n, 1)))
    o = raw.get(f"{DEPLOYMENTS}/{n}").json()
    assert list(entries(o)) == [("kubectl", "Apply", "")]
    assert kubectl("diff", "--server-side", "-f", manifest(deployment(n, 1))) == ""
    diff = kubectl.run("diff", "--server-side", "-f", manifest(deployment(n, 3)))
    assert diff.returncode == 1 and "+  replicas: 3" in diff.stdout, diff
    refused = kubectl.fails("apply", "--server-side", "--field-manager=other", "-f",
                            manifest(deployment(n, 2)))
    assert 'conflict with "kubectl": .spec.replicas' in refused
    kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f",
            manifest(deployment(n, 2)))
    assert raw.get(f"{DEPLOYMENTS}/{n}").json()["spec"]["replicas"] == 2


def test_kubectl_from_client_side_to_server_side(kubectl, raw, manifest):
    n = name("migrate")
    kubectl("apply", "-f", manifest(configmap(n, {"a": "1", "b": "2"})))
    o = raw.get(f"{CONFIGMAPS}/{n}").json()
    assert list(entries(o)) == [("kubectl-client-side-apply", "Update", "")]
    kubectl("apply", "--server-side", "-f", manifest(configmap(n, {"a": "9"})))
    o = raw.get(f"{CONFIGMAPS}/{n}").json()
    assert o["data"] == {"a": "9"}  # b went with the old manager, which kubectl took over
    assert '"a":"9"' in o["metadata"]["annotations"][
        "kubectl.kubernetes.io/last-applied-configuration"]


def test_python_client(api, raw):
    from kubernetes import client
    n = name("python")
    core = client.CoreV1Api(api)
    core.patch_namespaced_config_map(n, "default", configmap(n, {"a": "1"}), field_manager="py",
                                     _content_type="application/apply-patch+yaml")
    o = core.read_namespaced_config_map(n, "default")
    assert o.data == {"a": "1"}
    assert [(e.manager, e.operation) for e in o.metadata.managed_fields] == [("py", "Apply")]

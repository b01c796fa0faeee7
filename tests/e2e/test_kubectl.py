"""A stock kubectl, the newest and the oldest that we promise, on every verb and output."""

import itertools
import json
import re

import pytest
import yaml

from harness import config_map, pod, table

numbers = itertools.count()

DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{
                "name": "nginx", "image": "example/nginx:1",
                "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            }]},
        },
    },
}
SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}


@pytest.fixture
def ns(raw):
    """A namespace of the test's own."""
    name = f"test-{next(numbers)}"
    assert raw.post("/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
    return name


@pytest.fixture
def k(kubectl, ns):
    """kubectl inside that namespace."""
    def run(*args, **kw):
        return kubectl("-n", ns, *args, **kw)
    run.ns = ns
    run.json = lambda *args: json.loads(run(*args, "-o", "json"))
    run.fails = lambda *args, **kw: kubectl.fails("-n", ns, *args, **kw)
    run.run = lambda *args, **kw: kubectl.run("-n", ns, *args, **kw)
    run.follow = lambda *args: kubectl.follow("-n", ns, *args)
    return run


# --- create and get, every output ---

def test_create_from_literal_and_get_in_every_output(k):
    assert k("create", "configmap", "a", "--from-literal=x=1", "--from-literal=y=two") == \
        "configmap/a created\n"
    assert k("create", "configmap", "b") == "configmap/b created\n"

    a = k.json("get", "configmap", "a")
    assert a["data"] == {"x": "1", "y": "two"}
    assert a["metadata"]["namespace"] == k.ns
    assert a["metadata"]["uid"] and a["metadata"]["resourceVersion"]
    assert yaml.safe_load(k("get", "cm", "a", "-o", "yaml")) == a
    assert k("get", "cm", "-o", "name").split() == ["configmap/a", "configmap/b"]
    assert k("get", "cm", "a", "-o", "jsonpath={.data.y}") == "two"
    assert k("get", "cm", "-o", "jsonpath={range .items[*]}{.metadata.name},{end}") == "a,b,"
    assert table(k("get", "cm", "-o", "custom-columns=N:.metadata.name,X:.data.x")) == \
        [["N", "X"], ["a", "1"], ["b", "<none>"]]
    listed = k.json("get", "cm")
    assert listed["kind"] == "List" and [i["metadata"]["name"] for i in listed["items"]] == ["a", "b"]
    rows = table(k("get", "configmaps"))
    assert rows[0] == ["NAME", "DATA", "AGE"]
    assert [r[:2] for r in rows[1:]] == [["a", "2"], ["b", "0"]]
    assert all(re.fullmatch(r"\d+m?s|\d+m\d+s", r[2]) for r in rows[1:])


def test_get_what_is_not_there(k):
    assert k.fails("get", "cm", "nope") == \
        'Error from server (NotFound): configmaps "nope" not found\n'
    done = k.run("get", "secrets")
    assert done.returncode == 0 and done.stderr == f"No resources found in {k.ns} namespace.\n"
    assert "the server doesn't have a resource type \"gizmos\"" in k.fails("get", "gizmos")
    assert k("get", "cm", "nope", "--ignore-not-found") == ""


def test_selectors_all_namespaces_and_chunks(k, raw):
    for i in range(7):
        body = config_map(f"c{i}", {"n": str(i)}, k.ns, labels={"even": str(i % 2 == 0).lower()})
        assert raw.post(f"/api/v1/namespaces/{k.ns}/configmaps", body).status == 201
    names = lambda *a: k("get", "cm", *a, "-o", "jsonpath={.items[*].metadata.name}").split()
    assert names("-l", "even=true") == ["c0", "c2", "c4", "c6"]
    assert names("-l", "even!=true") == ["c1", "c3", "c5"]
    assert names("-l", "even in (false,maybe)") == ["c1", "c3", "c5"]
    assert names("-l", "!even") == []
    assert names("--field-selector", "metadata.name=c3") == ["c3"]
    assert names("--field-selector", "metadata.name!=c3") == ["c0", "c1", "c2", "c4", "c5", "c6"]
    assert names("--chunk-size=2") == [f"c{i}" for i in range(7)]
    assert len(table(k("get", "cm", "--chunk-size=3"))) == 8
    all_of = table(k("get", "cm", "-A"))
    assert all_of[0] == ["NAMESPACE", "NAME", "DATA", "AGE"]
    assert [r[1] for r in all_of[1:] if r[0] == k.ns] == [f"c{i}" for i in range(7)]
    labelled = table(k("get", "cm", "--show-labels", "-L", "even"))
    assert labelled[0] == ["NAME", "DATA", "AGE", "EVEN", "LABELS"]
    assert labelled[1][3:] == ["true", "even=true"]
    error = k.fails("get", "cm", "--field-selector", "data.n=1")
    assert '"data.n" is not a known field selector: only "metadata.name", "metadata.namespace"' in error
    assert "field label not supported: spec.n" in k.fails("get", "po", "--field-selector", "spec.n=1")
    assert [r[0] for r in table(k("get", "cm", "--no-headers", "--sort-by={.metadata.name}"))] == \
        [f"c{i}" for i in range(7)]


def test_watch_shows_changes(k):
    k("create", "cm", "one", "--from-literal=a=1")
    with k.follow("get", "cm", "-w") as w:
        assert w.until("^NAME") == ["NAME   DATA   AGE"]
        w.until(r"^one +1 ")
        k("create", "cm", "two")
        w.until(r"^two +0 ")
        k("patch", "cm", "one", "--type=merge", "-p", '{"data":{"b":"2"}}')
        w.until(r"^one +2 ")
        k("delete", "cm", "two")
        w.until(r"^two +0 ")
    with k.follow("get", "cm", "-w", "-o", "name", "--output-watch-events=false") as w:
        w.until("^configmap/one$")
    with k.follow("get", "cm", "one", "--watch-only", "-o", "jsonpath={.data.c}{'\\n'}") as w:
        # Until the watch stands nothing is shown: write until something is.
        for i in range(200):
            k("patch", "cm", "one", "--type=merge", "-p", json.dumps({"data": {"c": f"v{i}"}}))
            if not w.lines.empty():
                break
        assert re.match(r"v\d+$", w.until(r"^v\d+$")[-1])


# --- columns ---

def columns(k, *args):
    rows = table(k("get", *args))
    return rows[0], rows[1:]


def test_columns_of_pods(k, raw):
    p = pod("p", k.ns)
    p["spec"]["containers"].append({"name": "side", "image": "example/side:2"})
    assert raw.post(f"/api/v1/namespaces/{k.ns}/pods", p).status == 201
    head, rows = columns(k, "pods")
    assert head == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert rows[0][:4] == ["p", "0/2", "Pending", "0"]

    status = {"status": {
        "phase": "Running", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}],
        "containerStatuses": [
            {"name": n, "ready": n == "main", "restartCount": 3, "image": "i", "imageID": "x",
             "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}} for n in ("main", "side")],
    }}
    k("patch", "pod", "p", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    head, rows = columns(k, "pods", "-o", "wide")
    assert head == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED NODE",
                    "READINESS GATES"]
    assert rows[0][:4] == ["p", "1/2", "Running", "6"]
    assert rows[0][5:] == ["10.1.2.3", "<none>", "<none>", "<none>"]

    status["status"]["containerStatuses"][1]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    k("patch", "pod", "p", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    assert columns(k, "pods")[1][0][2] == "CrashLoopBackOff"


def test_columns_of_services(k):
    k("create", "-f", "-", stdin=json.dumps(SERVICE))
    head, rows = columns(k, "services")
    assert head == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert rows[0][:2] == ["web", "ClusterIP"] and rows[0][3:5] == ["<none>", "80/TCP"]
    head, rows = columns(k, "svc", "-o", "wide")
    assert head[-1] == "SELECTOR" and rows[0][-1] == "app=web"


def test_columns_of_deployments(k):
    k("create", "-f", "-", stdin=json.dumps(DEPLOYMENT))
    head, rows = columns(k, "deployments")
    assert head == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert rows[0][:4] == ["web", "0/2", "0", "0"]
    head, rows = columns(k, "deploy", "-o", "wide")
    assert head[5:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert rows[0][5:] == ["nginx", "example/nginx:1", "app=web"]


def test_columns_of_nodes(kubectl, raw):
    raw.delete("/api/v1/nodes/n1")
    kubectl("create", "-f", "-", stdin=json.dumps(NODE))
    head, rows = table(kubectl("get", "nodes"))[0], table(kubectl("get", "nodes"))[1:]
    assert head == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert rows[0][:3] == ["n1", "Unknown", "<none>"]
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}],
                         "addresses": [{"type": "InternalIP", "address": "10.0.0.7"}],
                         "nodeInfo": {"kubeletVersion": "v1.36.0", "osImage": "Tiny",
                                      "kernelVersion": "6.1", "containerRuntimeVersion": "crun://1"}}}
    kubectl("patch", "node", "n1", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    kubectl("label", "node", "n1", "node-role.kubernetes.io/control-plane=")
    kubectl("cordon", "n1")
    rows = table(kubectl("get", "nodes", "-o", "wide"))
    assert rows[0][5:] == ["INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION",
                           "CONTAINER-RUNTIME"]
    assert rows[1][:3] == ["n1", "Ready,SchedulingDisabled", "control-plane"]
    assert rows[1][4:] == ["v1.36.0", "10.0.0.7", "<none>", "Tiny", "6.1", "crun://1"]
    kubectl("uncordon", "n1")
    assert table(kubectl("get", "nodes"))[1][1] == "Ready"
    kubectl("delete", "node", "n1")


def test_columns_of_secrets_and_namespaces(k):
    k("create", "secret", "generic", "s", "--from-literal=p=hidden")
    k("create", "secret", "docker-registry", "d", "--docker-server=r", "--docker-username=u",
      "--docker-password=p")
    head, rows = columns(k, "secrets")
    assert head == ["NAME", "TYPE", "DATA", "AGE"]
    assert [r[:3] for r in rows] == [["d", "kubernetes.io/dockerconfigjson", "1"], ["s", "Opaque", "1"]]
    head, rows = columns(k, "namespaces")
    assert head == ["NAME", "STATUS", "AGE"]
    assert [k.ns, "Active"] in [r[:2] for r in rows]
    assert ["kube-system", "Active"] in [r[:2] for r in rows]


# --- changing ---

def test_apply_creates_changes_prunes_and_rests(k):
    one = config_map("c", {"a": "1", "b": "2"}, k.ns, labels={"x": "y"})
    assert k("apply", "-f", "-", stdin=json.dumps(one)) == "configmap/c created\n"
    assert k("apply", "-f", "-", stdin=json.dumps(one)) == "configmap/c unchanged\n"
    version = k.json("get", "cm", "c")["metadata"]["resourceVersion"]
    # A field of somebody else's stays, one that the file no longer has goes.
    k("patch", "cm", "c", "--type=merge", "-p", '{"data":{"other":"mine"}}')
    two = config_map("c", {"a": "1", "d": "4"}, k.ns)
    assert k("apply", "-f", "-", stdin=json.dumps(two)) == "configmap/c configured\n"
    got = k.json("get", "cm", "c")
    assert got["data"] == {"a": "1", "d": "4", "other": "mine"}
    assert "labels" not in got["metadata"]
    assert int(got["metadata"]["resourceVersion"]) > int(version)
    last = json.loads(k("apply", "view-last-applied", "cm", "c", "-o", "json"))
    assert last["data"] == {"a": "1", "d": "4"}


def test_apply_merges_lists_by_key(k):
    k("apply", "-f", "-", stdin=json.dumps(DEPLOYMENT))
    k("patch", "deploy", "web", "-p", json.dumps({"spec": {"template": {"spec": {"containers": [
        {"name": "nginx", "env": [{"name": "EXTRA", "value": "x"}]}]}}}}))
    changed = json.loads(json.dumps(DEPLOYMENT))
    container = changed["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "example/nginx:2"
    container["env"] = [{"name": "B", "value": "3"}]
    assert k("apply", "-f", "-", stdin=json.dumps(changed)) == "deployment.apps/web configured\n"
    got = k.json("get", "deploy", "web")
    container = got["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "example/nginx:2"
    assert {e["name"]: e["value"] for e in container["env"]} == {"B": "3", "EXTRA": "x"}
    assert got["metadata"]["generation"] == 3
    k("apply", "-f", "-", stdin=json.dumps(changed))
    assert k.json("get", "deploy", "web")["metadata"]["generation"] == 3


def test_diff_shows_the_change_and_changes_nothing(k):
    k("apply", "-f", "-", stdin=json.dumps(config_map("c", {"a": "1"}, k.ns)))
    before = k.json("get", "cm", "c")
    done = k.run("diff", "-f", "-", stdin=json.dumps(config_map("c", {"a": "2"}, k.ns)))
    assert done.returncode == 1, done
    assert "\n-  a: \"1\"\n" in done.stdout and "\n+  a: \"2\"\n" in done.stdout, done.stdout
    assert k.json("get", "cm", "c") == before
    assert k("diff", "-f", "-", stdin=json.dumps(config_map("c", {"a": "1"}, k.ns))) == ""


def test_edit(k, scratch):
    k("create", "cm", "c", "--from-literal=a=1")
    editor = scratch / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/a: \"1\"/a: edited/' \"$1\"\n")
    editor.chmod(0o755)
    assert k("edit", "cm", "c", env={"EDITOR": str(editor)}) == "configmap/c edited\n"
    assert k.json("get", "cm", "c")["data"] == {"a": "edited"}
    editor.write_text("#!/bin/sh\ntrue\n")
    done = k.run("edit", "cm", "c", env={"EDITOR": str(editor)})
    assert done.returncode == 0 and "no changes made" in done.stdout + done.stderr


def test_the_three_patches(k):
    k("create", "-f", "-", stdin=json.dumps(DEPLOYMENT))
    containers = lambda: k.json("get", "deploy", "web")["spec"]["template"]["spec"]["containers"]
    side = [{"name": "side", "image": "example/side:1"}]
    template = {"spec": {"template": {"spec": {"containers": side}}}}

    assert k("patch", "deploy", "web", "-p", json.dumps(template)) == "deployment.apps/web patched\n"
    assert [c["name"] for c in containers()] == ["side", "nginx"]
    assert k("patch", "deploy", "web", "-p", json.dumps(template)) == \
        "deployment.apps/web patched (no change)\n"
    k("patch", "deploy", "web", "-p", json.dumps({"spec": {"template": {"spec": {"containers": [
        {"name": "side", "$patch": "delete"}]}}}}))
    assert [c["name"] for c in containers()] == ["nginx"]

    k("patch", "deploy", "web", "--type=json", "-p", json.dumps([
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 5},
        {"op": "add", "path": "/spec/template/spec/containers/-", "value": side[0]}]))
    assert [c["name"] for c in containers()] == ["nginx", "side"]
    assert k.json("get", "deploy", "web")["spec"]["replicas"] == 5
    error = k.fails("patch", "deploy", "web", "--type=json", "-p",
                    '[{"op":"test","path":"/spec/replicas","value":2}]')
    assert "the server rejected our request due to an error in our request" in error

    k("patch", "deploy", "web", "--type=merge", "-p", json.dumps(template))
    assert [c["name"] for c in containers()] == ["side"]
    error = k.fails("patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":-1}}')
    assert 'The Deployment "web" is invalid: spec.replicas: Invalid value: -1: must be greater than ' \
        'or equal to 0' in error


def test_replace_label_annotate(k):
    k("create", "cm", "c", "--from-literal=a=1")
    got = k.json("get", "cm", "c")
    got["data"] = {"z": "26"}
    assert k("replace", "-f", "-", stdin=json.dumps(got)) == "configmap/c replaced\n"
    assert k.json("get", "cm", "c")["data"] == {"z": "26"}
    error = k.fails("replace", "-f", "-", stdin=json.dumps(got))  # its resourceVersion is old now
    assert "the object has been modified; please apply your changes to the latest version" in error
    assert "Error from server (Conflict)" in error
    got["metadata"]["name"] = "nope"
    del got["metadata"]["resourceVersion"], got["metadata"]["uid"]
    assert "NotFound" in k.fails("replace", "-f", "-", stdin=json.dumps(got))
    old_uid = k.json("get", "cm", "c")["metadata"]["uid"]
    k("replace", "--force", "-f", "-", stdin=json.dumps(config_map("c", {"n": "1"}, k.ns)))
    assert k.json("get", "cm", "c")["metadata"]["uid"] != old_uid

    assert k("label", "cm", "c", "tier=db") == "configmap/c labeled\n"
    assert "already has a value (db), and --overwrite is false" in k.fails("label", "cm", "c", "tier=x")
    k("label", "cm", "c", "tier=web", "--overwrite")
    assert k.json("get", "cm", "c")["metadata"]["labels"] == {"tier": "web"}
    assert k("label", "cm", "c", "tier-") == "configmap/c unlabeled\n"
    assert k("annotate", "cm", "c", "note=hello world") == "configmap/c annotated\n"
    assert k.json("get", "cm", "c")["metadata"]["annotations"] == {"note": "hello world"}
    assert "a valid label must be an empty string or consist of" in \
        k.fails("label", "cm", "c", "bad=a b")


def test_scale_set_and_rollout(k):
    k("create", "-f", "-", stdin=json.dumps(DEPLOYMENT))
    assert k("set", "image", "deploy/web", "nginx=example/nginx:9") == \
        "deployment.apps/web image updated\n"
    assert k.json("get", "deploy", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == \
        "example/nginx:9"
    k("set", "env", "deploy/web", "C=3")
    assert k.json("get", "deploy", "web")["metadata"]["generation"] == 3


def test_delete(k):
    for name in "abc":
        k("create", "cm", name)
    k("label", "cm", "b", "c", "gone=yes")
    assert k("delete", "cm", "a") == f'configmap "a" deleted{from_namespace(k)}\n'
    k("delete", "cm", "-l", "gone=yes")
    assert "NotFound" in k.fails("delete", "cm", "a")
    assert k("delete", "cm", "a", "--ignore-not-found") == ""
    assert k("get", "cm", "-o", "name") == ""
    k("create", "cm", "d")
    k("delete", "cm", "--all")
    assert k("get", "cm", "-o", "name") == ""
    k("create", "-f", "-", stdin=json.dumps(pod("p", k.ns)))
    # No node holds it: it goes at once, and `kubectl delete` waits until it is gone.
    k("delete", "pod", "p", "--timeout=20s")
    assert "NotFound" in k.fails("get", "pod", "p")


def from_namespace(k):
    """Newer kubectls say the namespace."""
    version = k("version", "--client", "-o", "json")
    newer = int(json.loads(version)["clientVersion"]["minor"].rstrip("+")) >= 34
    return f" from {k.ns} namespace" if newer else ""


def test_finalizers_hold_an_object(k):
    k("create", "-f", "-", stdin=json.dumps(config_map("c", {}, k.ns, finalizers=["example.com/hold"])))
    k("delete", "cm", "c", "--wait=false")
    assert k.json("get", "cm", "c")["metadata"]["deletionTimestamp"]
    k("patch", "cm", "c", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in k.fails("get", "cm", "c")


def test_dry_run_and_strict_validation(k):
    bad = config_map("c", {"a": "1"}, k.ns)
    bad["dta"] = {}
    bad["metadata"]["labls"] = {}
    error = k.fails("create", "--validate=strict", "-f", "-", stdin=json.dumps(bad))
    assert 'strict decoding error: unknown field "dta", unknown field "metadata.labls"' in error
    assert k.run("create", "--validate=warn", "-f", "-", stdin=json.dumps(bad)).stderr.splitlines() == [
        'Warning: unknown field "dta"', 'Warning: unknown field "metadata.labls"']
    assert k("apply", "--validate=ignore", "-f", "-", stdin=json.dumps(
        {**bad, "metadata": {"name": "d", "namespace": k.ns}})) == "configmap/d created\n"
    assert k("create", "cm", "e", "--dry-run=server") == "configmap/e created (server dry run)\n"
    assert "NotFound" in k.fails("get", "cm", "e")
    assert k("delete", "cm", "d", "--dry-run=server").startswith('configmap "d" deleted')
    assert k.json("get", "cm", "d")["data"] == {"a": "1"}
    shown = json.loads(k("apply", "--dry-run=server", "-o", "json", "-f", "-",
                         stdin=json.dumps(config_map("d", {"a": "2"}, k.ns))))
    assert shown["data"] == {"a": "2"} and k.json("get", "cm", "d")["data"] == {"a": "1"}


def test_create_with_generate_name_twice_and_already_exists(k):
    body = config_map("x", {}, k.ns)
    body["metadata"] = {"generateName": "gen-", "namespace": k.ns}
    names = {k("create", "-f", "-", "-o", "name", stdin=json.dumps(body)) for _ in range(2)}
    assert len(names) == 2 and all(re.fullmatch(r"configmap/gen-[a-z0-9]{5}\n", n) for n in names)
    k("create", "cm", "c")
    assert k.fails("create", "cm", "c") == \
        'error: failed to create configmap: configmaps "c" already exists\n'


def test_files_with_lists_and_many_documents(k, scratch):
    """A List is validated by the protobuf form of OpenAPI v2, which kubectl then insists on."""
    def a_list(*names, **more):
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": [
            {**config_map(n, {"a": "1"}, k.ns), **more} for n in names]})
    assert k("apply", "-f", "-", stdin=a_list("a", "b")) == "configmap/a created\nconfigmap/b created\n"
    assert k("apply", "-f", "-", stdin=a_list("a", "b")) == "configmap/a unchanged\nconfigmap/b unchanged\n"
    error = k.fails("create", "-f", "-", stdin=a_list("c", gizmo=1))
    assert 'unknown field "gizmo"' in error, error
    dump = k("get", "cm", "a", "b", "-o", "yaml")
    k("delete", "cm", "a", "b")
    k("create", "-f", "-", stdin=dump)
    many = "---\n".join(yaml.safe_dump(config_map(n, {}, k.ns)) for n in ("one", "two", "three"))
    (scratch / "dir").mkdir()
    (scratch / "dir" / "many.yaml").write_text(many)
    (scratch / "dir" / "one.json").write_text(json.dumps(SERVICE))
    assert k("apply", "-f", str(scratch / "dir")).count("created") == 4
    assert k("delete", "-f", str(scratch / "dir")).count("deleted") == 4


def test_explain_by_openapi_v2(kubectl):
    shown = kubectl("explain", "deployments.spec.template.spec.containers", "--output=plaintext-openapiv2")
    assert "imagePullPolicy" in shown and "<string>" in shown


def test_create_of_many_kinds(k):
    k("create", "deployment", "d", "--image=example/a:1", "--replicas=3")
    assert k.json("get", "deploy", "d")["spec"]["replicas"] == 3
    k("create", "serviceaccount", "sa")
    k("create", "role", "r", "--verb=get,list", "--resource=pods")
    k("create", "rolebinding", "rb", "--role=r", f"--serviceaccount={k.ns}:sa")
    assert k.json("get", "rolebinding", "rb")["subjects"] == [
        {"kind": "ServiceAccount", "name": "sa", "namespace": k.ns}]
    k("create", "job", "j", "--image=example/a:1")
    k("create", "cronjob", "cj", "--image=example/a:1", "--schedule=*/5 * * * *")
    assert table(k("get", "cronjobs"))[1][:2] == ["cj", "*/5 * * * *"]
    k("create", "ingress", "i", "--rule=host.example/path=svc:80")
    k("create", "quota", "q", "--hard=pods=3")
    k("create", "pdb", "p", "--selector=app=x", "--min-available=1")
    k("run", "solo", "--image=example/a:1")
    kinds = set(k("get", "all,sa,role,ingress,quota,pdb", "-o", "name").split())
    assert {"deployment.apps/d", "serviceaccount/sa", "role.rbac.authorization.k8s.io/r",
            "job.batch/j", "cronjob.batch/cj", "ingress.networking.k8s.io/i", "resourcequota/q",
            "poddisruptionbudget.policy/p", "pod/solo"} <= kinds


# --- describe ---

def test_describe(k, raw):
    k("create", "cm", "c", "--from-literal=key=value")
    shown = k("describe", "cm", "c")
    assert re.search(r"^Name: +c$", shown, re.M) and "\nkey:\n----\nvalue\n" in shown
    k("create", "-f", "-", stdin=json.dumps(DEPLOYMENT))
    shown = k("describe", "deploy", "web")
    assert "Replicas:               2 desired | 0 updated | 0 total | 0 available" in shown
    assert re.search(r"Image: +example/nginx:1", shown) and re.search(r"^Events: +<none>$", shown, re.M)
    k("create", "-f", "-", stdin=json.dumps(pod("p", k.ns)))
    uid = k.json("get", "pod", "p")["metadata"]["uid"]
    event = {"metadata": {"name": "p.1", "namespace": k.ns}, "reason": "Tested", "message": "seen",
             "type": "Normal", "count": 1, "firstTimestamp": "2026-01-01T00:00:00Z",
             "lastTimestamp": "2026-01-01T00:00:00Z", "source": {"component": "test"},
             "involvedObject": {"kind": "Pod", "namespace": k.ns, "name": "p", "uid": uid}}
    assert raw.post(f"/api/v1/namespaces/{k.ns}/events", event).status == 201
    shown = k("describe", "pod", "p")
    assert re.search(r"Normal +Tested +.* +test +seen", shown), shown
    k("create", "-f", "-", stdin=json.dumps(SERVICE))
    assert re.search(r"^Port: +http +80/TCP$", k("describe", "svc", "web"), re.M)
    assert re.search(r"^Status: +Active$", k("describe", "ns", k.ns), re.M)
    k("create", "secret", "generic", "s", "--from-literal=p=hidden")
    shown = k("describe", "secret", "s")
    assert "p:  6 bytes" in shown and "hidden" not in shown


# --- what the server is ---

def test_api_resources_and_versions(kubectl):
    rows = table(kubectl("api-resources"))
    assert rows[0] == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    flat = [" ".join(r) for r in rows]
    for line in ("configmaps cm v1 true ConfigMap", "pods po v1 true Pod", "nodes no v1 false Node",
                 "deployments deploy apps/v1 true Deployment",
                 "leases coordination.k8s.io/v1 true Lease"):
        assert line in flat, flat
    wide = kubectl("api-resources", "-o", "wide", "--api-group=apps")
    assert re.search(r"deployments .*create,delete,deletecollection,get,list,patch,update,watch +all",
                     wide), wide
    assert "configmaps" in kubectl("api-resources", "--namespaced=true", "-o", "name").split()
    versions = kubectl("api-versions").split()
    assert versions == sorted(versions)
    assert {"v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "storage.k8s.io/v1",
            "rbac.authorization.k8s.io/v1", "coordination.k8s.io/v1", "policy/v1"} <= set(versions)


@pytest.mark.parametrize("what, words", [
    ("pods", ["KIND:", "Pod", "VERSION:", "v1", "spec", "<PodSpec>"]),
    ("deployment.spec.strategy.rollingUpdate", ["maxSurge", "<IntOrString>", "maxUnavailable"]),
    ("pod.spec.containers.image", ["FIELD: image <string>"]),
    ("cronjobs.spec", ["GROUP:", "batch", "schedule\t<string> -required-"]),
])
def test_explain(kubectl, what, words):
    shown = kubectl("explain", what)
    assert "<no description>" not in shown
    for word in words:
        assert word in shown, shown


def test_explain_recursive_and_unknown(kubectl):
    shown = kubectl("explain", "configmap", "--recursive")
    assert "  data\t<map[string]string>" in shown and "    labels\t<map[string]string>" in shown
    assert 'field "nope" does not exist' in kubectl.fails("explain", "pod.spec.nope")


def test_version(kubectl):
    version = json.loads(kubectl.run("version", "-o", "json").stdout)["serverVersion"]
    assert (version["major"], version["minor"]) == ("1", "36")
    assert version["gitVersion"].startswith("v1.36.")


def test_raw_paths(kubectl):
    for path in ("/healthz", "/livez", "/readyz"):
        assert kubectl("get", "--raw", path) == "ok"
    verbose = kubectl("get", "--raw", "/livez?verbose")
    assert "[+]ping ok" in verbose and verbose.rstrip().endswith("livez check passed")
    assert "[+]" in kubectl("get", "--raw", "/readyz?verbose")
    assert json.loads(kubectl("get", "--raw", "/version"))["minor"] == "36"
    metrics = kubectl("get", "--raw", "/metrics")
    assert re.search(r"^# TYPE apiserver_request_total counter$", metrics, re.M)
    assert re.search(r'^apiserver_request_total\{.*resource="configmaps".*\} \d+$', metrics, re.M)
    assert "v1" in json.loads(kubectl("get", "--raw", "/api"))["versions"]
    assert any(g["name"] == "apps" for g in json.loads(kubectl("get", "--raw", "/apis"))["groups"])
    assert "NotFound" in kubectl.fails("get", "--raw", "/nope")


def test_wait(k, raw):
    k("create", "-f", "-", stdin=json.dumps(pod("p", k.ns)))
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    with k.follow("wait", "--for=condition=Ready", "pod/p", "--timeout=20s") as waiting:
        k("patch", "pod", "p", "--subresource=status", "--type=merge", "-p", json.dumps(status))
        waiting.until("^pod/p condition met$")

"""Volumes and probes on real containers: one kubelet, Pods bound by hand; the Endpoints at the end need a cluster."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from cluster import Cluster
from harness import SLOWER, Kubectl
from node import IMAGE, await_object
from one_node import *  # noqa: F403
from one_node import PODS
from test_identity import Bearer, bind, eventually
from test_kubelet import await_event, container, forever, has_phase, is_ready, log_of, make, pod, run, sh

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")


def at(path, name="v", **more):
    return {"name": name, "mountPath": path, **more}


def volume(name="v", **source):
    return {"name": name, **source}


def await_line(node, o, line, name="main", run=0):
    """A file has no event: looked at until it has the line."""
    end, seen = time.monotonic() + 30 * SLOWER, None
    while seen is None or line not in seen.splitlines():
        assert time.monotonic() < end, (seen, line)
        time.sleep(0.02)
        try:
            seen = log_of(node, o, name, run)
        except FileNotFoundError:
            continue
    return seen


def output(raw, node, body):
    """What a Pod that runs to its end has said."""
    return log_of(node, run(raw, body | {"spec": body["spec"] | {"restartPolicy": "Never"}}, has_phase("Succeeded")))


def create(raw, path, name, **members):
    answer = raw.post(path, {"metadata": {"name": name}, **members})
    assert answer.status == 201, answer


# --- what they hold ---

def test_config_map_changes_in_place_and_the_environment_does_not(raw, node, names):
    name = names()
    create(raw, CONFIG_MAPS, name, data={"k": "one", "gone": "x"})
    env = [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": name, "key": "k"}}}]
    body = pod(name, sh("echo $K $(cat /v/k); while [ $(cat /v/k) = one ]; do sleep 0.05; done;"
                        "echo $K $(cat /v/k); ls /v; cat /sub; touch /v/x || echo read-only",
                        env=env, volumeMounts=[at("/v"), at("/sub", subPath="k")]),
               volumes=[volume(configMap={"name": name})], restartPolicy="Never")
    make(raw, body)
    o = await_object(raw, f"{PODS}/{name}", is_ready)
    await_line(node, o, "one one")
    began = time.monotonic()
    raw.patch(f"{CONFIG_MAPS}/{name}", {"data": {"k": "two", "gone": None}})
    o = await_object(raw, f"{PODS}/{name}", has_phase("Succeeded"))
    assert time.monotonic() - began < 5 * SLOWER, "changed by the clock, not by the event"
    lines = log_of(node, o).splitlines()
    assert lines[:3] == ["one one", "one two", "k"]
    assert lines[3].startswith("one")  # a sub path stays as it was
    assert lines[-1] == "read-only"


def test_secret_belongs_to_the_group_alone(raw, node, names):
    name = names()
    create(raw, SECRETS, name, stringData={"key": "secret"})
    said = output(raw, node, pod(
        name, sh("stat -L -c '%a %u %g' /v/key /v; echo $(cat /v/key); grep -c ' /v tmpfs ' /proc/mounts",
                 volumeMounts=[at("/v")], securityContext={"runAsUser": 1000}),
        volumes=[volume(secret={"secretName": name, "defaultMode": 0o400})],
        securityContext={"fsGroup": 2000}))
    assert said == "440 0 2000\n2777 0 2000\nsecret\n1\n"


def test_items_modes_and_projection(raw, node, names):
    name = names()
    create(raw, CONFIG_MAPS, name, data={"a": "1"}, binaryData={"b": "AAEC/w=="})
    create(raw, SECRETS, name, stringData={"s": "2"})
    said = output(raw, node, pod(
        name, sh("cd /v; ls -a | sed 's/^\\.\\.2.*/DIR/'; ls x; stat -L -c %a x/a s b; wc -c <b; readlink s; echo $(cat name)",
                 volumeMounts=[at("/v")]),
        volumes=[volume(projected={"defaultMode": 0o440, "sources": [
            {"configMap": {"name": name, "items": [{"key": "a", "path": "x/a", "mode": 0o600},
                                                   {"key": "b", "path": "b"}]}},
            {"secret": {"name": name}},
            {"secret": {"name": "missing", "optional": True}},
            {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]})]))
    assert said == f".\n..\nDIR\n..data\nb\nname\ns\nx\na\n600\n440\n440\n4\n..data/s\n{name}\n"


def test_labels_change_in_place(raw, node, names):
    name = names()
    body = pod(name, sh("while ! grep -q new /v/labels; do sleep 0.05; done; echo $(cat /v/labels) $(cat /v/cpu) $(cat /v/memory)", volumeMounts=[at("/v")],
                        resources={"requests": {"cpu": "100m"}, "limits": {"memory": "32Mi"}}),
               meta={"labels": {"a": "old"}}, restartPolicy="Never",
               volumes=[volume(downwardAPI={"items": [
                   {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                   {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "requests.cpu",
                                                        "divisor": "1m"}},
                   {"path": "memory", "resourceFieldRef": {"containerName": "main", "resource": "limits.memory"}}]})])
    make(raw, body)
    await_object(raw, f"{PODS}/{name}", is_ready)
    raw.patch(f"{PODS}/{name}", {"metadata": {"labels": {"a": "new", "b": "2"}}})
    o = await_object(raw, f"{PODS}/{name}", has_phase("Succeeded"))
    assert log_of(node, o) == 'a="new" b="2" 100 33554432\n'


def test_projected_tokens_open_what_their_account_may(server, raw, node, names):
    for account in ("robot", "guest"):
        answer = raw.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": account}})
        assert answer.status == 201, answer
    bind(raw, "default", "robot", "robot")
    tokens = {}
    for account in ("robot", "guest"):
        name = names("-" + account)
        o = run(raw, pod(name, sh("echo $(cat /v/token); stat -L -c '%a %u' /v/token; exec sleep 1000",
                                  volumeMounts=[at("/v")]),
                         serviceAccountName=account, securityContext={"runAsUser": 1000},
                         volumes=[volume(projected={"sources": [
                             {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}]})]), is_ready)
        token, mode = await_line(node, o, "600 1000").splitlines()
        tokens[account] = token
        assert mode == "600 1000"
    with Bearer(server, tokens["robot"]) as robot, Bearer(server, tokens["guest"]) as guest:
        eventually(lambda: robot.get(PODS).status, 200)
        assert guest.get(PODS).status == 403
        # They are bound to their Pods: with the Pod the token goes.
        raw.delete(f"{PODS}/{name.replace('guest', 'robot')}", {"gracePeriodSeconds": 0})
        eventually(lambda: robot.get(PODS).status, 401)


# --- by claim ---

CLAIMS, VOLUMES = "/api/v1/namespaces/default/persistentvolumeclaims", "/api/v1/persistentvolumes"


@pytest.fixture
def claim(raw, scratch):
    """A function that makes a claim, bound (as a controller would) to a PersistentVolume of the source; its directory."""
    made = []

    def bound(name, source, phase="Bound", **claim_meta):
        spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
        answer = raw.post(VOLUMES, {"metadata": {"name": name}, "spec": {
            **spec, "capacity": {"storage": "1Gi"}, "claimRef": {"namespace": "default", "name": name}, **source}})
        assert answer.status == 201, answer
        answer = raw.post(CLAIMS, {"metadata": {"name": name, **claim_meta}, "spec": {
            **spec, "volumeName": name, "resources": {"requests": {"storage": "1Gi"}}}})
        assert answer.status == 201, answer
        made.extend([f"{CLAIMS}/{name}", f"{VOLUMES}/{name}"])
        uid = answer.json()["metadata"]["uid"]
        assert raw.patch(f"{VOLUMES}/{name}", {"spec": {"claimRef": {"uid": uid}}}).status == 200
        assert raw.patch(f"{VOLUMES}/{name}/status", {"status": {"phase": "Bound"}}).status == 200
        bind_claim(raw, name, phase)

    yield bound
    for one in made:
        raw.delete(one)
        raw.patch(one, {"metadata": {"finalizers": None}})


def bind_claim(raw, name, phase="Bound"):
    assert raw.patch(f"{CLAIMS}/{name}/status", {"status": {"phase": phase}}).status == 200


def claimed(name, **more):
    return volume(persistentVolumeClaim={"claimName": name, **more})


def test_data_outlives_its_pods(raw, node, names, claim, scratch):
    name = names()
    claim(name, {"hostPath": {"path": str(scratch / "data"), "type": "DirectoryOrCreate"}})
    write = pod(name, sh("echo kept >/v/file", volumeMounts=[at("/v")]), volumes=[claimed(name)])
    output(raw, node, write)
    assert (scratch / "data/file").read_text() == "kept\n"
    again = names("-2")
    said = output(raw, node, pod(again, sh("cat /v/file; touch /v/x || echo read-only; cat /sub",
                                           volumeMounts=[at("/v"), at("/sub", subPath="file")]),
                                 volumes=[claimed(name, readOnly=True)]))
    assert said.splitlines()[0] == "kept" and said.splitlines()[-2:] == ["read-only", "kept"]


def test_a_local_volume_belongs_to_the_group(raw, node, names, claim, scratch):
    name = names()
    (scratch / "local").mkdir(mode=0o700)
    claim(name, {"local": {"path": str(scratch / "local")}, "nodeAffinity": {"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}]}}})
    said = output(raw, node, pod(name, sh("echo mine >/v/f && stat -c '%a %g' /v && stat -c %g /v/f",
                                          volumeMounts=[at("/v")], securityContext={"runAsUser": 1000}),
                                 volumes=[claimed(name)], securityContext={"fsGroup": 2000}))
    assert said == "2770 2000\n2000\n"


def test_a_pod_waits_for_its_claim(raw, node, names, claim, scratch):
    name = names()
    claim(name, {"hostPath": {"path": str(scratch)}}, phase="Pending")
    make(raw, pod(name, sh("true", volumeMounts=[at("/v")]), volumes=[claimed(name)], restartPolicy="Never"))
    await_event(raw, name, "FailedMount", "has non-bound phase")
    bind_claim(raw, name)
    await_object(raw, f"{PODS}/{name}", has_phase("Succeeded"))


def test_an_ephemeral_claim_of_another_is_refused(raw, node, names, claim, scratch):
    name = names()
    claim(name + "-v", {"hostPath": {"path": str(scratch)}})
    make(raw, pod(name, sh("true", volumeMounts=[at("/v")]), restartPolicy="Never", volumes=[volume(ephemeral={
        "volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"],
                                         "resources": {"requests": {"storage": "1Gi"}}}}})]))
    await_event(raw, name, "FailedMount", "was not created for pod")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "controller": True,
             "uid": raw.get(f"{PODS}/{name}").json()["metadata"]["uid"]}
    assert raw.patch(f"{CLAIMS}/{name}-v", {"metadata": {"ownerReferences": [owner]}}).status == 200
    await_object(raw, f"{PODS}/{name}", has_phase("Succeeded"))


# --- images ---

@pytest.fixture(scope="module")
def data_image(node):
    node.load("data:1", files=[("data.json", b'{"a": 1}\n', 0o644), ("run.sh", b"#!/bin/sh\necho ran\n", 0o755)])
    return "data:1"


def test_an_image_is_a_read_only_volume(raw, node, names, data_image):
    name = names()
    said = output(raw, node, pod(
        name, sh("cat /v/data.json; cat /one; ls /v/bin | grep -c busybox; touch /v/x 2>&- || echo read-only;"
                 "/v/run.sh 2>&- || echo not executable; grep -c ' /v overlay ro,nosuid,nodev,noexec' /proc/mounts",
                 volumeMounts=[at("/v"), at("/one", subPath="data.json")]),
        volumes=[volume(image={"reference": data_image, "pullPolicy": "Never"})]))
    assert said.splitlines() == ['{"a": 1}', '{"a": 1}', "1", "read-only", "not executable", "1"]
    # Nothing of it stays mounted when the Pod is gone.
    raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})
    await_object(raw, f"{PODS}/{name}", lambda o: o is None)


def test_images_that_are_no_volumes(raw, node, names, data_image):
    absent, sub = names("absent"), names("sub")
    make(raw, pod(absent, sh("true", volumeMounts=[at("/v")]),
                  volumes=[volume(image={"reference": "nobody.example/data:2", "pullPolicy": "Never"})]))
    await_object(raw, f"{PODS}/{absent}", lambda o: waits_for(o, "ErrImageNeverPull"))
    await_event(raw, absent, "ErrImageNeverPull", 'image "nobody.example/data:2" is not present')
    make(raw, pod(sub, sh("true", volumeMounts=[at("/v", subPath="no/such")]),
                  volumes=[volume(image={"reference": data_image, "pullPolicy": "Never"})]))
    await_object(raw, f"{PODS}/{sub}", lambda o: waits_for(o, "CreateContainerError"))
    await_event(raw, sub, "Failed", "the image has no 'no/such' to mount")


def waits_for(o, reason):
    return [c["state"].get("waiting", {}).get("reason") for c in o["status"].get("containerStatuses", [])] == [reason]


# --- directories ---

def test_empty_dir_is_shared_and_outlives_a_restart(raw, node, names):
    name = names()
    body = pod(name, sh("echo run >>/v/runs; cat /v/runs; echo end; [ $(wc -l </v/runs) = 2 ]; exit $?",
                        volumeMounts=[at("/v")]),
               init=[sh("id -u; chmod 700 /v; stat -c %a /v", "first", volumeMounts=[at("/v")])],
               volumes=[volume(emptyDir={})], restartPolicy="OnFailure")
    o = run(raw, body, has_phase("Succeeded"), 40)
    assert container(o)["restartCount"] == 1
    assert log_of(node, o, run=1) == "run\nrun\nend\n"


def test_empty_dir_in_memory_is_bounded(raw, node, names):
    said = output(raw, node, pod(
        names(), sh("grep -c ' /v tmpfs ' /proc/mounts; stat -c %a /v; dd if=/dev/zero of=/v/x bs=64k count=100 2>&1 |"
                    "grep -o 'No space left'; wc -c </v/x", volumeMounts=[at("/v")],
                    resources={"limits": {"memory": "64Mi"}}),
        volumes=[volume(emptyDir={"medium": "Memory", "sizeLimit": "1Mi"})]))
    assert said == "1\n777\nNo space left\n1048576\n"


def test_fs_group_owns_what_is_written(raw, node, names):
    said = output(raw, node, pod(
        names(), sh("id -G; touch /v/x; stat -c '%a %u %g' /v /v/x", volumeMounts=[at("/v")]),
        volumes=[volume(emptyDir={})], securityContext={"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 3000}))
    assert said == "1000 3000\n2777 0 3000\n644 1000 3000\n"


def test_sub_paths(raw, node, names):
    name = names()
    said = output(raw, node, pod(
        name, sh("echo $(ls /whole) $(cat /file) $(stat -c %a /made); echo x >/made/x; cat /whole/a/b/x;"
                 "ls -d /whole/logs/*", volumeMounts=[
                     at("/whole"), at("/file", subPath="file"), at("/made", subPath="a/b"),
                     at("/log", subPathExpr="logs/$(NAME)")],
                 env=[{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        init=[sh("echo text >/v/file", "first", volumeMounts=[at("/v")])], volumes=[volume(emptyDir={})]))
    assert said == f"a file logs text 777\nx\n/whole/logs/{name}\n"


def test_sub_path_that_leads_out_is_refused(raw, node, names):
    name = names()
    make(raw, pod(name, sh("cat /out/shadow", volumeMounts=[at("/out", subPath="link")]),
                  init=[sh("ln -s /etc /v/link", "first", volumeMounts=[at("/v")])],
                  volumes=[volume(emptyDir={})]))
    o = await_object(raw, f"{PODS}/{name}", lambda o: o and "CreateContainerConfigError" in json.dumps(o["status"]))
    assert container(o)["state"]["waiting"]["message"] == \
        'failed to prepare subPath for volumeMount "v" of container "main"'


def test_host_path(raw, node, names):
    path = node.dir / "there"
    said = output(raw, node, pod(
        names(), sh("echo from within >/v/file; touch /r/x || echo read-only",
                    volumeMounts=[at("/v"), at("/r", readOnly=True)]),
        volumes=[volume(hostPath={"path": str(path), "type": "DirectoryOrCreate"})]))
    assert "read-only" in said
    assert (path / "file").read_text() == "from within\n"


@pytest.mark.parametrize("source,text", [
    ({"hostPath": {"path": "/does/not/exist", "type": "Directory"}},
     "hostPath type check failed: /does/not/exist is not a directory"),
    ({"secret": {"secretName": "missing"}}, 'secret "missing" not found'),
    ({"emptyDir": {"medium": "HugePages"}}, 'storage medium "HugePages" is not supported'),
    ({"nfs": {"server": "x", "path": "/"}}, "this kubelet has none for nfs volumes"),
], ids=["host-path", "secret", "huge-pages", "nfs"])
def test_volume_that_cannot_be_had(raw, node, names, source, text):
    name = names("-" + next(iter(source)).lower())
    make(raw, pod(name, forever(volumeMounts=[at("/v")]), volumes=[volume(**source)]))
    o = await_event(raw, name, "FailedMount", text)
    assert o["message"].startswith('MountVolume.SetUp failed for volume "v" : ')


def test_bidirectional_mounts_go_with_their_pod(raw, node, names):
    name = names()
    o = run(raw, pod(name, sh("mkdir /v/m; mount -t tmpfs none /v/m; echo mounted; exec sleep 1000",
                              volumeMounts=[at("/v", mountPropagation="Bidirectional")],
                              securityContext={"privileged": True}),
                     volumes=[volume(emptyDir={})]), is_ready)
    await_line(node, o, "mounted")
    raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 1})
    await_object(raw, f"{PODS}/{name}", lambda o: o is None)
    assert not (Path(node.root) / "pods" / o["metadata"]["uid"]).exists()


def test_message_of_the_run_before(raw, node, names):
    name = names()
    o = run(raw, pod(name, sh("[ -e /v/x ] && exec sleep 1000; touch /v/x; echo -n first >/dev/termination-log; exit 3",
                              volumeMounts=[at("/v")]), volumes=[volume(emptyDir={})]),
            lambda o: o and container(o).get("restartCount") == 1 and is_ready(o), 40)
    assert container(o)["lastState"]["terminated"]["message"] == "first"


# --- probes ---

def web(script="", **more):
    return sh(f"mkdir /tmp/w; cd /tmp/w; echo fine >ok; {script} exec httpd -f -p 8080", ports=[
        {"name": "web", "containerPort": 8080}], **more)


def test_http_probes_gate_and_kill(raw, node, names):
    name = names()
    make(raw, pod(name, web("(while [ ! -e /v/go ]; do sleep 0.1; done; touch ready; sleep 2; rm ok) &",
                            volumeMounts=[at("/v")],
                            readinessProbe={"httpGet": {"port": "web", "path": "/ready"}, "periodSeconds": 1},
                            livenessProbe={"httpGet": {"port": 8080, "path": "/ok"}, "periodSeconds": 1,
                                           "failureThreshold": 1}),
                  volumes=[volume(emptyDir={})]))
    await_event(raw, name, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404")
    o = raw.get(f"{PODS}/{name}").json()
    assert not is_ready(o) and container(o)["started"]
    uid = o["metadata"]["uid"]
    (Path(node.root) / "pods" / uid / "volumes/kubernetes.io~empty-dir/v/go").touch()
    await_object(raw, f"{PODS}/{name}", is_ready)
    await_event(raw, name, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404")
    o = await_object(raw, f"{PODS}/{name}", lambda o: container(o).get("restartCount", 0) >= 1)
    assert container(o)["lastState"]["terminated"]["exitCode"] in (137, 143)


def test_startup_holds_the_others_back(raw, node, names):
    name = names()
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 30}
    o = run(raw, pod(name, sh("sleep 2; cd /tmp; exec httpd -f -p 8080", startupProbe=probe,
                              livenessProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1,
                                             "failureThreshold": 1},
                              readinessProbe={"exec": {"command": ["true"]}, "periodSeconds": 600})), is_ready)
    assert container(o)["started"] and container(o)["restartCount"] == 0
    ip = o["status"]["podIP"]
    await_event(raw, name, "Unhealthy", f"Startup probe failed: dial tcp {ip}:8080: connect: connection refused")


def test_slow_command_is_a_failure(raw, node, names):
    name = names()
    make(raw, pod(name, forever(readinessProbe={"exec": {"command": ["sleep", "20"]}, "periodSeconds": 1,
                                                "timeoutSeconds": 1})))
    await_event(raw, name, "Unhealthy",
                'Readiness probe failed: command timed out: "sleep 20" timed out after 1s')


def test_a_new_kubelet_goes_on_where_the_old_one_was_killed(raw, node, names):
    """Nothing flips, nothing is made anew, and what changed meanwhile is there."""
    name = names()
    create(raw, CONFIG_MAPS, name, data={"k": "one"})
    o = run(raw, pod(name, sh("touch /e/ready; chmod 700 /e; while true; do cat /v/k; echo; sleep 0.1; done",
                              volumeMounts=[at("/v"), at("/e", "e"), at("/sub", "e", subPath="sub")],
                              startupProbe={"exec": {"command": ["test", "-e", "/e/ready"]}, "periodSeconds": 1},
                              readinessProbe={"exec": {"command": ["test", "-e", "/e/ready"]}, "periodSeconds": 2}),
                     volumes=[volume(configMap={"name": name}), volume("e", emptyDir={})]), is_ready)
    began = [c["lastTransitionTime"] for c in o["status"]["conditions"] if c["type"] == "Ready"]
    node.stop(signal.SIGKILL)
    raw.patch(f"{CONFIG_MAPS}/{name}", {"data": {"k": "two"}})
    node.start()
    await_line(node, o, "two")
    raw.patch(f"{PODS}/{name}", {"metadata": {"labels": {"seen": "yes"}}})  # makes the kubelet look
    o = raw.get(f"{PODS}/{name}").json()
    assert is_ready(o) and container(o)["restartCount"] == 0
    assert [c["lastTransitionTime"] for c in o["status"]["conditions"] if c["type"] == "Ready"] == began
    directory = Path(node.root) / "pods" / o["metadata"]["uid"] / "volumes/kubernetes.io~empty-dir/e"
    assert directory.stat().st_mode & 0o777 == 0o700
    # It probes: without the file the Pod is not ready any more.
    (directory / "ready").unlink()
    await_object(raw, f"{PODS}/{name}", lambda o: not is_ready(o))


# --- with controllers: readiness decides who is behind a Service ---

@pytest.fixture
def cluster(scratch):
    c = Cluster(scratch / "root", nodes=1).start()
    yield c
    c.discard()


def test_readiness_decides_on_endpoints_and_tokens_come_by_themselves(cluster, scratch):
    kubectl = Kubectl("1.36", cluster, scratch)
    cluster.load_image("busybox:1")
    script = ("set -e; cd /var/run/secrets/kubernetes.io/serviceaccount; echo $(cat namespace); head -n 1 ca.crt;"
              "stat -L -c %a token; echo $(ls); exec sleep 1000")
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "w", "labels": {"app": "w"}}, "spec": {
        "terminationGracePeriodSeconds": 1, "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [{"name": "main", "image": IMAGE, "command": ["sh", "-c", script],
                        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                        "readinessProbe": {"exec": {"command": ["test", "-e", "/v/ready"]}, "periodSeconds": 1}}]}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "w"},
               "spec": {"selector": {"app": "w"}, "ports": [{"port": 80}]}}
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [body, service]}))
    kubectl("wait", "pod/w", "--for=jsonpath={.status.phase}=Running", "--timeout=30s")
    slice_of = ("get", "endpointslices", "-l", "kubernetes.io/service-name=w", "-o",
                "jsonpath={.items[*].endpoints[*].conditions.ready}")
    uid = kubectl("get", "pod", "w", "-o", "jsonpath={.metadata.uid}")
    eventually(lambda: kubectl(*slice_of), "false", 20)
    directory = next(cluster.root.rglob(f"pods/{uid}/volumes/kubernetes.io~empty-dir/v"))
    (directory / "ready").touch()
    eventually(lambda: kubectl(*slice_of), "true", 20)
    (directory / "ready").unlink()
    eventually(lambda: kubectl(*slice_of), "false", 20)
    log = next(Path("/").joinpath(*cluster.root.parts[1:]).rglob("main/0.log")).read_text()
    lines = [line.split(" ", 3)[3] for line in log.splitlines()]
    assert lines == ["default", "-----BEGIN CERTIFICATE-----", "644", "ca.crt namespace token"]

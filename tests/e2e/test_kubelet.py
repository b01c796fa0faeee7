"""The node agent on real containers: an API server and one kubelet, Pods bound by hand."""

import base64
import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from harness import SLOWER
from node import IMAGE, IS_CGROUP_V2, NODE, NODE_IP, await_object, cgroup_directory
from one_node import *  # noqa: F403
from one_node import PODS, needs_root
from registry import Image, Registry, index_of, sha

KUBELET_FLAGS = ["--pod-max-pids", 300]

pytestmark = needs_root


def condition(o, kind):
    found = [c for c in o.get("status", {}).get("conditions", []) if c["type"] == kind]
    return found[0] if found else {}


def is_ready(o):
    return o is not None and condition(o, "Ready").get("status") == "True"


def has_phase(phase):
    return lambda o: o is not None and o.get("status", {}).get("phase") == phase


def sh(script, name="main", **more):
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **more}


def forever(name="main", **more):
    """Ends at once on TERM."""
    return sh("trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done", name, **more)


def pod(name, *containers, init=(), meta=None, **spec):
    spec.setdefault("terminationGracePeriodSeconds", 5)
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **(meta or {})},
            "spec": {"nodeName": NODE, "containers": list(containers), **spec}}
    if init:
        body["spec"]["initContainers"] = list(init)
    return body


def make(raw, body):
    answer = raw.post(PODS, body)
    assert answer.status == 201, answer
    return answer.json()


def run(raw, body, wanted, timeout=30):
    make(raw, body)
    return await_object(raw, f"{PODS}/{body['metadata']['name']}", wanted, timeout)


def container(o, name="main", kind="containerStatuses"):
    found = [c for c in o["status"].get(kind, []) if c["name"] == name]
    return found[0] if found else {}


def log_of(node, o, name="main", run=0):
    m = o["metadata"]
    path = node.logs / f"{m['namespace']}_{m['name']}_{m['uid']}" / name / f"{run}.log"
    return "".join(line.split(" ", 3)[3] for line in path.read_text().splitlines(keepends=True))


def await_log(node, o, text, name="main", run=0):
    """A file has no event: looked at until it says the text."""
    end, seen = time.monotonic() + 30 * SLOWER, None
    while seen != text:
        assert time.monotonic() < end, (seen, text)
        time.sleep(0.02)
        try:
            seen = log_of(node, o, name, run)
        except FileNotFoundError:
            continue


def await_event(raw, name, reason, part="", timeout=60):
    """An Event about the Pod with the reason; its message has part."""
    end = time.monotonic() + timeout * SLOWER
    seen = []
    with raw.watch("/api/v1/namespaces/default/events", fieldSelector=f"involvedObject.name={name}",
                   sendInitialEvents="true", resourceVersionMatch="NotOlderThan",
                   allowWatchBookmarks="true") as watch:
        while True:
            try:
                event = watch.next(max(end - time.monotonic(), 0.01))
            except TimeoutError:
                raise AssertionError(f"no event {reason} {part!r} about {name}: {seen}") from None
            o = event["object"]
            if event["type"] == "BOOKMARK":
                continue
            seen.append((o["reason"], o["message"]))
            if o["reason"] == reason and part in o["message"]:
                return o


def pids_of(node, o):
    """The first process of each of the Pod's containers, by their control groups; those that watch over them apart.
    Groups and processes may go while one looks."""
    pids, parents = [], {}
    for group, _, _ in os.walk(cgroup_directory(node.cgroup, "memory")):
        if f"pod{o['metadata']['uid']}" in group:
            with contextlib.suppress(OSError):
                pids += (Path(group) / "cgroup.procs").read_text().split()
    for pid in pids:
        with contextlib.suppress(OSError):
            if "busybox" in os.readlink(f"/proc/{pid}/exe"):
                status = Path(f"/proc/{pid}/status").read_text()
                parents[int(pid)] = int(re.search(r"^PPid:\s*(\d+)", status, re.M)[1])
    return {pid for pid, parent in parents.items() if parent not in parents}


# --- the node ---

def test_node_object(raw, node):
    o = raw.get(f"/api/v1/nodes/{NODE}").json()
    assert o["metadata"]["labels"]["kubernetes.io/hostname"] == NODE
    assert {"type": "InternalIP", "address": NODE_IP} in o["status"]["addresses"]
    assert condition(o, "MemoryPressure")["status"] == "False"
    assert condition(o, "Ready")["reason"] == "KubeletReady"
    assert o["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == node.port
    for name in ("cpu", "memory", "pods", "ephemeral-storage"):
        assert name in o["status"]["capacity"] and name in o["status"]["allocatable"]
    assert any(IMAGE in n for i in o["status"]["images"] for n in i["names"]), o["status"]
    lease = await_object(raw, f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE}", lambda o: o)
    assert lease["spec"]["holderIdentity"] == NODE
    assert lease["metadata"]["ownerReferences"][0]["uid"] == o["metadata"]["uid"]


def test_extended_resources_stay(raw, node):
    answer = raw.patch(f"/api/v1/nodes/{NODE}/status", {"status": {"capacity": {"example.com/dongle": "3"}}})
    assert answer.status == 200, answer
    o = await_object(raw, f"/api/v1/nodes/{NODE}",
                     lambda o: o["status"]["allocatable"].get("example.com/dongle") == "3")
    assert o["status"]["capacity"]["example.com/dongle"] == "3"
    raw.patch(f"/api/v1/nodes/{NODE}/status", {"status": {"capacity": {"example.com/dongle": None}}})
    await_object(raw, f"/api/v1/nodes/{NODE}", lambda o: "example.com/dongle" not in o["status"]["allocatable"])


# --- running ---

def test_runs_and_logs(raw, node, names):
    o = run(raw, pod(names(), sh("echo hello; echo oops >&2; exec sleep 1000")), is_ready)
    c = container(o)
    assert c["ready"] and c["started"] and c["restartCount"] == 0 and c["containerID"].startswith("pintle://")
    assert c["imageID"] and "running" in c["state"]
    assert o["status"]["qosClass"] == "BestEffort" and o["status"]["hostIP"] == NODE_IP
    assert o["status"]["podIP"].startswith("10.244.1.") and o["status"]["startTime"]
    assert o["status"]["podIPs"] == [{"ip": o["status"]["podIP"]}]
    for kind in ("PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"):
        assert condition(o, kind)["status"] == "True", kind
    await_log(node, o, "hello\noops\n")
    for reason, text in (("Pulled", f'Container image "{IMAGE}" already present on machine'),
                         ("Created", "Container created"), ("Started", "Container started")):
        assert await_event(raw, o["metadata"]["name"], reason)["message"].startswith(text)


@pytest.mark.parametrize("policy,code,phase,reason", [
    ("Never", 0, "Succeeded", "Completed"), ("Never", 7, "Failed", "Error"),
    ("OnFailure", 0, "Succeeded", "Completed")])
def test_ends(raw, names, policy, code, phase, reason):
    o = run(raw, pod(names(f"-{policy.lower()}-{code}"), sh(f"exit {code}"), restartPolicy=policy), has_phase(phase))
    t = container(o)["state"]["terminated"]
    assert t["exitCode"] == code and t["reason"] == reason and t["startedAt"] and t["finishedAt"], t
    assert condition(o, "Ready")["status"] == "False"
    assert condition(o, "Ready")["reason"] == ("PodCompleted" if phase == "Succeeded" else "PodFailed")
    assert condition(o, "Initialized")["status"] == "True"


def test_crash_loop(raw, node, names):
    name = names()
    o = run(raw, pod(name, sh("echo run; exit 3")),
            lambda o: o and container(o).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff")
    c = container(o)
    assert c["restartCount"] == 1, c
    assert c["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container=main"), c
    assert c["lastState"]["terminated"]["exitCode"] == 3
    assert o["status"]["phase"] == "Running"
    await_event(raw, name, "BackOff", f"Back-off restarting failed container main in pod {name}_default")
    o = await_object(raw, f"{PODS}/{name}", lambda o: container(o).get("restartCount") == 2, 20)
    await_log(node, o, "run\n", run=1)


def test_on_failure_restarts(raw, names):
    volume = {"name": "v", "emptyDir": {}}
    script = "[ -e /v/x ] && exit 0; touch /v/x; exit 1"
    o = run(raw, pod(names(), sh(script, volumeMounts=[{"name": "v", "mountPath": "/v"}]), restartPolicy="OnFailure",
                     volumes=[volume]), has_phase("Succeeded"))
    c = container(o)
    assert c["restartCount"] == 1 and c["lastState"]["terminated"]["exitCode"] == 1


def test_init_containers_in_order(raw, node, names):
    mounts = [{"name": "v", "mountPath": "/v"}]
    o = run(raw, pod(names(), sh("cat /v/log; exec sleep 1000", volumeMounts=mounts),
                     init=[sh("echo one >>/v/log", "one", volumeMounts=mounts),
                           sh("echo two >>/v/log", "two", volumeMounts=mounts)],
                     volumes=[{"name": "v", "emptyDir": {}}]), is_ready)
    await_log(node, o, "one\ntwo\n")
    for c in o["status"]["initContainerStatuses"]:
        assert c["ready"] and c["state"]["terminated"]["reason"] == "Completed", c


def test_init_container_fails(raw, names):
    o = run(raw, pod(names(), sh("true"), init=[sh("exit 4", "one"), sh("true", "two")],
                     restartPolicy="Never"), has_phase("Failed"))
    assert container(o, "one", "initContainerStatuses")["state"]["terminated"]["exitCode"] == 4
    assert container(o)["state"]["waiting"]["reason"] == "PodInitializing"
    told = condition(o, "Initialized")
    assert (told["status"], told["reason"]) == ("False", "ContainersNotInitialized")
    assert told["message"] == "containers with incomplete status: [one two]"
    assert condition(o, "Ready")["reason"] == "PodFailed"


def test_what_never_began_has_not_ended(raw, names):
    """Deleted while its init container runs; a finalizer keeps what is said of it at the end."""
    name = names()
    o = run(raw, pod(name, sh("true"), init=[sh("exec sleep 1000", "one"), sh("true", "two")],
                     meta={"finalizers": ["example.com/keep"]}, terminationGracePeriodSeconds=1),
            lambda o: "running" in container(o, "one", "initContainerStatuses").get("state", {}))
    assert raw.delete(f"{PODS}/{name}").status == 200
    o = await_object(raw, f"{PODS}/{name}", has_phase("Failed"))
    assert container(o, "one", "initContainerStatuses")["state"]["terminated"]["exitCode"] == 137
    assert "waiting" in container(o, "two", "initContainerStatuses")["state"], o["status"]
    assert container(o)["state"]["waiting"]["reason"] == "PodInitializing"
    assert raw.patch(f"{PODS}/{name}", {"metadata": {"finalizers": None}}).status == 200


def test_sidecar_outlives_main(raw, node, names):
    sidecar = sh("trap 'echo end; exit 0' TERM; echo begin; while true; do sleep 1 & wait $!; done", "side",
                 restartPolicy="Always")
    o = run(raw, pod(names(), sh("echo main"), init=[sidecar], restartPolicy="Never"), has_phase("Succeeded"))
    assert log_of(node, o, "side") == "begin\nend\n"
    c = container(o, "side", "initContainerStatuses")
    assert c["state"]["terminated"]["exitCode"] == 0, c


def test_oom_killed(raw, names):
    script = "x=$(yes 0123456789 | head -c 200000000); echo ${#x}"
    o = run(raw, pod(names(), sh(script, resources={"limits": {"memory": "24Mi"}}), restartPolicy="Never"),
            has_phase("Failed"))
    t = container(o)["state"]["terminated"]
    assert t["reason"] == "OOMKilled" and t["exitCode"] == 137, t


def test_limits(raw, node, names):
    files = "memory.max cpu.weight" if IS_CGROUP_V2 else "memory/memory.limit_in_bytes cpu/cpu.shares"
    script = f"cd /sys/fs/cgroup; cat {files} /proc/1/oom_score_adj"
    o = run(raw, pod(names(), sh(script, resources={"limits": {"memory": "64Mi", "cpu": "500m"},
                                                    "requests": {"memory": "32Mi", "cpu": "250m"}}),
                     restartPolicy="Never"), has_phase("Succeeded"))
    assert o["status"]["qosClass"] == "Burstable"
    memory, shares, score = log_of(node, o).split()
    assert (memory, shares) == ("67108864", "10" if IS_CGROUP_V2 else "256") and 2 < int(score) < 1000


def test_processes_of_a_pod_are_limited(raw, node, names):
    o = run(raw, pod(names(), forever()), is_ready)
    found = list(cgroup_directory(node.cgroup, "pids").rglob(f"pod{o['metadata']['uid']}/pids.max"))
    assert len(found) == 1 and found[0].read_text().strip() == "300"
    bomb = sh("for i in $(seq 400); do sleep 1000 & done")
    o = run(raw, pod(names("-bomb"), bomb, restartPolicy="Never"), has_phase("Failed"))
    assert "can't fork" in log_of(node, o)


# --- wrong things ---

def waits_for(reason, name="main"):
    return lambda o: o and container(o, name).get("state", {}).get("waiting", {}).get("reason") == reason


def test_image_never(raw, names):
    name = names()
    o = run(raw, pod(name, sh("true", image="absent:1", imagePullPolicy="Never")), waits_for("ErrImageNeverPull"))
    assert container(o)["state"]["waiting"]["message"] == \
        'Container image "absent:1" is not present with pull policy of Never'
    await_event(raw, name, "ErrImageNeverPull")


def test_image_that_cannot_be_pulled(raw, names):
    name = names()
    image = "127.0.0.1:1/nothing/there:1"
    o = run(raw, pod(name, sh("true", image=image)), waits_for("ImagePullBackOff"))
    assert container(o)["state"]["waiting"]["message"].startswith(f'Back-off pulling image "{image}"')
    assert o["status"]["phase"] == "Pending"
    await_event(raw, name, "Pulling", f'Pulling image "{image}"')
    await_event(raw, name, "Failed", f'Failed to pull image "{image}"')
    await_event(raw, name, "BackOff", f'Back-off pulling image "{image}"')


def test_invalid_image_name(raw, names):
    o = run(raw, pod(names(), sh("true", image="UPPER//x")), waits_for("InvalidImageName"))
    assert "Failed to apply default image tag" in container(o)["state"]["waiting"]["message"]


def test_command_that_is_not_there(raw, names):
    body = pod(names(), {"name": "main", "image": IMAGE, "command": ["/no/such/program"]}, restartPolicy="Never")
    o = run(raw, body, has_phase("Failed"))
    t = container(o)["state"]["terminated"]
    assert t["reason"] == "StartError" and t["exitCode"] == 128 and "/no/such/program" in t["message"], t


def test_config_map_that_comes_later(raw, node, names):
    name = names()
    env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": name, "key": "k"}}}]
    o = run(raw, pod(name, sh("echo $X; exec sleep 1000", env=env)), waits_for("CreateContainerConfigError"))
    assert container(o)["state"]["waiting"]["message"] == f'configmap "{name}" not found'
    await_event(raw, name, "Failed", f'Error: configmap "{name}" not found')
    began = time.monotonic()
    raw.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}, "data": {"k": "healed"}})
    o = await_object(raw, f"{PODS}/{name}", is_ready)
    assert time.monotonic() - began < 3 * SLOWER, "healed by the clock, not by the event"
    await_log(node, o, "healed\n")


def test_volume_that_comes_later(raw, node, names):
    name = names()
    make(raw, pod(name, sh("cat /c/k; exec sleep 1000", volumeMounts=[{"name": "c", "mountPath": "/c"}]),
                  volumes=[{"name": "c", "configMap": {"name": name}}]))
    await_event(raw, name, "FailedMount", f'MountVolume.SetUp failed for volume "c" : configmap "{name}" not found')
    raw.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}, "data": {"k": "v\n"}})
    await_log(node, await_object(raw, f"{PODS}/{name}", is_ready), "v\n")


@pytest.mark.parametrize("spec,text", [
    ({"requests": {"cpu": "1000"}}, ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 1000000")),
    ({"requests": {"memory": "10000Gi"}}, ("OutOfmemory", "Node didn't have enough resource: memory"))])
def test_admission_of_resources(raw, names, spec, text):
    name = names("-" + text[0].lower())
    o = run(raw, pod(name, sh("true", resources=spec)), has_phase("Failed"))
    assert o["status"]["reason"] == text[0] and text[1] in o["status"]["message"], o["status"]
    await_event(raw, name, text[0], "Node didn't have enough resource")


def test_admission_of_host_ports(raw, names):
    port = [{"containerPort": 80, "hostPort": 18080}]
    run(raw, pod(names("-a"), forever(ports=port)), is_ready)
    o = run(raw, pod(names("-b"), forever(ports=port)), has_phase("Failed"))
    assert o["status"]["reason"] == "NodePorts", o["status"]


def test_node_selector_that_does_not_match(raw, names):
    o = run(raw, pod(names(), sh("true"), nodeSelector={"no": "such"}), has_phase("Failed"))
    assert o["status"]["reason"] == "NodeAffinity", o["status"]


# --- security ---

def test_run_as(raw, node, names):
    o = run(raw, pod(names(), sh("id -u; id -g; id -G"), restartPolicy="Never",
                     securityContext={"runAsUser": 1234, "runAsGroup": 2345, "fsGroup": 99,
                                      "supplementalGroups": [77]}), has_phase("Succeeded"))
    user, group, groups = log_of(node, o).splitlines()
    assert (user, group) == ("1234", "2345") and {"77", "99", "2345"} == set(groups.split())


def test_run_as_outlives_restarts(raw, node, names):
    """The user is the spec's each time (CVE-2019-11245)."""
    name = names()
    run(raw, pod(name, sh("id -u; exit 1"), securityContext={"runAsUser": 1234, "runAsNonRoot": True}),
        lambda o: o and container(o).get("restartCount") == 1)
    o = raw.get(f"{PODS}/{name}").json()
    await_log(node, o, "1234\n", run=1)


def test_node_that_is_deleted_comes_back(raw, node):
    old = raw.get(f"/api/v1/nodes/{NODE}").json()
    assert raw.delete(f"/api/v1/nodes/{NODE}").status == 200
    await_object(raw, f"/api/v1/nodes/{NODE}", lambda o: o and o["metadata"]["uid"] != old["metadata"]["uid"])
    raw.patch(f"/api/v1/nodes/{NODE}", {"spec": {"podCIDR": node.ranges, "podCIDRs": [node.ranges]}})
    await_object(raw, f"/api/v1/nodes/{NODE}", is_ready)


def test_non_root(raw, names):
    o = run(raw, pod(names(), sh("true"), securityContext={"runAsNonRoot": True}),
            waits_for("CreateContainerConfigError"))
    assert container(o)["state"]["waiting"]["message"].startswith(
        "container has runAsNonRoot and image will run as root (pod: ")


def test_read_only_and_no_new_privileges(raw, node, names):
    o = run(raw, pod(names(), sh("touch /x 2>/dev/null || echo ro; grep -h -E 'NoNewPrivs|CapEff' /proc/self/status",
                                 securityContext={"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
                                                  "capabilities": {"drop": ["ALL"]}}), restartPolicy="Never"),
            has_phase("Succeeded"))
    assert log_of(node, o).split() == ["ro", "CapEff:", "0" * 16, "NoNewPrivs:", "1"]


def test_sysctls(raw, node, names):
    good = run(raw, pod(names("-good"), sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), restartPolicy="Never",
                        securityContext={"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]}),
               has_phase("Succeeded"))
    assert log_of(node, good) == "80\n"
    bad = run(raw, pod(names("-bad"), sh("true"),
                       securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "80"}]}), has_phase("Failed"))
    assert bad["status"]["reason"] == "SysctlForbidden", bad["status"]


def test_environment(raw, node, names):
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"},
           {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
           {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}}]
    o = run(raw, pod(names(), sh("echo $A $B $IP $CPU $(B)", env=env, resources={"limits": {"cpu": "200m"}}),
                     restartPolicy="Never"), has_phase("Succeeded"))
    assert log_of(node, o).split() == ["1", "12", o["status"]["podIP"], "200", "12"]


def test_dns_and_hosts(raw, node, names):
    name = names()
    o = run(raw, pod(name, sh("hostname; cat /etc/resolv.conf /etc/hosts"), restartPolicy="Never",
                     hostAliases=[{"ip": "10.9.8.7", "hostnames": ["far", "away"]}], subdomain="sub",
                     dnsConfig={"options": [{"name": "single-request"}], "searches": ["more.example"]}),
            has_phase("Succeeded"))
    lines = log_of(node, o).splitlines()
    assert lines[0] == name
    assert "nameserver 10.96.0.10" in lines
    search = [line for line in lines if line.startswith("search ")][0]
    assert search.startswith("search default.svc.cluster.local svc.cluster.local cluster.local")
    assert "more.example" in search
    assert "options ndots:5 single-request" in lines
    assert any(line.split() == ["10.9.8.7", "far", "away"] for line in lines), lines
    ip = o["status"]["podIP"]
    assert any(line.split() == [ip, f"{name}.sub.default.svc.cluster.local", name] for line in lines), lines


def test_termination_messages(raw, names):
    o = run(raw, pod(names("-file"), sh("printf done >/dev/termination-log"), restartPolicy="Never"),
            has_phase("Succeeded"))
    assert container(o)["state"]["terminated"]["message"] == "done"
    o = run(raw, pod(names("-log"), sh("echo last words; exit 1", terminationMessagePolicy="FallbackToLogsOnError"),
                     restartPolicy="Never"), has_phase("Failed"))
    assert container(o)["state"]["terminated"]["message"] == "last words\n"
    o = run(raw, pod(names("-unended"), sh("printf 'no end'; exit 1", terminationMessagePolicy="FallbackToLogsOnError"),
                     restartPolicy="Never"), has_phase("Failed"))
    assert container(o)["state"]["terminated"]["message"] == "no end"


def test_deadline(raw, names):
    o = run(raw, pod(names(), forever(), activeDeadlineSeconds=1), has_phase("Failed"))
    assert o["status"]["reason"] == "DeadlineExceeded"
    assert o["status"]["message"] == "Pod was active on the node longer than the specified deadline"


# --- ending ---

def test_grace_and_kill(raw, node, names):
    name = names()
    o = run(raw, pod(name, sh("trap 'echo term' TERM; while true; do sleep 1; done")), is_ready)
    began = time.monotonic()
    assert raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 2}).status == 200
    await_object(raw, f"{PODS}/{name}", lambda o: o is None)
    assert 1.8 < time.monotonic() - began < 6 * SLOWER
    assert not pids_of(node, o)
    await_event(raw, name, "Killing", "Stopping container main")
    assert not (node.root / "pods" / o["metadata"]["uid"]).exists()
    assert not list(node.logs.glob(f"*_{o['metadata']['uid']}"))


def test_ends_at_once_on_term(raw, node, names):
    name = names()
    script = "trap 'exit 0' TERM; echo listens; while true; do sleep 1 & wait $!; done"
    o = run(raw, pod(name, sh(script), terminationGracePeriodSeconds=30), is_ready)
    await_log(node, o, "listens\n")  # before that, nothing reaches the first process of a namespace
    began = time.monotonic()
    assert raw.delete(f"{PODS}/{name}").status == 200
    await_object(raw, f"{PODS}/{name}", lambda o: o is None)
    assert time.monotonic() - began < 20 * SLOWER


def test_hooks(raw, node, names):
    name = names()
    mounts = [{"name": "v", "mountPath": "/v"}]
    hooks = {"postStart": {"exec": {"command": ["sh", "-c", "echo post >>/v/log"]}},
             "preStop": {"exec": {"command": ["sh", "-c", "echo pre >>/v/log"]}}}
    (node.dir / name).mkdir()
    o = run(raw, pod(name, forever(lifecycle=hooks, volumeMounts=mounts),
                     volumes=[{"name": "v", "hostPath": {"path": str(node.dir / name)}}]), is_ready)
    assert (node.dir / name / "log").read_text() == "post\n"
    raw.delete(f"{PODS}/{name}")
    await_object(raw, f"{PODS}/{name}", lambda o: o is None)
    assert (node.dir / name / "log").read_text() == "post\npre\n"
    assert o


def test_deleted_while_it_is_made(raw, node, names):
    made = [make(raw, pod(names(f"-{i}"), forever())) for i in range(8)]
    for o in made:
        raw.delete(f"{PODS}/{o['metadata']['name']}", {"gracePeriodSeconds": 1})
    for o in made:
        await_object(raw, f"{PODS}/{o['metadata']['name']}", lambda o: o is None)
        assert not (node.root / "pods" / o["metadata"]["uid"]).exists()


def test_deleted_by_force(raw, node, names):
    name = names()
    o = run(raw, pod(name, sh("trap '' TERM; while true; do sleep 1; done")), is_ready)
    raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})
    again = run(raw, pod(name, forever()), is_ready)
    assert again["metadata"]["uid"] != o["metadata"]["uid"]


def test_liveness_restarts(raw, node, names):
    name = names()
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    make(raw, pod(name, forever(livenessProbe=probe)))
    await_event(raw, name, "Unhealthy", "Liveness probe failed")
    await_event(raw, name, "Killing", "Container main failed liveness probe, will be restarted")
    await_object(raw, f"{PODS}/{name}", lambda o: container(o).get("restartCount", 0) >= 1)


def test_readiness_and_gates(raw, names):
    name = names()
    make(raw, pod(name, forever(), readinessGates=[{"conditionType": "example.com/open"}]))
    o = await_object(raw, f"{PODS}/{name}", lambda o: o and condition(o, "ContainersReady").get("status") == "True")
    assert condition(o, "Ready")["reason"] == "ReadinessGatesNotReady"
    raw.patch(f"{PODS}/{name}/status", {"status": {"conditions": [{"type": "example.com/open", "status": "True"}]}},
              kind="strategic-merge-patch")
    o = await_object(raw, f"{PODS}/{name}", is_ready)
    assert condition(o, "example.com/open")["status"] == "True"


def test_image_change_restarts(raw, node, names):
    node.load("busybox:2")
    name = names()
    run(raw, pod(name, forever()), is_ready)
    answer = raw.patch(f"{PODS}/{name}", {"spec": {"containers": [{"name": "main", "image": "busybox:2"}]}},
                       kind="strategic-merge-patch")
    assert answer.status == 200, answer
    o = await_object(raw, f"{PODS}/{name}", lambda o: container(o)["restartCount"] == 1 and is_ready(o))
    assert "busybox:2" in container(o)["image"]
    await_event(raw, name, "Killing", "Container main definition changed, will be restarted")


def test_ephemeral_container(raw, node, names):
    name = names()
    run(raw, pod(name, forever(), shareProcessNamespace=True), is_ready)
    answer = raw.patch(f"{PODS}/{name}/ephemeralcontainers",
                       {"spec": {"ephemeralContainers": [sh("echo debugging", "debug")]}},
                       kind="strategic-merge-patch")
    assert answer.status == 200, answer
    o = await_object(raw, f"{PODS}/{name}", lambda o: "terminated" in
                     container(o, "debug", "ephemeralContainerStatuses").get("state", {}))
    assert log_of(node, o, "debug") == "debugging\n" and is_ready(o)


# --- the kubelet's own end ---

def test_adoption_after_kill(raw, node, names):
    name = names()
    before = run(raw, pod(name, forever()), is_ready)
    pids = pids_of(node, before)
    assert pids
    node.stop(signal.SIGKILL)
    gone = run_without_kubelet(raw, node, names("-gone"))
    node.start()
    fresh = names("-fresh")
    run(raw, pod(fresh, forever()), is_ready)
    after = raw.get(f"{PODS}/{name}").json()
    assert pids_of(node, before) == pids
    assert container(after)["containerID"] == container(before)["containerID"]
    assert container(after)["restartCount"] == 0
    assert after["status"]["startTime"] == before["status"]["startTime"]
    assert gone


def run_without_kubelet(raw, node, name):
    """A Pod that is made and removed by force while no kubelet runs."""
    make(raw, pod(name, forever()))
    return raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0}).status == 200


def test_what_ended_while_no_kubelet_ran(raw, node, names):
    ended, removed = names("-ended"), names("-removed")
    o = run(raw, pod(ended, forever(), restartPolicy="Never"), is_ready)
    r = run(raw, pod(removed, forever()), is_ready)
    assert node.stop() == 0
    raw.delete(f"{PODS}/{removed}", {"gracePeriodSeconds": 0})
    for pid in pids_of(node, o):
        os.kill(pid, signal.SIGKILL)
    node.start()
    o = await_object(raw, f"{PODS}/{ended}", has_phase("Failed"))
    assert container(o)["state"]["terminated"]["exitCode"] == 137
    raw_wait = names("-after")
    run(raw, pod(raw_wait, sh("true"), restartPolicy="Never"), has_phase("Succeeded"))
    assert o and r


def test_ended_pods_keep_their_status_over_a_restart(raw, node, names):
    name = names()
    before = run(raw, pod(name, sh("exit 5"), restartPolicy="Never"), has_phase("Failed"))
    assert node.stop() == 0
    node.start()
    run(raw, pod(names("-after"), sh("true"), restartPolicy="Never"), has_phase("Succeeded"))
    after = raw.get(f"{PODS}/{name}").json()
    assert container(after)["state"] == container(before)["state"]


def test_a_lost_machine(raw, node, names):
    """As after a reboot: nothing runs, and nobody has seen how it ended."""
    name = names()
    before = run(raw, pod(name, forever()), is_ready)
    assert node.stop() == 0
    groups = cgroup_directory(node.cgroup, "memory").rglob(f"pod{before['metadata']['uid']}/**/cgroup.procs")
    pids = {int(p) for group in groups for p in group.read_text().split()}
    assert len(pids) >= 3  # pause, conmon, the container's own
    comm = {p: Path(f"/proc/{p}/comm").read_text().strip() for p in pids}
    for pid in sorted(pids, key=lambda p: comm[p] != "conmon"):  # it sees no end
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.start()
    after = await_object(raw, f"{PODS}/{name}", lambda o: is_ready(o) and container(o)["restartCount"] == 1)
    last = container(after)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (255, "Unknown")
    assert last["containerID"] == container(before)["containerID"] != container(after)["containerID"]
    # Another kubelet knows it from the API alone.
    node.stop(signal.SIGKILL)
    node.start()
    run(raw, pod(names("-after"), sh("true"), restartPolicy="Never"), has_phase("Succeeded"))
    again = raw.get(f"{PODS}/{name}").json()
    assert container(again)["lastState"]["terminated"] == last and container(again)["restartCount"] == 1


# --- static Pods ---

def manifest(text_name, command="trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": text_name, "labels": {"app": "static"}},
            "spec": {"terminationGracePeriodSeconds": 2,
                     "containers": [{"name": "main", "image": IMAGE, "command": ["sh", "-c", command]}]}}


def test_static_pods(raw, node):
    path = node.manifests / "one.yaml"
    name = f"one-{NODE}"
    new = node.dir / "one.new"
    new.write_text(json.dumps(manifest("one")))
    new.rename(path)
    o = await_object(raw, f"{PODS}/{name}", is_ready)
    assert o["metadata"]["annotations"]["kubernetes.io/config.source"] == "file"
    assert o["metadata"]["annotations"]["kubernetes.io/config.mirror"]
    assert o["metadata"]["ownerReferences"][0]["kind"] == "Node"
    # The mirror is a picture only: deleting it changes nothing but its uid.
    raw.delete(f"{PODS}/{name}")
    again = await_object(raw, f"{PODS}/{name}", lambda n: n and n["metadata"]["uid"] != o["metadata"]["uid"]
                         and is_ready(n))
    assert container(again)["containerID"] == container(o)["containerID"]
    # Another file is another Pod.
    new.write_text(json.dumps(manifest("one", "echo changed; exec sleep 1000")))
    new.rename(path)
    changed = await_object(raw, f"{PODS}/{name}", lambda n: n and is_ready(n)
                           and container(n)["containerID"] != container(o)["containerID"])
    assert changed["metadata"]["annotations"]["kubernetes.io/config.hash"] != \
        o["metadata"]["annotations"]["kubernetes.io/config.hash"]
    path.unlink()
    await_object(raw, f"{PODS}/{name}", lambda n: n is None)


def test_bad_manifest_harms_nobody(raw, node):
    bad = node.manifests / "bad.yaml"
    bad.write_text("{ this is not: [yaml")
    good = node.manifests / "good.yaml"
    good.write_text(json.dumps(manifest("good")))
    await_object(raw, f"{PODS}/good-{NODE}", is_ready)
    bad.unlink()
    good.unlink()
    await_object(raw, f"{PODS}/good-{NODE}", lambda n: n is None)


def test_sidecars_end_in_reverse(raw, node, names):
    name = names()
    (node.dir / name).mkdir()
    mounts = [{"name": "v", "mountPath": "/v"}]

    def says(who):
        return sh(f"trap 'echo {who} >>/v/log; exit 0' TERM; while true; do sleep 0.1; done", who, volumeMounts=mounts)

    run(raw, pod(name, says("main"), init=[says("one") | {"restartPolicy": "Always"},
                                           says("two") | {"restartPolicy": "Always"}],
                 volumes=[{"name": "v", "hostPath": {"path": str(node.dir / name)}}]), is_ready)
    raw.delete(f"{PODS}/{name}")
    await_object(raw, f"{PODS}/{name}", lambda o: o is None)
    assert (node.dir / name / "log").read_text() == "main\ntwo\none\n"


def test_pull_secret_names(raw, names):
    """A secret that is not there is told of, and the pull goes on without."""
    name = names()
    make(raw, pod(name, sh("true", image="127.0.0.1:1/nothing/there:1"), imagePullSecrets=[{"name": "absent"}]))
    await_event(raw, name, "FailedToRetrieveImagePullSecret", "(absent)")
    await_event(raw, name, "Failed", "Failed to pull image")


def test_pulls_with_a_pods_secret(raw, node, names):
    """The registry's reason is told; what is wrong heals by itself; what is there is not asked for again."""
    registry, image = Registry(), Image(b"private", config={"Cmd": ["cat", "/0.txt"]})
    registry.images["team/private"] = image
    wanted = "Basic " + base64.b64encode(b"me:secret").decode()

    def ask(h):
        if h.headers.get("Authorization") == wanted:
            return False
        h.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"show who you are"}]}',
                 [("WWW-Authenticate", 'Basic realm="x"')])
        return True
    registry.hooks.append(ask)
    name, reference = names(), f"{registry.host}/team/private:1"
    own = {"name": "main", "image": reference, "imagePullPolicy": "IfNotPresent"}
    make(raw, pod(name, own, restartPolicy="Never", imagePullSecrets=[{"name": "key"}]))
    await_event(raw, name, "Failed", f'Failed to pull image "{reference}"')
    await_event(raw, name, "Failed", "Error: ErrImagePull")
    auths = {"auths": {registry.host: {"username": "me", "password": "secret"}}}
    answer = raw.post("/api/v1/namespaces/default/secrets", {
        "metadata": {"name": "key"}, "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()}})
    assert answer.status == 201, answer
    o = await_object(raw, f"{PODS}/{name}", has_phase("Succeeded"))
    assert log_of(node, o) == "private\n"
    assert container(o)["imageID"].endswith(sha(index_of(image))) and container(o)["image"] == reference
    await_event(raw, name, "Pulled", f'Successfully pulled image "{reference}"')
    registry.stop()
    again = names("-again")
    run(raw, pod(again, own, restartPolicy="Never"), has_phase("Succeeded"))
    await_event(raw, again, "Pulled", f'Container image "{reference}" already present on machine')
    raw.delete("/api/v1/namespaces/default/secrets/key")


def test_container_restart_rules(raw, names):
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    mounts = [{"name": "v", "mountPath": "/v"}]
    o = run(raw, pod(names(), sh("[ -e /v/x ] && exit 1; touch /v/x; exit 42", volumeMounts=mounts,
                                 restartPolicy="Never", restartPolicyRules=rules),
                     restartPolicy="Never", volumes=[{"name": "v", "emptyDir": {}}]), has_phase("Failed"))
    c = container(o)
    assert c["restartCount"] == 1 and c["state"]["terminated"]["exitCode"] == 1, c


def resized(cpu, memory):
    """The resources of a container; requests are half of the limits of cpu."""
    return {"requests": {"cpu": f"{cpu // 2}m", "memory": memory}, "limits": {"cpu": f"{cpu}m", "memory": memory}}


def resize(raw, name, resources):
    answer = raw.patch(f"{PODS}/{name}/resize", {"spec": {"containers": [{"name": "main", "resources": resources}]}},
                       kind="strategic-merge-patch")
    assert answer.status == 200, answer


def cgroup_of(node, o, file, controller):
    """The value of a file of the container's own control group."""
    found = [p for p in cgroup_directory(node.cgroup, controller).rglob(file)
             if f"pod{o['metadata']['uid']}/" in str(p)]
    return {p.read_text().strip() for p in found if p.parent.name != f"pod{o['metadata']['uid']}"}


def test_resize_in_place(raw, node, names):
    name = names()
    o = run(raw, pod(name, forever(resources=resized(200, "32Mi"))), is_ready)
    c = container(o)
    assert c["resources"] == resized(200, "32Mi") and c["allocatedResources"] == {"cpu": "100m", "memory": "32Mi"}
    for cpu, memory in ((400, "64Mi"), (200, "32Mi")):
        wanted = resized(cpu, memory)
        resize(raw, name, wanted)
        o = await_object(raw, f"{PODS}/{name}", lambda o: container(o)["resources"] == wanted
                         and not condition(o, "PodResizeInProgress"))
        assert container(o)["restartCount"] == 0 and is_ready(o)
        limit = "memory.max" if IS_CGROUP_V2 else "memory.limit_in_bytes"
        assert str(int(memory[:-2]) << 20) in cgroup_of(node, o, limit, "memory")
        if IS_CGROUP_V2:
            assert f"{cpu * 100} 100000" in cgroup_of(node, o, "cpu.max", "cpu")
        else:
            assert str(cpu * 100) in cgroup_of(node, o, "cpu.cfs_quota_us", "cpu")


def test_resize_by_restart(raw, node, names):
    name = names()
    o = run(raw, pod(name, forever(resources=resized(200, "32Mi"), resizePolicy=[
        {"resourceName": "memory", "restartPolicy": "RestartContainer"},
        {"resourceName": "cpu", "restartPolicy": "NotRequired"}])), is_ready)
    resize(raw, name, resized(200, "64Mi"))
    o = await_object(raw, f"{PODS}/{name}", lambda o: container(o)["restartCount"] == 1 and is_ready(o))
    assert container(o)["resources"] == resized(200, "64Mi")


def test_resize_that_does_not_fit(raw, node, names):
    name = names()
    run(raw, pod(name, forever(resources=resized(200, "32Mi"))), is_ready)
    resize(raw, name, {"requests": {"cpu": "900"}, "limits": {"cpu": "900"}})
    o = await_object(raw, f"{PODS}/{name}", lambda o: condition(o, "PodResizePending"))
    assert condition(o, "PodResizePending")["reason"] == "Infeasible"
    assert container(o)["resources"] == resized(200, "32Mi") and is_ready(o)
    resize(raw, name, resized(200, "32Mi"))
    await_object(raw, f"{PODS}/{name}", lambda o: not condition(o, "PodResizePending"))

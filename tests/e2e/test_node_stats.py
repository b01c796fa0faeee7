"""What a node's port tells of itself and its Pods, by `kubectl get --raw` through the API server."""

import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request

import pytest

from harness import SLOWER, Kubectl
from node import IMAGE, NODE, NODE_IP, await_object
from one_node import *  # noqa: F403
from one_node import PODS, needs_root

PROXY = f"/api/v1/nodes/{NODE}/proxy"

pytestmark = needs_root


@pytest.fixture(scope="module")
def pod(raw, node):
    """One that has written, received and computed something, and is probed."""
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "busy"},
            "spec": {"nodeName": NODE, "terminationGracePeriodSeconds": 0,
                     "volumes": [{"name": "scratch", "emptyDir": {}},
                                 {"name": "memory", "emptyDir": {"medium": "Memory"}},
                                 {"name": "host", "hostPath": {"path": "/tmp"}}],
                     "containers": [{
                         "name": "main", "image": IMAGE,
                         "command": ["sh", "-c", "head -c 3000000 /dev/zero > /scratch/file; head -c 1000000 /dev/zero >"
                                     " /own; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo said; touch /ready;"
                                     " while true; do sleep 1; done"],
                         "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
                         "readinessProbe": {"exec": {"command": ["cat", "/ready"]}, "periodSeconds": 1},
                         "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"},
                                          {"name": "memory", "mountPath": "/memory"}]},
                         {"name": "second", "image": IMAGE, "command": ["sleep", "100000"]}]}}
    assert raw.post(PODS, body).status == 201
    yield await_object(raw, f"{PODS}/busy", lambda o: o and "True" in [
        c["status"] for c in o.get("status", {}).get("conditions", []) if c["type"] == "Ready"])
    raw.delete(f"{PODS}/busy", {"gracePeriodSeconds": 0})
    await_object(raw, f"{PODS}/busy", lambda o: o is None)


@pytest.fixture
def get(server, workdir):
    def ask(path):
        done = Kubectl("1.36", server, workdir).run("get", "--raw", PROXY + path)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return ask


SAMPLE = re.compile(r"([a-z_0-9]+)(?:\{(.*)\})? (\S+)(?: (\d+))?$")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """[(name, labels, value)]; that each family is told of once, before its samples."""
    found, seen, family = [], set(), None
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            family = line.split()[2]
            assert family not in seen, f"{family} twice"
            seen.add(family)
            continue
        if line.startswith("#"):
            continue
        m = SAMPLE.match(line)
        assert m, line
        assert m[1] == family or re.sub("_(bucket|sum|count)$", "", m[1]) == family, line
        labels = LABEL.findall(m[2] or "")
        assert [k for k, _ in labels if k != "le"] == sorted(k for k, _ in labels if k != "le"), line
        found.append((m[1], dict(labels), float(m[3])))
    keys = [(n, tuple(sorted(labels.items()))) for n, labels, _ in found]
    assert len(keys) == len(set(keys)), "a series twice"
    return found


def one(samples, name, **labels):
    found = [v for n, have, v in samples if n == name and labels.items() <= have.items()]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def test_metrics(pod, get):
    m = parse(get("/metrics"))
    assert one(m, "kubelet_node_name", node=NODE) == 1
    assert one(m, "kubelet_running_pods") == 1
    assert one(m, "kubelet_running_containers", container_state="running") == 2
    assert one(m, "kubelet_desired_pods", static="") == 1
    assert one(m, "kubelet_started_containers_total", container_type="container") >= 2
    assert one(m, "kubelet_started_pods_total") >= 1
    assert one(m, "kubelet_pod_worker_duration_seconds_count", operation_type="sync") > 0
    assert one(m, "kubelet_pod_start_duration_seconds_count") >= 1
    assert one(m, "kubelet_runtime_operations_total", operation_type="run_podsandbox") >= 1
    assert one(m, "kubelet_runtime_operations_total", operation_type="create_container") >= 2
    assert one(m, "kubelet_http_requests_total", method="GET", path="metrics") >= 1
    assert one(m, "process_resident_memory_bytes") > 1e6
    assert one(m, "process_start_time_seconds") > 1e9


def test_resource_metrics(pod, get):
    m = parse(get("/metrics/resource"))
    main = {"namespace": "default", "pod": "busy", "container": "main"}
    assert one(m, "container_cpu_usage_seconds_total", **main) > 0
    assert 0 < one(m, "container_memory_working_set_bytes", **main) < 64 << 20
    assert one(m, "container_start_time_seconds", **main) > 1e9
    assert one(m, "pod_cpu_usage_seconds_total", namespace="default", pod="busy") > 0
    assert one(m, "pod_memory_working_set_bytes", namespace="default", pod="busy") > 0
    assert one(m, "node_cpu_usage_seconds_total") > 1
    assert one(m, "node_memory_working_set_bytes") > 10 << 20
    assert one(m, "resource_scrape_error") == 0


def test_cadvisor(pod, get):
    m = parse(get("/metrics/cadvisor"))
    main = {"namespace": "default", "pod": "busy", "container": "main", "image": IMAGE}
    assert one(m, "container_cpu_usage_seconds_total", cpu="total", **main) > 0
    assert one(m, "container_spec_memory_limit_bytes", **main) == 64 << 20
    assert one(m, "container_spec_cpu_quota", **main) == 50000
    assert one(m, "container_processes", **main) >= 1
    assert one(m, "container_network_receive_bytes_total", pod="busy", interface="eth0") >= 0
    assert one(m, "machine_cpu_cores") == os.cpu_count()
    whole = [v for n, have, v in m if n == "container_cpu_usage_seconds_total" and have["id"] == "/"]
    assert len(whole) == 1 and whole[0] > 1


def test_probe_metrics(pod, get):
    m = parse(get("/metrics/probes"))
    ready = {"container": "main", "namespace": "default", "pod": "busy", "probe_type": "Readiness"}
    assert one(m, "prober_probe_total", result="successful", pod_uid=pod["metadata"]["uid"], **ready) >= 1
    assert one(m, "prober_probe_duration_seconds_count", **ready) >= 1


def summary(get, wanted=lambda s: True):
    """Trees on disk are counted after somebody asked."""
    end = time.monotonic() + 60 * SLOWER
    while True:
        s = json.loads(get("/stats/summary"))
        if wanted(s) or time.monotonic() > end:
            return s


def test_summary(pod, get):
    s = summary(get, lambda s: "ephemeral-storage" in s["pods"][0] and "usageNanoCores" in s["node"]["cpu"])
    n = s["node"]
    assert n["nodeName"] == NODE and n["startTime"]
    assert n["cpu"]["usageCoreNanoSeconds"] > 0 and n["cpu"]["usageNanoCores"] >= 0
    assert 0 < n["memory"]["workingSetBytes"] and n["memory"]["availableBytes"] > 0
    assert n["fs"]["capacityBytes"] > n["fs"]["availableBytes"] > 0
    assert n["runtime"]["imageFs"]["capacityBytes"] > 0
    assert n["rlimit"]["maxpid"] > n["rlimit"]["curproc"] > 0
    assert {c["name"] for c in n["systemContainers"]} == {"kubelet", "pods"}
    [p] = s["pods"]
    assert p["podRef"] == {"name": "busy", "namespace": "default", "uid": pod["metadata"]["uid"]}
    assert p["startTime"] == pod["status"]["startTime"]
    assert p["network"]["name"] == "eth0" and p["network"]["interfaces"]
    assert {c["name"] for c in p["containers"]} == {"main", "second"}
    main = p["containers"][0]
    assert main["name"] == "main"
    assert main["memory"]["availableBytes"] + main["memory"]["workingSetBytes"] == 64 << 20
    assert main["rootfs"]["usedBytes"] >= 1000000 and main["logs"]["usedBytes"] > 0
    volumes = {v["name"]: v for v in p["volume"]}
    assert volumes["scratch"]["usedBytes"] >= 3000000
    assert "memory" in volumes and "host" not in volumes
    assert any(name.startswith("kube-api-access") for name in volumes) or len(volumes) == 2
    assert p["ephemeral-storage"]["usedBytes"] >= 4000000
    assert p["process_stats"]["process_count"] >= 2


def test_summary_of_cpu_and_memory(pod, get):
    s = json.loads(get("/stats/summary?only_cpu_and_memory=true"))
    assert "fs" not in s["node"] and "network" not in s["pods"][0] and "volume" not in s["pods"][0]
    assert s["pods"][0]["cpu"]["usageCoreNanoSeconds"] > 0


def test_other_paths(pod, get, server, workdir):
    running = json.loads(get("/runningpods/"))
    assert [p["metadata"]["name"] for p in running["items"]] == ["busy"]
    assert {c["name"] for c in running["items"][0]["spec"]["containers"]} == {"main", "second"}
    assert [p["metadata"]["name"] for p in json.loads(get("/pods"))["items"]] == ["busy"]
    config = json.loads(get("/configz"))["kubeletconfig"]
    assert config["kind"] == "KubeletConfiguration" and config["clusterDNS"] == ["10.96.0.10"]
    assert config["maxPods"] == 110
    assert get("/healthz") == "ok"
    done = Kubectl("1.36", server, workdir).run("get", "--raw", PROXY + "/metrics/nothing")
    assert done.returncode != 0 and "NotFound" in done.stderr


def test_nobody_is_told_without_a_certificate(pod, node):
    context = ssl._create_unverified_context()
    for path in ("/metrics", "/metrics/cadvisor", "/stats/summary", "/pods", "/configz", "/runningpods/"):
        with pytest.raises(urllib.error.HTTPError) as e:
            urllib.request.urlopen(f"https://{NODE_IP}:{node.port}{path}", context=context)
        assert e.value.code == 401
    with urllib.request.urlopen(f"https://{NODE_IP}:{node.port}/healthz", context=context) as answer:
        assert answer.read() == b"ok"


def test_many_who_ask_at_once(pod, node, server):
    """One picture serves them, and the kubelet goes on."""
    import concurrent.futures
    with server.raw() as first:
        assert first.get(PROXY + "/metrics/cadvisor").status == 200

    def ask(_):
        with server.raw() as client:
            return client.get(PROXY + "/stats/summary").status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(40))) == {200}


def test_pressure(raw, node):
    """A node that is short of disk says so, by condition and Event, and takes no Pods but those that must be."""
    path = f"/api/v1/nodes/{NODE}"

    def condition(o, kind):
        return next((c for c in o["status"]["conditions"] if c["type"] == kind), {})

    assert condition(raw.get(path).json(), "DiskPressure")["status"] == "False"
    node.stop()
    node.flags = ["--eviction-hard", "nodefs.available<100%"]
    node.start()
    o = await_object(raw, path, lambda o: condition(o, "DiskPressure").get("status") == "True")
    assert condition(o, "DiskPressure")["reason"] == "KubeletHasDiskPressure"
    assert condition(o, "MemoryPressure")["status"] == condition(o, "PIDPressure")["status"] == "False"
    await_object(raw, path, lambda o: condition(o, "Ready")["status"] == "True")
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "refused"},
            "spec": {"nodeName": NODE, "containers": [{"name": "main", "image": IMAGE, "command": ["true"]}]}}
    assert raw.post(PODS, body).status == 201
    o = await_object(raw, f"{PODS}/refused", lambda o: o["status"].get("phase") == "Failed")
    assert o["status"]["reason"] == "Evicted"
    assert o["status"]["message"] == "Pod was rejected: The node had condition: [DiskPressure]. "
    raw.delete(f"{PODS}/refused", {"gracePeriodSeconds": 0})
    node.stop()
    node.flags = ["--eviction-hard", ""]
    node.start()
    await_object(raw, path, lambda o: condition(o, "DiskPressure").get("status") == "False")

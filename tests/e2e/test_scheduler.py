"""The scheduler beside an API server: nodes are made by hand, nothing runs on them. Each test has its
own nodes and a namespace of its own."""

import subprocess
import time

import pytest

from harness import PINTLE, SLOWER

TIMEOUT = 40 * SLOWER


@pytest.fixture(scope="module")
def scheduler(server, workdir):
    err = open(workdir / "scheduler.stderr", "w+b")
    p = subprocess.Popen([PINTLE, "scheduler", "--kubeconfig", str(server.dir / "scheduler.conf")],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
    yield p
    assert p.poll() is None, err.seek(0) or err.read()
    p.terminate()
    assert p.wait(20) == 0
    err.seek(0)
    said = err.read().decode()
    for word in ("Sanitizer", "runtime error"):
        assert word not in said, said[-6000:]


class Cluster:
    def __init__(self, raw, namespace):
        self.raw, self.ns, self.nodes = raw, namespace, []

    def made(self, answer):
        assert answer.status in (200, 201), answer
        return answer.json()

    def node(self, name, cpu="4", memory="8Gi", pods="110", taints=(), images=(), unschedulable=False,
             more=None, **labels):
        labels = {k.replace("__", "/").replace("_", "."): v for k, v in labels.items()}
        spec = {"taints": list(taints)}
        if unschedulable:
            spec["unschedulable"] = True
        amounts = {"cpu": cpu, "memory": memory, "pods": pods, **(more or {})}
        self.made(self.raw.post("/api/v1/nodes", {
            "kind": "Node", "apiVersion": "v1",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
            "spec": spec,
            "status": {"capacity": amounts, "allocatable": amounts, "images": list(images)}}))
        self.nodes.append(name)
        self.made(self.raw.patch(f"/api/v1/nodes/{name}/status", {
            "status": {"capacity": amounts, "allocatable": amounts, "images": list(images)}}))

    def pod(self, name, cpu=None, ports=(), labels=None, image="example/app:1", **spec):
        requests = {"cpu": cpu} if cpu else {}
        self.made(self.raw.post(f"/api/v1/namespaces/{self.ns}/pods", {
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"containers": [{"name": "c", "image": image, "resources": {"requests": requests},
                                     "ports": list(ports)}],
                     "terminationGracePeriodSeconds": 0, **spec}}))
        return name

    def get(self, name):
        return self.raw.get(f"/api/v1/namespaces/{self.ns}/pods/{name}").json()

    def until(self, name, holds):
        """The Pod, as soon as it is so."""
        path = f"/api/v1/namespaces/{self.ns}/pods"
        end = time.monotonic() + TIMEOUT
        with self.raw.watch(path, fieldSelector=f"metadata.name={name}") as w:
            while True:
                event = w.next(max(0.1, end - time.monotonic()))
                assert event, "the watch ended"
                if event["type"] == "DELETED":
                    if holds(None):
                        return None
                elif holds(event["object"]):
                    return event["object"]

    def placed(self, name):
        return self.until(name, lambda p: p and p["spec"].get("nodeName"))["spec"]["nodeName"]

    def waiting(self, name, text=""):
        """The message of a Pod that found no node."""
        def holds(p):
            c = scheduled(p)
            return c and c["status"] == "False" and text in c.get("message", "")
        return scheduled(self.until(name, holds))

    def delete(self, name):
        self.made(self.raw.delete(f"/api/v1/namespaces/{self.ns}/pods/{name}", gracePeriodSeconds=0))

    def events(self, name, reason):
        items = self.raw.get(f"/api/v1/namespaces/{self.ns}/events",
                             fieldSelector=f"involvedObject.name={name}").json()["items"]
        return [e for e in items if e["reason"] == reason]

    def until_event(self, name, reason):
        with self.raw.watch(f"/api/v1/namespaces/{self.ns}/events",
                            fieldSelector=f"involvedObject.name={name}") as w:
            while True:
                e = w.next(TIMEOUT)["object"]
                if e["reason"] == reason:
                    return e


def scheduled(pod):
    for c in (pod or {}).get("status", {}).get("conditions", []):
        if c["type"] == "PodScheduled":
            return c
    return None


@pytest.fixture
def cluster(raw, scheduler, request):
    ns = "s-" + request.node.name.replace("test_", "").replace("_", "-")[:50].rstrip("-")
    assert raw.post("/api/v1/namespaces", {"metadata": {"name": ns}}).status == 201
    c = Cluster(raw, ns)
    yield c
    for p in raw.get(f"/api/v1/namespaces/{ns}/pods").json()["items"]:
        raw.delete(f"/api/v1/namespaces/{ns}/pods/{p['metadata']['name']}", gracePeriodSeconds=0)
    for n in c.nodes:
        raw.delete(f"/api/v1/nodes/{n}")


def test_pods_spread_over_free_nodes_and_say_so(cluster):
    for i in range(3):
        cluster.node(f"a{i}")
    names = [cluster.pod(f"p{i}", cpu="500m") for i in range(9)]
    nodes = [cluster.placed(n) for n in names]
    assert sorted(nodes.count(f"a{i}") for i in range(3)) == [3, 3, 3]
    e = cluster.until_event("p0", "Scheduled")
    assert e["message"] == f"Successfully assigned {cluster.ns}/p0 to {nodes[0]}"
    assert e["type"] == "Normal" and e["source"]["component"] == "default-scheduler"
    assert e["reportingComponent"] == "default-scheduler"
    p = cluster.until("p0", lambda p: (scheduled(p) or {}).get("status") == "True")
    assert scheduled(p)["status"] == "True"


def test_no_node_then_one_that_is_too_small_then_one_that_fits(cluster):
    cluster.pod("p", cpu="3")
    c = cluster.waiting("p")
    assert c["reason"] == "Unschedulable" and c["message"] == "no nodes available to schedule pods"
    cluster.node("small", cpu="1")
    c = cluster.waiting("p", "0/1")
    assert c["message"] == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: "
        "0/1 nodes are available: 1 Preemption is not helpful for scheduling.")
    assert cluster.until_event("p", "FailedScheduling")["type"] == "Warning"
    cluster.node("large", cpu="4")
    assert cluster.placed("p") == "large"


def test_a_node_that_grows_is_tried_again(cluster):
    cluster.node("n", cpu="1")
    cluster.pod("p", cpu="3")
    cluster.waiting("p", "Insufficient cpu")
    cluster.made(cluster.raw.patch("/api/v1/nodes/n/status", {"status": {"allocatable": {"cpu": "4"}}}))
    assert cluster.placed("p") == "n"


def test_a_pod_that_goes_makes_room(cluster):
    cluster.node("n", cpu="1", pods="1")
    cluster.pod("first")
    assert cluster.placed("first") == "n"
    cluster.pod("second")
    assert "1 Too many pods" in cluster.waiting("second")["message"]
    cluster.delete("first")
    assert cluster.placed("second") == "n"


def test_taints_and_what_tolerates_them(cluster):
    cluster.node("t", taints=[{"key": "dedicated", "value": "db", "effect": "NoSchedule"}])
    cluster.node("off", unschedulable=True)
    cluster.pod("plain")
    m = cluster.waiting("plain")["message"]
    assert "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable." in m
    cluster.pod("db", tolerations=[{"key": "dedicated", "operator": "Equal", "value": "db"}])
    assert cluster.placed("db") == "t"
    cluster.made(cluster.raw.patch("/api/v1/nodes/off", {"spec": {"unschedulable": None}}))
    assert cluster.placed("plain") == "off"


def test_soft_taints_repel_when_there_is_another_way(cluster):
    cluster.node("soft", taints=[{"key": "k", "effect": "PreferNoSchedule"}])
    cluster.node("other")
    names = [cluster.pod(f"p{i}") for i in range(4)]
    assert {cluster.placed(n) for n in names} == {"other"}


def test_node_selectors_and_affinity(cluster):
    cluster.node("ssd", disk="ssd", size="3")
    cluster.node("hdd", disk="hdd", size="10")
    cluster.pod("sel", nodeSelector={"disk": "ssd"})
    assert cluster.placed("sel") == "ssd"

    def required(*terms):
        return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                                 {"nodeSelectorTerms": list(terms)}}}
    cluster.pod("gt", affinity=required({"matchExpressions": [
        {"key": "size", "operator": "Gt", "values": ["5"]}]}))
    assert cluster.placed("gt") == "hdd"
    cluster.pod("field", affinity=required({"matchFields": [
        {"key": "metadata.name", "operator": "In", "values": ["ssd"]}]}))
    assert cluster.placed("field") == "ssd"
    cluster.pod("pref", affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 100, "preference": {"matchExpressions": [
            {"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}}]}})
    assert cluster.placed("pref") == "hdd"
    cluster.pod("none", nodeSelector={"disk": "tape"})
    assert "2 node(s) didn't match Pod's node affinity/selector." in cluster.waiting("none")["message"]
    cluster.made(cluster.raw.patch("/api/v1/nodes/hdd", {"metadata": {"labels": {"disk": "tape"}}}))
    assert cluster.placed("none") == "hdd"


def test_host_ports_by_address(cluster):
    cluster.node("n")

    def port(ip=None, protocol="TCP"):
        return [{"containerPort": 80, "hostPort": 8080, "protocol": protocol, **({"hostIP": ip} if ip else {})}]
    assert cluster.placed(cluster.pod("one", ports=port("127.0.0.1"))) == "n"
    assert cluster.placed(cluster.pod("two", ports=port("127.0.0.2"))) == "n"
    assert cluster.placed(cluster.pod("udp", ports=port("127.0.0.1", "UDP"))) == "n"
    m = cluster.waiting(cluster.pod("all", ports=port()))["message"]
    assert "1 node(s) didn't have free ports for the requested pod ports." in m
    cluster.delete("one")
    cluster.delete("two")
    assert cluster.placed("all") == "n"


def test_extended_resources(cluster):
    cluster.node("gpu", more={"example.com/gpu": "1"})
    cluster.node("plain")

    def with_gpu(name):
        return cluster.pod(name, containers=[{"name": "c", "image": "i", "resources": {
            "limits": {"example.com/gpu": "1"}, "requests": {"example.com/gpu": "1"}}}])
    assert cluster.placed(with_gpu("one")) == "gpu"
    assert "2 Insufficient example.com/gpu" in cluster.waiting(with_gpu("two"))["message"]
    cluster.pod("odd", containers=[{"name": "c", "image": "i", "resources": {
        "limits": {"example.com/odd": "1"}, "requests": {"example.com/odd": "1"}}}])
    assert "2 Insufficient example.com/odd" in cluster.waiting("odd")["message"]


def test_gates_hold_a_pod_until_they_are_gone(cluster):
    cluster.node("n")
    cluster.pod("p", schedulingGates=[{"name": "example.com/wait"}])
    c = cluster.waiting("p")
    assert c["reason"] == "SchedulingGated"
    cluster.made(cluster.raw.patch(f"/api/v1/namespaces/{cluster.ns}/pods/p",
                                   {"spec": {"schedulingGates": None}}))
    assert cluster.placed("p") == "n"


def test_other_schedulers_pods_are_left_alone(cluster):
    cluster.node("n")
    cluster.pod("theirs", schedulerName="other")
    assert cluster.placed(cluster.pod("ours")) == "n"
    assert "nodeName" not in cluster.get("theirs")["spec"]


def test_anti_affinity_one_per_host(cluster):
    for i in range(2):
        cluster.node(f"h{i}")
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}]}}
    names = [cluster.pod(f"w{i}", labels={"app": "web"}, affinity=apart) for i in range(2)]
    assert {cluster.placed(n) for n in names} == {"h0", "h1"}
    cluster.pod("w2", labels={"app": "web"}, affinity=apart)
    assert "2 node(s) didn't match pod anti-affinity rules." in cluster.waiting("w2")["message"]
    # Those that run repel who has no terms of its own, too.
    cluster.pod("bare", labels={"app": "web"})
    assert "2 node(s) didn't satisfy existing pods anti-affinity rules." in cluster.waiting("bare")["message"]
    cluster.delete("w0")
    cluster.delete("bare")
    assert cluster.placed("w2")


def test_affinity_to_pods_in_a_zone(cluster):
    for z in "ab":
        for i in range(2):
            cluster.node(f"{z}{i}", topology_kubernetes_io__zone=z)
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "topology.kubernetes.io/zone"}]}}
    cluster.pod("client", affinity=near)
    assert "4 node(s) didn't match pod affinity rules." in cluster.waiting("client")["message"]
    zone = cluster.placed(cluster.pod("db", labels={"app": "db"}))[0]
    assert cluster.placed("client")[0] == zone
    # The first of a group that wants to be together may go anywhere.
    own = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "ring"}}, "topologyKey": "topology.kubernetes.io/zone"}]}}
    zones = {cluster.placed(cluster.pod(f"r{i}", labels={"app": "ring"}, affinity=own))[0] for i in range(3)}
    assert len(zones) == 1


def test_affinity_across_namespaces_by_their_labels(cluster):
    cluster.node("x0")
    cluster.node("x1")
    other = cluster.ns[:40] + "-other"
    assert cluster.raw.post("/api/v1/namespaces", {"metadata": {"name": other}}).status == 201
    there = Cluster(cluster.raw, other)
    node = there.placed(there.pod("db", labels={"app": "db"}))
    cluster.pod("near", affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname",
         "namespaceSelector": {"matchLabels": {"team": "blue"}}}]}})
    cluster.waiting("near")
    cluster.made(cluster.raw.patch(f"/api/v1/namespaces/{other}", {"metadata": {"labels": {"team": "blue"}}}))
    assert cluster.placed("near") == node
    there.delete("db")


def test_topology_spread(cluster):
    for z in "ab":
        cluster.node(f"z{z}", topology_kubernetes_io__zone=z)
    cluster.node("nowhere")
    spread = [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
               "labelSelector": {"matchLabels": {"app": "s"}}}]
    nodes = [cluster.placed(cluster.pod(f"s{i}", labels={"app": "s"}, topologySpreadConstraints=spread))
             for i in range(4)]
    assert sorted(nodes) == ["za", "za", "zb", "zb"]
    cluster.made(cluster.raw.patch("/api/v1/nodes/za", {"spec": {"unschedulable": True}}))
    cluster.placed(cluster.pod("s4", labels={"app": "s"}, topologySpreadConstraints=spread))
    m = cluster.waiting(cluster.pod("s5", labels={"app": "s"}, topologySpreadConstraints=spread))["message"]
    assert "1 node(s) didn't match pod topology spread constraints (missing required label)" in m
    assert "1 node(s) didn't match pod topology spread constraints," in m
    assert "1 node(s) were unschedulable" in m


def test_images_draw_pods(cluster):
    cluster.node("cold")
    cluster.node("warm", images=[{"names": ["example/big:latest"], "sizeBytes": 1800 << 20}])
    assert cluster.placed(cluster.pod("p", image="example/big")) == "warm"


def priority_class(raw, name, value, policy="PreemptLowerPriority"):
    raw.post("/apis/scheduling.k8s.io/v1/priorityclasses", {
        "metadata": {"name": name}, "value": value, "preemptionPolicy": policy})


def test_preemption_takes_the_least_important(cluster):
    for name, value in (("low", 10), ("mid", 100), ("high", 1000)):
        priority_class(cluster.raw, name, value)
    priority_class(cluster.raw, "polite", 2000, "Never")
    cluster.node("n0", cpu="2")
    cluster.node("n1", cpu="2")
    cluster.placed(cluster.pod("m0", cpu="1500m", priorityClassName="mid"))
    low = cluster.placed(cluster.pod("l0", cpu="1500m", priorityClassName="low"))
    m = cluster.waiting(cluster.pod("never", cpu="1500m", priorityClassName="polite"))["message"]
    assert m.endswith("preemption: not eligible due to preemptionPolicy=Never.")
    cluster.delete("never")
    uid = cluster.made(cluster.raw.get(f"/api/v1/namespaces/{cluster.ns}/pods/l0"))["metadata"]["uid"]
    with cluster.raw.watch(f"/api/v1/namespaces/{cluster.ns}/pods", fieldSelector="metadata.name=l0") as w:
        cluster.pod("h", cpu="1500m", priorityClassName="high")
        events = w.until(lambda e: e["type"] == "DELETED", TIMEOUT)
    marks = [c for c in events[-1]["object"]["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert marks and marks[0]["reason"] == "PreemptionByScheduler" and marks[0]["status"] == "True"
    assert marks[0]["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
    assert events[-1]["object"]["metadata"]["uid"] == uid
    assert cluster.placed("h") == low
    e = cluster.until_event("l0", "Preempted")
    assert e["message"] == f"Preempted by pod {cluster.get('h')['metadata']['uid']} on node {low}"
    assert "nodeName" in cluster.get("m0")["spec"]


def test_preemption_waits_for_victims_that_take_their_time(cluster):
    priority_class(cluster.raw, "high", 1000)
    cluster.node("n", cpu="2")
    cluster.pod("slow", cpu="1500m", terminationGracePeriodSeconds=60)
    assert cluster.placed("slow") == "n"
    cluster.pod("h", cpu="1500m", priorityClassName="high")
    p = cluster.until("h", lambda p: p and p["status"].get("nominatedNodeName"))
    assert p["status"]["nominatedNodeName"] == "n"
    cluster.until("slow", lambda p: p and p["metadata"].get("deletionTimestamp"))
    # Less important ones do not slip into the room that was made.
    cluster.pod("thief", cpu="1500m")
    cluster.waiting("thief")
    cluster.delete("slow")
    assert cluster.placed("h") == "n"
    assert "nodeName" not in cluster.get("thief")["spec"]


def test_budgets_are_spared_when_there_is_another_way(cluster):
    priority_class(cluster.raw, "high", 1000)
    cluster.node("b0", cpu="2")
    cluster.node("b1", cpu="2")
    guarded = cluster.placed(cluster.pod("guarded", cpu="1500m", labels={"app": "guarded"}))
    cluster.made(cluster.raw.post(f"/apis/policy/v1/namespaces/{cluster.ns}/poddisruptionbudgets", {
        "metadata": {"name": "b"}, "spec": {"minAvailable": 1,
                                            "selector": {"matchLabels": {"app": "guarded"}}}}))
    free = cluster.placed(cluster.pod("free", cpu="1500m"))
    assert free != guarded
    assert cluster.placed(cluster.pod("h", cpu="1500m", priorityClassName="high")) == free


def test_more_important_pods_go_first(cluster):
    priority_class(cluster.raw, "high", 1000)
    cluster.pod("low", cpu="1500m")
    cluster.pod("urgent", cpu="1500m", priorityClassName="high")
    cluster.waiting("low")
    cluster.waiting("urgent")
    cluster.node("n", cpu="2")
    assert cluster.placed("urgent") == "n"
    # Should its back-off have ended sooner, it came first and was preempted.
    assert "nodeName" not in cluster.get("low").get("spec", {})


def test_claims_must_be_there_and_bound(cluster):
    cluster.node("n")
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    cluster.pod("p", volumes=volumes)
    m = cluster.waiting("p")["message"]
    assert m == ('0/1 nodes are available: persistentvolumeclaim "c" not found. no new claims to deallocate, '
                 "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.")
    cluster.made(cluster.raw.post(f"/api/v1/namespaces/{cluster.ns}/persistentvolumeclaims", {
        "metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"],
                                            "resources": {"requests": {"storage": "1Gi"}}}}))
    assert "pod has unbound immediate PersistentVolumeClaims" in cluster.waiting("p", "unbound")["message"]
    cluster.made(cluster.raw.post("/api/v1/persistentvolumes", {
        "metadata": {"name": "pv"}, "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                                             "hostPath": {"path": "/srv/pv"}}}))
    cluster.made(cluster.raw.patch(f"/api/v1/namespaces/{cluster.ns}/persistentvolumeclaims/c", {
        "metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}, "spec": {"volumeName": "pv"}}))
    assert cluster.placed("p") == "n"


def test_one_of_two_schedulers_leads_and_the_other_takes_over(own_server):
    command = [PINTLE, "scheduler", "--kubeconfig", str(own_server.dir / "scheduler.conf"), "--leader-elect"]
    with own_server.raw() as raw:
        c = Cluster(raw, "default")
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
        with raw.watch(path) as w:
            first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            holder = w.until(lambda e: e["object"]["metadata"]["name"] == "kube-scheduler", TIMEOUT)[-1]
            holder = holder["object"]["spec"]["holderIdentity"]
            second = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            c.node("n")
            assert c.placed(c.pod("one")) == "n"
            first.terminate()
            assert first.wait(10) == 0
            w.until(lambda e: e["object"]["spec"].get("holderIdentity") not in ("", None, holder), TIMEOUT)
        assert c.placed(c.pod("two")) == "n"
        second.terminate()
        assert second.wait(10) == 0

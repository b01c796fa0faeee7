"""DaemonSets and StatefulSets: real controllers and scheduler, played kubelets (workloads.py)."""

import json

import pytest

from harness import table
from workloads import Kubelets, Process, Volumes, World, is_ready

HASH = "controller-revision-hash"
GENERATION = "pod-template-generation"


@pytest.fixture(scope="module")
def manager(server, workdir):
    p = Process(server, "controller-manager", "--node-monitor-grace-period", "1h")
    yield p
    p.stop()


@pytest.fixture(scope="module")
def processes(server, manager):
    scheduler, players = Process(server, "scheduler"), [Kubelets(server), Volumes(server)]
    yield
    for p in players:
        p.end()
    scheduler.stop()


@pytest.fixture
def world(raw, processes, request):
    name = raw.post("/api/v1/namespaces", {"metadata": {"generateName": "sets-"}}).json()["metadata"]["name"]
    w = World(raw, name)
    w.until(None, lambda s: "default" in s, path=f"/api/v1/namespaces/{name}/serviceaccounts")
    yield w
    w.end()


def template(image="example/app:1", labels=None, **spec):
    return {"metadata": {"labels": labels or {"app": "d"}},
            "spec": {"containers": [{"name": "c", "image": image}], **spec}}


def daemon_set(name="d", pod=None, **spec):
    return {"metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": "d"}}, "template": pod or template(), **spec}}


def image(tag):
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": tag}]}}}}


def on_nodes(pods):
    return sorted(p["spec"].get("nodeName", "") for p in pods.values())


def all_have(pods, tag):
    return all(p["spec"]["containers"][0]["image"] == tag for p in pods.values())


def n_alive(pods):
    return sum("deletionTimestamp" not in p["metadata"] for p in pods.values())


def n_ready(pods):
    return sum(is_ready(p) and "deletionTimestamp" not in p["metadata"] for p in pods.values())


def all_run(n):
    def holds(s):
        return (s.get("desiredNumberScheduled"), s.get("currentNumberScheduled"), s.get("numberReady"),
                s.get("numberAvailable", 0), s.get("updatedNumberScheduled", 0)) == (n, n, n, n, n)
    return holds


# --- DaemonSets ---

def test_a_pod_on_each_node(world):
    for i in range(3):
        world.node(f"n{i}")
    made = world.create("daemonsets", daemon_set())
    done = world.status_of("daemonsets", "d", all_run(3))
    assert done["status"]["numberMisscheduled"] == 0 and "collisionCount" not in done["status"]
    pods = world.list("pods")
    assert on_nodes(pods) == ["n0", "n1", "n2"]
    revision, = world.list("controllerrevisions").values()
    for pod in pods.values():
        owner, = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == \
            ("DaemonSet", made["metadata"]["uid"], True, True)
        assert pod["metadata"]["labels"] == {"app": "d", HASH: revision["metadata"]["labels"][HASH], GENERATION: "1"}
        terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert terms == {"nodeSelectorTerms": [{"matchFields": [
            {"key": "metadata.name", "operator": "In", "values": [pod["spec"]["nodeName"]]}]}]}
        assert [(t["key"], t["operator"], t["effect"]) for t in pod["spec"]["tolerations"]] == [
            ("node.kubernetes.io/" + k, "Exists", e) for k, e in (
                ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"),
                ("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule"), ("unschedulable", "NoSchedule"))]
    assert revision["revision"] == 1 and revision["metadata"]["name"] == "d-" + revision["metadata"]["labels"][HASH]
    assert revision["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert list(revision["data"]) == ["spec"] and revision["data"]["spec"]["template"]["$patch"] == "replace"
    assert revision["data"]["spec"]["template"]["metadata"]["labels"] == {"app": "d"}
    world.event("d", "SuccessfulCreate", "Created pod: d-")
    # A node that comes, a Pod that is lost, a node that goes.
    world.node("n3")
    world.status_of("daemonsets", "d", all_run(4))
    victim = sorted(world.list("pods"))[0]
    world.delete("pods", victim)
    world.until("pods", lambda s: victim not in s and on_nodes(s) == ["n0", "n1", "n2", "n3"])
    world.status_of("daemonsets", "d", all_run(4))
    world.made(world.raw.delete("/api/v1/nodes/n0"))
    world.status_of("daemonsets", "d", all_run(3))


def test_labels_and_taints_decide(world):
    world.node("yes", kind="a")
    world.node("no", kind="b")
    world.node("tainted", taints=[{"key": "mine", "value": "x", "effect": "NoSchedule"}], kind="a")
    world.node("cordoned", kind="a")
    world.patch_node("cordoned", {"spec": {"unschedulable": True}})
    world.create("daemonsets", daemon_set(pod=template(nodeSelector={"kind": "a"})))
    world.status_of("daemonsets", "d", all_run(2))
    assert on_nodes(world.list("pods")) == ["cordoned", "yes"]
    world.patch_node("no", {"metadata": {"labels": {"kind": "a"}}})
    world.patch_node("yes", {"metadata": {"labels": {"kind": "b"}}})
    world.until("pods", lambda s: on_nodes(s) == ["cordoned", "no"])
    world.status_of("daemonsets", "d", all_run(2))
    # What is there stays under NoSchedule, counted as misplaced; NoExecute ends it.
    world.patch_node("no", {"spec": {"taints": [{"key": "new", "effect": "NoSchedule"}]}})
    world.status_of("daemonsets", "d", lambda s: s["numberMisscheduled"] == 1 and s["desiredNumberScheduled"] == 1)
    assert on_nodes(world.list("pods")) == ["cordoned", "no"]
    world.patch_node("no", {"spec": {"taints": [{"key": "new", "effect": "NoExecute"}]}})
    world.until("pods", lambda s: on_nodes(s) == ["cordoned"])
    # Tolerated: the template's own tolerations count, too.
    world.patch("daemonsets", "d", {"spec": {"template": {"spec": {"tolerations": [{"operator": "Exists"}]}}}})
    world.until("pods", lambda s: on_nodes(s) == ["cordoned", "no", "tainted"] and all(map(is_ready, s.values())))
    world.status_of("daemonsets", "d", all_run(3))


def test_a_rolling_update_of_daemons_and_back(world, kubectl):
    for i in range(4):
        world.node(f"n{i}")
    world.create("daemonsets", daemon_set(updateStrategy={"rollingUpdate": {"maxUnavailable": 2}}))
    world.status_of("daemonsets", "d", all_run(4))
    recorded = world.record("pods")
    world.patch("daemonsets", "d", image("example/app:2"))
    world.until("pods", lambda s: len(s) == 4 and all_have(s, "example/app:2") and n_ready(s) == 4)
    assert min(n_ready(s) for s in world.replay("pods", recorded)) == 2
    revisions = {r["revision"]: r["metadata"]["name"] for r in world.list("controllerrevisions").values()}
    assert sorted(revisions) == [1, 2]
    k = ("-n", world.ns)
    assert "REVISION" in kubectl(*k, "rollout", "history", "ds/d")
    assert "example/app:1" in kubectl(*k, "rollout", "history", "ds/d", "--revision=1")
    kubectl(*k, "rollout", "undo", "ds/d")
    kubectl(*k, "rollout", "status", "ds/d", "--timeout=60s")
    pods = world.until("pods", lambda s: len(s) == 4 and all_have(s, "example/app:1"))
    after = {r["metadata"]["name"]: r["revision"] for r in world.list("controllerrevisions").values()}
    assert after == {revisions[1]: 3, revisions[2]: 2}
    assert {"d-" + p["metadata"]["labels"][HASH] for p in pods.values()} == {revisions[1]}
    kubectl(*k, "rollout", "restart", "ds/d")
    kubectl(*k, "rollout", "status", "ds/d", "--timeout=60s")
    assert len(world.list("controllerrevisions")) == 3
    # The history's limit.
    world.patch("daemonsets", "d", {"spec": {"revisionHistoryLimit": 1}})
    world.until("controllerrevisions", lambda s: len(s) == 2)
    assert table(kubectl(*k, "get", "ds", "--no-headers"))[0][:-1] == ["d", "4", "4", "4", "4", "4", "<none>"]
    assert "Desired Number of Nodes Scheduled: 4" in kubectl(*k, "describe", "ds", "d")


def test_a_surge_has_two_on_a_node(world):
    world.node("n0")
    world.node("n1")
    world.create("daemonsets", daemon_set(
        updateStrategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}, minReadySeconds=1))
    world.status_of("daemonsets", "d", all_run(2))
    recorded = world.record("pods")
    world.patch("daemonsets", "d", image("example/app:2"))
    world.until("pods", lambda s: len(s) == 2 and all_have(s, "example/app:2"))
    world.status_of("daemonsets", "d", all_run(2))
    states = list(world.replay("pods", recorded))
    assert min(map(n_ready, states)) == 2 and max(map(n_alive, states)) == 3


def test_on_delete_waits(world):
    world.node("n0")
    world.create("daemonsets", daemon_set(updateStrategy={"type": "OnDelete"}))
    world.status_of("daemonsets", "d", all_run(1))
    old, = world.list("pods")
    world.patch("daemonsets", "d", image("example/app:2"))
    world.status_of("daemonsets", "d", lambda s: s.get("updatedNumberScheduled", 0) == 0)
    assert list(world.list("pods")) == [old]
    world.delete("pods", old)
    pods = world.until("pods", lambda s: len(s) == 1 and old not in s)
    assert next(iter(pods.values()))["spec"]["containers"][0]["image"] == "example/app:2"
    world.status_of("daemonsets", "d", all_run(1))


def test_failed_daemons_are_replaced_ever_more_slowly(world):
    world.node("n0")
    world.create("daemonsets", daemon_set(pod=template("example/fail")))
    world.event("d", "FailedDaemonPod", "on node n0, will try to kill it")
    seen = set()
    world.until("pods", lambda s: seen.update(s) or len(seen) >= 3)
    # All is well when the template is.
    world.patch("daemonsets", "d", image("example/app:1"))
    world.status_of("daemonsets", "d", all_run(1))
    pod, = world.list("pods").values()
    world.patch("pods", pod["metadata"]["name"], {"status": {"phase": "Succeeded"}}, sub="status")
    world.until("pods", lambda s: len(s) == 1 and pod["metadata"]["name"] not in s)
    world.event("d", "SucceededDaemonPod")


def test_daemons_are_adopted_and_let_go(world):
    world.node("n0")
    world.create("daemonsets", daemon_set())
    world.status_of("daemonsets", "d", all_run(1))
    pod, = world.list("pods").values()
    revision, = world.list("controllerrevisions").values()
    world.delete("daemonsets", "d", propagationPolicy="Orphan")
    world.until("daemonsets", lambda s: not s)
    assert "ownerReferences" not in world.get("pods", pod["metadata"]["name"])["metadata"]
    assert "ownerReferences" not in world.get("controllerrevisions", revision["metadata"]["name"])["metadata"]
    uid = world.create("daemonsets", daemon_set())["metadata"]["uid"]
    world.status_of("daemonsets", "d", all_run(1))
    for kind, o in (("pods", pod), ("controllerrevisions", revision)):
        kept, = world.until(kind, lambda s: len(s) == 1 and next(iter(s.values()))["metadata"].get("ownerReferences")).values()
        assert kept["metadata"]["uid"] == o["metadata"]["uid"] and kept["metadata"]["ownerReferences"][0]["uid"] == uid
    world.patch("pods", pod["metadata"]["name"], {"metadata": {"labels": {"app": "other"}}})
    world.until("pods", lambda s: len(s) == 2 and "ownerReferences" not in s[pod["metadata"]["name"]]["metadata"])
    world.delete("daemonsets", "d", propagationPolicy="Foreground")
    world.until("daemonsets", lambda s: not s)
    assert list(world.list("pods")) == [pod["metadata"]["name"]] and not world.list("controllerrevisions")


def test_a_revision_made_by_hand_takes_the_others_place(world):
    world.node("n0")
    world.create("daemonsets", daemon_set())
    world.status_of("daemonsets", "d", all_run(1))
    (pod,), (first,) = world.list("pods").values(), world.list("controllerrevisions").values()
    meta = {k: first["metadata"][k] for k in ("labels", "ownerReferences")}
    world.create("controllerrevisions", {"metadata": {**meta, "name": "twin", "labels": {**meta["labels"], HASH: "twin"}},
                                         "revision": 2, "data": first["data"]})
    world.delete("controllerrevisions", first["metadata"]["name"])
    world.patch("daemonsets", "d", {"spec": {"minReadySeconds": 1}})
    world.status_of("daemonsets", "d", all_run(1))
    assert list(world.list("controllerrevisions")) == ["twin"]
    assert [p["metadata"]["uid"] for p in world.list("pods").values()] == [pod["metadata"]["uid"]]


def test_a_name_that_is_taken_is_no_obstacle(world):
    """A revision of the same hash and another template."""
    world.node("n0")
    world.create("daemonsets", daemon_set())
    world.status_of("daemonsets", "d", all_run(1))
    old, = world.list("controllerrevisions").values()
    world.delete("daemonsets", "d", propagationPolicy="Background")
    world.until("controllerrevisions", lambda s: not s)
    world.until("pods", lambda s: not s)
    world.create("controllerrevisions", {"metadata": {"name": old["metadata"]["name"]}, "revision": 7, "data": {"a": 1}})
    world.create("daemonsets", daemon_set())
    done = world.status_of("daemonsets", "d", all_run(1))
    assert done["status"]["collisionCount"] == 1
    assert sorted(r["revision"] for r in world.list("controllerrevisions").values()) == [1, 7]


def test_a_killed_manager_goes_on_with_daemons(world, manager):
    for i in range(6):
        world.node(f"n{i}")
    world.create("daemonsets", daemon_set())
    world.status_of("daemonsets", "d", all_run(6))
    world.patch("daemonsets", "d", image("example/app:2"))
    for wanted in (1, 3):
        world.until("pods", lambda s: sum(p["spec"]["containers"][0]["image"] == "example/app:2" for p in s.values()) >= wanted)
        manager.kill()
        manager.start()
    world.status_of("daemonsets", "d", all_run(6))
    assert len(world.list("pods")) == 6 and len(world.list("controllerrevisions")) == 2


# --- StatefulSets ---

def claim(name="data", **meta):
    return {"metadata": {"name": name, **meta}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}


def stateful_set(name="web", replicas=3, tag="example/app:1", **spec):
    return {"metadata": {"name": name}, "spec": {
        "serviceName": "svc", "replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": template(tag, {"app": name}), **spec}}


def all_up(n):
    def holds(s):
        return (s["replicas"], s.get("readyReplicas", 0), s.get("availableReplicas", 0), s.get("currentReplicas", 0),
                s.get("updatedReplicas", 0)) == (n, n, n, n, n) and s["currentRevision"] == s["updateRevision"]
    return holds


def names(n, start=0):
    return [f"web-{i}" for i in range(start, start + n)]


def scale(world, n):
    world.patch("statefulsets", "web", {"spec": {"replicas": n}}, sub="scale")


def tags(pods):
    return [pods[name]["spec"]["containers"][0]["image"][-1] for name in sorted(pods)]


def make_ready(world, *which, ready=True):
    for name in which:
        world.patch("pods", name, {"status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-01-01T00:00:00Z"}]}},
            sub="status", how="strategic-merge-patch")


def test_pods_come_in_order_with_names_and_claims(world):
    world.node("n0")
    made = world.create("statefulsets", stateful_set(
        volumeClaimTemplates=[claim(labels={"tier": "x"}), claim("logs")],
        template={**template("example/app:1", {"app": "web"}, volumes=[
            {"name": "data", "emptyDir": {}}, {"name": "own", "emptyDir": {}}])}))
    recorded = world.record("pods")
    done = world.status_of("statefulsets", "web", all_up(3))
    assert done["status"]["collisionCount"] == 0
    for state in world.replay("pods", recorded):
        present = sorted(state)
        assert present == names(len(present)) and all(is_ready(state[p]) for p in present[:-1])
    revision, = world.list("controllerrevisions").values()
    pods = world.list("pods")
    for i, name in enumerate(names(3)):
        pod = pods[name]
        assert pod["metadata"]["labels"] == {
            "app": "web", HASH: revision["metadata"]["name"], "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(i)}
        assert pod["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == (name, "svc")
        volumes = {v["name"]: v for v in pod["spec"]["volumes"] if not v["name"].startswith("kube-api-access")}
        assert sorted(volumes) == ["data", "logs", "own"]
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == f"data-{name}"
    claims = world.list("persistentvolumeclaims")
    assert sorted(claims) == sorted(f"{c}-{n}" for c in ("data", "logs") for n in names(3))
    assert claims["data-web-0"]["metadata"]["labels"] == {"app": "web", "tier": "x"}
    assert "ownerReferences" not in claims["data-web-0"]["metadata"]
    assert revision["metadata"]["labels"] == {
        "app": "web", "controller.kubernetes.io/hash": revision["metadata"]["name"].removeprefix("web-")}
    assert revision["data"]["spec"]["template"]["$patch"] == "replace"
    world.event("web", "SuccessfulCreate", "Create Pod web-2 in StatefulSet web successful")
    world.event("web", "SuccessfulCreate", "Create Claim logs-web-1 Pod web-1 in StatefulSet web success")
    # A Pod that is lost comes back with what it had.
    world.delete("pods", "web-1")
    world.until("pods", lambda s: "web-1" in s and s["web-1"]["metadata"]["uid"] != pods["web-1"]["metadata"]["uid"])
    world.status_of("statefulsets", "web", all_up(3))
    uids = {n: c["metadata"]["uid"] for n, c in world.list("persistentvolumeclaims").items()}
    assert uids == {n: c["metadata"]["uid"] for n, c in claims.items()}
    # And down in order, the last first; the claims stay.
    recorded = world.record("pods")
    scale(world, 1)
    world.status_of("statefulsets", "web", all_up(1))
    for state in world.replay("pods", recorded):
        assert sorted(state) == names(len(state))
        assert sum("deletionTimestamp" in p["metadata"] for p in state.values()) <= 1
    world.event("web", "SuccessfulDelete", "Delete Pod web-2 in StatefulSet web successful")
    assert len(world.list("persistentvolumeclaims")) == 6


def test_scaling_waits_for_what_is_not_ready(world):
    world.node("n0")
    world.create("statefulsets", stateful_set(tag="example/unready:1"))
    world.until("pods", lambda s: "web-0" in s and s["web-0"]["status"]["phase"] == "Running")
    scale(world, 4)
    world.status_of("statefulsets", "web", lambda s: s["replicas"] == 1)
    assert list(world.list("pods")) == ["web-0"]
    make_ready(world, "web-0")
    world.until("pods", lambda s: "web-1" in s and s["web-1"]["status"]["phase"] == "Running")
    make_ready(world, "web-1")
    world.until("pods", lambda s: "web-2" in s and s["web-2"]["status"]["phase"] == "Running")
    make_ready(world, "web-0", ready=False)
    make_ready(world, "web-2")
    scale(world, 1)
    done = world.status_of("statefulsets", "web", lambda s: s["replicas"] == 3 and s.get("readyReplicas") == 2)
    assert done["spec"]["replicas"] == 1
    assert sorted(world.list("pods")) == names(3)
    make_ready(world, "web-0")
    world.until("pods", lambda s: list(s) == ["web-0"])


def test_parallel_does_not_wait(world):
    world.node("n0")
    world.create("statefulsets", stateful_set(tag="example/unready:1", podManagementPolicy="Parallel",
                                              ordinals={"start": 5}, volumeClaimTemplates=[claim()]))
    world.status_of("statefulsets", "web", lambda s: s["replicas"] == 3)
    assert sorted(world.list("pods")) == names(3, 5)
    assert sorted(world.list("persistentvolumeclaims")) == [f"data-{n}" for n in names(3, 5)]
    scale(world, 6)
    world.until("pods", lambda s: sorted(s) == sorted(names(6, 5)))
    # Numbers that begin elsewhere: the lower ones go.
    world.patch("statefulsets", "web", {"spec": {"ordinals": {"start": 8}, "replicas": 2}})
    world.until("pods", lambda s: sorted(s) == names(2, 8))


def test_a_rolling_update_of_a_set_and_back(world, kubectl):
    world.node("n0")
    k = ("-n", world.ns)
    world.create("statefulsets", stateful_set())
    first = world.status_of("statefulsets", "web", all_up(3))["status"]["currentRevision"]
    recorded = world.record("pods")
    world.patch("statefulsets", "web", image("example/app:2"))
    second = world.status_of("statefulsets", "web", lambda s: s["updateRevision"] != first)["status"]
    assert second["currentRevision"] == first
    done = world.status_of("statefulsets", "web", lambda s: all_up(3)(s) and s["currentRevision"] != first)
    assert done["status"]["currentRevision"] == second["updateRevision"]
    assert {n_ready(s) for s in world.replay("pods", recorded)} == {2, 3}
    assert tags(world.list("pods")) == ["2", "2", "2"]
    assert "example/app:1" in kubectl(*k, "rollout", "history", "sts/web", "--revision=1")
    kubectl(*k, "rollout", "undo", "sts/web", "--to-revision=1")
    kubectl(*k, "rollout", "status", "sts/web", "--timeout=60s")
    assert world.get("statefulsets", "web")["status"]["currentRevision"] == first
    revisions = {r["metadata"]["name"]: r["revision"] for r in world.list("controllerrevisions").values()}
    assert revisions == {first: 3, second["updateRevision"]: 2}
    assert tags(world.list("pods")) == ["1", "1", "1"]
    kubectl(*k, "rollout", "restart", "sts/web")
    kubectl(*k, "rollout", "status", "sts/web", "--timeout=60s")
    kubectl(*k, "scale", "sts/web", "--replicas=2")
    world.until("pods", lambda s: sorted(s) == names(2))
    world.patch("statefulsets", "web", {"spec": {"revisionHistoryLimit": 0}})
    world.until("controllerrevisions", lambda s: len(s) == 1)
    assert table(kubectl(*k, "get", "sts", "--no-headers"))[0][:-1] == ["web", "2/2"]
    described = kubectl(*k, "describe", "sts", "web")
    assert "2 desired | 2 total" in described and "Delete Pod web-2 in StatefulSet web successful" in described


def test_a_partition_holds_back(world):
    world.node("n0")
    world.create("statefulsets", stateful_set(updateStrategy={"rollingUpdate": {"partition": 2, "maxUnavailable": 3}}))
    # A gate that is off.
    assert world.get("statefulsets", "web")["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 2}
    first = world.status_of("statefulsets", "web", all_up(3))["status"]["currentRevision"]
    world.patch("statefulsets", "web", image("example/app:2"))
    world.status_of("statefulsets", "web", lambda s: s.get("updatedReplicas") == 1 and s.get("readyReplicas") == 3)
    assert tags(world.list("pods")) == ["1", "1", "2"]
    # Those below it come back as they were, those above as they are to be.
    uids = {n: p["metadata"]["uid"] for n, p in world.list("pods").items()}
    for name in ("web-0", "web-2"):
        world.delete("pods", name)
        world.until("pods", lambda s: name in s and s[name]["metadata"]["uid"] != uids[name] and is_ready(s[name]))
    status = world.status_of("statefulsets", "web", lambda s: s.get("readyReplicas") == 3)["status"]
    assert tags(world.list("pods")) == ["1", "1", "2"]
    assert (status["currentRevision"], status["currentReplicas"], status["updatedReplicas"]) == (first, 2, 1)
    world.patch("statefulsets", "web", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    world.status_of("statefulsets", "web", all_up(3))
    assert tags(world.list("pods")) == ["2", "2", "2"]


def test_on_delete_of_a_set_waits(world):
    world.node("n0")
    world.create("statefulsets", stateful_set(updateStrategy={"type": "OnDelete"}))
    first = world.status_of("statefulsets", "web", all_up(3))["status"]["currentRevision"]
    world.patch("statefulsets", "web", image("example/app:2"))
    world.status_of("statefulsets", "web", lambda s: s["updateRevision"] != first and not s.get("updatedReplicas"))
    world.delete("pods", "web-1")
    world.status_of("statefulsets", "web", lambda s: s.get("updatedReplicas") == 1 and s["readyReplicas"] == 3)
    assert tags(world.list("pods")) == ["1", "2", "1"]


def test_broken_pods_of_a_set_are_replaced(world):
    world.node("n0")
    world.create("statefulsets", stateful_set(replicas=2))
    world.status_of("statefulsets", "web", all_up(2))
    for phase in ("Failed", "Succeeded"):
        uid = world.get("pods", "web-0")["metadata"]["uid"]
        world.patch("pods", "web-0", {"status": {"phase": phase}}, sub="status")
        world.until("pods", lambda s: "web-0" in s and s["web-0"]["metadata"]["uid"] != uid and is_ready(s["web-0"]))
    world.status_of("statefulsets", "web", all_up(2))
    # Names are not made twice: what leaves slowly is waited for.
    world.patch("pods", "web-1", {"metadata": {"annotations": {"slow": "yes"}}})
    world.delete("pods", "web-1")
    world.status_of("statefulsets", "web", lambda s: s.get("updatedReplicas") == 1)
    world.patch("pods", "web-1", {"metadata": {"annotations": {"slow": None}}})
    world.status_of("statefulsets", "web", all_up(2))


def test_claims_go_with_what_they_are_kept_for(world):
    world.node("n0")
    world.create("statefulsets", stateful_set(volumeClaimTemplates=[claim()], persistentVolumeClaimRetentionPolicy={
        "whenDeleted": "Delete", "whenScaled": "Delete"}))
    world.status_of("statefulsets", "web", all_up(3))
    owners = lambda s: {n: [o["kind"] for o in c["metadata"].get("ownerReferences", [])] for n, c in s.items()}
    world.until("persistentvolumeclaims", lambda s: list(owners(s).values()) == [["StatefulSet"]] * 3)
    for name in ("data-web-2", "data-web-0"):  # nobody takes the finalizer off here
        world.patch("persistentvolumeclaims", name, {"metadata": {"finalizers": None}})
    scale(world, 2)
    world.until("persistentvolumeclaims", lambda s: sorted(s) == ["data-web-0", "data-web-1"])
    world.patch("statefulsets", "web", {"spec": {"persistentVolumeClaimRetentionPolicy": {
        "whenDeleted": "Retain", "whenScaled": "Retain"}}})
    world.until("persistentvolumeclaims", lambda s: list(owners(s).values()) == [[]] * 2)
    world.patch("statefulsets", "web", {"spec": {"persistentVolumeClaimRetentionPolicy": {
        "whenDeleted": "Delete", "whenScaled": "Retain"}}})
    world.until("persistentvolumeclaims", lambda s: list(owners(s).values()) == [["StatefulSet"]] * 2)
    for name in world.list("persistentvolumeclaims"):
        world.patch("persistentvolumeclaims", name, {"metadata": {"finalizers": None}})
    world.delete("statefulsets", "web")
    world.until("persistentvolumeclaims", lambda s: not s)


def test_pods_of_a_set_are_adopted_and_let_go(world):
    world.node("n0")
    world.create("statefulsets", stateful_set(replicas=2))
    world.status_of("statefulsets", "web", all_up(2))
    before = {n: p["metadata"]["uid"] for n, p in world.list("pods").items()}
    world.delete("statefulsets", "web", propagationPolicy="Orphan")
    world.until("pods", lambda s: not any("ownerReferences" in p["metadata"] for p in s.values()))
    # One of the labels that is no member, for its name.
    world.create("pods", {"metadata": {"name": "stray", "labels": {"app": "web"}}, "spec": template()["spec"]})
    world.patch("pods", "web-1", {"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": None}}})
    world.create("statefulsets", stateful_set(replicas=2))
    world.status_of("statefulsets", "web", all_up(2))
    pods = world.until("pods", lambda s: "statefulset.kubernetes.io/pod-name" in s["web-1"]["metadata"]["labels"])
    assert {n: pods[n]["metadata"]["uid"] for n in names(2)} == before
    assert "ownerReferences" not in pods["stray"]["metadata"]
    world.patch("pods", "web-1", {"metadata": {"labels": {"app": "other"}}})
    world.until("pods", lambda s: "ownerReferences" not in s["web-1"]["metadata"])
    world.patch("pods", "web-1", {"metadata": {"labels": {"app": "web"}}})
    world.until("pods", lambda s: "ownerReferences" in s["web-1"]["metadata"])
    assert world.get("pods", "web-1")["metadata"]["uid"] == before["web-1"]
    assert sorted(world.list("pods")) == ["stray", *names(2)]  # a name that is taken is no reason for another


def test_a_killed_manager_goes_on_with_a_set(world, manager):
    world.node("n0")
    world.create("statefulsets", stateful_set(replicas=5, volumeClaimTemplates=[claim()]))
    for n in (1, 3):
        world.until("pods", lambda s: len(s) >= n)
        manager.kill()
        manager.start()
    first = world.status_of("statefulsets", "web", all_up(5))["status"]["currentRevision"]
    recorded = world.record("pods")
    world.patch("statefulsets", "web", image("example/app:2"))
    for n in (1, 3):
        world.until("pods", lambda s: tags(s).count("2") >= n)
        manager.kill()
        manager.start()
    world.status_of("statefulsets", "web", lambda s: all_up(5)(s) and s["currentRevision"] != first)
    assert min(n_ready(s) for s in world.replay("pods", recorded)) == 4
    assert len(world.list("controllerrevisions")) == 2 and len(world.list("persistentvolumeclaims")) == 5


def test_a_huge_set_costs_what_is_there(world):
    """2^31 wanted: one after the other all the same."""
    world.create("statefulsets", stateful_set(replicas=2147483647))
    world.status_of("statefulsets", "web", lambda s: s["replicas"] == 1)
    scale(world, 0)
    world.status_of("statefulsets", "web", lambda s: s["replicas"] == 0)

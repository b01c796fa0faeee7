"""DaemonSets and StatefulSets: real controllers and scheduler, played kubelets (workloads.py)."""

import json

import pytest

from harness import table
from workloads import Kubelets, Process, World, is_ready

HASH = "controller-revision-hash"
GENERATION = "pod-template-generation"


@pytest.fixture(scope="module")
def manager(server, workdir):
    p = Process(server, "controller-manager", "--node-monitor-grace-period", "1h")
    yield p
    p.stop()


@pytest.fixture(scope="module")
def processes(server, manager):
    scheduler, kubelets = Process(server, "scheduler"), Kubelets(server)
    kubelets.start()
    yield
    kubelets.ending = True
    kubelets.join()
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

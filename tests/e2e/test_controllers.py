"""The control loops against a real API server. There is no kubelet here: a thread plays one, which makes
every Pod run, and lets those go that are being deleted."""

import subprocess
import threading
from datetime import datetime, timezone

import pytest
from kubernetes import client, watch

from harness import IS_SANITIZED, PINTLE, SLOWER

TIMEOUT = 15 * SLOWER
GRACE = 2 * SLOWER  # seconds of a node's silence


def await_state(list_fn, holds, *args, **kw):
    """Lists, then watches, until holds({name: object}); returns that."""
    listed = list_fn(*args, **kw)
    state = {o.metadata.name: o for o in listed.items}
    if holds(state):
        return state
    w = watch.Watch()
    for event in w.stream(list_fn, *args, **kw, resource_version=listed.metadata.resource_version,
                          timeout_seconds=TIMEOUT):
        o = event["object"]
        if event["type"] == "DELETED":
            state.pop(o.metadata.name, None)
        else:
            state[o.metadata.name] = o
        if holds(state):
            w.stop()
            return state
    raise AssertionError(f"not within {TIMEOUT} s; there is {sorted(state)}: {state}")


class Kubelet(threading.Thread):
    """Pods of namespaces without "stuck" in their name run at once and are ready, each with an address."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.core = client.CoreV1Api(api)
        self.ending = False
        self.addresses = 0

    def run(self):
        w = watch.Watch()
        while not self.ending:
            for event in w.stream(self.core.list_pod_for_all_namespaces, timeout_seconds=1):
                pod = event["object"]
                if event["type"] != "DELETED" and pod.status.phase == "Pending" and \
                        not pod.metadata.deletion_timestamp and "stuck" not in pod.metadata.namespace:
                    self.start_pod(pod)

    def start_pod(self, pod):
        self.addresses += 1
        ip = f"10.1.{self.addresses // 250}.{self.addresses % 250 + 1}"
        try:
            self.core.patch_namespaced_pod_status(pod.metadata.name, pod.metadata.namespace, {"status": {
                "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                "conditions": [{"type": "Ready", "status": "True",
                                "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
        except client.ApiException as e:
            assert e.status == 404, e  # gone meanwhile


@pytest.fixture(scope="module")
def manager(server, workdir):
    err = open(workdir / "manager.stderr", "w+b")
    p = subprocess.Popen([PINTLE, "controller-manager", "--kubeconfig", str(server.dir / "controller-manager.conf"),
                          "--cluster-cidr", "10.244.0.0/16", "--node-monitor-grace-period", f"{GRACE}s",
                          "--cluster-signing-cert-file", str(server.dir / "pki/ca.crt"),
                          "--service-account-private-key-file", str(server.dir / "pki/sa.key"),
                          "--cluster-signing-key-file", str(server.dir / "pki/ca.key")],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
    yield p
    assert p.poll() is None, err.seek(0) or err.read()
    p.terminate()
    assert p.wait(20) == 0
    err.seek(0)
    said = err.read().decode()
    for word in ("Sanitizer", "runtime error", "cache has not seen", "is forbidden: User"):
        assert word not in said, said[-6000:]


@pytest.fixture(scope="module")
def cluster(api, manager):
    kubelet = Kubelet(api)
    kubelet.start()
    yield api
    kubelet.ending = True
    kubelet.join()


@pytest.fixture
def namespace(cluster, request):
    core = client.CoreV1Api(cluster)
    made = core.create_namespace({"metadata": {"generateName": "ctl-"}})
    name = made.metadata.name
    # A namespace is of use when its service account is there.
    await_state(core.list_namespaced_service_account, lambda s: "default" in s, name)
    yield name
    core.delete_namespace(name)
    await_state(core.list_namespace, lambda s: name not in s)


def deployment(name="web", replicas=3, image="example/web:1", **spec):
    return {"metadata": {"name": name, "labels": {"app": name}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}},
                                  "spec": {"containers": [{"name": "c", "image": image,
                                                           "ports": [{"name": "http", "containerPort": 8080}]}]}},
                     **spec}}


def is_rolled_out(name, replicas):
    def holds(state):
        d = state.get(name)
        s = d and d.status
        return s and s.observed_generation == d.metadata.generation and s.replicas == replicas and \
            s.updated_replicas == replicas and s.available_replicas == replicas
    return holds


def condition(o, kind):
    return next((c for c in o.status.conditions or [] if c.type == kind), None)


# --- namespaces and what is in each ---

def test_every_namespace_has_an_account_and_the_authority(cluster, namespace, server):
    core = client.CoreV1Api(cluster)
    maps = await_state(core.list_namespaced_config_map, lambda s: "kube-root-ca.crt" in s, namespace)
    assert maps["kube-root-ca.crt"].data["ca.crt"] == (server.dir / "pki" / "ca.crt").read_text()
    core.delete_namespaced_service_account("default", namespace)
    await_state(core.list_namespaced_service_account, lambda s: "default" in s, namespace)
    core.patch_namespaced_config_map("kube-root-ca.crt", namespace, {"data": {"ca.crt": "mine", "x": "y"}})
    maps = await_state(core.list_namespaced_config_map,
                       lambda s: "mine" not in s["kube-root-ca.crt"].data.get("ca.crt"), namespace)
    assert list(maps["kube-root-ca.crt"].data) == ["ca.crt"]


def test_a_namespace_is_emptied_and_goes(cluster):
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    core.create_namespace({"metadata": {"name": "leaving"}})
    await_state(core.list_namespaced_service_account, lambda s: "default" in s, "leaving")
    core.create_namespaced_config_map("leaving", {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    apps.create_namespaced_deployment("leaving", deployment())
    await_state(core.list_namespaced_pod, lambda s: len(s) == 3, "leaving")
    core.delete_namespace("leaving")
    left = await_state(core.list_namespace, lambda s: condition(s["leaving"], "NamespaceContentRemaining"))
    assert left["leaving"].status.phase == "Terminating"
    assert condition(left["leaving"], "NamespaceContentRemaining").status == "True"
    with pytest.raises(client.ApiException) as refused:
        core.create_namespaced_config_map("leaving", {"metadata": {"name": "late"}})
    assert refused.value.status == 403 and "being terminated" in refused.value.body
    core.patch_namespaced_config_map("held", "leaving", {"metadata": {"finalizers": None}})
    await_state(core.list_namespace, lambda s: "leaving" not in s)
    assert not core.list_namespaced_pod("leaving").items


def test_pods_leave_a_namespace_first(cluster):
    core = client.CoreV1Api(cluster)
    core.create_namespace({"metadata": {"name": "leaving-2"}})
    await_state(core.list_namespaced_service_account, lambda s: "default" in s, "leaving-2")
    core.create_namespaced_config_map("leaving-2", {"metadata": {"name": "needed"}})
    core.create_namespaced_pod("leaving-2", {
        "metadata": {"name": "slow", "finalizers": ["example.com/hold"]},
        "spec": {"containers": [{"name": "c", "image": "x"}]}})
    core.delete_namespace("leaving-2")
    await_state(core.list_namespace, lambda s: condition(s["leaving-2"], "NamespaceContentRemaining"))
    assert core.read_namespaced_pod("slow", "leaving-2").metadata.deletion_timestamp
    assert not core.read_namespaced_config_map("needed", "leaving-2").metadata.deletion_timestamp
    core.patch_namespaced_pod("slow", "leaving-2", {"metadata": {"finalizers": None}})
    await_state(core.list_namespace, lambda s: "leaving-2" not in s)


# --- ReplicaSets ---

def test_pods_that_are_refused_cost_one_write(cluster, namespace):
    """Each refused Pod has a name of its own, so what the last one met is another text every time."""
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    core.create_namespaced_resource_quota(namespace, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    await_state(core.list_namespaced_resource_quota, lambda s: s["none"].status.hard, namespace)
    body = deployment(replicas=1)
    apps.create_namespaced_replica_set(namespace, {**body, "spec": {
        k: body["spec"][k] for k in ("replicas", "selector", "template")}})
    first = await_state(apps.list_namespaced_replica_set, lambda s: condition(s["web"], "ReplicaFailure"), namespace)["web"]
    assert "exceeded quota: none" in condition(first, "ReplicaFailure").message
    await_state(core.list_namespaced_event, lambda s: sum(
        (e.count or 1) for e in s.values() if e.reason == "FailedCreate") >= 6, namespace)
    again = apps.read_namespaced_replica_set("web", namespace)
    assert again.metadata.resource_version == first.metadata.resource_version, again.status
    core.delete_namespaced_resource_quota("none", namespace)
    await_state(apps.list_namespaced_replica_set,
                lambda s: s["web"].status.replicas == 1 and not condition(s["web"], "ReplicaFailure"), namespace)


@pytest.mark.parametrize("kind", ("ReplicaSet", "ReplicationController"))
def test_a_replica_set_keeps_its_number(cluster, namespace, kind):
    core = client.CoreV1Api(cluster)
    create, list_sets, patch = {
        "ReplicaSet": lambda apps: (apps.create_namespaced_replica_set, apps.list_namespaced_replica_set,
                                    apps.patch_namespaced_replica_set),
        "ReplicationController": lambda _: (core.create_namespaced_replication_controller,
                                            core.list_namespaced_replication_controller,
                                            core.patch_namespaced_replication_controller),
    }[kind](client.AppsV1Api(cluster))
    body = deployment("rs")
    spec = {k: body["spec"][k] for k in ("replicas", "selector", "template")}
    if kind == "ReplicationController":
        spec["selector"] = spec["selector"]["matchLabels"]
    create(namespace, {"metadata": body["metadata"], "spec": spec})
    pods = await_state(core.list_namespaced_pod, lambda s: len(s) == 3, namespace)
    owner = next(iter(pods.values())).metadata.owner_references[0]
    assert (owner.kind, owner.name, owner.controller, owner.block_owner_deletion) == (kind, "rs", True, True)
    victim = sorted(pods)[0]
    core.delete_namespaced_pod(victim, namespace)
    await_state(core.list_namespaced_pod, lambda s: len(s) == 3 and victim not in s, namespace)
    # One that no longer matches is let go and replaced, and taken back when it matches again.
    astray = sorted(core.list_namespaced_pod(namespace).items, key=lambda p: p.metadata.name)[0].metadata.name
    core.patch_namespaced_pod(astray, namespace, {"metadata": {"labels": {"app": "other"}}})
    state = await_state(core.list_namespaced_pod,
                        lambda s: len(s) == 4 and not s[astray].metadata.owner_references, namespace)
    assert state[astray].metadata.labels["app"] == "other"
    core.patch_namespaced_pod(astray, namespace, {"metadata": {"labels": {"app": "rs"}}})
    state = await_state(core.list_namespaced_pod, lambda s: len(s) == 3 and
                        all(p.metadata.owner_references for p in s.values()), namespace)
    sets = await_state(list_sets,
                       lambda s: s["rs"].status.available_replicas == 3 and s["rs"].status.replicas == 3, namespace)
    assert sets["rs"].status.fully_labeled_replicas == 3
    patch("rs", namespace, {"spec": {"replicas": 0}})
    await_state(core.list_namespaced_pod, lambda s: not s, namespace)


def test_the_cheapest_pod_goes_first(cluster, namespace):
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    apps.create_namespaced_deployment(namespace, deployment())
    await_state(apps.list_namespaced_deployment, is_rolled_out("web", 3), namespace)
    names = sorted(p.metadata.name for p in core.list_namespaced_pod(namespace).items)
    for name, cost in zip(names, ("10", "-5", "7")):
        core.patch_namespaced_pod(name, namespace, {
            "metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": cost}}})
    apps.patch_namespaced_deployment("web", namespace, {"spec": {"replicas": 2}})
    state = await_state(core.list_namespaced_pod, lambda s: len(s) == 2, namespace)
    assert sorted(state) == [names[0], names[2]]


# --- Deployments ---

def test_a_rollout_keeps_enough_pods(cluster, namespace):
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    apps.create_namespaced_deployment(namespace, deployment(replicas=4, strategy={
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}))
    await_state(apps.list_namespaced_deployment, is_rolled_out("web", 4), namespace)
    seen = []

    def follow(state):
        seen.append((len([p for p in state.values() if not p.metadata.deletion_timestamp]),
                     len([p for p in state.values() if p.status.phase == "Running"])))
        images = {p.spec.containers[0].image for p in state.values()}
        return len(state) == 4 and images == {"example/web:2"}

    first = core.list_namespaced_pod(namespace)
    assert len(first.items) == 4
    apps.patch_namespaced_deployment("web", namespace, {"spec": {"template": {"spec": {
        "containers": [{"name": "c", "image": "example/web:2"}]}}}})
    await_state(core.list_namespaced_pod, follow, namespace)
    assert max(n for n, _ in seen) <= 5 and min(running for _, running in seen) >= 3, seen
    state = await_state(apps.list_namespaced_deployment, is_rolled_out("web", 4), namespace)
    d = state["web"]
    assert d.metadata.annotations["deployment.kubernetes.io/revision"] == "2"
    assert condition(d, "Available").reason == "MinimumReplicasAvailable"
    assert condition(d, "Progressing").reason == "NewReplicaSetAvailable"


def test_kubectl_rolls_out_and_back(cluster, kubectl):
    core = client.CoreV1Api(cluster)
    name = "roll-" + kubectl.version.replace(".", "-")
    core.create_namespace({"metadata": {"name": name}})
    k = lambda *words: kubectl("-n", name, *words)
    k("create", "deployment", "web", "--image=example/web:1", "--replicas=3")
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=20s")
    k("set", "image", "deployment/web", "web=example/web:2")
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=20s")
    assert [line.split()[0] for line in k("rollout", "history", "deployment/web").splitlines()[2:] if line] == ["1", "2"]
    k("rollout", "undo", "deployment/web")
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=20s")
    images = k("get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}").split()
    assert images == ["example/web:1"] * 3
    assert [line.split()[0] for line in k("rollout", "history", "deployment/web").splitlines()[2:] if line] == ["2", "3"]
    k("rollout", "restart", "deployment/web")
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=20s")
    k("scale", "deployment/web", "--replicas=5")
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=20s")
    k("rollout", "pause", "deployment/web")
    k("set", "image", "deployment/web", "web=example/web:3")
    k("wait", "--for=condition=Progressing=Unknown", "deployment/web", "--timeout=10s")
    assert "example/web:3" not in k("get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}")
    k("rollout", "resume", "deployment/web")
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=20s")
    described = k("describe", "deployment", "web")
    assert "ScalingReplicaSet" in described and "5 desired | 5 updated | 5 total | 5 available" in described
    core.delete_namespace(name)
    await_state(core.list_namespace, lambda s: name not in s)


def test_recreate_waits_until_the_old_pods_are_gone(cluster, namespace):
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    apps.create_namespaced_deployment(namespace, deployment(replicas=2, strategy={"type": "Recreate"}))
    await_state(apps.list_namespaced_deployment, is_rolled_out("web", 2), namespace)
    both = []

    def follow(state):
        images = {p.spec.containers[0].image for p in state.values()}
        both.append(len(images) > 1)
        return len(state) == 2 and images == {"example/web:2"}

    apps.patch_namespaced_deployment("web", namespace, {"spec": {"template": {"spec": {
        "containers": [{"name": "c", "image": "example/web:2"}]}}}})
    await_state(core.list_namespaced_pod, follow, namespace)
    assert not any(both)


def test_history_is_limited(cluster, namespace):
    apps = client.AppsV1Api(cluster)
    apps.create_namespaced_deployment(namespace, deployment(replicas=1, revisionHistoryLimit=2))
    for n in range(2, 6):
        await_state(apps.list_namespaced_deployment, is_rolled_out("web", 1), namespace)
        apps.patch_namespaced_deployment("web", namespace, {"spec": {"template": {"spec": {
            "containers": [{"name": "c", "image": f"example/web:{n}"}]}}}})
    state = await_state(apps.list_namespaced_replica_set, lambda s: len(s) == 3 and
                        any(r.metadata.annotations["deployment.kubernetes.io/revision"] == "5" and
                            r.status.replicas == 1 for r in s.values()), namespace)
    assert sorted(r.metadata.annotations["deployment.kubernetes.io/revision"] for r in state.values()) == ["3", "4", "5"]


def test_a_rollout_that_does_not_progress_says_so(cluster):
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    core.create_namespace({"metadata": {"name": "stuck"}})
    apps.create_namespaced_deployment("stuck", deployment(replicas=1, progressDeadlineSeconds=1))
    state = await_state(apps.list_namespaced_deployment, lambda s: condition(s["web"], "Progressing") and
                        condition(s["web"], "Progressing").status == "False", "stuck")
    assert condition(state["web"], "Progressing").reason == "ProgressDeadlineExceeded"
    assert condition(state["web"], "Available").status == "False"
    core.delete_namespace("stuck")
    await_state(core.list_namespace, lambda s: "stuck" not in s)


# --- who belongs to whom ---

@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_what_is_owned_goes_with_its_owner(cluster, namespace, policy):
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    apps.create_namespaced_deployment(namespace, deployment())
    await_state(apps.list_namespaced_deployment, is_rolled_out("web", 3), namespace)
    apps.delete_namespaced_deployment("web", namespace, propagation_policy=policy)
    await_state(apps.list_namespaced_deployment, lambda s: not s, namespace)
    if policy == "Foreground":
        assert not core.list_namespaced_pod(namespace).items, "the owner went before what it waits for"
    await_state(apps.list_namespaced_replica_set, lambda s: not s, namespace)
    await_state(core.list_namespaced_pod, lambda s: not s, namespace)


def test_more_dependents_than_workers_go(cluster, namespace):
    core = client.CoreV1Api(cluster)
    owner = core.create_namespaced_config_map(namespace, {"metadata": {"name": "owner"}})
    ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    for i in range(60):
        core.create_namespaced_secret(namespace, {"metadata": {"name": f"s{i}", "ownerReferences": [
            {**ref, "blockOwnerDeletion": True}]}})
    core.delete_namespaced_config_map("owner", namespace, propagation_policy="Foreground")
    await_state(core.list_namespaced_secret, lambda s: not s, namespace)
    await_state(core.list_namespaced_config_map, lambda s: "owner" not in s, namespace)


def test_orphans_stay_and_are_adopted(cluster, namespace):
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    apps.create_namespaced_deployment(namespace, deployment())
    await_state(apps.list_namespaced_deployment, is_rolled_out("web", 3), namespace)
    pods = sorted(p.metadata.name for p in core.list_namespaced_pod(namespace).items)
    apps.delete_namespaced_deployment("web", namespace, propagation_policy="Orphan")
    state = await_state(apps.list_namespaced_replica_set,
                        lambda s: all(not r.metadata.owner_references for r in s.values()), namespace)
    assert len(state) == 1
    await_state(apps.list_namespaced_deployment, lambda s: "web" not in s, namespace)
    apps.create_namespaced_deployment(namespace, deployment())
    await_state(apps.list_namespaced_deployment, is_rolled_out("web", 3), namespace)
    sets = apps.list_namespaced_replica_set(namespace).items
    assert [r.metadata.name for r in sets] == list(state) and sets[0].metadata.owner_references[0].name == "web"
    assert sorted(p.metadata.name for p in core.list_namespaced_pod(namespace).items) == pods


def test_only_the_last_owner_takes_it_along(cluster, namespace):
    core = client.CoreV1Api(cluster)
    owners = [core.create_namespaced_config_map(namespace, {"metadata": {"name": n}}) for n in ("one", "two")]
    refs = [{"apiVersion": "v1", "kind": "ConfigMap", "name": o.metadata.name, "uid": o.metadata.uid} for o in owners]
    core.create_namespaced_secret(namespace, {"metadata": {"name": "kept", "ownerReferences": refs}})
    core.delete_namespaced_config_map("one", namespace)
    state = await_state(core.list_namespaced_secret,
                        lambda s: len(s["kept"].metadata.owner_references) == 1, namespace)
    assert state["kept"].metadata.owner_references[0].name == "two"
    core.delete_namespaced_config_map("two", namespace)
    await_state(core.list_namespaced_secret, lambda s: "kept" not in s, namespace)


def test_a_circle_of_owners_goes(cluster, namespace):
    core = client.CoreV1Api(cluster)
    maps = [core.create_namespaced_config_map(namespace, {"metadata": {"name": n}}) for n in ("a", "b", "c")]
    for m, owner in zip(maps, maps[1:] + maps[:1]):
        core.patch_namespaced_config_map(m.metadata.name, namespace, {"metadata": {"ownerReferences": [{
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner.metadata.name, "uid": owner.metadata.uid,
            "controller": True, "blockOwnerDeletion": True}]}})
    core.delete_namespaced_config_map("a", namespace, propagation_policy="Foreground")
    await_state(core.list_namespaced_config_map, lambda s: not s.keys() & {"a", "b", "c"}, namespace)


def test_an_owner_that_is_no_longer_blocked_goes(cluster, namespace):
    core = client.CoreV1Api(cluster)
    owner = core.create_namespaced_config_map(namespace, {"metadata": {"name": "owner"}})
    ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    core.create_namespaced_secret(namespace, {"metadata": {
        "name": "held", "finalizers": ["example.com/hold"], "ownerReferences": [{**ref, "blockOwnerDeletion": True}]}})
    core.delete_namespaced_config_map("owner", namespace, propagation_policy="Foreground")
    await_state(core.list_namespaced_secret, lambda s: s["held"].metadata.deletion_timestamp, namespace)
    assert core.read_namespaced_config_map("owner", namespace).metadata.deletion_timestamp
    core.patch_namespaced_secret("held", namespace, {"metadata": {"ownerReferences": [
        {**ref, "blockOwnerDeletion": False}]}})
    await_state(core.list_namespaced_config_map, lambda s: "owner" not in s, namespace)
    core.patch_namespaced_secret("held", namespace, {"metadata": {"finalizers": None}})


def test_an_owner_of_another_uid_is_none(cluster, namespace):
    core = client.CoreV1Api(cluster)
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "owner"}})
    core.create_namespaced_secret(namespace, {"metadata": {"name": "astray", "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "not-its-uid"}]}})
    await_state(core.list_namespaced_secret, lambda s: "astray" not in s, namespace)


# --- Services ---

# --- custom resources belong, too ---

@pytest.fixture(scope="module")
def gears(cluster):
    """A kind of its own: CustomObjectsApi's arguments for its collection in a namespace."""
    crds = client.ApiextensionsV1Api(cluster)
    crds.create_custom_resource_definition({
        "metadata": {"name": "gears.machines.example.com"},
        "spec": {"group": "machines.example.com", "scope": "Namespaced",
                 "names": {"plural": "gears", "kind": "Gear"},
                 "versions": [{"name": v, "served": True, "storage": v == "v1", "schema": {
                     "openAPIV3Schema": {"type": "object"}}} for v in ("v1beta1", "v1")]}})
    await_state(crds.list_custom_resource_definition,
                lambda s: (c := condition(s["gears.machines.example.com"], "Established")) and c.status == "True")
    return lambda namespace: ("machines.example.com", "v1", namespace, "gears")


def gear(name, owner=None, **meta):
    if owner:
        meta["ownerReferences"] = [{"apiVersion": owner[0], "kind": owner[1], "name": owner[2], "uid": owner[3]}]
    return {"apiVersion": "machines.example.com/v1", "kind": "Gear", "metadata": {"name": name, **meta}}


def test_custom_resources_own_and_are_owned(cluster, namespace, gears):
    core, custom = client.CoreV1Api(cluster), client.CustomObjectsApi(cluster)
    where = gears(namespace)
    top = core.create_namespaced_config_map(namespace, {"metadata": {"name": "top"}})
    big = custom.create_namespaced_custom_object(
        *where, gear("big", ("v1", "ConfigMap", "top", top.metadata.uid)))
    # By another version than the one that is watched.
    small = gear("small", ("machines.example.com/v1beta1", "Gear", "big", big["metadata"]["uid"]))
    small = custom.create_namespaced_custom_object(*where, small)
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "leaf", "ownerReferences": [
        {"apiVersion": "machines.example.com/v1", "kind": "Gear", "name": "small",
         "uid": small["metadata"]["uid"]}]}})
    core.delete_namespaced_config_map("top", namespace)
    await_state(core.list_namespaced_config_map, lambda s: "leaf" not in s, namespace)
    assert custom.list_namespaced_custom_object(*where)["items"] == []


def test_a_custom_resource_waits_for_what_blocks_it(cluster, namespace, gears):
    core, custom = client.CoreV1Api(cluster), client.CustomObjectsApi(cluster)
    where = gears(namespace)
    big = custom.create_namespaced_custom_object(*where, gear("big"))
    core.create_namespaced_config_map(namespace, {"metadata": {
        "name": "leaf", "finalizers": ["example.com/hold"], "ownerReferences": [
            {"apiVersion": "machines.example.com/v1", "kind": "Gear", "name": "big",
             "uid": big["metadata"]["uid"], "blockOwnerDeletion": True}]}})
    custom.delete_namespaced_custom_object(*where, "big", propagation_policy="Foreground")
    await_state(core.list_namespaced_config_map,
                lambda s: s["leaf"].metadata.deletion_timestamp, namespace)
    assert custom.get_namespaced_custom_object(*where, "big")["metadata"]["finalizers"] == ["foregroundDeletion"]
    core.patch_namespaced_config_map("leaf", namespace, {"metadata": {"finalizers": None}})

    listed = custom.list_namespaced_custom_object(*where)
    if any(o["metadata"]["name"] == "big" for o in listed["items"]):
        w = watch.Watch()
        for event in w.stream(custom.list_namespaced_custom_object, *where, timeout_seconds=TIMEOUT,
                              resource_version=listed["metadata"]["resourceVersion"]):
            if event["type"] == "DELETED":
                break
        else:
            raise AssertionError("the owner stayed")


def test_a_namespace_takes_its_custom_resources_along(cluster, gears):
    core, custom = client.CoreV1Api(cluster), client.CustomObjectsApi(cluster)
    name = core.create_namespace({"metadata": {"generateName": "gears-"}}).metadata.name
    where = gears(name)
    custom.create_namespaced_custom_object(*where, gear("plain"))
    custom.create_namespaced_custom_object(*where, gear("held", finalizers=["example.com/hold"]))
    core.delete_namespace(name)
    await_state(core.list_namespace, lambda s: condition(s[name], "NamespaceContentRemaining"))
    custom.patch_namespaced_custom_object(*where, "held", {"metadata": {"finalizers": None}})
    await_state(core.list_namespace, lambda s: name not in s)


def test_a_service_has_the_endpoints_of_its_pods(cluster, namespace):
    core, apps, discovery = client.CoreV1Api(cluster), client.AppsV1Api(cluster), client.DiscoveryV1Api(cluster)
    apps.create_namespaced_deployment(namespace, deployment())
    await_state(apps.list_namespaced_deployment, is_rolled_out("web", 3), namespace)
    core.create_namespaced_service(namespace, {"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {
        "selector": {"app": "web"}, "ports": [{"name": "main", "port": 80, "targetPort": "http"}]}})
    ips = {p.status.pod_ip for p in core.list_namespaced_pod(namespace).items}

    def shows(n):
        def holds(state):
            ends = [e for s in state.values() for e in s.endpoints or []]
            return len(ends) == n and all(e.conditions.ready for e in ends)
        return holds

    slices = await_state(discovery.list_namespaced_endpoint_slice, shows(3), namespace)
    (s,) = slices.values()
    assert {e.addresses[0] for e in s.endpoints} == ips and s.address_type == "IPv4"
    assert [(p.name, p.port, p.protocol) for p in s.ports] == [("main", 8080, "TCP")]
    assert s.metadata.labels["kubernetes.io/service-name"] == "web" and s.metadata.labels["a"] == "b"
    assert s.metadata.owner_references[0].kind == "Service"
    assert s.endpoints[0].target_ref.kind == "Pod"
    old = await_state(core.list_namespaced_endpoints,
                      lambda s: "web" in s and s["web"].subsets and len(s["web"].subsets[0].addresses) == 3, namespace)
    assert old["web"].subsets[0].ports[0].port == 8080
    # One that is not ready is shown as that; one that goes disappears.
    victim = core.list_namespaced_pod(namespace).items[0]
    core.patch_namespaced_pod_status(victim.metadata.name, namespace, {"status": {"conditions": [
        {"type": "Ready", "status": "False"}]}})
    slices = await_state(discovery.list_namespaced_endpoint_slice, lambda s: any(
        e.conditions.ready is False for x in s.values() for e in x.endpoints), namespace)
    assert s.metadata.name in slices, "the slice was rewritten, not replaced"
    await_state(core.list_namespaced_endpoints, lambda s: s["web"].subsets and
                [a.ip for a in s["web"].subsets[0].not_ready_addresses or []] == [victim.status.pod_ip], namespace)
    apps.patch_namespaced_deployment("web", namespace, {"spec": {"replicas": 1}})
    await_state(discovery.list_namespaced_endpoint_slice, shows(1), namespace)
    core.delete_namespaced_service("web", namespace)
    await_state(discovery.list_namespaced_endpoint_slice, lambda s: not s, namespace)
    await_state(core.list_namespaced_endpoints, lambda s: not s, namespace)


def test_a_service_that_nobody_is_behind_has_one_empty_slice(cluster, namespace):
    core, discovery = client.CoreV1Api(cluster), client.DiscoveryV1Api(cluster)
    core.create_namespaced_service(namespace, {"metadata": {"name": "lone"}, "spec": {
        "selector": {"app": "nobody"}, "ports": [{"port": 80}]}})
    (s,) = await_state(discovery.list_namespaced_endpoint_slice, lambda s: len(s) == 1, namespace).values()
    assert not s.endpoints and not s.ports and s.address_type == "IPv4"
    assert s.metadata.labels["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    # It goes when somebody is there, and is not made a second time beside itself.
    pod = {"metadata": {"name": "one", "labels": {"app": "nobody"}},
           "spec": {"containers": [{"name": "c", "image": "x"}], "nodeName": "elsewhere"}}
    core.patch_namespaced_service("lone", namespace, {"metadata": {"labels": {"seen": "again"}}})
    await_state(discovery.list_namespaced_endpoint_slice, lambda all: len(all) == 1 and all[s.metadata.name].metadata
                .labels.get("seen") == "again", namespace)
    core.create_namespaced_pod(namespace, pod)
    core.patch_namespaced_pod_status("one", namespace, {"status": {
        "phase": "Running", "podIP": "10.9.9.9", "podIPs": [{"ip": "10.9.9.9"}],
        "conditions": [{"type": "Ready", "status": "True"}]}})
    await_state(discovery.list_namespaced_endpoint_slice, lambda all: len(all) == 1 and
                s.metadata.name not in all and all[next(iter(all))].endpoints, namespace)
    core.delete_namespaced_pod("one", namespace, grace_period_seconds=0)
    core.delete_namespaced_service("lone", namespace)
    await_state(discovery.list_namespaced_endpoint_slice, lambda s: not s, namespace)


def test_many_endpoints_are_spread_over_slices(cluster, namespace):
    core, apps, discovery = client.CoreV1Api(cluster), client.AppsV1Api(cluster), client.DiscoveryV1Api(cluster)
    core.create_namespaced_service(namespace, {"metadata": {"name": "web"}, "spec": {
        "clusterIP": "None", "selector": {"app": "web"}}})
    apps.create_namespaced_deployment(namespace, deployment(replicas=120))
    slices = await_state(discovery.list_namespaced_endpoint_slice,
                         lambda s: sum(len(x.endpoints or []) for x in s.values()) == 120, namespace)
    assert all(len(x.endpoints) <= 100 for x in slices.values())
    addresses = [e.addresses[0] for x in slices.values() for e in x.endpoints]
    assert len(set(addresses)) == 120
    assert all("service.kubernetes.io/headless" in x.metadata.labels for x in slices.values())


MIRRORED = "kubernetes.io/service-name=%s,endpointslice.kubernetes.io/managed-by=endpointslicemirroring-controller.k8s.io"


def test_endpoints_by_hand_are_mirrored(cluster, namespace):
    core, discovery = client.CoreV1Api(cluster), client.DiscoveryV1Api(cluster)
    core.create_namespaced_service(namespace, {"metadata": {"name": "hand"}, "spec": {"ports": [
        {"name": "example", "port": 80, "protocol": "TCP"}]}})

    def mirrored(holds, name="hand"):
        return await_state(discovery.list_namespaced_endpoint_slice, holds, namespace, label_selector=MIRRORED % name)

    def only(state):
        return next(iter(state.values())) if len(state) == 1 else None

    made = core.create_namespaced_endpoints(namespace, {
        "metadata": {"name": "hand", "labels": {"a": "b"}, "annotations": {
            "kept": "yes", "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z"}},
        "subsets": [{"ports": [{"name": "example", "port": 80, "protocol": "TCP"}], "addresses": [
            {"ip": "10.1.2.3", "hostname": "h"}], "notReadyAddresses": [{"ip": "10.1.2.4"}]}]})
    s = only(mirrored(lambda found: only(found)))
    assert [(e.addresses, e.conditions.ready, e.hostname) for e in s.endpoints] == [
        (["10.1.2.3"], True, "h"), (["10.1.2.4"], False, None)]
    assert [(p.name, p.port, p.protocol) for p in s.ports] == [("example", 80, "TCP")]
    assert s.metadata.labels["a"] == "b" and s.metadata.annotations == {"kept": "yes"}
    assert (s.metadata.owner_references[0].kind, s.metadata.owner_references[0].uid) == ("Endpoints", made.metadata.uid)
    # An update of address and port rewrites the slice; the other family has one of its own.
    made.subsets = [client.V1EndpointSubset(
        ports=[client.CoreV1EndpointPort(name="example", port=9090, protocol="TCP")],
        addresses=[client.V1EndpointAddress(ip="10.2.3.4"), client.V1EndpointAddress(ip="fd00::4")])]
    core.replace_namespaced_endpoints("hand", namespace, made)
    both = mirrored(lambda found: len(found) == 2 and all(x.ports[0].port == 9090 for x in found.values()))
    assert s.metadata.name in both
    assert {x.address_type: x.endpoints[0].addresses for x in both.values()} == {"IPv4": ["10.2.3.4"], "IPv6": ["fd00::4"]}
    # Who does not want it, or whose Service has a selector, has none.
    core.patch_namespaced_endpoints("hand", namespace, {"metadata": {"labels": {
        "endpointslice.kubernetes.io/skip-mirror": "true"}}})
    mirrored(lambda found: not found)
    core.patch_namespaced_endpoints("hand", namespace, {"metadata": {"labels": {
        "endpointslice.kubernetes.io/skip-mirror": None}}})
    mirrored(lambda found: len(found) == 2)
    core.delete_namespaced_endpoints("hand", namespace)
    mirrored(lambda found: not found)
    # Endpoints without a Service stay what they are, and are mirrored when it comes.
    core.create_namespaced_endpoints(namespace, {"metadata": {"name": "early"}, "subsets": [
        {"ports": [{"port": 80}], "addresses": [{"ip": "10.1.2.5"}]}]})
    core.create_namespaced_service(namespace, {"metadata": {"name": "early"}, "spec": {"ports": [{"port": 80}]}})
    mirrored(lambda found: only(found), "early")
    core.patch_namespaced_service("early", namespace, {"spec": {"selector": {"app": "x"}}})
    mirrored(lambda found: not found, "early")
    # They go with the Service.
    core.create_namespaced_service(namespace, {"metadata": {"name": "last"}, "spec": {"ports": [{"port": 80}]}})
    for name in ("last", "lonely"):
        core.create_namespaced_endpoints(namespace, {"metadata": {"name": name}, "subsets": [
            {"ports": [{"port": 80}], "addresses": [{"ip": "10.1.2.6"}]}]})
    mirrored(lambda found: only(found), "last")
    core.delete_namespaced_service("last", namespace)
    await_state(core.list_namespaced_endpoints, lambda found: "last" not in found and "lonely" in found, namespace)
    mirrored(lambda found: not found, "last")


def test_traffic_that_is_wanted_near_is_hinted(cluster, namespace):
    core, discovery = client.CoreV1Api(cluster), client.DiscoveryV1Api(cluster)
    core.create_node({"metadata": {"name": "zoned", "labels": {"topology.kubernetes.io/zone": "east"}}})
    try:
        core.create_namespaced_pod(namespace, {"metadata": {"name": "p", "labels": {"app": "near"}}, "spec": {
            "nodeName": "zoned", "containers": [{"name": "c", "image": "x"}]}})
        core.create_namespaced_service(namespace, {"metadata": {"name": "near"}, "spec": {
            "selector": {"app": "near"}, "ports": [{"port": 80}], "trafficDistribution": "PreferSameZone"}})

        def hinted(wanted):
            def holds(state):
                for e in [e for s in state.values() for e in s.endpoints or []]:
                    h = e.hints
                    got = h and ([z.name for z in h.for_zones or []], [n.name for n in h.for_nodes or []])
                    return got == wanted and e.conditions.ready
            await_state(discovery.list_namespaced_endpoint_slice, holds, namespace)

        hinted((["east"], []))
        core.patch_namespaced_service("near", namespace, {"spec": {"trafficDistribution": "PreferSameNode"}})
        hinted((["east"], ["zoned"]))
        core.patch_namespaced_service("near", namespace, {"spec": {"trafficDistribution": None}})
        hinted(None)
        core.delete_namespaced_pod("p", namespace, grace_period_seconds=0)
    finally:
        core.delete_node("zoned")


# --- nodes ---

def node(core, name, ready="True"):
    core.create_node({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
    core.patch_node_status(name, {"status": {"conditions": [
        {"type": "Ready", "status": ready, "reason": "KubeletReady",
         "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})


def renew(api, name):
    """What a kubelet does every ten seconds."""
    leases, now = client.CoordinationV1Api(api), datetime.now(timezone.utc).isoformat()
    try:
        leases.patch_namespaced_lease(name, "kube-node-lease", {"spec": {"renewTime": now}})
    except client.ApiException as e:
        assert e.status == 404
        leases.create_namespaced_lease("kube-node-lease", {
            "metadata": {"name": name}, "spec": {"holderIdentity": name, "renewTime": now}})


@pytest.fixture
def nodes(cluster):
    """Makes nodes that are alive until they are told to be silent."""
    core, alive, done = client.CoreV1Api(cluster), set(), threading.Event()

    def beat():
        while not done.wait(GRACE / 4):
            for name in list(alive):
                renew(cluster, name)

    class Nodes:
        def add(self, name, ready="True"):
            renew(cluster, name)
            alive.add(name)
            node(core, name, ready)

        def silence(self, name):
            alive.discard(name)

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    yield Nodes()
    done.set()
    heart.join()
    for n in core.list_node().items:
        core.delete_node(n.metadata.name)


def taints(n):
    return {(t.key, t.effect) for t in n.spec.taints or []}


NOT_READY = {("node.kubernetes.io/not-ready", "NoSchedule"), ("node.kubernetes.io/not-ready", "NoExecute")}
UNREACHABLE = {("node.kubernetes.io/unreachable", "NoSchedule"), ("node.kubernetes.io/unreachable", "NoExecute")}


def test_each_node_gets_a_range_of_its_own(cluster, nodes):
    core = client.CoreV1Api(cluster)
    for i in range(6):
        nodes.add(f"ipam-{i}")
    state = await_state(core.list_node, lambda s: all(n.spec.pod_cidr for n in s.values()) and len(s) == 6)
    ranges = {n.spec.pod_cidr for n in state.values()}
    assert ranges == {f"10.244.{i}.0/24" for i in range(6)}
    assert all(n.spec.pod_cidrs == [n.spec.pod_cidr] for n in state.values())
    freed = state["ipam-2"].spec.pod_cidr
    core.delete_node("ipam-2")
    nodes.add("ipam-late")
    state = await_state(core.list_node, lambda s: s.get("ipam-late") and s["ipam-late"].spec.pod_cidr)
    assert state["ipam-late"].spec.pod_cidr == freed


def test_taints_follow_conditions(cluster, nodes):
    core = client.CoreV1Api(cluster)
    nodes.add("t")
    core.patch_node("t", {"spec": {"taints": [{"key": "mine", "effect": "NoSchedule", "value": "v"}]}})
    core.patch_node_status("t", {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    await_state(core.list_node, lambda s: taints(s["t"]) == NOT_READY | {("mine", "NoSchedule")})
    core.patch_node_status("t", {"status": {"conditions": [
        {"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]}})
    await_state(core.list_node, lambda s: taints(s["t"]) == {
        ("mine", "NoSchedule"), ("node.kubernetes.io/disk-pressure", "NoSchedule")})
    core.patch_node("t", {"spec": {"unschedulable": True}})
    await_state(core.list_node, lambda s: ("node.kubernetes.io/unschedulable", "NoSchedule") in taints(s["t"]))
    core.patch_node("t", {"spec": {"unschedulable": None}})
    await_state(core.list_node, lambda s: ("node.kubernetes.io/unschedulable", "NoSchedule") not in taints(s["t"]))


def test_a_silent_node_loses_its_pods(cluster, namespace, nodes):
    core = client.CoreV1Api(cluster)
    nodes.add("quiet")
    nodes.add("well")

    def pod(name, on, tolerations=()):
        core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": {
            "nodeName": on, "terminationGracePeriodSeconds": 1, "tolerations": list(tolerations),
            "containers": [{"name": "c", "image": "i"}]}})

    pod("short", "quiet", [{"key": k, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
                           for k in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")])
    pod("patient", "quiet", [{"operator": "Exists"}])
    pod("elsewhere", "well")
    await_state(core.list_namespaced_pod, lambda s: len(s) == 3 and
                all(p.status.phase == "Running" for p in s.values()), namespace)
    nodes.silence("quiet")
    state = await_state(core.list_node, lambda s: taints(s["quiet"]) == UNREACHABLE)
    ready = condition(state["quiet"], "Ready")
    assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
    assert ready.message == "Kubelet stopped posting node status." and not taints(state["well"])
    await_state(core.list_namespaced_pod, lambda s: "short" not in s or
                s["short"].metadata.deletion_timestamp, namespace)
    left = await_state(core.list_namespaced_pod, lambda s: condition(s["patient"], "Ready").status == "False", namespace)
    assert not left["patient"].metadata.deletion_timestamp and not left["elsewhere"].metadata.deletion_timestamp
    assert condition(left["elsewhere"], "Ready").status == "True"
    for name in list(left):
        core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)


# --- crashes ---

def test_a_manager_that_was_killed_goes_on(own_server):
    """kill -9 while it creates: the next one ends with neither more nor fewer Pods."""
    from kubernetes import config
    configuration = client.Configuration()
    config.load_kube_config(str(own_server.kubeconfig), client_configuration=configuration)
    with client.ApiClient(configuration) as c:
        core, apps = client.CoreV1Api(c), client.AppsV1Api(c)
        apps.create_namespaced_deployment("default", deployment(replicas=60))
        command = [PINTLE, "controller-manager", "--kubeconfig", str(own_server.kubeconfig)]
        for at_least in (1, 20, 40, 60):
            p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            try:
                await_state(core.list_namespaced_pod, lambda s: len(s) >= at_least, "default")
            finally:
                p.kill()
                p.wait()
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            state = await_state(apps.list_namespaced_replica_set,
                                lambda s: any(r.status.replicas == 60 for r in s.values()), "default")
            assert len(state) == 1
            assert len(core.list_namespaced_pod("default").items) == 60
        finally:
            p.terminate()
            assert p.wait(20) == 0 or IS_SANITIZED


def test_wrong_flags_give_one_line(scratch):
    (scratch / "bad").write_text("current-context: nowhere\n")
    for flags, code, text in (
            (["--kubeconfig", str(scratch / "absent")], 1, "No such file"),
            (["--kubeconfig", str(scratch / "bad")], 1, "no context 'nowhere'"),
            (["--kubeconfig", "x", "--node-cidr-mask-size", "31"], 2, "between 8 and 30"),
            (["word"], 2, "only flags")):
        done = subprocess.run([PINTLE, "controller-manager", *flags], capture_output=True, text=True, timeout=20)
        assert done.returncode == code and text in done.stderr and done.stderr.count("\n") == 1, done

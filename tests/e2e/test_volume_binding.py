"""Claims and volumes: who gets which, what becomes of them when the other half goes, and a manager that is killed
in between."""

import signal
import subprocess

import pytest
from kubernetes import client, config

from conftest import check_stopped
from harness import PINTLE, Server
from test_controllers import await_state, cluster, manager, namespace  # noqa: F401 (fixtures)
from test_scheduler import scheduler  # noqa: F401 (fixture)

CLASS = "storageclass.kubernetes.io/is-default-class"


@pytest.fixture(scope="module")
def server(workdir):
    """With the finalizers of upstream's."""
    s = Server(workdir / "data", ["--disable-admission-plugins=ServiceAccount"]).init().start()
    yield s
    check_stopped(s)


@pytest.fixture
def core(cluster):  # noqa: F811
    core = client.CoreV1Api(cluster)
    yield core
    for v in core.list_persistent_volume().items:
        core.delete_persistent_volume(v.metadata.name)


@pytest.fixture
def make_class(cluster):  # noqa: F811
    storage, made = client.StorageV1Api(cluster), []

    def make(name, provisioner="kubernetes.io/no-provisioner", mode="Immediate", default=False):
        storage.create_storage_class({"metadata": {"name": name, "annotations": {CLASS: "true"} if default else None},
                                      "provisioner": provisioner, "volumeBindingMode": mode})
        made.append(name)
    yield make
    for name in made:
        storage.delete_storage_class(name)


def volume(name, size="1Gi", modes=("ReadWriteOnce",), cls="", labels=None, policy="Retain", claim=None, source=None,
           **spec):
    return {"metadata": {"name": name, "labels": labels},
            "spec": {"capacity": {"storage": size}, "accessModes": list(modes), "storageClassName": cls,
                     "persistentVolumeReclaimPolicy": policy, "claimRef": claim,
                     **(source or {"hostPath": {"path": f"/srv/{name}"}}), **spec}}


def claim(name, size="1Gi", modes=("ReadWriteOnce",), cls="", **spec):
    return {"metadata": {"name": name},
            "spec": {"resources": {"requests": {"storage": size}}, "accessModes": list(modes),
                     "storageClassName": cls, **spec}}


def make_volumes(core, *volumes):
    """And waits until they can be had."""
    for v in volumes:
        core.create_persistent_volume(v)
    await_state(core.list_persistent_volume, lambda s: all(
        s[v["metadata"]["name"]].status.phase == "Available" for v in volumes))


def phase(core, ns, name, want, volume_name=None):
    state = await_state(core.list_namespaced_persistent_volume_claim, lambda s: name in s and
                        s[name].status.phase == want and
                        (volume_name is None or s[name].spec.volume_name == volume_name), ns)
    return state[name]


def volume_phase(core, name, want):
    return await_state(core.list_persistent_volume, lambda s: name in s and s[name].status.phase == want)[name]


def event(core, ns, name, reason, kind="PersistentVolumeClaim"):
    state = await_state(core.list_namespaced_event, lambda s: any(
        e.reason == reason and e.involved_object.name == name and e.involved_object.kind == kind
        for e in s.values()), ns)
    return next(e.message for e in state.values() if e.reason == reason and e.involved_object.name == name)


def assert_bound(v, c):
    assert (v.spec.claim_ref.namespace, v.spec.claim_ref.name, v.spec.claim_ref.uid) == \
        (c.metadata.namespace, c.metadata.name, c.metadata.uid)
    assert c.spec.volume_name == v.metadata.name and (v.status.phase, c.status.phase) == ("Bound", "Bound")
    assert c.metadata.annotations["pv.kubernetes.io/bind-completed"] == "yes"
    assert c.status.capacity == v.spec.capacity and c.status.access_modes == v.spec.access_modes


def test_the_one_that_fits_best(core, namespace):  # noqa: F811
    make_volumes(core,
                 volume("big", "10Gi"), volume("fit", "2Gi"), volume("small", "1Gi"),
                 volume("many", "2Gi", ["ReadWriteOnce", "ReadWriteMany"]),
                 volume("block", "2Gi", volumeMode="Block"), volume("other", "2Gi", cls="other"),
                 volume("ssd", "20Gi", labels={"disk": "ssd"}))
    claims = {
        "fit": claim("a", "1500Mi"), "many": claim("b", "1Gi", ["ReadWriteMany"]),
        "block": claim("c", volumeMode="Block"), "other": claim("d", cls="other"),
        "ssd": claim("e", selector={"matchLabels": {"disk": "ssd"}}), "small": claim("f", "1Gi"),
    }
    for want, c in claims.items():
        core.create_namespaced_persistent_volume_claim(namespace, c)
        bound = phase(core, namespace, c["metadata"]["name"], "Bound")
        v = core.read_persistent_volume(bound.spec.volume_name)
        assert v.metadata.name == want
        assert_bound(v, bound)
        assert bound.metadata.finalizers == ["kubernetes.io/pvc-protection"]
        assert v.metadata.finalizers == ["kubernetes.io/pv-protection"]
        assert v.metadata.annotations["pv.kubernetes.io/bound-by-controller"] == "yes"
    core.create_namespaced_persistent_volume_claim(namespace, claim("large", "1Ti"))
    assert event(core, namespace, "large", "FailedBinding") == \
        "no persistent volumes available for this claim and no storage class is set"
    core.create_persistent_volume(volume("later", "2Ti"))
    phase(core, namespace, "large", "Bound", "later")


def test_promised_to_each_other(core, namespace):  # noqa: F811
    # The volume names the claim, which comes later; another claim does not get it.
    make_volumes(core, volume("for-a", "5Gi", claim={"namespace": namespace, "name": "a"}))
    core.create_namespaced_persistent_volume_claim(namespace, claim("b"))
    event(core, namespace, "b", "FailedBinding")
    core.create_namespaced_persistent_volume_claim(namespace, claim("a"))
    bound = phase(core, namespace, "a", "Bound", "for-a")
    v = core.read_persistent_volume("for-a")
    assert_bound(v, bound)
    assert "pv.kubernetes.io/bound-by-controller" not in (v.metadata.annotations or {})
    # The claim names a volume: too small, somebody else's, not there yet.
    make_volumes(core, volume("tiny", "1Mi"))
    core.create_namespaced_persistent_volume_claim(namespace, claim("c", volumeName="tiny"))
    assert event(core, namespace, "c", "VolumeMismatch") == \
        'Cannot bind to requested volume "tiny": requested PV is too small'
    core.create_namespaced_persistent_volume_claim(namespace, claim("d", volumeName="for-a"))
    assert event(core, namespace, "d", "FailedBinding") == 'volume "for-a" already bound to a different claim.'
    core.create_namespaced_persistent_volume_claim(namespace, claim("e", cls="named", volumeName="to-come"))
    core.create_persistent_volume(volume("to-come", cls="named"))
    bound = phase(core, namespace, "e", "Bound")
    assert "pv.kubernetes.io/bound-by-controller" not in bound.metadata.annotations
    # A claim that is bound elsewhere frees what was promised to it.
    make_volumes(core, volume("x", cls="named"),
                 volume("y", "2Gi", cls="named", claim={"namespace": namespace, "name": "f"}))
    core.create_namespaced_persistent_volume_claim(namespace, claim("f", cls="named", volumeName="x"))
    phase(core, namespace, "f", "Bound", "x")
    uid = core.read_namespaced_persistent_volume_claim("f", namespace).metadata.uid
    core.patch_persistent_volume("y", {"spec": {"claimRef": {"uid": uid}}})
    state = await_state(core.list_persistent_volume, lambda s: s["y"].status.phase == "Available" and
                        not s["y"].spec.claim_ref.uid)
    assert state["y"].spec.claim_ref.name == "f"


def test_what_becomes_of_volumes(core, namespace):  # noqa: F811
    csi = {"csi": {"driver": "csi.example.com", "volumeHandle": "h"}}
    make_volumes(core, volume("keep"), volume("host", "2Gi", policy="Delete"),
                 volume("driver", "3Gi", policy="Delete", source=csi), volume("again", "4Gi", policy="Recycle"))
    for i, name in enumerate(("keep", "host", "driver", "again")):
        core.create_namespaced_persistent_volume_claim(namespace, claim(name, f"{i + 1}Gi"))
        phase(core, namespace, name, "Bound", name)
        core.delete_namespaced_persistent_volume_claim(name, namespace)
    volume_phase(core, "keep", "Released")
    volume_phase(core, "driver", "Released")
    assert volume_phase(core, "host", "Failed").status.message == \
        "host_path deleter only supports /tmp/.+ but received provided /srv/host"
    assert volume_phase(core, "again", "Failed").status.message == "No recycler plugin found for the volume!"
    event(core, "default", "host", "VolumeFailedDelete", "PersistentVolume")
    # The same name again is not the same claim; without the reference the volume is free.
    core.create_namespaced_persistent_volume_claim(namespace, claim("keep", "1Gi"))
    event(core, namespace, "keep", "FailedBinding")
    core.patch_persistent_volume("keep", {"spec": {"claimRef": None}})
    phase(core, namespace, "keep", "Bound", "keep")
    # A bound volume stays until its claim goes; a claim whose volume is gone by force is lost.
    core.delete_persistent_volume("keep")
    assert core.read_persistent_volume("keep").metadata.deletion_timestamp
    core.patch_persistent_volume("keep", {"metadata": {"finalizers": None}})
    lost = phase(core, namespace, "keep", "Lost")
    assert lost.status.capacity is None and lost.status.access_modes is None
    assert event(core, namespace, "keep", "ClaimLost") == \
        "Bound claim has lost its PersistentVolume. Data on the volume is lost!"


def pod(name, node=None, claim_name=None, ephemeral=None):
    source = {"persistentVolumeClaim": {"claimName": claim_name}} if claim_name else \
        {"ephemeral": {"volumeClaimTemplate": ephemeral}}
    return {"metadata": {"name": name}, "spec": {"nodeName": node, "volumes": [{"name": "v", **source}],
                                                 "containers": [{"name": "c", "image": "example/c:1"}]}}


def test_claims_in_use_stay(core, namespace):  # noqa: F811
    make_volumes(core, volume("used"))
    core.create_namespaced_persistent_volume_claim(namespace, claim("used"))
    phase(core, namespace, "used", "Bound")
    core.create_namespaced_pod(namespace, pod("waiting", claim_name="used"))
    core.create_namespaced_pod(namespace, pod("user", "node", claim_name="used"))
    core.delete_namespaced_persistent_volume_claim("used", namespace)
    core.delete_persistent_volume("used")
    assert core.read_namespaced_persistent_volume_claim("used", namespace).metadata.deletion_timestamp
    assert core.read_persistent_volume("used").status.phase == "Bound"
    core.delete_namespaced_pod("user", namespace, grace_period_seconds=0)
    await_state(core.list_namespaced_persistent_volume_claim, lambda s: "used" not in s, namespace)
    await_state(core.list_persistent_volume, lambda s: "used" not in s)


def test_ephemeral_volumes(core, namespace):  # noqa: F811
    make_volumes(core, volume("one"), volume("two"))
    template = {"metadata": {"labels": {"for": "pod"}}, "spec": claim("")["spec"]}
    made = core.create_namespaced_pod(namespace, pod("p", "node", ephemeral=template))
    c = phase(core, namespace, "p-v", "Bound")
    assert c.metadata.labels == {"for": "pod"}
    ref, = c.metadata.owner_references
    assert (ref.kind, ref.name, ref.uid, ref.controller) == ("Pod", "p", made.metadata.uid, True)
    core.create_namespaced_persistent_volume_claim(namespace, claim("q-v", "5Ti"))
    core.create_namespaced_pod(namespace, pod("q", ephemeral=template))
    assert event(core, namespace, "q", "FailedBinding", "Pod") == \
        f"ephemeral volume v: PVC {namespace}/q-v was not created for pod {namespace}/q (pod is not owner)"
    core.delete_namespaced_pod("p", namespace, grace_period_seconds=0)
    await_state(core.list_namespaced_persistent_volume_claim, lambda s: "p-v" not in s, namespace)


def test_classes(core, namespace, make_class):  # noqa: F811
    unclassed = claim("u")
    del unclassed["spec"]["storageClassName"]
    core.create_namespaced_persistent_volume_claim(namespace, unclassed)
    event(core, namespace, "u", "FailedBinding")
    make_class("driver", "csi.example.com", default=True)
    state = await_state(core.list_namespaced_persistent_volume_claim, lambda s: (
        s["u"].metadata.annotations or {}).get("volume.kubernetes.io/storage-provisioner"), namespace)
    assert state["u"].spec.storage_class_name == "driver"
    assert state["u"].metadata.annotations["volume.beta.kubernetes.io/storage-provisioner"] == "csi.example.com"
    assert "external provisioner 'csi.example.com'" in event(core, namespace, "u", "ExternalProvisioning")
    # What the driver makes names its claim, with the uid.
    core.create_persistent_volume(volume("made", cls="driver", policy="Delete", claim={
        "namespace": namespace, "name": "u", "uid": state["u"].metadata.uid}))
    phase(core, namespace, "u", "Bound", "made")
    core.create_namespaced_persistent_volume_claim(namespace, claim("nobody", cls="missing"))
    assert event(core, namespace, "nobody", "ProvisioningFailed") == 'storageclass.storage.k8s.io "missing" not found'
    make_class("local", mode="WaitForFirstConsumer")
    make_volumes(core, volume("local", cls="local"))
    core.create_namespaced_persistent_volume_claim(namespace, claim("w", cls="local"))
    event(core, namespace, "w", "WaitForFirstConsumer")
    core.create_namespaced_pod(namespace, pod("first", claim_name="w"))
    assert event(core, namespace, "w", "WaitForPodScheduled") == "waiting for pod first to be scheduled"
    assert core.read_persistent_volume("local").spec.claim_ref is None


def test_classes_of_attributes_in_use_stay(cluster, core, namespace):  # noqa: F811
    storage = client.StorageV1Api(cluster)
    storage.create_volume_attributes_class({"metadata": {"name": "gold"}, "driverName": "csi.example.com",
                                            "parameters": {"a": "b"}})
    core.create_namespaced_persistent_volume_claim(namespace, claim("c", volumeAttributesClassName="gold"))
    phase(core, namespace, "c", "Pending")
    storage.delete_volume_attributes_class("gold")
    assert storage.read_volume_attributes_class("gold").metadata.finalizers == ["kubernetes.io/vac-protection"]
    core.delete_namespaced_persistent_volume_claim("c", namespace)
    await_state(storage.list_volume_attributes_class, lambda s: "gold" not in s)


# --- with the scheduler ---

@pytest.fixture(scope="module")
def nodes(cluster, scheduler):  # noqa: F811
    """Two, each with a zone; nothing runs on them, which Pods here do not mind."""
    core = client.CoreV1Api(cluster)
    names = ["vol-a", "vol-b"]
    amounts = {"cpu": "64", "memory": "64Gi", "pods": "110"}
    for n in names:
        core.create_node({"metadata": {"name": n, "labels": {"kubernetes.io/hostname": n, "zone": n[-1],
                                                             "topology.kubernetes.io/zone": n[-1]}},
                          "status": {"allocatable": amounts, "capacity": amounts}})
        core.patch_node_status(n, {"status": {"allocatable": amounts, "capacity": amounts}})
    yield names
    for n in names:
        core.delete_node(n)


def user(name, *claims, **spec):
    volumes = [{"name": f"v{i}", "persistentVolumeClaim": {"claimName": c}} for i, c in enumerate(claims)]
    return {"metadata": {"name": name}, "spec": {
        "tolerations": [{"operator": "Exists"}], "volumes": volumes, "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "example/c:1"}], **spec}}


def on(node):
    """A volume's node affinity."""
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]}}


def placed(core, ns, name):
    state = await_state(core.list_namespaced_pod, lambda s: name in s and s[name].spec.node_name, ns)
    return state[name].spec.node_name


def refused(core, ns, name):
    """Why the Pod has no node."""
    def condition(pod):
        return next((c.message for c in pod.status.conditions or [] if c.type == "PodScheduled" and c.message), None)

    state = await_state(core.list_namespaced_pod, lambda s: name in s and condition(s[name]), ns)
    return condition(state[name])


def test_volumes_wait_for_their_first_consumer(core, namespace, make_class, nodes):  # noqa: F811
    make_class("wait", mode="WaitForFirstConsumer")
    make_volumes(core, volume("la", "1Gi", cls="wait", nodeAffinity=on("vol-a")),
                 volume("lb", "2Gi", cls="wait", nodeAffinity=on("vol-b")),
                 volume("lb2", "3Gi", cls="wait", nodeAffinity=on("vol-b")))
    for name, size in (("one", "2Gi"), ("two", "1Gi"), ("three", "2Gi"), ("four", "1Gi")):
        core.create_namespaced_persistent_volume_claim(namespace, claim(name, size, cls="wait"))
    # Both of the Pod's must be had on one node, the larger not taken by the smaller.
    core.create_namespaced_pod(namespace, user("pair", "two", "three"))
    assert placed(core, namespace, "pair") == "vol-b"
    phase(core, namespace, "two", "Bound", "lb")
    phase(core, namespace, "three", "Bound", "lb2")
    core.create_namespaced_pod(namespace, user("single", "four"))
    assert placed(core, namespace, "single") == "vol-a"
    v = core.read_persistent_volume("la")
    assert_bound(v, phase(core, namespace, "four", "Bound", "la"))
    assert v.metadata.annotations["pv.kubernetes.io/bound-by-controller"] == "yes"
    # The same claim again: where its volume is.
    core.create_namespaced_pod(namespace, user("again", "four"))
    assert placed(core, namespace, "again") == "vol-a"
    core.create_namespaced_pod(namespace, user("late", "one"))
    assert "2 node(s) didn't find available persistent volumes to bind." in refused(core, namespace, "late")
    core.create_persistent_volume(volume("lc", "9Gi", cls="wait", nodeAffinity=on("vol-a")))
    assert placed(core, namespace, "late") == "vol-a"


def test_each_pod_of_many_gets_a_volume_of_its_own(core, namespace, make_class, nodes):  # noqa: F811
    make_class("many", mode="WaitForFirstConsumer")
    n = 24
    make_volumes(core, *(volume(f"m{i}", cls="many", nodeAffinity=on(nodes[i % 2])) for i in range(n)))
    for i in range(n):
        core.create_namespaced_persistent_volume_claim(namespace, claim(f"m{i}", cls="many"))
        core.create_namespaced_pod(namespace, user(f"m{i}", f"m{i}"))
    pods = await_state(core.list_namespaced_pod, lambda s: len(s) == n and all(
        p.spec.node_name for p in s.values()), namespace)
    volumes = {v.spec.claim_ref.name: v for v in core.list_persistent_volume().items
               if v.spec.claim_ref and v.spec.claim_ref.namespace == namespace}
    assert len(volumes) == n
    for name, p in pods.items():
        assert volumes[name].spec.node_affinity.required.node_selector_terms[0].match_expressions[0].values == \
            [p.spec.node_name]
        assert_bound(volumes[name], phase(core, namespace, name, "Bound"))


def test_a_driver_makes_the_volume_where_the_pod_goes(core, namespace, make_class, nodes):  # noqa: F811
    make_class("made", "csi.example.com", "WaitForFirstConsumer")
    core.create_namespaced_persistent_volume_claim(namespace, claim("c", cls="made"))
    core.create_namespaced_pod(namespace, user("p", "c", nodeSelector={"zone": "b"}))
    key = "volume.kubernetes.io/selected-node"
    told = lambda s: (s["c"].metadata.annotations or {}).get(key) == "vol-b"
    await_state(core.list_namespaced_persistent_volume_claim, lambda s: told(s) and
                s["c"].metadata.annotations.get("volume.kubernetes.io/storage-provisioner") == "csi.example.com",
                namespace)
    # The driver says that it cannot: the Pod is tried again, and the driver told again.
    core.patch_namespaced_persistent_volume_claim("c", namespace, {"metadata": {"annotations": {key: None}}})
    assert event(core, namespace, "p", "FailedScheduling", "Pod") == \
        'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "c"'
    state = await_state(core.list_namespaced_persistent_volume_claim, told, namespace)
    assert not core.read_namespaced_pod("p", namespace).spec.node_name
    core.create_persistent_volume(volume("made", cls="made", nodeAffinity=on("vol-b"), claim={
        "namespace": namespace, "name": "c", "uid": state["c"].metadata.uid}))
    assert placed(core, namespace, "p") == "vol-b"
    phase(core, namespace, "c", "Bound", "made")


def test_bound_volumes_say_where(core, namespace, nodes):  # noqa: F811
    make_volumes(core, volume("za", labels={"topology.kubernetes.io/zone": "a"}),
                 volume("nb", "2Gi", nodeAffinity=on("vol-b")), volume("once", "5Gi", ["ReadWriteOncePod"]))
    for name, size, modes in (("za", "1Gi", ["ReadWriteOnce"]), ("nb", "2Gi", ["ReadWriteOnce"]),
                              ("once", "5Gi", ["ReadWriteOncePod"])):
        core.create_namespaced_persistent_volume_claim(namespace, claim(name, size, modes))
        phase(core, namespace, name, "Bound", name)
    core.create_namespaced_pod(namespace, user("za", "za"))
    core.create_namespaced_pod(namespace, user("nb", "nb"))
    assert (placed(core, namespace, "za"), placed(core, namespace, "nb")) == ("vol-a", "vol-b")
    core.create_namespaced_pod(namespace, user("both", "za", "nb"))
    message = refused(core, namespace, "both")
    assert "1 node(s) didn't match PersistentVolume's node affinity" in message
    assert "1 node(s) had no available volume zone" in message
    core.create_namespaced_pod(namespace, user("first", "once"))
    placed(core, namespace, "first")
    core.create_namespaced_pod(namespace, user("second", "once"))
    assert "2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode" in \
        refused(core, namespace, "second")
    core.delete_namespaced_pod("first", namespace, grace_period_seconds=0)
    placed(core, namespace, "second")
    core.create_namespaced_pod(namespace, user("nothing", "missing"))
    assert 'persistentvolumeclaim "missing" not found' in refused(core, namespace, "nothing")


# --- kill -9 ---

def run_manager(server):
    return subprocess.Popen([PINTLE, "controller-manager", "--kubeconfig", str(server.dir / "controller-manager.conf")],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def tear(core, name, halves):
    """A binding as a manager leaves it that is killed after so many of its four writes."""
    core.create_persistent_volume(volume(name, "5Gi"))
    c = core.create_namespaced_persistent_volume_claim("default", claim(name, "5Gi"))
    by = {"pv.kubernetes.io/bound-by-controller": "yes"}
    core.patch_persistent_volume(name, {"metadata": {"annotations": by}, "spec": {"claimRef": {
        "kind": "PersistentVolumeClaim", "namespace": "default", "name": name, "uid": c.metadata.uid}}})
    if halves > 1:
        core.patch_persistent_volume_status(name, {"status": {"phase": "Bound"}})
    if halves > 2:
        core.patch_namespaced_persistent_volume_claim(name, "default", {
            "metadata": {"annotations": {**by, "pv.kubernetes.io/bind-completed": "yes"}},
            "spec": {"volumeName": name}})


def test_a_manager_that_is_killed_between_the_halves(own_server):
    """After each write; then killed as soon as some volumes say whose they are, again and again, until all is bound."""
    configuration = client.Configuration()
    config.load_kube_config(str(own_server.kubeconfig), client_configuration=configuration)
    core = client.CoreV1Api(client.ApiClient(configuration))
    for halves in (1, 2, 3):
        tear(core, f"torn{halves}", halves)
    n = 40
    for i in range(n):
        core.create_persistent_volume(volume(f"v{i}"))
        core.create_namespaced_persistent_volume_claim("default", claim(f"c{i}"))
    at = 8
    while True:
        p = run_manager(own_server)
        state = await_state(core.list_persistent_volume, lambda s: sum(
            1 for v in s.values() if v.spec.claim_ref) >= min(at, n))
        if at >= n:
            break
        p.send_signal(signal.SIGKILL)
        p.wait()
        at = sum(1 for v in state.values() if v.spec.claim_ref) + 8
    claims = await_state(core.list_namespaced_persistent_volume_claim, lambda s: all(
        c.status.phase == "Bound" for c in s.values()), "default")
    volumes = await_state(core.list_persistent_volume, lambda s: all(v.status.phase == "Bound" for v in s.values()))
    for c in claims.values():
        assert_bound(volumes[c.spec.volume_name], c)
    assert len({c.spec.volume_name for c in claims.values()}) == len(claims) == n + 3
    p.terminate()
    assert p.wait(20) == 0

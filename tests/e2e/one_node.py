"""Fixtures of a module that wants one real node of its own: a server and a kubelet in a namespace of the network.
`from one_node import *` takes them all; KUBELET_FLAGS of the module are the kubelet's."""

import os

import pytest

from harness import Server
from node import NODE, NetworkNamespace, Node, await_object

__all__ = ["PODS", "box_of", "names", "needs_root", "node", "raw", "server"]

PODS = "/api/v1/namespaces/default/pods"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")


@pytest.fixture(scope="module")
def server(workdir):
    with NetworkNamespace():
        s = Server(workdir / "data", ["--service-cluster-ip-range", "10.96.0.0/16"]).init().start()
        yield s
        code = s.stop()
        s.forget()
        assert code == 0, s.stderr()[-4000:]


@pytest.fixture(scope="module")
def raw(server):
    with server.raw() as client:
        yield client


@pytest.fixture(scope="module")
def node(server, raw, workdir, request):
    n = Node(server, workdir / "node", flags=getattr(request.module, "KUBELET_FLAGS", ())).init()
    n.load()
    n.start()
    path = f"/api/v1/nodes/{NODE}"
    await_object(raw, path, lambda o: o)
    assert raw.patch(path, {"spec": {"podCIDR": n.ranges, "podCIDRs": [n.ranges]}}).status == 200
    await_object(raw, path, lambda o: "True" in [c["status"] for c in o["status"].get("conditions", [])
                                                  if c["type"] == "Ready"])
    yield n
    report = n.stderr()
    for word in ("Sanitizer", "runtime error", "assertion"):
        assert word not in report, report[-8000:]
    n.clean()


@pytest.fixture
def names(raw, node, request):
    """A name for each Pod of a test; those that are left at its end are removed."""
    base = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:40]
    used = []

    def fresh(suffix=""):
        used.append((base + suffix).strip("-"))
        return used[-1]

    yield fresh
    for name in used:
        raw.delete(f"{PODS}/{name}", {"gracePeriodSeconds": 0})
    for name in used:
        await_object(raw, f"{PODS}/{name}", lambda o: o is None)


def box_of(raw, name, containers, wanted=None, labels=None, **spec):
    """A Pod of these containers ({name: script} or whole ones), when it is as wanted (Running, or over)."""
    from node import IMAGE
    made = [{"name": c, "image": IMAGE, "command": ["sh", "-c", script]} for c, script in containers.items()] \
        if isinstance(containers, dict) else containers
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"nodeName": NODE, "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                     "containers": made, **spec}}
    answer = raw.post(PODS, body)
    assert answer.status == 201, answer
    return await_object(raw, f"{PODS}/{name}", wanted or (
        lambda o: o and o.get("status", {}).get("phase") in ("Running", "Succeeded", "Failed")))

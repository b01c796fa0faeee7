"""`pintle up`, `down`, `status`, `image`: the supervisor and what it starts."""

import os
import select
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from cluster import Cluster, read, until
from harness import PINTLE, SLOWER, Kubectl, free_port, pintle

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="nodes need root")
OF_CLUSTER = {"apiserver", "controller-manager", "scheduler"}


@pytest.fixture
def cluster(scratch):
    c = Cluster(scratch / "root", nodes=1 + 1).start()
    yield c
    c.discard()


@pytest.fixture
def kubectl(cluster, scratch):
    return Kubectl("1.36", cluster, scratch)


def await_gone(pid):
    """Until the process has ended; its parent may be anybody, so there is a descriptor to wait on."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], 15 * SLOWER)[0], f"process {pid} goes on"
    finally:
        os.close(fd)


def containers(cluster):
    """pids of containers' first processes: those in the cluster's control groups that run sleep"""
    return {pid for pid, line in cluster.processes().items() if line.startswith("sleep ")}


def test_every_component_is_there_and_a_stop_ends_all(cluster):
    components = cluster.components()
    assert OF_CLUSTER < set(components)
    for node in cluster.node_names():
        assert {f"kubelet/{node}", f"proxy/{node}"} < set(components)
    assert "proxy" in components  # the host's own
    for name in OF_CLUSTER - {"apiserver"}:
        assert f"--kubeconfig={cluster.root}/{name}.conf" in read(f"/proc/{components[name]}/cmdline").split("\0")
    cluster.process.terminate()
    assert cluster.process.wait(20) == 0
    for pid in components.values():
        await_gone(pid)


def test_whatever_is_killed_comes_back(cluster, kubectl):
    cluster.load_test_images()
    kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=2", "--", "sleep", "1000")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    before, pods = containers(cluster), kubectl("get", "pods", "-o", "name")
    assert len(before) == 2
    for name, pid in cluster.components().items():
        os.kill(pid, signal.SIGKILL)
        cluster.await_component(name, pid)
    until("the API answers", lambda: kubectl.run("get", "nodes").returncode == 0)
    assert containers(cluster) == before  # the same processes: adopted, not started again
    assert kubectl("get", "pods", "-o", "name") == pods
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert before < containers(cluster)


def test_containers_outlive_a_supervisor_that_is_killed(cluster, kubectl):
    cluster.load_test_images()
    kubectl("run", "a", "--image=busybox:1", "--", "sleep", "1000")
    kubectl("wait", "pod/a", "--for=condition=Ready", "--timeout=20s")
    before, components = containers(cluster), cluster.components()
    cluster.process.kill()
    cluster.process.wait(10)
    cluster.process.stdout.close()
    for pid in components.values():
        await_gone(pid)
    status = cluster.pintle("status")
    assert status.returncode == 1 and "has lost its supervisor" in status.stdout
    cluster.start()  # the same root, the same ports: nothing is in the way
    kubectl("wait", "pod/a", "--for=condition=Ready", "--timeout=20s")
    assert containers(cluster) == before
    assert kubectl.json("get", "pod", "a")["status"]["containerStatuses"][0]["restartCount"] == 0


def test_down_leaves_nothing_even_when_everything_was_killed(cluster, kubectl):
    cluster.load_test_images()
    kubectl("create", "deployment", "web", "--image=busybox:1", "--replicas=2", "--", "sleep", "1000")
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert cluster.links() and cluster.tables() and cluster.mounts() and cluster.cgroups()
    cluster.process.kill()
    cluster.process.wait(10)
    for pid in cluster.processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    done = cluster.down()
    assert done.returncode == 0 and done.stderr == "", done
    assert done.stdout == "the cluster is down, its state is gone\n"
    cluster.check_gone()
    again = cluster.down()
    assert again.returncode == 0 and again.stdout == f"no cluster is up at {cluster.root}\n"


def test_state_on_disk_is_kept_unless_purged(scratch):
    c = Cluster(scratch / "root", ephemeral=False).start()
    kubectl = Kubectl("1.36", c, scratch)
    try:
        c.load_test_images()
        kubectl("create", "configmap", "kept", "--from-literal=a=b")
        kubectl("run", "a", "--image=busybox:1", "--", "sleep", "1000")
        kubectl("wait", "pod/a", "--for=condition=Ready", "--timeout=20s")
        done = c.down()
        assert done.returncode == 0 and f"its state is kept in {c.root}" in done.stdout, done
        c.check_gone()
        c.start()
        assert kubectl.json("get", "configmap", "kept")["data"] == {"a": "b"}
        kubectl("wait", "pod/a", "--for=condition=Ready", "--timeout=20s")  # its container begins anew
    finally:
        c.discard()
    assert not c.root.exists()


def test_two_clusters_side_by_side(cluster, kubectl, scratch):
    other = Cluster(scratch / "other").start()
    try:
        assert set(other.components()) == set(cluster.components())
        assert not set(other.components().values()) & set(cluster.components().values())
        both = [Kubectl("1.36", c, scratch) for c in (cluster, other)]
        for c, k in zip((cluster, other), both):
            c.load_test_images()
            k("run", "a", "--image=busybox:1", "--", "sleep", "1000")
        for k in both:
            k("wait", "pod/a", "--for=condition=Ready", "--timeout=20s")
    finally:
        other.discard()
    assert len(containers(cluster)) == 1
    assert cluster.pintle("status").returncode == 0


def test_a_second_up_is_refused_in_one_line(cluster):
    done = pintle("up", *cluster.flags)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("pintle up: a cluster runs here already") and done.stderr.count("\n") == 1, done
    assert cluster.pintle("status").returncode == 0


def test_status_shows_components_and_nodes(cluster, kubectl):
    done = cluster.pintle("status")
    assert done.returncode == 0, done
    for name, pid in cluster.components().items():
        assert any(line.split() == [name, str(pid), "ready", "0"] for line in done.stdout.splitlines()), done.stdout
    for node in cluster.node_names():
        assert any(line.startswith(node) and " Ready " in line for line in done.stdout.splitlines()), done.stdout
    pid = cluster.components()["scheduler"]
    os.kill(pid, signal.SIGKILL)
    cluster.await_component("scheduler", pid)
    line = next(x for x in cluster.pintle("status").stdout.splitlines() if x.startswith("scheduler"))
    assert line.split()[-1] == "1"
    assert "renew the node's Lease" in pintle("status", "--timers").stdout


def test_in_the_background(scratch):
    c = Cluster(scratch / "root")
    log = scratch / "log"
    done = subprocess.run([PINTLE, "up", "--detach", f"--log={log}", *c.flags], capture_output=True, text=True,
                          timeout=60 * SLOWER)
    c._learn()
    try:
        assert done.returncode == 0, (done, read(log))
        lines = done.stdout.splitlines()
        assert lines[0].startswith("the cluster is up: 2 nodes Ready after ")
        assert lines[1:] == [f"export KUBECONFIG={c.root}/admin.conf", f"log: {log}"]
        again = pintle("up", "--detach", f"--log={log}", *c.flags)
        assert again.returncode == 1 and "a cluster runs here already" in again.stderr
        assert again.stderr.count("\n") == 1
    finally:
        c.discard()


def test_images_of_the_cluster(cluster):
    assert "busybox:1" in cluster.load_image("busybox:1")
    assert "docker.io/library/busybox:1\t" in cluster.pintle("image", "ls").stdout
    assert cluster.pintle("image", "rm", "busybox:1").returncode == 0
    assert cluster.pintle("image", "ls").stdout == ""
    assert cluster.pintle("image", "nonsense").returncode == 2


# --- what cannot start says why, in one line, and leaves nothing ---


def fails(root, *flags, wrapper=(), code=1):
    done = subprocess.run([*wrapper, PINTLE, "up", f"--root={root}", *map(str, flags)], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == code and done.stdout == "" and done.stderr.count("\n") == 1, done
    assert done.stderr.startswith("pintle up: "), done
    return done.stderr


def test_a_port_in_use(scratch):
    c = Cluster(scratch / "root")
    with socket.socket() as s:
        s.bind(("0.0.0.0", 0))
        s.listen()
        port = s.getsockname()[1]
        text = fails(c.root, *c.flags[1:], f"--secure-port={port}")
        assert f"port {port} (another one: --secure-port): Address already in use" in text
    assert not c.root.exists() and not [d for d in Path("/run").glob("pintle-*") if read(d / "cluster").find(str(c.root)) >= 0]


def test_wrong_flags(scratch):
    for flags, text in ((["--nonsense"], "nonsense"), (["word"], "only flags"), (["--secure-port=x"], "secure-port"),
                        (["--nodes=0"], "--nodes"), (["--cluster-cidr=x"], "--cluster-cidr"),
                        (["--nodes=2", "--node-cidr=10.0.0.0/31"], "--node-cidr")):
        assert text in fails(scratch / "root", *flags, code=2)
    assert not (scratch / "root").exists()


def test_not_root(scratch):
    text = fails(scratch / "root", wrapper=["setpriv", "--reuid=65534", "--clear-groups"])
    assert "must run as root" in text


def test_a_missing_program(scratch):
    c = Cluster(scratch / "root")
    with tempfile.TemporaryDirectory() as empty:
        text = fails(c.root, *c.flags[1:], wrapper=["/usr/bin/env", f"PATH={empty}"])
    assert "'crun' is not installed: apt-get install crun" in text
    assert not c.root.exists()


def test_a_machine_without_an_address(scratch):
    text = fails(scratch / "root", wrapper=["unshare", "--net"])
    assert "no address but the loopback's" in text and "--nodes 2" in text


def test_a_full_disk(scratch):
    c = Cluster(scratch / "root", ephemeral=False)
    disk = scratch / "disk"
    disk.mkdir()
    wrapper = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=1m none {disk}; exec "$@"', "sh"]
    text = fails(disk / "root", *c.flags[1:], wrapper=wrapper)
    assert "is full: " in text and "--root" in text


def test_one_node_is_the_machine_itself(scratch):
    """In a network namespace that stands for the machine: its address, its name, no cable."""
    setup = 'ip link set lo up; ip address add 192.0.2.9/32 dev lo; exec "$@"'
    c = Cluster(scratch / "root", nodes=1, wrapper=["unshare", "--net", "sh", "-c", setup, "sh"])
    c.start()
    c.wrapper = ["nsenter", f"--net=/proc/{c.process.pid}/ns/net"]
    try:
        assert "kubelet/" + os.uname().nodename.lower() in c.components() and "proxy" not in c.components()
        kubectl = [*c.wrapper, str(Kubectl("1.36", c, scratch).binary), f"--kubeconfig={c.kubeconfig}"]
        done = subprocess.run([*kubectl, "get", "nodes", "-o", "wide"], capture_output=True, text=True, timeout=30)
        assert " Ready " in done.stdout and "192.0.2.9" in done.stdout, done
    finally:
        done = subprocess.run(c.command("down", f"--root={c.root}"), capture_output=True, text=True, timeout=60)
        c.stop_supervisor()
    assert done.returncode == 0, done

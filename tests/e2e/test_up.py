"""`pintle up`: the supervisor and what it starts."""

import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import PINTLE, SLOWER, Server, free_port, pintle
from kubernetes import client, config
from test_controllers import await_state, deployment


class Cluster:
    def __init__(self, root):
        self.root, self.port = root, free_port()
        self.process = None

    def start(self):
        self.process = subprocess.Popen([PINTLE, "up", "--root", str(self.root), "--secure-port", str(self.port)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        assert line == f"the cluster is up: export KUBECONFIG={self.root}/admin.conf\n", line
        return self

    def children(self):
        """{component: pid}"""
        found = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except FileNotFoundError:  # it ends just now
                continue
            if len(words) > 1:
                found[words[1].decode()] = int(pid)
        return found

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        if self.process:
            self.process.stdout.close()
        Server(self.root).forget()


@pytest.fixture
def cluster(scratch):
    c = Cluster(scratch / "root").start()
    yield c
    c.stop()


@pytest.fixture
def api_of(cluster):
    configuration = client.Configuration()
    config.load_kube_config(str(cluster.root / "admin.conf"), client_configuration=configuration)
    with client.ApiClient(configuration) as c:
        yield c


def await_gone(pid):
    """Until the process has ended; its parent may be anybody, so there is a descriptor to wait on."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], 10 * SLOWER)[0], f"process {pid} goes on"
    finally:
        os.close(fd)


def test_what_is_killed_comes_back_and_nothing_is_lost(cluster, api_of):
    apps, core = client.AppsV1Api(api_of), client.CoreV1Api(api_of)
    apps.create_namespaced_deployment("default", deployment(replicas=2))
    before = await_state(core.list_namespaced_pod, lambda s: len(s) == 2, "default")
    for component in ("controller-manager", "apiserver"):
        pid = cluster.children()[component]
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 10 * SLOWER
        while cluster.children().get(component, pid) == pid:
            assert time.monotonic() < end, cluster.children()
    end = time.monotonic() + 10 * SLOWER
    while True:  # the API server is on its way: connections are refused at first
        try:
            apps.patch_namespaced_deployment("web", "default", {"spec": {"replicas": 3}})
            break
        except Exception as e:
            assert time.monotonic() < end, e
    after = await_state(core.list_namespaced_pod, lambda s: len(s) == 3, "default")
    assert set(before) < set(after)


def test_a_stop_ends_everything_in_order(cluster):
    children = cluster.children()
    assert set(children) == {"apiserver", "controller-manager"}
    cluster.process.terminate()
    assert cluster.process.wait(20) == 0
    for pid in children.values():
        await_gone(pid)


def test_components_do_not_outlive_their_supervisor(cluster):
    children = cluster.children()
    cluster.process.kill()
    cluster.process.wait(10)
    for pid in children.values():
        await_gone(pid)
    Cluster.start(cluster)  # the same root, the same port: nothing is in the way


def test_two_clusters_side_by_side(cluster, scratch):
    other = Cluster(scratch / "other").start()
    try:
        assert set(other.children()) == set(cluster.children())
        assert not set(other.children().values()) & set(cluster.children().values())
    finally:
        other.stop()


def test_what_cannot_start_says_why(scratch):
    with socket.socket() as s:
        s.bind(("0.0.0.0", 0))
        s.listen()
        port = s.getsockname()[1]
        done = pintle("up", "--root", scratch / "root", "--secure-port", port)
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.count("\n") == 1 and f"port {port}: Address already in use" in done.stderr
    Server(scratch / "root").forget()
    for flags, text in ((["--nonsense"], "nonsense"), (["word"], "only flags"), (["--secure-port", "x"], "secure-port")):
        done = pintle("up", "--root", scratch / "root", *flags)
        assert done.returncode == 2 and text in done.stderr and done.stderr.count("\n") == 1, done

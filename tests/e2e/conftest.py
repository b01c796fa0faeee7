"""One server a test module, in a directory of its own; what it leaves is checked when it stops."""

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
import yaml

from cluster import Cluster, until
from harness import IS_SANITIZED, KUBECTLS, Kubectl, Server


def check_reports(path):
    said = {f.name: f.read_text(errors="replace")[-6000:] for f in sorted(path.iterdir())}
    for name in said:
        (path / name).unlink()
    assert not said, "\n".join(f"{name}: {text}" for name, text in said.items())


@pytest.fixture(scope="session")
def report_dir():
    """Where every process that a test starts, and theirs, leaves what a sanitizer says."""
    path = Path(tempfile.mkdtemp(prefix="pintle-e2e-reports-"))
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        os.environ[name] = f"{os.environ.get(name, '')}:log_path={path}/report"
    yield path
    check_reports(path)  # of what the whole session shared
    path.rmdir()


@pytest.fixture(scope="module", autouse=IS_SANITIZED)
def no_reports(report_dir):
    """Nothing that ran for this module had anything to report, whether its tests look at it or not."""
    yield
    check_reports(report_dir)


@pytest.fixture(scope="module")
def workdir():
    """A directory of the module's own, removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="pintle-e2e-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def scratch():
    """The same for one test."""
    path = Path(tempfile.mkdtemp(prefix="pintle-e2e-"))
    yield path
    shutil.rmtree(path)


def check_stopped(server):
    """A server ends with 0, in time, and without a sanitizer's report or a crash on stderr."""
    was_alive = server.is_alive()
    code = server.stop()
    server.forget()
    assert was_alive, f"the server had ended with {code}: {server.stderr()[-4000:]}"
    assert code == 0, server.stderr()[-4000:]
    for word in ("Sanitizer", "runtime error", "assertion", "Assertion"):
        assert word not in server.stderr(), server.stderr()[-8000:]


@pytest.fixture(scope="module")
def server(workdir):
    s = Server(workdir / "data").init().start()
    yield s
    check_stopped(s)


@pytest.fixture
def own_server(scratch):
    """A server that a test may kill, restart and break; it may end as it likes."""
    s = Server(scratch / "data").init()
    try:
        yield s.start()
    finally:
        s.stop()
        s.forget()


@pytest.fixture(scope="module")
def raw(server):
    with server.raw() as client:
        yield client


@pytest.fixture(scope="module", params=sorted(KUBECTLS))
def kubectl(request, server, workdir):
    """kubectl of each version."""
    home = workdir / f"home-{request.param}"
    home.mkdir(exist_ok=True)
    return Kubectl(request.param, server, home)


@pytest.fixture(scope="module")
def api(server):
    """The official Python client, from admin.conf."""
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(str(server.kubeconfig), client_configuration=configuration)
    with client.ApiClient(configuration) as c:
        yield c


# --- a whole cluster (tests/e2e/cluster.py) ---


@pytest.fixture(scope="session")
def whole():
    """One cluster of two nodes for all tests that break nothing; nothing of it stays."""
    if os.geteuid() != 0:
        pytest.skip("nodes need root")
    path = Path(tempfile.mkdtemp(prefix="pintle-e2e-"))
    c = Cluster(path / "root").start()
    try:
        c.load_test_images()
        # Nodes are Ready without the host's own proxy, which has a table for each family beside that of the nodes.
        until("the host's proxy has its tables", lambda: len(c.tables()) == 3, timeout=60)
        yield c
        for word in ("Sanitizer", "runtime error", "ssertion"):
            assert word not in c.stderr(), c.stderr()[-8000:]
    finally:
        c.discard()
        shutil.rmtree(path, ignore_errors=True)


class Place:
    """A namespace of the cluster as what Kubectl wants of a server."""

    def __init__(self, cluster, path, namespace):
        self.cluster, self.namespace, self.kubeconfig = cluster, namespace, path
        conf = yaml.safe_load(cluster.kubeconfig.read_text())
        conf["contexts"][0]["context"]["namespace"] = namespace
        path.write_text(yaml.safe_dump(conf))


@pytest.fixture
def kube(request, whole, scratch):
    """kubectl in a namespace of the test's own. When that is gone, the kernel must hold what it held before."""
    name = "t-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50].strip("-")
    k = Kubectl("1.36", Place(whole, scratch / "kubeconfig", name), scratch)
    k.cluster, k.namespace = whole, name
    before = whole.census()
    k("create", "namespace", name)
    yield k
    k("delete", "namespace", name, "--timeout=60s")
    after = []

    def as_before():
        after[:] = [whole.census()]
        return after[0] == before

    try:
        until("the kernel holds what it held", as_before, timeout=30)
    except AssertionError:
        raise AssertionError({kind: (before[kind], after[0][kind]) for kind in before
                              if before[kind] != after[0][kind]}) from None

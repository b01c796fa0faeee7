"""One server a test module, in a directory of its own; what it leaves is checked when it stops."""

import shutil
import tempfile
from pathlib import Path

import pytest

from harness import KUBECTLS, Kubectl, Server


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

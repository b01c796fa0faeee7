"""The demo: a Python script made into an image with Debian's tools answers through Services; rolling updates lose no
request, and one that does not drain does, so that the counter can fail."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cluster import until
from harness import PINTLE
from test_cluster import WAIT, fetch, finish

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "hello"
RATE, KEPT = 200, 8

pytestmark = pytest.mark.skipif(not shutil.which("buildah"), reason="buildah is not installed: scripts/deps.sh demo")


@pytest.fixture(scope="module")
def images(whole):
    """Both versions, in the cluster's store; kept beside the program for the next run."""
    made = Path(PINTLE).parent / "demo"
    done = subprocess.run([ROOT / "scripts" / "demo-image.sh", made, "1", "2"], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    for version in ("1", "2"):
        done = whole.pintle("image", "load", str(made / f"hello-{version}.tar"))
        assert done.returncode == 0 and f"localhost/hello:{version}" in done.stdout, done
    return made


@pytest.fixture
def hello(kube, images):
    kube("apply", "-f", str(EXAMPLE))
    kube("rollout", "status", "deployment/hello", WAIT)
    address = kube.json("get", "service", "hello")["spec"]["clusterIP"]
    until("the Service answers", lambda: _answers(address))
    return address


def _answers(address):
    with contextlib.suppress(OSError):
        return fetch(f"http://{address}/")


@contextlib.contextmanager
def load(address):
    """What came of it is in the dictionary at the end."""
    process = subprocess.Popen([sys.executable, Path(__file__).with_name("load.py"), address, "80", str(RATE), str(KEPT)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    result = {}
    try:
        yield result
        out, _ = process.communicate("stop\n", timeout=60)
        result.update(json.loads(out))
    finally:
        process.kill()
        process.wait()


def roll(kube, image):
    kube("set", "image", "deployment/hello", f"hello={image}")
    kube("rollout", "status", "deployment/hello", "--timeout=120s")
    # The old ones drain: only when they are gone is it over.
    until("the old Pods are gone", lambda: len(kube("get", "pods", "-l", "app=hello", "-o", "name").split()) == 3,
          timeout=60)


def test_the_service_answers_with_what_it_was_configured_with(kube, hello):
    answers = [json.loads(fetch(f"http://{hello}/")) for _ in range(30)]
    assert {a["message"] for a in answers} == {"Ahoy, world!"}
    assert {a["file"] for a in answers} == {"Ahoy"} and {a["version"] for a in answers} == {"1"}
    pods = set(kube("get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].metadata.name}").split())
    assert len(pods) == 3 and {a["pod"] for a in answers} == pods
    node = kube.json("get", "nodes")["items"][0]["status"]["addresses"][0]["address"]
    assert json.loads(fetch(f"http://{node}:30080/"))["pod"] in pods
    token = base64.b64decode(kube.json("get", "secret", "hello")["data"]["token"]).decode()
    request = urllib.request.Request(f"http://{hello}/secret", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert json.load(answer)["message"] == "the cat knows"
    assert json.loads(finish(kube, "ask", "wget -qO- http://hello/"))["pod"] in pods
    # The file follows the ConfigMap; the environment does not.
    kube("patch", "configmap", "hello", "--type=merge", "-p", '{"data":{"greeting":"Moin"}}')
    until("the file follows", lambda: json.loads(fetch(f"http://{hello}/"))["file"] == "Moin", timeout=100)
    assert json.loads(fetch(f"http://{hello}/"))["message"] == "Ahoy, world!"


def test_rolling_updates_lose_no_request(kube, hello):
    with load(hello) as result:
        for image in ("localhost/hello:2", "localhost/hello:1", "localhost/hello:2"):
            roll(kube, image)
    assert result["failures"] == [], (len(result["failures"]), result["requests"], result["failures"][:20])
    assert set(result["versions"]) == {"1", "2"} and result["requests"] > 500
    print(f"requests: {result['requests']}, failures: none")


def test_without_draining_requests_are_lost(kube, hello):
    kube("set", "env", "deployment/hello", "DRAIN_SECONDS=0")
    kube("rollout", "status", "deployment/hello", "--timeout=120s")
    with load(hello) as result:
        for image in ("localhost/hello:2", "localhost/hello:1", "localhost/hello:2"):
            roll(kube, image)
    assert result["failures"], result


def test_make_demo_from_the_outside(whole, images, scratch):
    """scripts/demo.sh as `make demo` runs it."""
    build = Path(PINTLE).parent
    done = subprocess.run([ROOT / "scripts" / "demo.sh", build, f"--root={whole.root}"], capture_output=True, text=True,
                          timeout=300, env={**os.environ, "KUBECTL": str(ROOT / "build/tools/kubectl-1.36")})
    try:
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert done.stdout.count('"message": "Ahoy, world!"') == 4 and "the cat knows" in done.stdout
    finally:
        kubectl = [ROOT / "build/tools/kubectl-1.36", f"--kubeconfig={whole.kubeconfig}"]
        subprocess.run([*kubectl, "delete", "--wait", "-f", EXAMPLE], capture_output=True, timeout=120)
        subprocess.run([*kubectl, "wait", "pod", "-l", "app=hello", "--for=delete", WAIT], capture_output=True,
                       timeout=120)

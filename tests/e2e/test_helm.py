"""helm against a server and its controllers: a chart of ours with a custom resource, Pods and Jobs as hooks, and a test.
No node: a thread lets hooks and Jobs succeed and other Pods run."""

import json
import os
import subprocess
import threading

import pytest
from kubernetes import client, watch

from harness import KUBECTLS, TOOLS
from test_controllers import manager  # noqa: F401 (a fixture)

CHART = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chart")
HELMS = {version: os.path.join(TOOLS, f"helm-{version}") for version in KUBECTLS}


class Node(threading.Thread):
    """Hooks, Jobs and tests end well, unless their image says otherwise; all others run and are ready."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.core = client.CoreV1Api(api)
        self.ending = False

    def run(self):
        w = watch.Watch()
        while not self.ending:
            for event in w.stream(self.core.list_pod_for_all_namespaces, timeout_seconds=1):
                pod = event["object"]
                if event["type"] != "DELETED" and pod.status.phase == "Pending":
                    self.finish(pod)

    def finish(self, pod):
        hook = "helm.sh/hook" in (pod.metadata.annotations or {}) or "job-name" in (pod.metadata.labels or {})
        good = "bad" not in pod.spec.containers[0].image
        phase = ("Succeeded" if good else "Failed") if hook else "Running"
        try:
            self.core.patch_namespaced_pod_status(pod.metadata.name, pod.metadata.namespace, {"status": {
                "phase": phase, "conditions": [{"type": "Ready", "status": "True" if phase == "Running" else "False",
                                                "lastTransitionTime": "2026-01-01T00:00:00Z"}]}})
        except client.ApiException as e:
            assert e.status == 404, e  # gone meanwhile


@pytest.fixture(scope="module")
def node(api, manager):  # noqa: F811
    thread = Node(api)
    thread.start()
    yield thread
    thread.ending = True
    thread.join()


class Helm:
    def __init__(self, version, server, home, namespace):
        self.binary, self.version, self.namespace = HELMS[version], version, namespace
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(server.kubeconfig),
                    "HELM_NAMESPACE": namespace}

    def run(self, *args):
        return subprocess.run([self.binary, *args], capture_output=True, text=True, timeout=120, env=self.env)

    def __call__(self, *args):
        done = self.run(*args)
        assert done.returncode == 0, f"helm {args}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def fails(self, *args):
        done = self.run(*args)
        assert done.returncode != 0, f"helm {args}: {done.stdout}"
        return done.stderr + done.stdout


@pytest.fixture(params=sorted(HELMS))
def helm(request, server, api, node, scratch):
    core = client.CoreV1Api(api)
    namespace = core.create_namespace({"metadata": {"generateName": "helm-"}}).metadata.name
    yield Helm(request.param, server, scratch, namespace)
    core.delete_namespace(namespace)


def test_what_needs_no_server(helm):
    helm("lint", CHART)
    out = helm("template", "web", CHART, "--set", "replicas=7")
    assert "replicas: 7" in out and "drawers: 7" in out
    assert "replicas" in helm.fails("lint", CHART, "--set", "replicas=many")


def test_the_life_of_a_release(helm, api):
    core, apps, batch = client.CoreV1Api(api), client.AppsV1Api(api), client.BatchV1Api(api)
    ns = helm.namespace
    out = helm("install", "web", CHART, "--wait", "--wait-for-jobs", "--timeout", "60s", "--set", "greeting=hi")
    assert "web says hi." in out and "STATUS: deployed" in out
    assert apps.read_namespaced_deployment("web", ns).status.ready_replicas == 1
    assert core.read_namespaced_config_map("web-config", ns).data == {"greeting": "hi", "revision": "1"}
    till = client.CustomObjectsApi(api).get_namespaced_custom_object("example.com", "v1", ns, "tills", "web")
    assert till["spec"]["drawers"] == 1
    for hook in ("pre-install", "post-install"):
        assert core.read_namespaced_pod(f"web-{hook}", ns).status.phase == "Succeeded"
    for job in ("web-pre-install-job", "web-load"):
        assert batch.read_namespaced_job_status(job, ns).status.succeeded == 1
    assert "web-test" in helm("test", "web", "--timeout", "60s")
    assert "cannot" in helm.fails("install", "web", CHART)

    helm("upgrade", "web", CHART, "--wait", "--timeout", "60s", "--set", "replicas=3,greeting=bye")
    assert apps.read_namespaced_deployment("web", ns).spec.replicas == 3
    assert core.read_namespaced_pod("web-pre-upgrade", ns).status.phase == "Succeeded"
    assert batch.read_namespaced_job_status("web-post-upgrade-job", ns).status.succeeded == 1
    # A field that somebody else set is theirs, and stays.
    core.patch_namespaced_config_map("web-config", ns, {"metadata": {"annotations": {"mine": "yes"}}})
    assert "70000" in helm.fails("upgrade", "web", CHART, "--set", "broken=true")
    history = json.loads(helm("history", "web", "-o", "json"))
    assert [h["status"] for h in history] == ["superseded", "deployed", "failed"]

    helm("rollback", "web", "1", "--wait", "--timeout", "60s")
    assert apps.read_namespaced_deployment("web", ns).spec.replicas == 1
    now = core.read_namespaced_config_map("web-config", ns)
    assert now.data == {"greeting": "hi", "revision": "1"} and now.metadata.annotations["mine"] == "yes"
    assert core.read_namespaced_pod("web-post-rollback", ns).status.phase == "Succeeded"
    listed = json.loads(helm("list", "-o", "json"))
    assert [(r["name"], r["revision"], r["status"]) for r in listed] == [("web", "4", "deployed")]
    assert "hi" in helm("get", "values", "web") and "kind: Till" in helm("get", "manifest", "web")

    helm("uninstall", "web", "--wait", "--timeout", "60s")
    assert not core.list_namespaced_config_map(ns, label_selector="app.kubernetes.io/instance=web").items
    assert not core.list_namespaced_service(ns).items
    left = {j.metadata.name for j in batch.list_namespaced_job(ns).items}
    assert left == {"web-pre-install-job", "web-post-upgrade-job"}, "a hook that succeeded is deleted where it says so"
    every = [] if helm.version == "1.36" else ["--all"]  # helm 4 lists them all
    assert not json.loads(helm("list", *every, "-o", "json"))


def test_a_hook_that_fails_stops_an_installation(helm, api):
    said = helm.fails("install", "web", CHART, "--set", "image=example/bad:1", "--timeout", "60s")
    assert "pre-install" in said
    assert not client.CoreV1Api(api).list_namespaced_service(helm.namespace).items
    helm("uninstall", "web", "--no-hooks")
    said = helm.fails("install", "web", CHART, "--set", "checker=example/bad:1", "--timeout", "60s")
    assert "pre-install" in said and "web-pre-install-job" in said
    helm("uninstall", "web", "--no-hooks")


def test_dry_runs_change_nothing(helm, api):
    out = helm("install", "web", CHART, "--dry-run=server")
    assert "kind: Deployment" in out
    assert not client.CoreV1Api(api).list_namespaced_service(helm.namespace).items

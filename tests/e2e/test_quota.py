"""ResourceQuotas: what admission counts, what the controller counts anew, and what is refused."""

import concurrent.futures

import pytest
from kubernetes import client

from harness import Raw, status_of
from test_controllers import await_state, cluster, manager, namespace  # noqa: F401 (fixtures)


def quota(core, ns, name="q", scopes=None, selector=None, **hard):
    hard = {k.replace("__", "/").replace("_", "."): v for k, v in hard.items()}
    body = {"metadata": {"name": name}, "spec": {"hard": hard, "scopes": scopes, "scopeSelector": selector}}
    core.create_namespaced_resource_quota(ns, body)
    await_state(core.list_namespaced_resource_quota, lambda s: name in s and s[name].status.hard == hard, ns)


def used(core, ns, name="q", **want):
    """Waits until the quota says that this much is used."""
    want = {k.replace("__", "/").replace("_", "."): v for k, v in want.items()}

    def holds(state):
        now = state[name].status.used or {}
        return all(now.get(k) == v for k, v in want.items())

    await_state(core.list_namespaced_resource_quota, holds, ns)


def pod(name, requests=None, limits=None, **spec):
    return {"metadata": {"name": name}, "spec": {"containers": [{
        "name": "c", "image": "example/c:1", "resources": {"requests": requests, "limits": limits}}], **spec}}


def refused(call, *args):
    with pytest.raises(client.ApiException) as e:
        call(*args)
    assert e.value.status == 403, e.value
    return e.value.body


def test_the_life_of_a_pod(cluster, namespace):  # noqa: F811
    core = client.CoreV1Api(cluster)
    quota(core, namespace, pods="2", requests_cpu="1", limits_memory="1Gi")
    said = refused(core.create_namespaced_pod, namespace, pod("silent"))
    assert "failed quota: q: must specify limits.memory for: c; requests.cpu for: c" in said
    core.create_namespaced_pod(namespace, pod("one", {"cpu": "600m"}, {"memory": "512Mi"}))
    used(core, namespace, pods="1", requests_cpu="600m", limits_memory="512Mi")
    said = refused(core.create_namespaced_pod, namespace, pod("two", {"cpu": "500m"}, {"memory": "1Mi"}))
    assert 'pods \\"two\\" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: ' \
           "requests.cpu=600m, limited: requests.cpu=1" in said
    core.create_namespaced_pod(namespace, pod("two", {"cpu": "400m"}, {"memory": "1Mi"}))
    used(core, namespace, pods="2", requests_cpu="1")
    core.delete_namespaced_pod("one", namespace, grace_period_seconds=0)
    used(core, namespace, pods="1", requests_cpu="400m", limits_memory="1Mi")


def test_a_pod_from_before_is_not_counted_again(cluster, namespace):  # noqa: F811
    """A change of labels asks no quota; one that brings a Pod under other scopes does."""
    core = client.CoreV1Api(cluster)
    core.create_namespaced_pod(namespace, pod("old"))
    quota(core, namespace, pods="5", requests_cpu="1")
    assert core.patch_namespaced_pod("old", namespace, {"metadata": {"labels": {"a": "b"}}}).metadata.labels["a"] == "b"
    said = refused(core.patch_namespaced_pod, "old", namespace, {"spec": {"activeDeadlineSeconds": 60}})
    assert "failed quota: q: must specify requests.cpu for: c" in said


def test_services_claims_and_counts(cluster, namespace):  # noqa: F811
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    quota(core, namespace, services="2", services_nodeports="1", persistentvolumeclaims="1", requests_storage="2Gi",
          count__configmaps="3", count__deployments_apps="1", secrets="1")
    core.create_namespaced_service(namespace, {"metadata": {"name": "a"}, "spec": {
        "type": "NodePort", "ports": [{"port": 80}]}})
    used(core, namespace, services="1", services_nodeports="1")
    body = {"metadata": {"name": "b"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    assert "services.nodeports=1" in refused(core.create_namespaced_service, namespace, body)
    body["spec"]["type"] = "ClusterIP"
    core.create_namespaced_service(namespace, body)
    used(core, namespace, services="2")
    # It may not grow into what is not left, either.
    said = refused(core.patch_namespaced_service, "b", namespace, {"spec": {"type": "NodePort"}})
    assert "exceeded quota: q" in said
    claim = {"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {
        "requests": {"storage": "3Gi"}}}}
    assert "requests.storage=3Gi" in refused(core.create_namespaced_persistent_volume_claim, namespace, claim)
    claim["spec"]["resources"]["requests"]["storage"] = "1Gi"
    core.create_namespaced_persistent_volume_claim(namespace, claim)
    used(core, namespace, persistentvolumeclaims="1", requests_storage="1Gi")
    # kube-root-ca.crt is one of them.
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "x"}})
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "y"}})
    assert "count/configmaps=1" in refused(core.create_namespaced_config_map, namespace, {"metadata": {"name": "z"}})
    core.delete_namespaced_config_map("y", namespace)
    used(core, namespace, count__configmaps="2")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    deployment = {"metadata": {"name": "d"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}}
    apps.create_namespaced_deployment(namespace, deployment)
    deployment["metadata"]["name"] = "e"
    assert "count/deployments.apps=1" in refused(apps.create_namespaced_deployment, namespace, deployment)


def test_scopes(cluster, namespace):  # noqa: F811
    core = client.CoreV1Api(cluster)
    quota(core, namespace, name="best", scopes=["BestEffort"], pods="1")
    quota(core, namespace, name="short", scopes=["Terminating"], pods="1")
    quota(core, namespace, name="critical", pods="0", selector={"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["system-cluster-critical"]}]})
    core.create_namespaced_pod(namespace, pod("a"))
    used(core, namespace, name="best", pods="1")
    assert "exceeded quota: best" in refused(core.create_namespaced_pod, namespace, pod("b"))
    core.create_namespaced_pod(namespace, pod("b", {"cpu": "1m"}, activeDeadlineSeconds=100))
    used(core, namespace, name="short", pods="1")
    used(core, namespace, name="best", pods="1")
    assert "exceeded quota: short" in refused(
        core.create_namespaced_pod, namespace, pod("c", {"cpu": "1m"}, activeDeadlineSeconds=100))
    core.create_namespaced_pod(namespace, pod("c", {"cpu": "1m"}))


def test_nobody_shares_the_last_place(cluster, namespace):  # noqa: F811
    """Many at once: exactly as many are created as the quota leaves."""
    core = client.CoreV1Api(cluster)
    quota(core, namespace, count__secrets="7")

    def create(i):
        try:
            core.create_namespaced_secret(namespace, {"metadata": {"name": f"s-{i}"}})
            return True
        except client.ApiException as e:
            assert e.status == 403 and "exceeded quota" in e.body, e
            return False

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        made = sum(pool.map(create, range(40)))
    assert made == 7
    used(core, namespace, count__secrets="7")


def test_a_quota_that_nobody_has_counted_refuses(own_server):
    raw = Raw(own_server)
    root = "/api/v1/namespaces/default"
    q = raw.post(f"{root}/resourcequotas",
                 {"metadata": {"name": "q"}, "spec": {"hard": {"count/configmaps": "5"}}}).json()
    # Without the controller the status is empty: nothing is limited yet, as upstream.
    assert raw.post(f"{root}/configmaps", {"metadata": {"name": "a"}}).status == 201
    q["status"] = {"hard": {"count/configmaps": "5"}}
    assert raw.put(f"{root}/resourcequotas/q/status", q).status == 200
    said = status_of(raw.post(f"{root}/configmaps", {"metadata": {"name": "b"}}), 403, "Forbidden")
    assert said["message"] == ('configmaps "b" is forbidden: status unknown for quota: q, resources: '
                               "count/configmaps")

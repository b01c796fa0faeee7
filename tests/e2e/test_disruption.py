"""PodDisruptionBudgets: what the controller counts, and evictions that ask for it."""

import time

import pytest
from kubernetes import client

from test_controllers import (await_state, cluster, deployment, is_rolled_out, manager,  # noqa: F401 (fixtures)
                              namespace)

AGO = "2026-01-01T00:00:00Z"


def budget(policy, ns, name="b", app="web", **spec):
    policy.create_namespaced_pod_disruption_budget(ns, {"metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": app}}, **spec}})


def counted(policy, ns, healthy, desired, expected, allowed, name="b"):
    """Waits until the status says so; the condition follows what is allowed."""
    def holds(state):
        s = state[name].status
        return s and s.observed_generation == state[name].metadata.generation and \
            (s.current_healthy, s.desired_healthy, s.expected_pods, s.disruptions_allowed) == \
            (healthy, desired, expected, allowed)

    state = await_state(policy.list_namespaced_pod_disruption_budget, holds, ns)
    condition, = state[name].status.conditions
    assert (condition.type, condition.status, condition.reason) == \
        ("DisruptionAllowed",) + (("True", "SufficientPods") if allowed else ("False", "InsufficientPods"))
    return state[name].status


def evict(core, ns, name):
    core.create_namespaced_pod_eviction(name, ns, {"metadata": {"name": name}})


def labelled(name, app="web", owner=None):
    return {"metadata": {"name": name, "labels": {"app": app}, "ownerReferences": owner and [owner]},
            "spec": {"containers": [{"name": "c", "image": "example/c:1"}]}}


@pytest.fixture
def policy(cluster):  # noqa: F811
    return client.PolicyV1Api(cluster)


def test_a_deployment_is_evicted_one_at_a_time(cluster, namespace, policy):  # noqa: F811
    core, apps = client.CoreV1Api(cluster), client.AppsV1Api(cluster)
    budget(policy, namespace, maxUnavailable="34%")
    counted(policy, namespace, 0, 0, 0, 0)
    apps.create_namespaced_deployment(namespace, deployment(replicas=3))
    counted(policy, namespace, 3, 1, 3, 2)
    policy.patch_namespaced_pod_disruption_budget("b", namespace, {"spec": {"maxUnavailable": 1}})
    counted(policy, namespace, 3, 2, 3, 1)
    first, second, _ = sorted(p.metadata.name for p in core.list_namespaced_pod(namespace).items)
    core.patch_namespaced_pod_status(second, namespace, {"status": {"conditions": [
        {"type": "Ready", "status": "False", "lastTransitionTime": AGO}]}})
    counted(policy, namespace, 2, 2, 3, 0)
    with pytest.raises(client.ApiException) as e:
        evict(core, namespace, first)
    assert e.value.status == 429 and "needs 2 healthy pods and has 2 currently" in e.value.body
    evict(core, namespace, second)  # is not ready: costs nothing
    counted(policy, namespace, 3, 2, 3, 1)
    evict(core, namespace, first)
    counted(policy, namespace, 3, 2, 3, 1)
    # What should be there is the Deployment's word, before Pods follow it.
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 5}})
    counted(policy, namespace, 5, 4, 5, 1)


def test_pods_that_nobody_owns(cluster, namespace, policy):  # noqa: F811
    core = client.CoreV1Api(cluster)
    for n in ("p1", "p2", "p3"):
        core.create_namespaced_pod(namespace, labelled(n))
    budget(policy, namespace, minAvailable=2)
    counted(policy, namespace, 3, 2, 3, 1)
    budget(policy, namespace, "percent", minAvailable="50%", app="nobody")
    counted(policy, namespace, 0, 0, 0, 0, "percent")
    core.patch_namespaced_pod("p1", namespace, {"metadata": {"labels": {"app": "nobody"}}})
    counted(policy, namespace, 2, 2, 2, 0)
    counted(policy, namespace, 1, 0, 0, 0, "percent")
    await_state(core.list_namespaced_event,
                lambda s: {"NoPods", "UnmanagedPods"} <= {e.reason for e in s.values()}, namespace)


def test_owners_by_their_scale(cluster, namespace, policy):  # noqa: F811
    """A custom resource with a scale, and one without."""
    core, ext = client.CoreV1Api(cluster), client.ApiextensionsV1Api(cluster)
    custom = client.CustomObjectsApi(cluster)
    group = "disruption.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    for plural, kind, sub in (("fleets", "Fleet", {"scale": scale}), ("rocks", "Rock", {})):
        ext.create_custom_resource_definition({"metadata": {"name": f"{plural}.{group}"}, "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "subresources": sub,
                          "schema": {"openAPIV3Schema": schema}}]}})
        await_state(ext.list_custom_resource_definition, lambda s: any(
            c.type == "Established" and c.status == "True" for c in s[f"{plural}.{group}"].status.conditions or []))

    def make(plural, kind, name):
        made = custom.create_namespaced_custom_object(group, "v1", namespace, plural, {
            "apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": name}, "spec": {"replicas": 10}})
        core.create_namespaced_pod(namespace, labelled(name, name, {
            "apiVersion": f"{group}/v1", "kind": kind, "name": name, "controller": True,
            "uid": made["metadata"]["uid"]}))
        budget(policy, namespace, name, app=name, maxUnavailable="95%")

    make("fleets", "Fleet", "fleet")
    counted(policy, namespace, 1, 0, 10, 1, "fleet")
    make("rocks", "Rock", "rock")
    state = await_state(policy.list_namespaced_pod_disruption_budget, lambda s: s["rock"].status.conditions and
                        s["rock"].status.conditions[0].reason == "SyncFailed", namespace)
    condition, = state["rock"].status.conditions
    assert (condition.status, condition.message) == ("False", f"rocks.{group} does not implement the scale subresource")
    custom.patch_namespaced_custom_object(group, "v1", namespace, "fleets", "fleet", {"spec": {"replicas": 20}})
    core.patch_namespaced_pod("fleet", namespace, {"metadata": {"labels": {"seen": "again"}}})
    counted(policy, namespace, 1, 1, 20, 0, "fleet")
    for plural in ("fleets", "rocks"):
        ext.delete_custom_resource_definition(f"{plural}.{group}")


def test_an_eviction_that_did_not_happen_is_forgotten(cluster, namespace, policy):  # noqa: F811
    core = client.CoreV1Api(cluster)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for n in ("p1", "p2", "p3"):
        core.create_namespaced_pod(namespace, labelled(n))
    budget(policy, namespace, minAvailable=1)
    counted(policy, namespace, 3, 1, 3, 2)
    policy.patch_namespaced_pod_disruption_budget_status("b", namespace, {"status": {
        "disruptedPods": {"p1": now, "p2": AGO, "gone": now}}})
    assert list(counted(policy, namespace, 2, 1, 3, 1).disrupted_pods) == ["p1"]
    await_state(core.list_namespaced_event, lambda s: any(
        e.reason == "NotDeleted" and e.involved_object.name == "p2" for e in s.values()), namespace)
    # The same of a Pod that says so itself.
    core.patch_namespaced_pod_status("p3", namespace, {"status": {"conditions": [
        {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "lastTransitionTime": AGO}]}})
    await_state(core.list_namespaced_pod, lambda s: any(
        c.type == "DisruptionTarget" and c.status == "False" and not c.reason
        for c in s["p3"].status.conditions), namespace)

"""Control loops of a screen each: tokens in Secrets, aggregated ClusterRoles, what nodes may keep."""

import base64

from kubernetes import client

from harness import tls_context
from test_controllers import await_state, cluster, deployment, manager, namespace  # noqa: F401 (fixtures)

TYPE = "kubernetes.io/service-account-token"


def token_secret(name, account, uid=None):
    notes = {"kubernetes.io/service-account.name": account, "kubernetes.io/service-account.uid": uid}
    return {"metadata": {"name": name, "annotations": {k: v for k, v in notes.items() if v}}, "type": TYPE}


def whoami(server, token):
    with server.raw(context=tls_context(server.dir, client=False)) as raw:
        answer = raw.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {},
                          {"Authorization": f"Bearer {token}"})
    return answer.json()["status"]["userInfo"] if answer.status == 201 else answer.status


def test_secrets_hold_tokens(cluster, namespace, server):  # noqa: F811
    core = client.CoreV1Api(cluster)
    account = core.create_namespaced_service_account(namespace, {"metadata": {"name": "robot"}})
    core.create_namespaced_secret(namespace, token_secret("t", "robot"))
    state = await_state(core.list_namespaced_secret, lambda s: "t" in s and s["t"].data, namespace)
    assert state["t"].metadata.annotations["kubernetes.io/service-account.uid"] == account.metadata.uid
    data = {k: base64.b64decode(v).decode() for k, v in state["t"].data.items()}
    assert data["namespace"] == namespace and data["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
    who = whoami(server, data["token"])
    assert who["username"] == f"system:serviceaccount:{namespace}:robot" and who["uid"] == account.metadata.uid
    assert {"system:serviceaccounts", f"system:serviceaccounts:{namespace}"} <= set(who["groups"])
    review = client.AuthenticationV1Api(cluster).create_token_review({"spec": {"token": data["token"]}})
    assert review.status.authenticated and review.status.user.username == who["username"]
    # What is taken out is put back; a token that the Secret does not hold any more is none.
    core.patch_namespaced_secret("t", namespace, {"data": {"token": None}})
    state = await_state(core.list_namespaced_secret, lambda s: "token" in (s["t"].data or {}), namespace)
    core.patch_namespaced_secret("t", namespace, {"metadata": {"labels": {
        "kubernetes.io/legacy-token-invalid-since": "2026-01-01"}}})
    assert whoami(server, data["token"]) == 401
    core.patch_namespaced_secret("t", namespace, {"metadata": {"labels": {
        "kubernetes.io/legacy-token-invalid-since": None}}})
    assert whoami(server, base64.b64decode(state["t"].data["token"]).decode())["username"] == who["username"]
    # One that is gone is named no more; one of nobody, or of somebody else, goes.
    core.patch_namespaced_service_account("robot", namespace, {"secrets": [{"name": "t"}, {"name": "mine"}]})
    core.create_namespaced_secret(namespace, token_secret("of-nobody", "nobody"))
    core.create_namespaced_secret(namespace, token_secret("of-another", "robot", "not-its-uid"))
    await_state(core.list_namespaced_secret, lambda s: not {"of-nobody", "of-another"} & set(s), namespace)
    core.delete_namespaced_secret("t", namespace)
    await_state(core.list_namespaced_service_account,
                lambda s: [r.name for r in s["robot"].secrets or []] == ["mine"], namespace)
    assert whoami(server, data["token"]) == 401
    core.create_namespaced_secret(namespace, token_secret("u", "robot"))
    await_state(core.list_namespaced_secret, lambda s: "u" in s and s["u"].data, namespace)
    core.delete_namespaced_service_account("robot", namespace)
    await_state(core.list_namespaced_secret, lambda s: "u" not in s, namespace)


def test_roles_are_aggregated(cluster):  # noqa: F811
    rbac = client.RbacAuthorizationV1Api(cluster)

    def role(name, label, *resources):
        return {"metadata": {"name": name, "labels": {label: "yes"}},
                "rules": [{"apiGroups": ["example.com"], "resources": [r], "verbs": ["get"]} for r in resources]}

    def rules(state):
        return [r.resources[0] for r in state["sum"].rules or []]

    rbac.create_cluster_role(role("z", "one", "apples", "pears"))
    rbac.create_cluster_role(role("b", "two", "plums", "pears"))
    rbac.create_cluster_role({"metadata": {"name": "sum", "labels": {"one": "yes"}}, "aggregationRule": {
        "clusterRoleSelectors": [{"matchLabels": {"one": "yes"}}, {"matchLabels": {"two": "yes"}}]},
        "rules": [{"apiGroups": [""], "resources": ["replaced"], "verbs": ["get"]}]})
    await_state(rbac.list_cluster_role, lambda s: rules(s) == ["apples", "pears", "plums"])
    rbac.create_cluster_role(role("a", "one", "cherries"))
    await_state(rbac.list_cluster_role, lambda s: rules(s) == ["cherries", "apples", "pears", "plums"])
    rbac.delete_cluster_role("z")
    await_state(rbac.list_cluster_role, lambda s: rules(s) == ["cherries", "plums", "pears"])
    # A role of upstream's takes in what one's own custom resources need.
    rbac.create_cluster_role(role("mine", "rbac.authorization.k8s.io/aggregate-to-view", "melons"))
    rbac.patch_cluster_role("mine", {"metadata": {"labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}})
    await_state(rbac.list_cluster_role, lambda s: "melons" in {
        r for rule in s["admin"].rules for r in rule.resources or []})
    for name in ("sum", "a", "b", "mine"):
        rbac.delete_cluster_role(name)


def condition(state, name, kind):
    return next(((c.status, c.reason, c.message) for c in state[name].status.conditions or [] if c.type == kind), None)


def test_autoscalers_keep_to_their_bounds(cluster, namespace):  # noqa: F811
    apps, scaling = client.AppsV1Api(cluster), client.AutoscalingV2Api(cluster)
    listed = scaling.list_namespaced_horizontal_pod_autoscaler

    def autoscale(name, **spec):
        scaling.create_namespaced_horizontal_pod_autoscaler(namespace, {"metadata": {"name": name}, "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 2,
            "maxReplicas": 4, "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}], **spec}})

    autoscale("web")
    state = await_state(listed, lambda s: condition(s, "web", "AbleToScale"), namespace)
    assert condition(state, "web", "AbleToScale") == (
        "False", "FailedGetScale", "the HPA controller was unable to get the target's current scale: "
        'deployments.apps "web" not found')
    autoscale("odd", scaleTargetRef={"apiVersion": "example.com/v1", "kind": "Odd", "name": "o"})
    state = await_state(listed, lambda s: condition(s, "odd", "AbleToScale"), namespace)
    assert condition(state, "odd", "AbleToScale")[2].endswith('no matches for kind "Odd" in group "example.com"')
    apps.create_namespaced_deployment(namespace, deployment(replicas=1))
    scaling.patch_namespaced_horizontal_pod_autoscaler("web", namespace, {"spec": {"maxReplicas": 5}})
    state = await_state(listed, lambda s: s["web"].status.desired_replicas == 2, namespace)
    assert condition(state, "web", "AbleToScale")[:2] in (("True", "SucceededRescale"), ("True", "SucceededGetScale"))
    assert state["web"].status.last_scale_time and apps.read_namespaced_deployment("web", namespace).spec.replicas == 2
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 9}})
    scaling.patch_namespaced_horizontal_pod_autoscaler("web", namespace, {"spec": {"maxReplicas": 3}})
    await_state(apps.list_namespaced_deployment, lambda s: s["web"].spec.replicas == 3, namespace)
    scaling.patch_namespaced_horizontal_pod_autoscaler("web", namespace, {"spec": {"maxReplicas": 4}})
    state = await_state(listed, lambda s: condition(s, "web", "ScalingActive"), namespace)
    status, reason, message = condition(state, "web", "ScalingActive")
    assert (status, reason) == ("False", "FailedGetResourceMetric")
    assert message.startswith("the HPA was unable to compute the replica count: failed to get cpu utilization: ")
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 0}})
    scaling.patch_namespaced_horizontal_pod_autoscaler("web", namespace, {"spec": {"maxReplicas": 5}})
    state = await_state(listed, lambda s: condition(s, "web", "ScalingActive")[1] == "ScalingDisabled", namespace)
    assert apps.read_namespaced_deployment("web", namespace).spec.replicas == 0


def test_nodes_say_how_long_they_keep_things(cluster):  # noqa: F811
    core = client.CoreV1Api(cluster)
    core.create_node({"metadata": {"name": "keeper"}})
    await_state(core.list_node, lambda s: (s["keeper"].metadata.annotations or {}).get(
        "node.alpha.kubernetes.io/ttl") == "0")
    core.delete_node("keeper")

"""Who somebody is and what they may do: service account tokens, RBAC, reviews."""

import base64
import itertools
import json
import ssl
import subprocess
import time

import pytest
import yaml

from harness import Raw, Server, config_map, pintle, pod, status_of

numbers = itertools.count()
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ISSUER = "https://kubernetes.default.svc.cluster.local"


@pytest.fixture
def ns(raw):
    """A namespace with two service accounts."""
    name = f"identity-{next(numbers)}"
    assert raw.post("/api/v1/namespaces", {"metadata": {"name": name}}).status == 201
    for account in ("reader", "nobody"):
        assert raw.post(f"/api/v1/namespaces/{name}/serviceaccounts",
                        {"metadata": {"name": account}}).status == 201
    return name


def request_token(raw, ns, account="reader", **spec):
    return raw.post(f"/api/v1/namespaces/{ns}/serviceaccounts/{account}/token",
                    {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
                     "spec": spec})


def token_of(raw, ns, account="reader", **spec):
    made = request_token(raw, ns, account, **spec)
    assert made.status == 201, made
    return made.json()["status"]["token"]


class Bearer(Raw):
    """The same client with a token and no certificate."""

    def __init__(self, server, token):
        context = ssl.create_default_context(cafile=server.dir / "pki/ca.crt")
        super().__init__(server, context)
        self.token = token

    def request(self, method, path, body=None, headers=None, **query):
        headers = {**(headers or {}), "Authorization": f"Bearer {self.token}"}
        return super().request(method, path, body, headers, **query)


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def eventually(check, wanted, timeout=30):
    """A change of a role holds from a moment after it was answered."""
    end = time.monotonic() + timeout
    while (got := check()) != wanted and time.monotonic() < end:
        time.sleep(0.01)
    assert got == wanted


def bind(raw, ns, role, account, verbs=("list",), resources=("pods",)):
    assert raw.post(f"{RBAC}/namespaces/{ns}/roles",
                    {"metadata": {"name": role},
                     "rules": [{"apiGroups": [""], "resources": list(resources),
                                "verbs": list(verbs)}]}).status == 201
    assert raw.post(f"{RBAC}/namespaces/{ns}/rolebindings",
                    {"metadata": {"name": role},
                     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role",
                                 "name": role},
                     "subjects": [{"kind": "ServiceAccount", "name": account,
                                   "namespace": ns}]}).status == 201


# --- tokens ---

def test_a_token_says_who_and_for_whom(raw, ns):
    uid = raw.get(f"/api/v1/namespaces/{ns}/serviceaccounts/reader").json()["metadata"]["uid"]
    made = request_token(raw, ns, expirationSeconds=1200).json()
    claims = claims_of(made["status"]["token"])
    assert claims["sub"] == f"system:serviceaccount:{ns}:reader" and claims["iss"] == ISSUER
    assert claims["aud"] == [ISSUER] == made["spec"]["audiences"]
    assert claims["exp"] - claims["iat"] == 1200
    assert claims["kubernetes.io"] == {"namespace": ns,
                                       "serviceaccount": {"name": "reader", "uid": uid}}
    assert made["status"]["expirationTimestamp"].endswith("Z")


def test_tokens_that_are_not_given(raw, ns):
    status_of(request_token(raw, ns, "missing"), 404, "NotFound")
    short = status_of(request_token(raw, ns, expirationSeconds=60), 422, "Invalid")
    assert "may not specify a duration less than 10 minutes" in short["message"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "missing"}
    status_of(request_token(raw, ns, boundObjectRef=bound), 404, "NotFound")
    status_of(request_token(raw, ns, boundObjectRef={**bound, "kind": "Deployment"}), 400)


def test_a_token_opens_the_door_and_rbac_the_rooms(server, raw, ns):
    bind(raw, ns, "pods", "reader")
    with Bearer(server, token_of(raw, ns)) as reader, \
            Bearer(server, token_of(raw, ns, "nobody")) as nobody:
        pods = f"/api/v1/namespaces/{ns}/pods"
        eventually(lambda: reader.get(pods).status, 200)
        denied = status_of(nobody.get(pods), 403, "Forbidden")
        assert denied["message"] == (
            f'pods is forbidden: User "system:serviceaccount:{ns}:nobody" cannot list resource '
            f'"pods" in API group "" in the namespace "{ns}"')
        for path in ("/api/v1/pods", "/api/v1/namespaces/default/pods", f"{pods}/x",
                     f"{pods}/x/log", f"/api/v1/namespaces/{ns}/secrets"):
            status_of(reader.get(path), 403, "Forbidden")
        status_of(reader.post(pods, pod("x", ns)), 403, "Forbidden")
        status_of(reader.get("/metrics"), 403, "Forbidden")
        assert nobody.get("/apis").status == 200 and nobody.get("/version").status == 200
        assert raw.delete(f"{RBAC}/namespaces/{ns}/rolebindings/pods").status == 200
        eventually(lambda: reader.get(pods).status, 403)


def tampered(token):
    head, claims, signature = token.split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    changed["sub"] = "system:serviceaccount:kube-system:admin"
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(changed).encode()).decode()
                     .rstrip("="), signature))


def test_tokens_that_are_not_believed(server, raw, ns):
    good = token_of(raw, ns)
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for bad in ("x", "a.b.c", tampered(good), good[:-8], f"{none}.{good.split('.')[1]}.",
                token_of(raw, ns, audiences=["somebody-else"])):
        with Bearer(server, bad) as client:
            status_of(client.get("/api"), 401, "Unauthorized")
            status_of(client.get("/version"), 401, "Unauthorized")


def test_a_token_ends_with_its_account(server, raw, ns):
    with Bearer(server, token_of(raw, ns)) as client:
        assert client.get("/api").status == 200
        accounts = f"/api/v1/namespaces/{ns}/serviceaccounts"
        assert raw.delete(f"{accounts}/reader").status == 200
        status_of(client.get("/api"), 401)
        assert raw.post(accounts, {"metadata": {"name": "reader"}}).status == 201
        status_of(client.get("/api"), 401)


def test_a_token_ends_with_its_pod(server, raw, ns):
    body = pod("holder", ns)
    body["spec"]["serviceAccountName"] = "reader"
    made = raw.post(f"/api/v1/namespaces/{ns}/pods", body)
    assert made.status == 201, made
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "holder"}
    status_of(request_token(raw, ns, boundObjectRef={**bound, "uid": "another"}), 409, "Conflict")
    status_of(request_token(raw, ns, "nobody", boundObjectRef=bound), 400)
    token = token_of(raw, ns, boundObjectRef=bound)
    assert claims_of(token)["kubernetes.io"]["pod"]["uid"] == made.json()["metadata"]["uid"]
    with Bearer(server, token) as client:
        who = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
        extra = who.json()["status"]["userInfo"]["extra"]
        assert extra["authentication.kubernetes.io/pod-name"] == ["holder"]
        assert raw.delete(f"/api/v1/namespaces/{ns}/pods/holder").status == 200
        status_of(client.get("/api"), 401)


def test_others_can_check_tokens_by_the_published_keys(server, raw, ns, scratch):
    openid = raw.get("/.well-known/openid-configuration").json()
    assert openid["issuer"] == ISSUER and openid["jwks_uri"] == ISSUER + "/openid/v1/jwks"
    keys = raw.get("/openid/v1/jwks")
    assert keys.type == "application/jwk-set+json"
    [key] = keys.json()["keys"]
    token = token_of(raw, ns)
    head, claims, signature = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    assert header == {"alg": key["alg"], "kid": key["kid"]}
    # OpenSSL's own program as the third party, with the signature as it wants it.
    raw_signature = base64.urlsafe_b64decode(signature + "==")
    numbers_der = b"".join(b"\x02" + bytes([len(n)]) + n for n in (
        i.to_bytes(i.bit_length() // 8 + 1, "big") for i in (
            int.from_bytes(raw_signature[:32], "big"), int.from_bytes(raw_signature[32:], "big"))))
    (scratch / "sig").write_bytes(b"\x30" + bytes([len(numbers_der)]) + numbers_der)
    (scratch / "text").write_text(f"{head}.{claims}")
    done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", server.dir / "pki/sa.pub",
                           "-signature", scratch / "sig", scratch / "text"], capture_output=True)
    assert done.returncode == 0, done


# --- reviews ---

def test_token_review(server, raw, ns):
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    token = token_of(raw, ns, audiences=["me", "you"])
    good = raw.post(path, {"spec": {"token": token, "audiences": ["you", "they"]}}).json()
    assert good["status"]["authenticated"] and good["status"]["audiences"] == ["you"]
    user = good["status"]["user"]
    assert user["username"] == f"system:serviceaccount:{ns}:reader"
    assert user["groups"] == ["system:serviceaccounts", f"system:serviceaccounts:{ns}",
                              "system:authenticated"]
    for spec in ({"token": token}, {"token": token, "audiences": ["they"]}, {"token": "x"}):
        bad = raw.post(path, {"spec": spec})
        assert bad.status == 201 and not bad.json()["status"].get("authenticated"), bad
    status_of(raw.post(path, {"spec": {}}), 400)


def test_access_reviews(server, raw, ns):
    bind(raw, ns, "pods", "reader", verbs=["get", "list"], resources=["pods", "pods/log"])
    root = "/apis/authorization.k8s.io/v1"
    user = f"system:serviceaccount:{ns}:reader"

    def may(verb, resource, where=ns, sub=""):
        review = raw.post(f"{root}/subjectaccessreviews", {"spec": {
            "user": user, "resourceAttributes": {"verb": verb, "resource": resource,
                                                 "namespace": where, "subresource": sub}}})
        assert review.status == 201, review
        return review.json()["status"]["allowed"]

    eventually(lambda: may("get", "pods"), True)
    assert may("get", "pods", sub="log") and not may("get", "pods", sub="exec")
    assert not may("delete", "pods") and not may("get", "pods", "default")
    assert not may("get", "secrets")
    local = f"{root}/namespaces/{ns}/localsubjectaccessreviews"
    spec = {"user": user, "resourceAttributes": {"verb": "get", "resource": "pods",
                                                 "namespace": ns}}
    assert raw.post(local, {"spec": spec}).json()["status"]["allowed"]
    spec["resourceAttributes"]["namespace"] = "default"
    status_of(raw.post(local, {"spec": spec}), 422)
    paths = {"spec": {"groups": ["system:authenticated"],
                      "nonResourceAttributes": {"verb": "get", "path": "/apis/apps"}}}
    assert raw.post(f"{root}/subjectaccessreviews", paths).json()["status"]["allowed"]
    status_of(raw.post(f"{root}/subjectaccessreviews", {"spec": {"user": "x"}}), 422)


def as_account(kubectl, token, *args):
    return kubectl.run("--token", token, "--kubeconfig", "/dev/null", "--server",
                       kubectl.server.url, "--certificate-authority",
                       kubectl.server.dir / "pki/ca.crt", *args)


def test_kubectl_asks_who_and_what(kubectl, raw, ns):
    bind(raw, ns, "pods", "reader")
    token = kubectl("create", "token", "reader", "-n", ns).strip()
    who = as_account(kubectl, token, "auth", "whoami")
    assert f"system:serviceaccount:{ns}:reader" in who.stdout, who
    eventually(lambda: as_account(kubectl, token, "auth", "can-i", "list", "pods", "-n",
                                  ns).stdout.strip(), "yes")
    assert as_account(kubectl, token, "auth", "can-i", "list", "secrets", "-n",
                      ns).stdout.strip() == "no"
    listed = as_account(kubectl, token, "auth", "can-i", "--list", "-n", ns).stdout
    assert "selfsubjectreviews.authentication.k8s.io" in listed and "[list]" in listed
    assert kubectl("auth", "can-i", "*", "*").strip() == "yes"


# --- RBAC ---

def test_the_bootstrap_roles_are_there(raw):
    roles = {r["metadata"]["name"]: r for r in raw.get(f"{RBAC}/clusterroles").json()["items"]}
    assert {"cluster-admin", "admin", "edit", "view", "system:node", "system:kube-scheduler",
            "system:controller:replicaset-controller"} <= set(roles)
    bindings = {b["metadata"]["name"] for b in raw.get(f"{RBAC}/clusterrolebindings").json()["items"]}
    assert {"cluster-admin", "system:discovery", "system:kube-controller-manager"} <= bindings


def test_aggregated_roles_hold_what_feeds_them(server, raw, ns):
    assert raw.post(f"{RBAC}/namespaces/{ns}/rolebindings",
                    {"metadata": {"name": "admin"},
                     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                                 "name": "admin"},
                     "subjects": [{"kind": "ServiceAccount", "name": "reader",
                                   "namespace": ns}]}).status == 201
    with Bearer(server, token_of(raw, ns)) as admin:
        maps = f"/api/v1/namespaces/{ns}/configmaps"
        eventually(lambda: admin.get(maps).status, 200)
        assert admin.post(maps, config_map("a", namespace=ns)).status == 201
        status_of(admin.get("/api/v1/nodes"), 403)
        # A role of one's own is fine; more than one has is not.
        roles = f"{RBAC}/namespaces/{ns}/roles"
        rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
        assert admin.post(roles, {"metadata": {"name": "less"}, "rules": [rule]}).status == 201
        more = status_of(admin.post(roles, {"metadata": {"name": "more"}, "rules": [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}), 403, "Forbidden")
        assert "is attempting to grant RBAC permissions not currently held:\n" \
            '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}' in more["message"]
        bindings = f"{RBAC}/namespaces/{ns}/rolebindings"
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
        assert admin.post(bindings, {"metadata": {"name": "v"}, "subjects": [],
                                     "roleRef": {**ref, "name": "view"}}).status == 201
        status_of(admin.post(bindings, {"metadata": {"name": "c"}, "subjects": [],
                                        "roleRef": {**ref, "name": "cluster-admin"}}), 403)


def test_anonymous_sees_health_and_version_alone(server):
    context = ssl.create_default_context(cafile=server.dir / "pki/ca.crt")
    with Raw(server, context) as nobody:
        for path in ("/healthz", "/livez", "/readyz", "/version"):
            assert nobody.get(path).status == 200
        for path in ("/api", "/apis", "/api/v1/pods", "/openid/v1/jwks", "/metrics"):
            status_of(nobody.get(path), 403, "Forbidden")


def test_anonymous_may_what_it_is_granted(server):
    """It is a user like any other: what a cluster publishes to everybody is seen by everybody."""
    context = ssl.create_default_context(cafile=server.dir / "pki/ca.crt")
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-public"
    with server.raw() as admin, Raw(server, context) as nobody:
        assert admin.post("/api/v1/namespaces/kube-public/configmaps", {"metadata": {"name": "info"}}).status == 201
        assert admin.post(f"{rbac}/roles", {"metadata": {"name": "info"}, "rules": [
            {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["info"]}]}).status == 201
        assert admin.post(f"{rbac}/rolebindings", {
            "metadata": {"name": "info"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role",
                                                      "name": "info"},
            "subjects": [{"kind": "User", "name": "system:anonymous"}]}).status == 201
        eventually(lambda: nobody.get("/api/v1/namespaces/kube-public/configmaps/info").status, 200)
        status_of(nobody.get("/api/v1/namespaces/kube-public/configmaps"), 403, "Forbidden")


# --- the components' own certificates ---

def conf_context(server, name):
    """A TLS context with the client certificate of one of the kubeconfigs."""
    conf = yaml.safe_load((server.dir / name).read_text())
    user, out = conf["users"][0]["user"], server.dir.parent / (name + ".pem")
    out.write_bytes(base64.b64decode(user["client-certificate-data"]) +
                    base64.b64decode(user["client-key-data"]))
    context = ssl.create_default_context(cafile=server.dir / "pki/ca.crt")
    context.load_cert_chain(out)
    return context


@pytest.mark.parametrize("conf, user, may, may_not", [
    ("controller-manager.conf", "system:kube-controller-manager",
     ["/apis/apps/v1/replicasets", "/api/v1/pods", "/api/v1/nodes", "/api/v1/namespaces"],
     ["/metrics"]),
    ("scheduler.conf", "system:kube-scheduler", ["/api/v1/pods", "/api/v1/nodes"],
     ["/api/v1/secrets"]),
    ("proxy.conf", "system:kube-proxy",
     ["/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices", "/api/v1/nodes", "/api/v1/pods"],
     ["/api/v1/configmaps", "/api/v1/secrets"]),
    ("dns.conf", "system:serviceaccount:kube-system:kube-dns",
     ["/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices"], ["/api/v1/secrets"]),
    ("kubelet-n7.conf", "system:node:n7",
     ["/api/v1/nodes?fieldSelector=metadata.name%3Dn7", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn7", "/api/v1/services"],
     ["/apis/apps/v1/deployments", "/api/v1/nodes", "/api/v1/pods"]),
])
def test_components_have_users_of_their_own(server, conf, user, may, may_not):
    made = pintle("pki", "node", server.dir, "--secure-port", server.port, "--node-name", "n7",
                  "--node-addresses", "192.0.2.7,fd00::7")
    assert made.returncode == 0, made
    with Raw(server, conf_context(server, conf)) as client:
        who = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}).json()
        assert who["status"]["userInfo"]["username"] == user
        for path in may:
            assert client.get(path).status == 200, path
        for path in may_not:
            status_of(client.get(path), 403, "Forbidden")


def test_certificates_of_a_node(server):
    def node(*args):
        return pintle("pki", "node", server.dir, "--secure-port", server.port, *args)

    assert node("--node-name", "n8", "--node-addresses", "192.0.2.8").returncode == 0
    text = subprocess.run(["openssl", "x509", "-in", server.dir / "pki/kubelet-n8.crt", "-noout",
                           "-text"], capture_output=True, text=True).stdout
    assert "O = system:nodes, CN = system:node:n8" in text and "IP Address:192.0.2.8" in text
    assert "0 files made" in node("--node-name", "n8", "--node-addresses", "192.0.2.8").stdout
    assert "2 files made" in node("--node-name", "n8", "--node-addresses", "192.0.2.9").stdout
    assert node("--node-name", "../n", "--node-addresses", "192.0.2.8").returncode == 1
    assert node("--node-name", "n", "--node-addresses", "here").returncode == 1
    assert node("--node-name", "n").returncode == 2


def as_user(user, *groups, uid=None, extra=()):
    """Headers of impersonation; a list has several of one name."""
    headers = {"Impersonate-User": user}
    if groups:
        headers["Impersonate-Group"] = groups[0]
    if uid:
        headers["Impersonate-Uid"] = uid
    for key, value in extra:
        headers[f"Impersonate-Extra-{key}"] = value
    return headers


def who(raw, headers):
    made = raw.post("/apis/authentication.k8s.io/v1/selfsubjectreviews",
                    {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"}, headers=headers)
    assert made.status == 201, made
    return made.json()["status"]["userInfo"]


def test_an_administrator_is_anybody(raw):
    jane = who(raw, as_user("jane", "developers", uid="42", extra=[("scopes", "view"), ("a.b%2fc", "d")]))
    assert jane == {"username": "jane", "uid": "42", "groups": ["developers", "system:authenticated"],
                    "extra": {"a.b/c": ["d"], "scopes": ["view"]}}
    account = who(raw, as_user("system:serviceaccount:default:robot"))
    assert account["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    status_of(raw.get("/api/v1/pods", headers=as_user("jane")), 403, "Forbidden")
    status_of(raw.get("/api/v1/pods", headers={"Impersonate-Group": "developers"}), 400, "BadRequest")


def test_impersonation_is_a_right(server, raw, ns):
    robot = Bearer(server, token_of(raw, ns))
    mine = f"impersonators-{ns}"
    refused = status_of(robot.get("/api/v1/pods", headers=as_user("jane")), 403, "Forbidden")
    assert refused["message"] == (
        f'users "jane" is forbidden: User "system:serviceaccount:{ns}:reader" cannot impersonate resource "users" '
        'in API group "" at the cluster scope')
    rules = [{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["jane"]},
             {"apiGroups": [""], "resources": ["groups"], "verbs": ["impersonate"], "resourceNames": ["developers"]},
             {"apiGroups": ["authentication.k8s.io"], "resources": ["userextras/scopes"], "verbs": ["impersonate"],
              "resourceNames": ["view"]}]
    assert raw.post(f"{RBAC}/clusterroles", {"metadata": {"name": mine}, "rules": rules}).status == 201
    assert raw.post(f"{RBAC}/clusterrolebindings", {
        "metadata": {"name": mine}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                                                "name": mine},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": ns}]}).status == 201
    assert who(robot, as_user("jane", "developers"))["username"] == "jane"
    assert who(robot, as_user("jane", extra=[("scopes", "view")]))["extra"] == {"scopes": ["view"]}
    for headers in (as_user("john"), as_user("jane", "admins"), as_user("jane", uid="1"),
                    as_user("jane", extra=[("scopes", "all")]), as_user("jane", extra=[("other", "view")]),
                    as_user("system:serviceaccount:default:x")):
        status_of(robot.get("/api/v1/namespaces", headers=headers), 403, "Forbidden")


def test_kubectl_as_somebody(kubectl, raw):
    out = kubectl("auth", "whoami", "--as", "jane", "--as-group", "developers", "-o", "json")
    assert json.loads(out)["status"]["userInfo"]["groups"] == ["developers", "system:authenticated"]
    assert kubectl.run("auth", "can-i", "list", "pods", "--as", "jane").stdout.strip() == "no"
    assert kubectl("auth", "can-i", "list", "pods").strip() == "yes"


def test_rules_of_ones_own(server, raw, ns):
    robot = Bearer(server, token_of(raw, ns))
    ask = {"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"namespace": ns}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    assert raw.post(f"{RBAC}/namespaces/{ns}/roles", {"metadata": {"name": "maps"}, "rules": [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]}).status == 201
    assert raw.post(f"{RBAC}/namespaces/{ns}/rolebindings", {
        "metadata": {"name": "maps"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role",
                                                  "name": "maps"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": ns}]}).status == 201
    made = robot.post(path, ask)
    assert made.status == 201, made
    said = made.json()["status"]
    assert {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]} in said["resourceRules"]
    assert any("/healthz" in r["nonResourceURLs"] for r in said["nonResourceRules"])
    assert said["incomplete"] is False
    elsewhere = robot.post(path, {**ask, "spec": {"namespace": "default"}}).json()["status"]
    assert not any("configmaps" in r["resources"] for r in elsewhere["resourceRules"])


def test_nothing_secret_is_logged(scratch):
    """Whatever is asked, by whomever, at the most talkative: no token, password or Secret in the log."""
    s = Server(scratch / "data", ["--v", "9"]).init().start()
    try:
        with s.raw() as raw:
            namespace = "/api/v1/namespaces/default"
            assert raw.post(f"{namespace}/serviceaccounts", {"metadata": {"name": "a"}}).status == 201
            token = token_of(raw, "default", "a")
            data = base64.b64encode(b"a-secret-value").decode()
            assert raw.post(f"{namespace}/secrets", {"metadata": {"name": "s"}, "stringData": {"k": "a-secret-value"}}).status == 201
            for body in ({"data": {"k": "%%%"}}, {"stringData": {"k": ["a-secret-value"]}}):
                assert raw.patch(f"{namespace}/secrets/s", body).status in (400, 422)
            for bad in (token, token[:-8] + "AAAAAAAA", "a-secret-value"):
                with Bearer(s, bad) as client:
                    client.get(f"{namespace}/secrets/s", token="a-secret-value")
            raw.get(f"{namespace}/secrets/s", headers={"Authorization": "Basic " + data, "Cookie": "a-secret-value"})
            raw.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
            raw.request("BREW", f"{namespace}/secrets/s?access_token=a-secret-value")
    finally:
        s.stop()
        s.forget()
    said = s.stderr()
    assert "stopping" in said
    for secret in ("a-secret-value", data, token.split(".")[1], token.split(".")[2], "AAAAAAAA"):
        assert secret not in said, [line for line in said.splitlines() if secret in line]

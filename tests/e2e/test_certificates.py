"""Certificate requests: approved by hand or by who asks, signed by the cluster's authority, and good for something."""

import base64
import ssl
import subprocess

import pytest
from kubernetes import client

from harness import admin_files
from test_controllers import await_state, cluster, manager  # noqa: F401 (fixtures)

NODE = "kubernetes.io/kube-apiserver-client-kubelet"


@pytest.fixture
def certs(cluster):  # noqa: F811
    return client.CertificatesV1Api(cluster)


def make_request(scratch, subject, *more):
    """The request's text; its key is left beside it."""
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", scratch / "key", "-out", scratch / "csr", "-subj", subject, *more],
                   check=True, capture_output=True)
    return (scratch / "csr").read_bytes()


def body(name, pem, signer, *usages, **spec):
    return {"metadata": {"name": name}, "spec": {
        "request": base64.b64encode(pem).decode(), "signerName": signer, "usages": list(usages), **spec}}


def approve(certs, name):
    csr = certs.read_certificate_signing_request(name)
    csr.status.conditions = [{"type": "Approved", "status": "True", "reason": "Test", "message": "by hand"}]
    certs.replace_certificate_signing_request_approval(name, csr)


def issued(certs, name):
    state = await_state(certs.list_certificate_signing_request, lambda s: name in s and s[name].status.certificate)
    return base64.b64decode(state[name].status.certificate)


def described(pem):
    return subprocess.run(["openssl", "x509", "-noout", "-text", "-nameopt", "RFC2253"], input=pem,
                          check=True, capture_output=True).stdout.decode()


def test_a_client_gets_a_certificate_and_uses_it(certs, server, scratch):
    pem = make_request(scratch, "/O=devs/O=ops/CN=jane")
    certs.create_certificate_signing_request(body(
        "jane", pem, "kubernetes.io/kube-apiserver-client", "client auth", expirationSeconds=3600))
    assert not certs.read_certificate_signing_request("jane").status.certificate
    approve(certs, "jane")
    (scratch / "crt").write_bytes(issued(certs, "jane"))
    condition, = certs.read_certificate_signing_request("jane").status.conditions
    assert condition.last_update_time and condition.last_transition_time
    context = ssl.create_default_context(cafile=admin_files(server.dir)[2])
    context.load_cert_chain(scratch / "crt", scratch / "key")
    with server.raw(context=context) as raw:
        who = raw.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}).json()["status"]["userInfo"]
    assert who["username"] == "jane" and {"devs", "ops"} <= set(who["groups"])
    text = described((scratch / "crt").read_bytes())
    assert "CA:FALSE" in text and "TLS Web Client Authentication" in text


def test_what_a_signer_does_not_sign(certs, scratch):
    pem = make_request(scratch, "/CN=joe")
    certs.create_certificate_signing_request(body(
        "joe", pem, "kubernetes.io/kube-apiserver-client", "client auth", "server auth"))
    certs.create_certificate_signing_request(body("other", pem, "example.com/other", "client auth"))
    for name in ("other", "joe"):
        approve(certs, name)
    state = await_state(certs.list_certificate_signing_request, lambda s: any(
        c.type == "Failed" for c in s["joe"].status.conditions or []))
    failed, = [c for c in state["joe"].status.conditions if c.type == "Failed"]
    assert (failed.reason, failed.message) == \
        ("SignerValidationFailure", "invalid usage for client certificate: server auth")
    assert not state["joe"].status.certificate
    assert not certs.read_certificate_signing_request("other").status.certificate


def test_a_node_joins(certs, server, scratch):
    """Who may ask for nodes gets what a node needs; who may not waits for a human."""
    pem = make_request(scratch, "/O=system:nodes/CN=system:node:n1")
    asked = body("", pem, NODE, "digital signature", "client auth")
    root = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    for role in ("system:node-bootstrapper", "system:certificates.k8s.io:certificatesigningrequests:nodeclient"):
        groups = ["system:bootstrappers"] + (["system:strangers"] if role.endswith("bootstrapper") else [])
        with server.raw() as raw:
            assert raw.post(roles, {
                "metadata": {"name": role.rpartition(":")[2] + "-test"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": g}
                             for g in groups]}).status == 201
    with server.raw() as raw:
        for name in ("strangers", "bootstrappers"):
            who = {"Impersonate-User": f"system:bootstrap:{name}", "Impersonate-Group": f"system:{name}"}
            made = raw.post(root, {**asked, "metadata": {"name": name}}, who)
            assert made.status == 201, made
    text = described(issued(certs, "bootstrappers"))
    assert "Subject: CN=system:node:n1,O=system:nodes" in text
    condition, = certs.read_certificate_signing_request("bootstrappers").status.conditions
    assert (condition.type, condition.reason, condition.message) == (
        "Approved", "AutoApproved", "Auto approving kubelet client certificate after SubjectAccessReview.")
    assert not certs.read_certificate_signing_request("strangers").status.conditions
    # With a certificate of its own a node asks for the next one itself, by a role of upstream's for all nodes.
    with server.raw() as raw:
        raw.post(roles, {
            "metadata": {"name": "selfnodeclient-test"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}]})
        made = raw.post(root, {**asked, "metadata": {"name": "renewal"}},
                        {"Impersonate-User": "system:node:n1", "Impersonate-Group": "system:nodes"})
        assert made.status in (201, 403), made
    if made.status == 201:
        issued(certs, "renewal")
        condition, = certs.read_certificate_signing_request("renewal").status.conditions
        assert condition.message == "Auto approving self kubelet client certificate after SubjectAccessReview."


def test_serving_certificates_wait_for_a_human(certs, scratch):
    pem = make_request(scratch, "/O=system:nodes/CN=system:node:n2", "-addext", "subjectAltName=DNS:n2,IP:10.0.0.2")
    certs.create_certificate_signing_request(body(
        "serving", pem, "kubernetes.io/kubelet-serving", "digital signature", "server auth"))
    approve(certs, "serving")
    text = described(issued(certs, "serving"))
    assert "DNS:n2, IP Address:10.0.0.2" in text and "TLS Web Server Authentication" in text

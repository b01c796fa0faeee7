"""What a node may do: the node authorizer and the admission plugin NodeRestriction, asked as system:node:n1.
The words are upstream's."""

import subprocess
import threading

import pytest

from harness import Raw, status_of

CORE, NS = "/api/v1", "/api/v1/namespaces/nodes-may"
PODS, LEASES = f"{NS}/pods", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
STORAGE, SLICES = "/apis/storage.k8s.io/v1", "/apis/resource.k8s.io/v1/resourceslices"
MIRROR = "kubernetes.io/config.mirror"
UNRELATED = "no relationship found between node 'n1' and this object"


def as_node(name):
    return {"Impersonate-User": f"system:node:{name}", "Impersonate-Group": "system:nodes"}


def pod(name, node, **spec):
    return {"metadata": {"name": name, "namespace": "nodes-may"},
            "spec": {"nodeName": node, "serviceAccountName": "runner",
                     "containers": [{"name": "c", "image": "x"}], **spec}}


def slice_of(name, node):
    return {"metadata": {"name": name}, "spec": {
        "driver": "d.example.com", "nodeName": node, "devices": [],
        "pool": {"name": node, "resourceSliceCount": 1, "generation": 1}}}


def volume_of(name, claim, secret):
    return {"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": "nodes-may", "name": claim},
        "csi": {"driver": "d", "volumeHandle": "h",
                "nodePublishSecretRef": {"name": secret, "namespace": "nodes-may"},
                "controllerPublishSecretRef": {"name": "of-the-controller", "namespace": "nodes-may"}}}}


OWN = {"volumes": [{"name": "a", "secret": {"secretName": "in-volume"}},
                   {"name": "b", "configMap": {"name": "in-volume"}},
                   {"name": "c", "persistentVolumeClaim": {"claimName": "claimed"}},
                   {"name": "d", "projected": {"sources": [
                       {"serviceAccountToken": {"path": "t", "audience": "vault"}},
                       {"secret": {"name": "projected"}}]}}],
       "imagePullSecrets": [{"name": "pull"}],
       "resourceClaims": [{"name": "x", "resourceClaimName": "device"}],
       "initContainers": [{"name": "i", "image": "x", "env": [
           {"name": "A", "valueFrom": {"secretKeyRef": {"name": "in-env", "key": "k"}}}]}],
       "containers": [{"name": "c", "image": "x", "envFrom": [{"configMapRef": {"name": "env-from"}}]}]}


@pytest.fixture(scope="module")
def uids(raw):
    """Two nodes with a Pod each; n1's names all that it may read."""
    def made(path, body):
        answer = raw.post(path, body)
        assert answer.status == 201, answer
        return answer.json()["metadata"]["uid"]

    made(f"{CORE}/namespaces", {"metadata": {"name": "nodes-may"}})
    assert raw.post(f"{CORE}/namespaces", {"metadata": {"name": "kube-node-lease"}}).status in (201, 409)
    for name in ("runner", "other"):
        made(f"{NS}/serviceaccounts", {"metadata": {"name": name}})
    for name in ("in-volume", "projected", "pull", "in-env", "of-volume", "of-the-controller", "late", "nobodys"):
        made(f"{NS}/secrets", {"metadata": {"name": name}})
    for name in ("in-volume", "env-from", "nobodys"):
        made(f"{NS}/configmaps", {"metadata": {"name": name}})
    for name in ("claimed", "nobodys"):
        made(f"{NS}/persistentvolumeclaims", {"metadata": {"name": name}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": f"v-{name}"}})
        made(f"{CORE}/persistentvolumes", volume_of(f"v-{name}", name, "of-volume" if name == "claimed" else "nobodys"))
    found = {}
    for name in ("n1", "n2"):
        found[name] = made(f"{CORE}/nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
        made(f"{STORAGE}/volumeattachments", {"metadata": {"name": f"to-{name}"}, "spec": {
            "attacher": "d", "nodeName": name, "source": {"persistentVolumeName": "v-claimed"}}})
        made(SLICES, slice_of(f"of-{name}", name))
    found["p1"] = made(PODS, pod("p1", "n1", **OWN))
    found["p2"] = made(PODS, pod("p2", "n2"))
    return found


def ask(raw, method, path, body, code, words, node="n1"):
    headers = as_node(node)
    if method == "PATCH":
        headers["Content-Type"] = "application/merge-patch+json"
    answer = raw.request(method, path, body, headers)
    assert answer.status == code, (method, path, answer)
    if words:
        assert words in answer.json()["message"], answer.json()["message"]
    return answer


@pytest.mark.parametrize("kind, names", [
    ("secrets", ["in-volume", "projected", "pull", "in-env", "of-volume"]),
    ("configmaps", ["in-volume", "env-from"]), ("persistentvolumeclaims", ["claimed"])])
def test_what_its_pods_name_it_reads(raw, uids, kind, names):
    for name in names:
        ask(raw, "GET", f"{NS}/{kind}/{name}", None, 200, "")
        ask(raw, "GET", f"{NS}/{kind}/{name}", None, 403, "no relationship found between node 'n2'", node="n2")
    for name in ("nobodys", "absent", "of-the-controller"):
        ask(raw, "GET", f"{NS}/{kind}/{name}", None, 403, UNRELATED)


NAMED = "?fieldSelector=metadata.name%3Din-volume"


@pytest.mark.parametrize("method, path, body, code, words", [
    ("GET", f"{NS}/secrets{NAMED}", None, 200, ""),
    ("GET", f"{NS}/secrets?fieldSelector=metadata.name%3Dnobodys", None, 403, f'secrets "nobodys" is forbidden: User '
     '"system:node:n1" cannot list resource "secrets" in API group "" in the namespace "nodes-may": ' + UNRELATED),
    ("GET", f"{NS}/secrets", None, 403, "No Object name found"),
    ("GET", f"{CORE}/secrets{NAMED}", None, 403, "can only read namespaced object of this type"),
    ("DELETE", f"{NS}/secrets/in-volume", None, 403, "can only read resources of this type"),
    ("POST", f"{NS}/configmaps", {"metadata": {"name": "new"}}, 403, "can only read resources of this type"),
    ("GET", f"{NS}/persistentvolumeclaims", None, 403, "can only get individual resources of this type"),
    ("GET", f"{CORE}/persistentvolumes/v-claimed", None, 200, ""),
    ("GET", f"{CORE}/persistentvolumes/v-nobodys", None, 403, UNRELATED),
    ("GET", f"{STORAGE}/volumeattachments/to-n1", None, 200, ""),
    ("GET", f"{STORAGE}/volumeattachments/to-n2", None, 403, UNRELATED),
    ("GET", "/apis/resource.k8s.io/v1/namespaces/nodes-may/resourceclaims/device", None, 404, ""),
    ("GET", "/apis/resource.k8s.io/v1/namespaces/nodes-may/resourceclaims/other", None, 403, UNRELATED),
    ("GET", f"{SLICES}/of-n1", None, 200, ""),
    ("GET", f"{SLICES}/of-n2", None, 403, UNRELATED),
    ("GET", f"{SLICES}?fieldSelector=spec.nodeName%3Dn1", None, 200, ""),
    ("GET", f"{SLICES}?fieldSelector=spec.nodeName%3Dn2", None, 403, "with nodeName field selector"),
    ("POST", SLICES, slice_of("new", "n2"), 403, "can only create ResourceSlice with the same NodeName"),
    ("POST", SLICES, slice_of("new", "n1"), 201, ""),
    ("DELETE", f"{SLICES}/of-n2", None, 403, UNRELATED),
    ("GET", f"{NS}/serviceaccounts/runner", None, 200, ""),
    ("GET", f"{NS}/serviceaccounts/other", None, 403, UNRELATED),
    ("GET", f"{NS}/serviceaccounts", None, 403, "can only create tokens for individual service accounts"),
    ("POST", LEASES, {"metadata": {"name": "n2"}}, 403, "can only access node lease with the same name"),
    ("POST", LEASES, {"metadata": {"name": "n1"}}, 201, ""),
    ("GET", f"{LEASES}/n1", None, 200, ""),
    ("GET", f"{LEASES}/n2", None, 403, "can only access node lease with the same name as the requesting node"),
    ("GET", LEASES, None, 403, "can only get, create, update, patch, or delete a node lease"),
    ("POST", "/apis/coordination.k8s.io/v1/namespaces/nodes-may/leases", {"metadata": {"name": "n1"}}, 403,
     'can only access leases in the "kube-node-lease" system namespace'),
    ("POST", f"{STORAGE}/csinodes", {"metadata": {"name": "n2"}, "spec": {"drivers": []}}, 403,
     "can only access CSINode with the same name as the requesting node"),
    ("POST", f"{STORAGE}/csinodes", {"metadata": {"name": "n1"}, "spec": {"drivers": []}}, 201, ""),
    ("GET", f"{CORE}/services", None, 200, ""),
    ("GET", "/apis/apps/v1/deployments", None, 403, 'User "system:node:n1" cannot list resource "deployments"'),
])
def test_what_a_node_may(raw, uids, method, path, body, code, words):
    ask(raw, method, path, body, code, words)


@pytest.mark.parametrize("method, path, body, code, words", [
    ("GET", "", None, 403, "node 'n1' cannot read all nodes, only its own Node object"),
    ("GET", "/n1", None, 200, ""),
    ("GET", "?fieldSelector=metadata.name%3Dn1", None, 200, ""),
    ("GET", "/n2", None, 403, "node 'n1' cannot read 'n2', only its own Node object"),
    ("DELETE", "/n1", None, 403, 'cannot delete resource "nodes"'),
    ("POST", "", {"metadata": {"name": "n3"}}, 403, 'node "n1" is not allowed to modify node "n3"'),
    ("PATCH", "/n2/status", {"status": {"phase": "x"}}, 403, 'node "n1" is not allowed to modify node "n2"'),
    ("PATCH", "/n1/status", {"status": {"nodeInfo": {"kernelVersion": "1"}}}, 200, ""),
    ("PATCH", "/n1", {"spec": {"unschedulable": True}}, 200, ""),
    ("PATCH", "/n1", {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, 403,
     'node "n1" is not allowed to modify taints'),
    ("PATCH", "/n1", {"metadata": {"ownerReferences": [
        {"apiVersion": "v1", "kind": "Node", "name": "n2", "uid": "x"}]}}, 403,
     'node "n1" is not allowed to modify ownerReferences'),
    ("PATCH", "/n1/status", {"metadata": {"labels": {"kubernetes.io/x": "y"}}}, 403,
     "is not allowed to modify labels: kubernetes.io/x"),
    ("PATCH", "/n1", {"metadata": {"labels": {"z.k8s.io/x": "", "a.kubernetes.io/x": "", "example.com/x": ""}}}, 403,
     "is not allowed to modify labels: a.kubernetes.io/x, z.k8s.io/x"),
    *[("PATCH", "/n1", {"metadata": {"labels": {key: "v"}}}, 403, f"is not allowed to modify labels: {key}")
      for key in ("node-restriction.kubernetes.io/x", "a.node-restriction.kubernetes.io/x",
                  "node-role.kubernetes.io/control-plane", "k8s.io/x")],
    *[("PATCH", "/n1", {"metadata": {"labels": {key: "v"}}}, 200, "")
      for key in ("x", "example.com/x", "notkubernetes.io/x", "node.kubernetes.io/x", "a.kubelet.kubernetes.io/x",
                  "kubernetes.io/hostname", "topology.kubernetes.io/zone", "beta.kubernetes.io/arch")],
])
def test_its_node_and_no_other(raw, uids, method, path, body, code, words):
    ask(raw, method, f"{CORE}/nodes{path}", body, code, words)


def test_a_node_that_registers(raw, uids):
    def new(labels):
        return {"metadata": {"name": "n9", "labels": labels}}

    ask(raw, "POST", f"{CORE}/nodes", new({"node-role.kubernetes.io/x": ""}), 403,
        'node "n9" is not allowed to set the following labels: node-role.kubernetes.io/x', node="n9")
    ask(raw, "POST", f"{CORE}/nodes", new({"kubernetes.io/os": "linux"}), 201, "", node="n9")
    status_of(raw.get(f"{CORE}/nodes/n9", headers={"Impersonate-User": "system:node:",
                                                   "Impersonate-Group": "system:nodes"}), 403, "Forbidden")


@pytest.mark.parametrize("method, path, body, code, words", [
    ("GET", "/p1", None, 200, ""),
    ("GET", "/p2", None, 403, UNRELATED),
    ("GET", "", None, 403, "can only list/watch pods with spec.nodeName field selector"),
    ("GET", "?fieldSelector=spec.nodeName%3Dn1", None, 200, ""),
    ("GET", "?fieldSelector=spec.nodeName%3Dn2", None, 403, "can only list/watch pods with spec.nodeName"),
    ("GET", "?fieldSelector=metadata.name%3Dp1", None, 200, ""),
    ("GET", "?fieldSelector=metadata.name%3Dp2", None, 403, UNRELATED),
    ("PATCH", "/p1/status", {"status": {"message": "x"}}, 200, ""),
    ("PATCH", "/p2/status", {"status": {"message": "x"}}, 403,
     'node "n1" can only update pod status for pods with spec.nodeName set to itself'),
    ("PATCH", "/p1/status", {"metadata": {"labels": {"a": "b"}}}, 403,
     'node "n1" cannot update labels through pod status'),
    ("PATCH", "/p1/status", {"status": {"resourceClaimStatuses": [{"name": "x", "resourceClaimName": "y"}]}}, 403,
     'node "n1" cannot update resource claim statues'),
    ("PATCH", "/p1", {"metadata": {"labels": {"a": "b"}}}, 403, 'cannot patch resource "pods"'),
    ("PATCH", "/p1/ephemeralcontainers", {}, 403, 'cannot patch resource "pods/ephemeralcontainers"'),
    ("POST", "/p2/binding", {"target": {"kind": "Node", "name": "n1"}}, 403, 'cannot create resource "pods/binding"'),
    ("GET", "/p1/log", None, 403, 'cannot get resource "pods/log"'),
    ("POST", "/p2/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p2"}}, 403,
     "node n1 can only evict pods with spec.nodeName set to itself"),
    ("DELETE", "/p2", None, 403, 'node "n1" can only delete pods with spec.nodeName set to itself'),
    ("DELETE", "/p1?dryRun=All", None, 200, ""),
])
def test_its_pods_and_no_others(raw, uids, method, path, body, code, words):
    ask(raw, method, PODS + path, body, code, words)


def mirror(uids, owner=None, annotations=None, owners=1, node="n1", **spec):
    reference = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": uids["n1"], "controller": True,
                 **(owner or {})}
    references = [{**reference, "uid": reference["uid"] + "x" * i} for i in range(owners)]
    return {"metadata": {"name": "picture", "ownerReferences": references,
                         "annotations": {MIRROR: "x"} if annotations is None else annotations},
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": "x"}], **spec}}


@pytest.mark.parametrize("change, words", [
    ({"annotations": {}}, f'pod does not have "{MIRROR}" annotation, node "n1" can only create mirror pods'),
    ({"node": "n2"}, 'node "n1" can only create pods with spec.nodeName set to itself'),
    ({"owners": 0}, 'node "n1" can only create pods with an owner reference set to itself'),
    ({"owners": 2}, 'node "n1" can only create pods with a single owner reference set to itself'),
    ({"owner": {"name": "n2"}}, 'node "n1" can only create pods with an owner reference set to itself'),
    ({"owner": {"controller": False}}, 'node "n1" can only create pods with a controller owner reference set to itself'),
    ({"owner": {"blockOwnerDeletion": True}}, 'node "n1" must not set blockOwnerDeletion on an owner reference'),
    ({"owner": {"uid": "zz"}}, "node n1 UID mismatch: expected zz got "),
    ({"volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "x"}}]},
     'node "n1" can not create pods that reference persistentvolumeclaims'),
    ({"volumes": [{"name": "a", "configMap": {"name": "x"}}]}, 'node "n1" can not create pods that reference configmaps'),
])
def test_pictures_of_static_pods(raw, uids, change, words):
    ask(raw, "POST", PODS, mirror(uids, **change), 403, words)


def test_a_picture_is_made(raw, uids):
    ask(raw, "POST", PODS, mirror(uids), 201, "")


@pytest.mark.parametrize("bound, more, code, words", [
    (None, {}, 403, 'serviceaccounts "runner" is forbidden: node requested token not bound to a pod'),
    (("p1", ""), {}, 403, "node requested token with a pod binding without a uid"),
    (("p1", "zz"), {}, 403, "the UID in the bound object reference (zz) does not match the UID in record"),
    (("p2", "p2"), {}, 403, "node requested token bound to a pod scheduled on a different node"),
    (("p1", "p1"), {"audiences": ["other"]}, 403, 'audience "other" not found in pod spec volume, system:node:n1 is not '
     "authorized to request tokens for this audience"),
    (("p1", "p1"), {"audiences": ["vault", "other"]}, 403, "node may only request 0 or 1 audiences"),
    (("p1", "p1"), {"audiences": ["vault"]}, 201, ""),
])
def test_tokens_of_its_pods(raw, uids, bound, more, code, words):
    spec = dict(more)
    if bound:
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": bound[0],
                                  "uid": uids.get(bound[1], bound[1])}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    ask(raw, "POST", f"{NS}/serviceaccounts/runner/token", body, code, words)
    if code == 201:
        ask(raw, "POST", f"{NS}/serviceaccounts/other/token", body, 403, UNRELATED)


def test_the_status_of_its_claims(raw, uids):
    claim = f"{NS}/persistentvolumeclaims/claimed/status"
    ask(raw, "PATCH", claim, {"status": {"capacity": {"storage": "2Gi"}}}, 200, "")
    ask(raw, "PATCH", claim, {"metadata": {"labels": {"a": "b"}}}, 403,
        'node "n1" is not allowed to update fields other than status.quantity and status.conditions')
    ask(raw, "PATCH", f"{NS}/persistentvolumeclaims/nobodys/status", {"status": {}}, 403, UNRELATED)


def test_certificates_for_itself(raw, uids, scratch):
    import base64
    for who, code, words in (("n1", 201, ""), ("n2", 403, "can only create a node CSR with CN=system:node:n1")):
        made = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                               "-keyout", scratch / "key", "-subj", f"/O=system:nodes/CN=system:node:{who}"],
                              check=True, capture_output=True)
        ask(raw, "POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests",
            {"metadata": {"name": f"for-{who}"}, "spec": {
                "signerName": "kubernetes.io/kube-apiserver-client-kubelet", "usages": ["digital signature", "client auth"],
                "request": base64.b64encode(made.stdout).decode()}}, code, words)


def test_what_is_no_longer_named_is_no_longer_read(raw, uids):
    """A Pod's life: unbound, bound, with one container more, gone. What a binding allows holds when it is answered."""
    secret, more = f"{NS}/secrets/late", f"{NS}/secrets/nobodys"
    body = pod("passing", "", volumes=[{"name": "a", "secret": {"secretName": "late"}}])
    assert raw.post(PODS, body).status == 201
    ask(raw, "GET", secret, None, 403, UNRELATED)
    assert raw.post(f"{PODS}/passing/binding", {"target": {"kind": "Node", "name": "n1"}}).status == 201
    ask(raw, "GET", secret, None, 200, "")
    ask(raw, "GET", more, None, 403, UNRELATED)
    assert raw.patch(f"{PODS}/passing/ephemeralcontainers", {"spec": {"ephemeralContainers": [
        {"name": "e", "image": "x", "envFrom": [{"secretRef": {"name": "nobodys"}}]}]}}, "strategic-merge-patch").status == 200
    ask(raw, "GET", more, None, 200, "")
    assert raw.delete(f"{PODS}/passing", {"gracePeriodSeconds": 0}).status == 200
    # The graph hears of it: unlike a yes, a no may be a moment late.
    for path in (secret, more):
        until_refused(raw, path)


def until_refused(raw, path, tries=1000):
    for _ in range(tries):
        if raw.get(path, headers=as_node("n1")).status == 403:
            return
    raise AssertionError(f"{path} is still read")


def test_many_bindings_at_once(raw, uids, server):
    """Each node reads its Pod's Secret at once, on whichever connection: nobody waits for the graph."""
    refused = []

    def one(i):
        with Raw(server) as client:
            for k in range(20):
                name = f"many-{i}-{k}"
                assert client.post(f"{NS}/secrets", {"metadata": {"name": name}}).status == 201
                body = pod(name, f"m{i}", volumes=[{"name": "a", "secret": {"secretName": name}}])
                assert client.post(PODS, body).status == 201
                with Raw(server) as node:
                    if node.get(f"{NS}/secrets/{name}", headers=as_node(f"m{i}")).status != 200:
                        refused.append(name)
                    if node.get(f"{NS}/secrets/{name}", headers=as_node("elsewhere")).status != 403:
                        refused.append(name)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not refused, refused


def test_the_graph_after_a_restart(own_server):
    """It is made of what is stored."""
    with own_server.raw() as raw:
        for path, body in ((f"{NS}/secrets", {"metadata": {"name": "s"}}),
                           (PODS, pod("p", "n1", volumes=[{"name": "a", "secret": {"secretName": "s"}}]))):
            raw.post(f"{CORE}/namespaces", {"metadata": {"name": "nodes-may"}})
            assert raw.post(path, body).status == 201
    own_server.stop()
    own_server.start()
    with own_server.raw() as raw:
        ask(raw, "GET", f"{NS}/secrets/s", None, 200, "")
        ask(raw, "GET", f"{NS}/secrets/s", None, 403, "", node="n2")
        assert raw.delete(f"{PODS}/p", {"gracePeriodSeconds": 0}).status == 200
        until_refused(raw, f"{NS}/secrets/s")

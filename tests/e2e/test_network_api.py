"""The network's objects as upstream's suite asks for them: one life each, watched, with its status."""

import pytest

from harness import status_of
from test_services import SERVICES, service

NETWORKING = "/apis/networking.k8s.io/v1"
NS = "namespaces/default"
ENDPOINTS = f"/api/v1/{NS}/endpoints"
SLICES = f"/apis/discovery.k8s.io/v1/{NS}/endpointslices"

KINDS = {
    "ingresses": (f"{NETWORKING}/{NS}/ingresses", {"spec": {"defaultBackend": {"service": {
        "name": "default-backend", "port": {"number": 80}}}, "rules": [{"host": "foo.bar.com", "http": {"paths": [{
            "path": "/", "pathType": "Prefix", "backend": {"service": {"name": "test", "port": {"name": "x"}}}}]}}],
        "tls": [{"hosts": ["foo.bar.com"], "secretName": "s"}]}}),
    "ingressclasses": (f"{NETWORKING}/ingressclasses", {"spec": {"controller": "example.com/controller"}}),
    "networkpolicies": (f"{NETWORKING}/{NS}/networkpolicies", {"spec": {
        "podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"x": "y"}}}, {"ipBlock": {
            "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], "ports": [{"port": 80, "endPort": 90}]}]}}),
    "endpointslices": (SLICES, {"addressType": "IPv4", "endpoints": [
        {"addresses": ["1.2.3.4"], "conditions": {"ready": True}}], "ports": []}),
    "endpointslices-v6": (SLICES, {"addressType": "IPv6", "endpoints": [
        {"addresses": ["fd00::4"], "hostname": "h", "nodeName": "n", "zone": "z"}],
        "ports": [{"name": "p", "port": 80, "protocol": "SCTP", "appProtocol": "kubernetes.io/h2c"}]}),
    "services": (SERVICES, {"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}}),
}


def all_namespaces(path):
    return path.replace(f"/{NS}", "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_life_as_upstreams_suite_has_it(raw, kind):
    path, body = KINDS[kind]
    label = {"special-label": kind}
    selector = f"special-label={kind}"

    def make(name):
        made = raw.post(path, {"metadata": {"name": name, "labels": label}, **body}, fieldValidation="Strict")
        assert made.status == 201, made
        return made.json()

    first = make(f"{kind}-1")
    make(f"{kind}-2"), make(f"{kind}-3")
    one = f"{path}/{kind}-1"
    assert raw.get(one).json()["metadata"]["uid"] == first["metadata"]["uid"]
    for where in {path, all_namespaces(path)}:
        assert len(raw.get(where, labelSelector=selector).json()["items"]) == 3
    with raw.watch(path, resourceVersion=first["metadata"]["resourceVersion"], labelSelector=selector) as w:
        patched = raw.patch(one, {"metadata": {"annotations": {"patched": "true"}}}).json()
        assert patched["metadata"]["annotations"]["patched"] == "true"
        update = raw.get(one).json()
        update["metadata"]["annotations"]["updated"] = "true"
        updated = raw.put(one, update).json()
        assert updated["metadata"]["annotations"] == {"patched": "true", "updated": "true"}
        seen = w.until(lambda e: e["type"] == "MODIFIED" and "updated" in e["object"]["metadata"]["annotations"])
        assert [e["type"] for e in seen] == ["ADDED", "ADDED", "MODIFIED", "MODIFIED"]
        assert raw.delete(one).status == 200
        assert w.until(lambda e: e["type"] == "DELETED")[-1]["object"]["metadata"]["name"] == f"{kind}-1"
        status_of(raw.get(one), 404, "NotFound")
        assert raw.delete(path, labelSelector=selector).status == 200
        w.until(lambda e: e["type"] == "DELETED"), w.until(lambda e: e["type"] == "DELETED")
    assert raw.get(path, labelSelector=selector).json()["items"] == []


def test_the_status_of_an_ingress(raw):
    path, body = KINDS["ingresses"]
    one = f"{path}/status"
    assert raw.post(path, {"metadata": {"name": "status"}, **body}).status == 201
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}},
             "spec": {"rules": None}, "status": {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}}}
    patched = raw.patch(one + "/status", patch)
    assert patched.status == 200, patched
    got = patched.json()
    assert got["status"]["loadBalancer"]["ingress"] == [{"ip": "169.1.1.1"}]
    assert got["metadata"]["annotations"]["patchedstatus"] == "true" and got["spec"]["rules"]
    got["status"]["loadBalancer"] = {"ingress": [{"hostname": "a.example", "ports": [{"port": 80, "protocol": "TCP"}]}]}
    put = raw.put(one + "/status", got)
    assert put.status == 200 and put.json()["status"]["loadBalancer"]["ingress"][0]["hostname"] == "a.example"
    assert raw.get(one + "/status").json() == put.json()
    assert raw.delete(one).status == 200


def test_the_status_of_a_service(raw):
    """Its life: made, its status patched and put, patched, deleted; each seen by a watch."""
    made = raw.post(SERVICES, {"metadata": {"name": "svc-status", "labels": {"test-service-static": "true"}}, "spec": {
        "type": "LoadBalancer", "loadBalancerClass": "example.com/internal-vip",
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 80}]}}).json()
    one = f"{SERVICES}/svc-status"
    assert raw.get(one + "/status").json()["status"] == {"loadBalancer": {}}
    with raw.watch(SERVICES, labelSelector="test-service-static=true",
                   resourceVersion=made["metadata"]["resourceVersion"]) as w:
        patch = {"metadata": {"annotations": {"patchedstatus": "true"}},
                 "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}}
        got = raw.patch(one + "/status", patch)
        assert got.status == 200, got
        got = got.json()
        assert got["status"]["loadBalancer"]["ingress"] == [{"ip": "203.0.113.1", "ipMode": "VIP"}]
        assert got["metadata"]["annotations"]["patchedstatus"] == "true"
        w.until(lambda e: e["object"]["metadata"].get("annotations", {}).get("patchedstatus") == "true")
        got["status"]["conditions"] = [{"type": "StatusUpdate", "status": "True", "reason": "E2E",
                                        "message": "Set from e2e test", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
        got["spec"]["ports"][0]["port"] = 8080
        put = raw.put(one + "/status", got)
        assert put.status == 200, put
        assert put.json()["status"]["conditions"][0]["type"] == "StatusUpdate"
        assert put.json()["spec"]["ports"][0]["port"] == 80, "the spec is not the status's to change"
        w.until(lambda e: e["object"]["status"].get("conditions"))
        patched = raw.patch(one, {"metadata": {"labels": {"test-service": "patched"}}}).json()
        assert patched["status"]["loadBalancer"]["ingress"], "an update of the object keeps its status"
        w.until(lambda e: e["object"]["metadata"]["labels"].get("test-service") == "patched")
        assert raw.delete(one).status == 200
        w.until(lambda e: e["type"] == "DELETED")


def test_a_service_is_no_longer_balanced_when_it_is_another_type(raw):
    made = raw.post(SERVICES, service(name="unbalanced", type="LoadBalancer")).json()
    one = f"{SERVICES}/unbalanced"
    assert raw.patch(one + "/status", {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.2"}]}}}).status == 200
    turned = raw.patch(one, {"spec": {"type": "ClusterIP"}}).json()
    assert turned["spec"]["clusterIP"] == made["spec"]["clusterIP"] and turned["status"]["loadBalancer"] == {}
    bad = status_of(raw.patch(one + "/status", {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.2"}]}}}), 422)
    assert "may only be used when `spec.type` is 'LoadBalancer'" in bad["message"], bad


def test_what_belongs_to_a_type_goes_with_it(raw):
    made = raw.post(SERVICES, service(name="typed", type="LoadBalancer", loadBalancerClass="example.com/x",
                                      externalTrafficPolicy="Local", allocateLoadBalancerNodePorts=True)).json()
    assert made["spec"]["healthCheckNodePort"] and made["spec"]["ports"][0]["nodePort"], made
    spec = raw.patch(SERVICES + "/typed", {"spec": {"type": "ClusterIP"}}).json()["spec"]
    for gone in ("loadBalancerClass", "externalTrafficPolicy", "allocateLoadBalancerNodePorts", "healthCheckNodePort"):
        assert gone not in spec, spec
    assert "nodePort" not in spec["ports"][0] and spec["clusterIP"] == made["spec"]["clusterIP"]
    spec = raw.patch(SERVICES + "/typed", {"spec": {"type": "ExternalName", "externalName": "a.example"}}).json()["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & spec.keys(), spec
    # What the client changes with it is not dropped but refused.
    raw.patch(SERVICES + "/typed", {"spec": {"type": "ClusterIP", "externalName": None}})
    refused = status_of(raw.patch(SERVICES + "/typed", {"spec": {
        "type": "ExternalName", "externalName": "a.example", "ipFamilyPolicy": "PreferDualStack"}}), 422, "Invalid")
    assert "spec.ipFamilyPolicy" in [c["field"] for c in refused["details"]["causes"]], refused
    assert raw.delete(SERVICES + "/typed").status == 200


def test_the_life_of_endpoints(raw):
    made = raw.post(ENDPOINTS, {"metadata": {"name": "testservice", "labels": {"test-endpoint-static": "true"}},
                                "subsets": [{"addresses": [{"ip": "10.0.0.24"}],
                                             "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]}]})
    assert made.status == 201, made
    one = f"{ENDPOINTS}/testservice"
    selector = "test-endpoint-static=true"
    with raw.watch(ENDPOINTS, resourceVersion=made.json()["metadata"]["resourceVersion"], labelSelector=selector) as w:
        o = raw.get(one).json()
        o["metadata"]["labels"]["test-service"] = "updated"
        assert raw.put(one, o).status == 200
        w.until(lambda e: e["object"]["metadata"]["labels"].get("test-service") == "updated")
        patch = {"metadata": {"labels": {"test-service": "patched"}}, "subsets": [
            {"addresses": [{"ip": "10.0.0.25"}], "ports": [{"name": "http-test", "port": 8080}]}]}
        got = raw.patch(one, patch).json()
        assert got["subsets"] == [{"addresses": [{"ip": "10.0.0.25"}],
                                   "ports": [{"name": "http-test", "port": 8080, "protocol": "TCP"}]}]
        w.until(lambda e: e["object"]["metadata"]["labels"].get("test-service") == "patched")
        assert [o["metadata"]["name"] for o in raw.get("/api/v1/endpoints", labelSelector=selector).json()["items"]] == [
            "testservice"]
        assert raw.delete(ENDPOINTS, labelSelector=selector).status == 200
        w.until(lambda e: e["type"] == "DELETED")
    status_of(raw.get(one), 404)


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.1.1", "224.0.0.1", "0.0.0.0", "::1", "fe80::1"])
def test_endpoints_lead_to_no_address_of_a_node_alone(raw, ip):
    v6 = ":" in ip
    bad = status_of(raw.post(ENDPOINTS, {"metadata": {"name": "bad"}, "subsets": [
        {"addresses": [{"ip": ip}], "ports": [{"port": 80}]}]}), 422, "Invalid")
    assert bad["details"]["causes"][0]["field"] == "subsets[0].addresses[0].ip", bad
    bad = status_of(raw.post(SLICES, {"metadata": {"name": "bad"}, "addressType": "IPv6" if v6 else "IPv4",
                                      "endpoints": [{"addresses": [ip]}], "ports": []}), 422, "Invalid")
    assert bad["details"]["causes"][0]["field"] == "endpoints[0].addresses[0]", bad


def test_what_default_kubernetes_leads_to(raw):
    endpoints = raw.get(f"{ENDPOINTS}/kubernetes").json()
    found = raw.get(SLICES, labelSelector="kubernetes.io/service-name=kubernetes").json()["items"]
    addresses = {(a["ip"], p["port"]) for s in endpoints["subsets"] for a in s["addresses"] for p in s["ports"]}
    assert addresses == {(e["addresses"][0], p["port"]) for s in found for e in s["endpoints"] for p in s["ports"]}
    kubernetes = raw.get(f"{SERVICES}/kubernetes").json()["spec"]
    assert [(p["name"], p["port"], p["targetPort"]) for p in kubernetes["ports"]] == [
        ("https", 443, endpoints["subsets"][0]["ports"][0]["port"])]


def test_ranges_and_addresses_of_services(raw):
    cidrs = f"{NETWORKING}/servicecidrs"
    default = raw.get(f"{cidrs}/kubernetes").json()
    status = raw.get(f"{cidrs}/kubernetes/status").json()
    assert (status["kind"], status["metadata"]["uid"]) == ("ServiceCIDR", default["metadata"]["uid"])
    assert [c["status"] for c in default["status"]["conditions"] if c["type"] == "Ready"] == ["True"]
    addresses = f"{NETWORKING}/ipaddresses"
    spec = {"spec": {"parentRef": {"group": "mygroup", "resource": "myresources", "namespace": "foo", "name": "bar"}}}
    for name, kind in (("255.255.255.255", "broadcast"), ("fe80::42:1dff:fe84:f9e2", "link-local")):
        made = raw.post(addresses, {"metadata": {"name": name, "labels": {"type": kind}}, **spec})
        assert made.status == 201, made
    one = f"{addresses}/255.255.255.255"
    assert raw.patch(one, {"metadata": {"annotations": {"patched": "true"}}}).status == 200
    o = raw.get(one).json()
    o["metadata"]["annotations"]["updated"] = "true"
    assert raw.put(one, o).status == 200
    assert len(raw.get(addresses, labelSelector="type=broadcast").json()["items"]) == 1
    assert raw.delete(one).status == 200
    assert raw.delete(addresses, labelSelector="type=link-local").status == 200
    assert raw.get(addresses, labelSelector="type=link-local").json()["items"] == []
    for name in ("not-an-address", "10.0.0.01"):
        status_of(raw.post(addresses, {"metadata": {"name": name}, **spec}), 422, "Invalid")

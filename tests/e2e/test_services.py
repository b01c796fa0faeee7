"""Addresses and node ports of Services: chosen, named, kept, given back; default/kubernetes."""

import itertools
from concurrent.futures import ThreadPoolExecutor
import ipaddress

import pytest

from conftest import check_stopped
from harness import Server, status_of

numbers = itertools.count()
SERVICES = "/api/v1/namespaces/default/services"
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
RANGE = ipaddress.ip_network("10.96.0.0/12")


def service(ports=((80, "TCP"),), name=None, **spec):
    return {"metadata": {"name": name or f"svc-{next(numbers)}"},
            "spec": {"selector": {"a": "b"},
                     "ports": [{"name": f"p{i}", "port": port, "protocol": protocol}
                               for i, (port, protocol) in enumerate(ports)], **spec}}


def make(raw, *args, **spec):
    made = raw.post(SERVICES, service(*args, **spec))
    assert made.status == 201, made
    return made.json()


def path_of(svc):
    return f"{SERVICES}/{svc['metadata']['name']}"


def test_an_address_is_chosen_and_given_back(raw):
    svc = make(raw)
    spec, ip = svc["spec"], svc["spec"]["clusterIP"]
    assert ipaddress.ip_address(ip) in RANGE and spec["clusterIPs"] == [ip]
    assert spec["ipFamilies"] == ["IPv4"] and spec["ipFamilyPolicy"] == "SingleStack"
    address = raw.get(f"{ADDRESSES}/{ip}").json()
    assert address["spec"]["parentRef"] == {"group": "", "resource": "services",
                                            "namespace": "default",
                                            "name": svc["metadata"]["name"]} or \
        address["spec"]["parentRef"]["name"] == svc["metadata"]["name"]
    assert address["metadata"]["labels"]["ipaddress.kubernetes.io/ip-family"] == "IPv4"
    assert raw.delete(path_of(svc)).status == 200
    status_of(raw.get(f"{ADDRESSES}/{ip}"), 404)
    again = make(raw, clusterIP=ip)
    assert again["spec"]["clusterIP"] == ip


def test_a_named_address_is_taken_once_and_within_the_range(raw):
    svc = make(raw, clusterIP="10.96.0.77")
    taken = status_of(raw.post(SERVICES, service(clusterIP="10.96.0.77")), 422, "Invalid")
    assert taken["details"]["causes"][0]["message"] == (
        'Invalid value: ["10.96.0.77"]: failed to allocate IP 10.96.0.77: '
        'provided IP is already allocated')
    outside = status_of(raw.post(SERVICES, service(clusterIP="10.1.2.3")), 422, "Invalid")
    assert "The range of valid IPs is 10.96.0.0/12" in outside["message"]
    status_of(raw.patch(path_of(svc), {"spec": {"clusterIP": "10.96.0.78"}}), 422, "Invalid")
    assert raw.delete(path_of(svc)).status == 200
    make(raw, clusterIP="10.96.0.77")


def test_a_refused_service_takes_nothing(raw):
    name = service()["metadata"]["name"]
    status_of(raw.post(SERVICES, service(name=name, clusterIP="10.96.0.90", type="NodePort",
                                         sessionAffinity="Wrong")), 422)
    assert raw.post(SERVICES, service(clusterIP="10.96.0.91"), dryRun="All").status == 201
    for ip in ("10.96.0.90", "10.96.0.91"):
        status_of(raw.get(f"{ADDRESSES}/{ip}"), 404)


def test_headless_and_external_names_have_no_address(raw):
    headless = make(raw, clusterIP="None")
    assert headless["spec"]["clusterIPs"] == ["None"]
    external = make(raw, type="ExternalName", externalName="example.com")
    assert "clusterIP" not in external["spec"] and "ipFamilies" not in external["spec"]
    turned = raw.patch(path_of(external), {"spec": {"type": "ClusterIP", "externalName": None}})
    assert ipaddress.ip_address(turned.json()["spec"]["clusterIP"]) in RANGE
    ip = turned.json()["spec"]["clusterIP"]
    back = raw.patch(path_of(external), {"spec": {"type": "ExternalName",
                                                  "externalName": "example.com"}})
    assert back.status == 200 and not back.json()["spec"].get("clusterIP"), back
    status_of(raw.get(f"{ADDRESSES}/{ip}"), 404)


def test_an_update_keeps_what_was_allocated(raw):
    svc = make(raw, type="NodePort")
    bare = service(name=svc["metadata"]["name"], type="NodePort")
    bare["metadata"]["labels"] = {"x": "y"}
    put = raw.put(path_of(svc), bare)
    assert put.status == 200, put
    assert put.json()["spec"] == svc["spec"]


def test_node_ports_are_chosen_named_and_given_back(raw):
    svc = make(raw, ((80, "TCP"), (81, "TCP")), type="NodePort")
    ports = [p["nodePort"] for p in svc["spec"]["ports"]]
    assert len(set(ports)) == 2 and all(30000 <= p <= 32767 for p in ports)
    named = service(type="NodePort")
    named["spec"]["ports"][0]["nodePort"] = ports[0]
    taken = status_of(raw.post(SERVICES, named), 422, "Invalid")
    assert taken["details"]["causes"] == [{
        "reason": "FieldValueInvalid", "field": "spec.ports[0].nodePort",
        "message": f"Invalid value: {ports[0]}: provided port is already allocated"}]
    named["spec"]["ports"][0]["nodePort"] = 80
    assert "The range of valid ports is 30000-32767" in status_of(raw.post(SERVICES, named),
                                                                  422)["message"]
    turned = raw.patch(path_of(svc), {"spec": {"type": "ClusterIP"}}).json()
    assert all("nodePort" not in p for p in turned["spec"]["ports"])
    named["spec"]["ports"][0]["nodePort"] = ports[0]
    assert raw.post(SERVICES, named).json()["spec"]["ports"][0]["nodePort"] == ports[0]


def test_one_node_port_for_two_protocols_of_a_service(raw):
    svc = service(((53, "TCP"), (53, "UDP")), type="NodePort")
    for port in svc["spec"]["ports"]:
        port["nodePort"] = 30053
    made = raw.post(SERVICES, svc)
    assert made.status == 201, made
    assert [p["nodePort"] for p in made.json()["spec"]["ports"]] == [30053, 30053]
    assert raw.delete(path_of(svc)).status == 200
    assert raw.post(SERVICES, svc).status == 201


def test_a_health_check_port(raw):
    svc = make(raw, type="LoadBalancer", externalTrafficPolicy="Local")
    assert 30000 <= svc["spec"]["healthCheckNodePort"] <= 32767
    assert svc["spec"]["healthCheckNodePort"] != svc["spec"]["ports"][0]["nodePort"]
    none = make(raw, type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "nodePort" not in none["spec"]["ports"][0]


def test_many_at_once_get_different_addresses_and_ports(server):
    def some(_):
        with server.raw() as client:
            return [make(client, type="NodePort")["spec"] for _ in range(25)]

    with ThreadPoolExecutor(8) as pool:
        specs = [s for batch in pool.map(some, range(8)) for s in batch]
    assert len({s["clusterIP"] for s in specs}) == 200
    assert len({s["ports"][0]["nodePort"] for s in specs}) == 200


def test_one_family_cannot_be_two(raw):
    status = status_of(raw.post(SERVICES, service(ipFamilyPolicy="RequireDualStack")), 422)
    assert "this cluster is not configured for dual-stack services" in status["message"]
    assert make(raw, ipFamilyPolicy="PreferDualStack")["spec"]["ipFamilies"] == ["IPv4"]
    assert "not configured on this cluster" in status_of(
        raw.post(SERVICES, service(ipFamilies=["IPv6"])), 422)["message"]


@pytest.fixture
def dual(scratch):
    s = Server(scratch / "data", flags=["--service-cluster-ip-range=10.97.0.0/28,fd00:97::/112",
                                        "--service-node-port-range=31000-31003",
                                        "--advertise-address=192.0.2.7"]).init().start()
    yield s
    check_stopped(s)


def test_two_families(dual):
    with dual.raw() as raw:
        both = make(raw, ipFamilyPolicy="PreferDualStack")["spec"]
        assert both["ipFamilies"] == ["IPv4", "IPv6"] and len(both["clusterIPs"]) == 2
        six = make(raw, ipFamilies=["IPv6"])
        assert ":" in six["spec"]["clusterIP"]
        up = raw.patch(path_of(six), {"spec": {"ipFamilyPolicy": "RequireDualStack"}}).json()
        assert up["spec"]["ipFamilies"] == ["IPv6", "IPv4"]
        assert up["spec"]["clusterIPs"][0] == six["spec"]["clusterIP"]
        down = raw.patch(path_of(six), {"spec": {"ipFamilyPolicy": "SingleStack"}}).json()
        assert down["spec"]["clusterIPs"] == six["spec"]["clusterIPs"]
        status_of(raw.get(f"{ADDRESSES}/{up['spec']['clusterIPs'][1]}"), 404)


def test_ranges_that_are_full_and_default_kubernetes(dual):
    with dual.raw() as raw:
        made = [make(raw) for _ in range(13)]
        assert len({s["spec"]["clusterIP"] for s in made} | {"10.97.0.1"}) == 14
        status_of(raw.post(SERVICES, service()), 500)
        assert raw.delete(path_of(made[3])).status == 200
        assert make(raw)["spec"]["clusterIP"] == made[3]["spec"]["clusterIP"]
        ports = {make(raw, type="NodePort", ipFamilies=["IPv6"])["spec"]["ports"][0]["nodePort"]
                 for _ in range(4)}
        assert ports == {31000, 31001, 31002, 31003}
        status_of(raw.post(SERVICES, service(type="NodePort", ipFamilies=["IPv6"])), 500)


def test_default_kubernetes_is_kept(dual):
    endpoints = "/api/v1/namespaces/default/endpoints/kubernetes"
    slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
    with dual.raw() as raw:
        svc = raw.get(f"{SERVICES}/kubernetes").json()
        assert svc["spec"]["clusterIP"] == "10.97.0.1"
        assert svc["spec"]["ports"] == [{"name": "https", "protocol": "TCP", "port": 443,
                                         "targetPort": dual.port}]
        assert raw.get(f"{ADDRESSES}/10.97.0.1").status == 200
        [subset] = raw.get(endpoints).json()["subsets"]
        assert subset["addresses"] == [{"ip": "192.0.2.7"}]
        assert subset["ports"][0]["port"] == dual.port
        [endpoint] = raw.get(f"{slices}/kubernetes").json()["endpoints"]
        assert endpoint["addresses"] == ["192.0.2.7"]
        with raw.watch("/api/v1/namespaces/default/endpoints",
                       fieldSelector="metadata.name=kubernetes") as watch:
            watch.next()
            assert raw.patch(endpoints, {"subsets": None}).status == 200
            assert "subsets" not in watch.next()["object"]
            assert watch.next()["object"]["subsets"] == [subset]
        with raw.watch(SERVICES, fieldSelector="metadata.name=kubernetes") as watch:
            watch.next()
            assert raw.delete(f"{SERVICES}/kubernetes").status == 200
            assert [e["type"] for e in watch.take(2)] == ["DELETED", "ADDED"]
        assert raw.get(f"{SERVICES}/kubernetes").json()["spec"]["clusterIP"] == "10.97.0.1"


def test_what_was_allocated_survives_a_restart(own_server):
    with own_server.raw() as raw:
        svc = make(raw, type="NodePort", clusterIP="10.96.0.123")
    own_server.kill()
    own_server.start()
    with own_server.raw() as raw:
        status_of(raw.post(SERVICES, service(clusterIP="10.96.0.123")), 422)
        again = service(type="NodePort")
        again["spec"]["ports"][0]["nodePort"] = svc["spec"]["ports"][0]["nodePort"]
        status_of(raw.post(SERVICES, again), 422)

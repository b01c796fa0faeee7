"""`pintle proxy` in a network namespace of the test's own, with an API server there; Services, slices and Pods are
made by hand, endpoints are sockets on addresses of lo."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess

import pytest

from cluster import until
from harness import PINTLE, Server, pintle
from node import NODE, NODE_IP, NetworkNamespace

SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
PODS = "/api/v1/namespaces/default/pods"
ENDPOINTS = ("203.0.113.1", "203.0.113.2")
TABLE = "pintle-test"
CLUSTER_CIDR = "10.244.0.0/16,fd00:244::/48"


class Proxy:
    def __init__(self, server, directory):
        self.server, self.log, self.process = server, directory / "proxy.stderr", None

    def start(self):
        with open(self.log, "ab") as err:
            self.process = subprocess.Popen(
                [PINTLE, "proxy", "--kubeconfig", str(self.server.kubeconfig), "--hostname-override",
                 NODE, "--cluster-cidr", CLUSTER_CIDR, "--nft-table", TABLE], stderr=err)
        return self

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(20)


@pytest.fixture(scope="module")
def place(workdir):
    with NetworkNamespace():
        for command in (f"address add {ENDPOINTS[0]}/32 dev lo", f"address add {ENDPOINTS[1]}/32 dev lo",
                        "route add default dev lo", "link add near type veth peer name nearpeer", "link set nearpeer up",
                        "link set near up", "address add 192.0.2.1/24 dev near",
                        "-6 address add 2001:db8::1/64 dev near nodad"):
            subprocess.run(["ip", *command.split()], check=True)
        server = Server(workdir / "data").init().start()
        proxy = Proxy(server, workdir).start()
        try:
            with server.raw() as raw:
                yield raw, proxy
            assert proxy.stop() == 0, proxy.log.read_text()
            assert "10.244.3.0/24" in routes(), "a node of the last test is still there"
            done = pintle("proxy", "--cleanup", "--nft-table", TABLE, "--cluster-cidr", CLUSTER_CIDR)
            assert done.returncode == 0, done.stderr
            assert TABLE not in tables() and "10.244." not in routes() and "fd00:244:" not in routes()
        finally:
            if proxy.process.poll() is None:
                proxy.process.kill()
            server.stop()
            server.forget()


def routes():
    return "".join(subprocess.run(["ip", f, "route"], capture_output=True, text=True, check=True).stdout
                   for f in ("-4", "-6"))


def get(port, path="/healthz", address="127.0.0.1"):
    c = http.client.HTTPConnection(address, port, timeout=10)
    try:
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.read().decode(), dict((k.lower(), v) for k, v in r.getheaders())
    finally:
        c.close()


def tables():
    return subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


@contextlib.contextmanager
def listening(address, port=8080, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        if kind == socket.SOCK_STREAM:
            s.listen(128)
        s.settimeout(5)
        yield s


def reach(address, port):
    """None, or the error's name."""
    try:
        with socket.create_connection((address, port), 2):
            return None
    except OSError as e:
        return type(e).__name__


def make(raw, name, endpoints, protocol="TCP", **spec):
    ports = spec.pop("ports", [{"port": 80, "protocol": protocol}])
    made = raw.post(SERVICES, {"metadata": {"name": name}, "spec": {"ports": ports, **spec}})
    assert made.status == 201, made
    put_slice(raw, name, endpoints, protocol)
    return made.json()["spec"]


def put_slice(raw, name, endpoints, protocol="TCP"):
    body = {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
            "endpoints": [{"addresses": [a], "nodeName": NODE} for a in endpoints],
            "ports": [{"name": "", "port": 8080, "protocol": protocol}]}
    if raw.get(f"{SLICES}/{name}").status == 404:
        answer = raw.post(SLICES, body)
    else:
        answer = raw.put(f"{SLICES}/{name}", body)
    assert answer.status in (200, 201), answer


def test_endpoints_come_and_go(place):
    raw, _ = place
    with listening(ENDPOINTS[0]), listening(ENDPOINTS[1]):
        spec = make(raw, "come-and-go", ENDPOINTS[:1], type="NodePort")
        ip, node_port = spec["clusterIP"], spec["ports"][0]["nodePort"]
        until("it answers", lambda: reach(ip, 80) is None)
        assert reach(NODE_IP, node_port) is None
        assert reach(ip, 81) == "ConnectionRefusedError"
        assert reach("127.0.0.1", node_port) == "ConnectionRefusedError"
        put_slice(raw, "come-and-go", [])
        until("it refuses", lambda: reach(ip, 80) == "ConnectionRefusedError")
        until("the node port refuses", lambda: reach(NODE_IP, node_port) == "ConnectionRefusedError")
        put_slice(raw, "come-and-go", ENDPOINTS)
        until("it answers again", lambda: reach(ip, 80) is None)
    assert raw.delete(f"{SERVICES}/come-and-go").status == 200
    until("nothing speaks of it", lambda: ip not in ruleset())


def ruleset():
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def test_a_client_stays_with_its_endpoint_until_that_goes(place):
    raw, _ = place
    with listening(ENDPOINTS[0]) as a, listening(ENDPOINTS[1]) as b:
        ip = make(raw, "affine", ENDPOINTS, sessionAffinity="ClientIP",
                  sessionAffinityConfig={"clientIP": {"timeoutSeconds": 77}})["clusterIP"]
        until("it answers", lambda: reach(ip, 80) is None)
        drain(a), drain(b)
        for _ in range(12):
            assert reach(ip, 80) is None
        got = drain(a), drain(b)
        assert sorted(got) == [0, 12]
        other = ENDPOINTS[1] if got[0] else ENDPOINTS[0]
        put_slice(raw, "affine", [other])
        left = (b if got[0] else a)
        until("it goes to what is left", lambda: reach(ip, 80) is None and drain(left) > 0)


def drain(listener):
    n = 0
    listener.settimeout(0.05)
    with contextlib.suppress(TimeoutError):
        while True:
            listener.accept()[0].close()
            n += 1
    return n


def test_datagrams_follow_the_endpoints(place):
    raw, _ = place
    with listening(ENDPOINTS[0], kind=socket.SOCK_DGRAM) as a, \
            listening(ENDPOINTS[1], kind=socket.SOCK_DGRAM) as b, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        ip = make(raw, "datagrams", ENDPOINTS[:1], protocol="UDP")["clusterIP"]
        client.connect((ip, 80))

        def arrives(at):
            at.settimeout(0.2)
            try:
                client.send(b"x")
                return at.recv(8) == b"x"
            except OSError:
                return False

        until("it arrives", lambda: arrives(a))
        put_slice(raw, "datagrams", ENDPOINTS[1:], protocol="UDP")
        until("it arrives at the new one", lambda: arrives(b))


def test_a_killed_proxy_leaves_the_rules_and_the_next_takes_them_over(place):
    raw, proxy = place
    with listening(ENDPOINTS[0]):
        ip = make(raw, "kept", ENDPOINTS[:1])["clusterIP"]
        gone = make(raw, "gone", ENDPOINTS[:1])["clusterIP"]
        until("both answer", lambda: reach(ip, 80) is None and reach(gone, 80) is None)
        proxy.stop(signal.SIGKILL)
        assert raw.delete(f"{SERVICES}/gone").status == 200
        assert reach(ip, 80) is None and reach(gone, 80) is None
        proxy.start()

        def is_taken_over():
            assert reach(ip, 80) is None, "a connection failed meanwhile"
            return gone not in ruleset()

        until("the new proxy's rules", is_taken_over)


def test_ports_of_pods(place):
    raw, _ = place
    pod = {"metadata": {"name": "web"},
           "spec": {"nodeName": NODE, "containers": [
               {"name": "c", "image": "x", "ports": [
                   {"containerPort": 8080, "hostPort": 8000},
                   {"containerPort": 8080, "hostPort": 8001, "hostIP": NODE_IP}]}]}}
    made = raw.post(PODS, pod)
    assert made.status == 201, made
    status = {"status": {"phase": "Running", "podIP": ENDPOINTS[0], "podIPs": [{"ip": ENDPOINTS[0]}]}}
    assert raw.patch(f"{PODS}/web/status", status).status == 200
    with listening(ENDPOINTS[0]):
        until("it answers", lambda: reach(NODE_IP, 8000) is None)
        assert reach(NODE_IP, 8001) is None
        assert reach(ENDPOINTS[1], 8001) == "ConnectionRefusedError"
        assert raw.delete(f"{PODS}/web", body={"gracePeriodSeconds": 0}).status == 200
        until("it refuses", lambda: reach(NODE_IP, 8000) == "ConnectionRefusedError")


def make_node(raw, name, cidrs, ips):
    made = raw.post("/api/v1/nodes", {"metadata": {"name": name}, "spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs}})
    assert made.status == 201, made
    status = {"status": {"addresses": [{"type": "InternalIP", "address": ip} for ip in ips]}}
    assert raw.patch(f"/api/v1/nodes/{name}/status", status).status == 200


def put_hints(raw, name, zones):
    body = {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}}, "addressType": "IPv4",
            "endpoints": [{"addresses": [a], "nodeName": NODE, "conditions": {"ready": True},
                           "hints": {"forZones": [{"name": z}]}} for a, z in zip(ENDPOINTS, zones)],
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}]}
    assert raw.put(f"{SLICES}/{name}", body).status == 200


def test_endpoints_near_by_are_preferred(place):
    raw, _ = place
    made = raw.post("/api/v1/nodes", {"metadata": {"name": NODE, "labels": {"topology.kubernetes.io/zone": "east"}}})
    assert made.status == 201, made
    with listening(ENDPOINTS[0]) as a, listening(ENDPOINTS[1]) as b:
        ip = make(raw, "near", ENDPOINTS, trafficDistribution="PreferSameZone")["clusterIP"]
        put_hints(raw, "near", ["east", "west"])
        until("it answers", lambda: reach(ip, 80) is None)

        def goes_only_to(wanted, other):
            drain(wanted), drain(other)
            for _ in range(12):
                assert reach(ip, 80) is None
            return (drain(wanted), drain(other)) == (12, 0)

        until("only the zone's", lambda: goes_only_to(a, b))
        patch = {"metadata": {"labels": {"topology.kubernetes.io/zone": "west"}}}
        assert raw.patch(f"/api/v1/nodes/{NODE}", patch).status == 200
        until("the node moved", lambda: goes_only_to(b, a))
    assert raw.delete(f"{SERVICES}/near").status == 200


def test_endpoints_that_end_serve_while_there_is_no_other(place):
    raw, _ = place
    with listening(ENDPOINTS[0]) as a, listening(ENDPOINTS[1]) as b:
        ip = make(raw, "ending", ENDPOINTS)["clusterIP"]
        until("it answers", lambda: reach(ip, 80) is None)

        def put(*conditions):
            body = raw.get(f"{SLICES}/ending").json()
            for e, (ready, serving, terminating) in zip(body["endpoints"], conditions):
                e["conditions"] = {"ready": ready, "serving": serving, "terminating": terminating}
            assert raw.put(f"{SLICES}/ending", body).status == 200

        ready, ending, over = (True, True, False), (False, True, True), (False, False, True)
        put(ready, ending)

        def only_first():
            drain(a), drain(b)
            for _ in range(10):
                assert reach(ip, 80) is None
            return drain(b) == 0

        until("only the ready one", only_first)
        put(ending, over)
        until("the one that still serves", only_first)
        put(over, over)
        until("nobody", lambda: reach(ip, 80) == "ConnectionRefusedError")
    assert raw.delete(f"{SERVICES}/ending").status == 200


def test_a_load_balancer_learns_how_many_endpoints_are_here(place):
    raw, _ = place
    with listening(ENDPOINTS[0]):
        spec = make(raw, "balanced", ENDPOINTS[:1], type="LoadBalancer", externalTrafficPolicy="Local")
        port = spec["healthCheckNodePort"]

        def answer():
            try:
                return get(port, "/anything")
            except OSError:
                return None, "", {}

        until("it is well", lambda: answer()[0] == 200)
        status, body, headers = answer()
        assert json.loads(body) == {"service": {"namespace": "default", "name": "balanced"}, "localEndpoints": 1,
                                    "serviceProxyHealthy": True}
        assert headers["x-load-balancing-endpoint-weight"] == "1" and headers["content-type"] == "application/json"
        assert get(port, address="::1")[0] == 200 and get(port, address=NODE_IP)[0] == 200
        put_slice(raw, "balanced", [])
        until("nobody is here", lambda: answer()[0] == 503)
        assert json.loads(answer()[1])["localEndpoints"] == 0
        put_slice(raw, "balanced", ENDPOINTS[:1])
        until("somebody is here again", lambda: answer()[0] == 200)
        patch = {"spec": {"externalTrafficPolicy": "Cluster"}}
        assert raw.patch(f"{SERVICES}/balanced", patch).status == 200
        until("nobody listens", lambda: answer()[0] is None)
    assert raw.delete(f"{SERVICES}/balanced").status == 200


def test_who_may_come_to_a_load_balancer_and_to_external_addresses(place):
    raw, _ = place
    with listening(ENDPOINTS[0]):
        make(raw, "guarded", ENDPOINTS[:1], type="LoadBalancer", externalIPs=["198.51.100.2"],
             loadBalancerSourceRanges=["10.90.0.0/16"])
        status = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}}
        assert raw.patch(f"{SERVICES}/guarded/status", status).status == 200

        def reach_from(source, address):
            try:
                socket.create_connection((address, 80), 1, source_address=(source, 0)).close()
                return True
            except OSError:
                return False

        until("an external address", lambda: reach_from("192.0.2.1", "198.51.100.2"))
        until("the load balancer's", lambda: reach_from(NODE_IP, "198.51.100.1"))
        assert not reach_from("192.0.2.1", "198.51.100.1"), "it is out of the ranges"
    assert raw.delete(f"{SERVICES}/guarded").status == 200


def test_it_says_how_it_is(place):
    raw, proxy = place
    status, body, headers = get(10256, "/healthz")
    assert (status, headers["content-type"]) == (200, "application/json")
    said = json.loads(body)
    assert said["nodeEligible"] is True and said["lastUpdated"] and said["currentTime"]
    assert "nodeEligible" not in json.loads(get(10256, "/livez")[1])
    assert get(10249, "/healthz")[1] == "ok" and get(10249, "/proxyMode")[1] == "nftables"
    text = get(10249, "/metrics")[1]
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert int(values['kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family=""}']) > 0
    assert int(values["kubeproxy_sync_proxy_rules_nftables_sync_failures_total"]) == 0
    assert int(values["pintle_proxy_elements"]) > 0
    assert int(values['kubeproxy_proxy_healthz_total{code="200"}']) >= 1
    # A node that leaves is sent nothing more by load balancers, but the proxy is well.
    taints = {"spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]}}
    assert raw.patch(f"/api/v1/nodes/{NODE}", taints).status == 200
    until("the node leaves", lambda: get(10256, "/healthz")[0] == 503)
    assert get(10256, "/livez")[0] == 200
    assert raw.patch(f"/api/v1/nodes/{NODE}", {"spec": {"taints": None}}).status == 200
    until("it stays", lambda: get(10256, "/healthz")[0] == 200)


def test_routes_follow_the_nodes_also_those_that_went_meanwhile(place):
    raw, proxy = place
    make_node(raw, "a", ["10.244.2.0/24", "fd00:244:0:2::/64"], ["192.0.2.2", "2001:db8::2"])
    make_node(raw, "b", ["10.244.3.0/24"], ["192.0.2.3"])
    until("both nodes' routes", lambda: all(r in routes() for r in (
        "10.244.2.0/24 via 192.0.2.2", "fd00:244:0:2::/64 via 2001:db8::2", "10.244.3.0/24 via 192.0.2.3")))
    subprocess.run(["ip", "route", "add", "10.244.9.0/24", "via", "192.0.2.9"], check=True)  # somebody else's
    assert proxy.stop() == 0
    assert raw.delete("/api/v1/nodes/a").status == 200
    assert "10.244.2.0/24" in routes() and "fd00:244:0:2::" in routes()
    proxy.start()
    until("they go", lambda: "10.244.2.0/24" not in routes() and "fd00:244:0:2::" not in routes())
    assert "10.244.3.0/24" in routes() and "10.244.9.0/24" in routes()
    subprocess.run(["ip", "route", "del", "10.244.9.0/24"], check=True)

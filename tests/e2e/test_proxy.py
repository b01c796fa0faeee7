"""`pintle proxy` in a network namespace of the test's own, with an API server there; Services, slices and Pods are
made by hand, endpoints are sockets on addresses of lo."""

import contextlib
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
ENDPOINTS = ("127.0.1.1", "127.0.1.2")
TABLE = "pintle-test"


class Proxy:
    def __init__(self, server, directory):
        self.server, self.log, self.process = server, directory / "proxy.stderr", None

    def start(self):
        with open(self.log, "ab") as err:
            self.process = subprocess.Popen(
                [PINTLE, "proxy", "--kubeconfig", str(self.server.kubeconfig), "--hostname-override",
                 NODE, "--cluster-cidr", "10.244.0.0/16", "--nft-table", TABLE], stderr=err)
        return self

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(20)


@pytest.fixture(scope="module")
def place(workdir):
    with NetworkNamespace():
        for command in (f"address add {ENDPOINTS[0]}/32 dev lo", f"address add {ENDPOINTS[1]}/32 dev lo",
                        "route add default dev lo"):
            subprocess.run(["ip", *command.split()], check=True)
        server = Server(workdir / "data").init().start()
        proxy = Proxy(server, workdir).start()
        try:
            with server.raw() as raw:
                yield raw, proxy
            assert proxy.stop() == 0, proxy.log.read_text()
            done = pintle("proxy", "--cleanup", "--nft-table", TABLE)
            assert done.returncode == 0, done.stderr
            assert TABLE not in tables()
        finally:
            if proxy.process.poll() is None:
                proxy.process.kill()
            server.stop()
            server.forget()


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

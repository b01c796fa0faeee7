"""The network of a cluster of two nodes from outside and from inside: ports of Pods, names of Pods, Services by hand.

Sockets of the tests' own are opened in the network namespaces of Pods and nodes, because busybox speaks no UDP."""

import json
import socket
import subprocess
import sys

import pytest

from cluster import until
from test_cluster import WAIT, sleeper, start
from test_dns import A, CNAME, PTR, SRV, Reply, question

# Answers each datagram and each connection at PORT with NAME and the client's address.
SERVER = """
import socket, sys, threading
name, port = sys.argv[1].encode(), int(sys.argv[2])
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("0.0.0.0", port))
t = socket.create_server(("0.0.0.0", port))
def datagrams():
    while True:
        _, peer = u.recvfrom(100)
        u.sendto(name + b" " + peer[0].encode(), peer)
threading.Thread(target=datagrams, daemon=True).start()
print("ready", flush=True)
while True:
    c, peer = t.accept()
    c.sendall(name + b" " + peer[0].encode())
    c.close()
"""
# What is said at PROTOCOL ADDRESS PORT to a client from SOURCE ("" for any), or the error's name.
CLIENT = """
import socket, sys
kind, address, port, source = sys.argv[1:5]
try:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    s.settimeout(2)
    s.bind((source or "0.0.0.0", 0))
    s.connect((address, int(port)))
    if kind == "udp":
        s.send(b"x")
    print(s.recv(100).decode() or "EOF")
except OSError as e:
    print(type(e).__name__)
"""


class Inside:
    """Where a process of the cluster is on the network: its namespace, entered by nsenter(1)."""

    def __init__(self, path):
        self.path = path

    def command(self, *words):
        return ["nsenter", f"--net={self.path}", *map(str, words)]

    def run(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, text=True, check=True).stdout

    def ask(self, kind, address, port, source=""):
        return self.run(sys.executable, "-c", CLIENT, kind, address, port, source).strip()

    def serve(self, name, port):
        p = subprocess.Popen(self.command(sys.executable, "-c", SERVER, name, port), stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "ready\n"
        return p


HOST = Inside("/proc/self/ns/net")


def network_of_pod(kube, mark):
    """mark: in the command line of its process, and of no other."""
    pids = until("its process", lambda: [pid for pid, line in kube.cluster.processes().items()
                                         if mark in line and not line.startswith(("conmon", "crun", "sh -c"))])
    return Inside(f"/proc/{pids[0]}/ns/net")


def network_of_node(kube, node):
    return Inside(kube.cluster.run_dir / "netns" / node)


@pytest.fixture
def servers():
    running = []
    yield running
    for p in running:
        p.kill()
        p.wait()
        p.stdout.close()


def address_of_node(kube, name):
    return kube.json("get", "node", name)["status"]["addresses"][0]["address"]


def until_asked(at, wanted, *where):
    return until(f"{wanted} at {where}", lambda: at.ask(*where).split()[0] == wanted)


def with_ports(name, node, ports, seconds):
    """A Pod whose process is known by how long it sleeps."""
    pod = sleeper(name, f"exec sleep {seconds}", node=node)
    pod["spec"]["containers"][0]["ports"] = ports
    return pod


# --- ports of Pods ---


def test_a_port_of_the_host_leads_to_the_pod(kube, servers):
    ports = [{"containerPort": 8080, "hostPort": 8000}, {"containerPort": 8080, "hostPort": 8000, "protocol": "UDP"}]
    start(kube, with_ports("owner", "node-1", ports, 70001))
    start(kube, with_ports("neighbour", "node-1", [], 70002))
    start(kube, with_ports("far", "node-2", [], 70003))
    owner, neighbour, far = (network_of_pod(kube, f"7000{i}") for i in (1, 2, 3))
    servers.append(owner.serve("owner", 8080))
    ip = address_of_node(kube, "node-1")
    for kind in ("tcp", "udp"):
        for name, at in {"host": HOST, "the other node's Pod": far, "its own node's Pod": neighbour, "itself": owner,
                         "its node": network_of_node(kube, "node-1"), "the other node": network_of_node(kube, "node-2")}.items():
            until(f"{name} over {kind}", lambda: at.ask(kind, ip, 8000).split()[0] == "owner")
    # Who leaves the Pods' range does so as its node.
    assert far.ask("tcp", ip, 8000) == f"owner {address_of_node(kube, 'node-2')}"
    assert HOST.ask("tcp", address_of_node(kube, "node-2"), 8000) == "ConnectionRefusedError"
    kube("delete", "pod", "owner", "--wait")
    until("the port is free", lambda: HOST.ask("tcp", ip, 8000) == "ConnectionRefusedError")


def test_a_port_at_one_address_of_the_host(kube, servers):
    """As upstream's suite has it: one port three times, told apart by address and by protocol."""
    ip = address_of_node(kube, "node-1")
    node = network_of_node(kube, "node-1")
    other = f"10.{kube.cluster.block}.254.9"
    node.run("ip", "address", "add", f"{other}/32", "dev", "lo")
    try:
        for i, (address, protocol) in enumerate((("127.0.0.1", "TCP"), (ip, "TCP"), (ip, "UDP"))):
            port = {"containerPort": 8080, "hostPort": 8001, "hostIP": address, "protocol": protocol}
            start(kube, with_ports(f"p{i}", "node-1", [port], 71000 + i))
            servers.append(network_of_pod(kube, f"7100{i}").serve(f"p{i}", 8080))
        start(kube, with_ports("near", "node-1", [], 71009))
        near = network_of_pod(kube, "71009")
        until_asked(node, "p0", "tcp", "127.0.0.1", 8001, ip)
        for at in (node, near):
            until_asked(at, "p1", "tcp", ip, 8001)
            until_asked(at, "p2", "udp", ip, 8001)
            assert at.ask("tcp", other, 8001) == "ConnectionRefusedError"
        # From elsewhere, loopback is the asker's own.
        assert near.ask("tcp", "127.0.0.1", 8001) == "ConnectionRefusedError"
    finally:
        node.run("ip", "address", "del", f"{other}/32", "dev", "lo")


def test_two_pods_cannot_have_one_port_of_a_node(kube):
    def make(name, **port):
        pod = sleeper(name)
        pod["spec"]["containers"][0]["ports"] = [{"containerPort": 8080, "hostPort": 8002, **port}]
        kube("apply", "-f", "-", stdin=pod)
        return name

    def node_of(name):
        return kube.json("get", "pod", name)["spec"].get("nodeName")

    for name in (make("a"), make("b")):
        kube("wait", f"pod/{name}", "--for=condition=Ready", WAIT)
    assert {node_of("a"), node_of("b")} == {"node-1", "node-2"}
    make("c")

    def why(name):
        for c in kube.json("get", "pod", name)["status"].get("conditions", []):
            if c["type"] == "PodScheduled" and c["status"] == "False":
                return c["reason"], c["message"]
        return None

    for name in ("c", make("own-address", hostIP="127.0.0.1")):
        reason, message = until("it cannot be scheduled", lambda: why(name))
        assert reason == "Unschedulable" and "2 node(s) didn't have free ports for the requested pod ports" in message
    kube("wait", f"pod/{make('datagrams', protocol='UDP')}", "--for=condition=Ready", WAIT)
    kube("delete", "pod", "a", "--wait")
    until("one of those that waited has it", lambda: node_of("c") or node_of("own-address"))


# --- Services as upstream's suite has them ---


def ask_dns(kube, name, kind=A):
    """The cluster's DNS at its Service's address, from the host; the whole reply."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((f"10.{kube.cluster.block}.128.10", 53))
        s.send(question(name, kind))
        return Reply(s.recv(4096))


def ask_dns_by_stream(kube, name, kind=A):
    m = question(name, kind)
    with socket.create_connection((f"10.{kube.cluster.block}.128.10", 53), 5) as s:
        s.sendall(len(m).to_bytes(2, "big") + m)
        f = s.makefile("rb")
        return Reply(f.read(int.from_bytes(f.read(2), "big")))


def until_named(kube, name, holds, kind=A):
    return until(f"{name} is as wanted", lambda: (r := ask_dns(kube, name, kind)) and holds(r) and r)


def served(kube, servers, name, node, seconds, ports=(8080,), labels=None):
    """A Pod that answers with its name at ports, over TCP and UDP; (its address, its network)."""
    pod = with_ports(name, node, [], seconds)
    pod["metadata"]["labels"].update(labels or {})
    made = start(kube, pod)
    network = network_of_pod(kube, f"sleep {seconds}")
    for port in ports:
        servers.append(network.serve(f"{name}:{port}", port))
    return made["status"]["podIP"], network


def make_service(kube, name, ports, **spec):
    kube("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                                    "spec": {"ports": ports, **spec}})
    return kube.json("get", "service", name)["spec"]


def make_slice(kube, service, suffix, ips, ports):
    kube("apply", "-f", "-", stdin={
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"{service}-{suffix}", "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"addresses": [ip]} for ip in ips],
        "ports": [{"name": n, "port": p, "protocol": "TCP"} for n, p in ports]})


def who(at, kind, ip, port, n=20):
    """Names of all who answer n times."""
    return {at.ask(kind, ip, port).split()[0] for _ in range(n)}

def test_slices_by_hand_are_merged(kube, servers):
    a, near = served(kube, servers, "a", "node-1", 72001, (8080, 8081))
    b, far = served(kube, servers, "b", "node-2", 72002, (8080, 8081))
    # One address, two ports in two slices.
    ip = make_service(kube, "ports", [{"name": "x", "port": 80}, {"name": "y", "port": 81}])["clusterIP"]
    make_slice(kube, "ports", 1, [a], [("x", 8080)])
    make_slice(kube, "ports", 2, [a], [("y", 8081)])
    for at in (HOST, near, far):
        until_asked(at, "a:8080", "tcp", ip, 80)
        until_asked(at, "a:8081", "tcp", ip, 81)
    # Two addresses in two slices, to ports of different numbers.
    ip = make_service(kube, "addresses", [{"name": "x", "port": 80}])["clusterIP"]
    make_slice(kube, "addresses", 1, [a], [("x", 8080)])
    make_slice(kube, "addresses", 2, [b], [("x", 8081)])
    for at in (HOST, near, far):
        until("both answer", lambda: who(at, "tcp", ip, 80) == {"a:8080", "b:8081"})
    kube("delete", "endpointslice", "addresses-2")
    until("one answers", lambda: who(HOST, "tcp", ip, 80) == {"a:8080"})


def test_endpoints_by_hand_lead_somewhere(kube, servers):
    a, _ = served(kube, servers, "a", "node-1", 72011)
    ip = make_service(kube, "hand", [{"name": "x", "port": 80}])["clusterIP"]
    done = kube.run("apply", "-f", "-", stdin=json.dumps({  # it is warned of: there is something newer
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "hand"}, "subsets": [
            {"addresses": [{"ip": a}], "ports": [{"name": "x", "port": 8080}]}]}))
    assert done.returncode == 0, done
    until_asked(HOST, "a:8080", "tcp", ip, 80)
    assert kube.run("delete", "endpoints", "hand").returncode == 0
    until("it refuses", lambda: HOST.ask("tcp", ip, 80) == "ConnectionRefusedError")


def test_one_port_of_two_protocols_and_several_ports(kube, servers):
    _, near = served(kube, servers, "a", "node-1", 72021, (8080, 8081), {"of": "both"})
    ports = [{"name": "t", "port": 80, "targetPort": 8080, "protocol": "TCP"},
             {"name": "u", "port": 80, "targetPort": 8081, "protocol": "UDP"},
             {"name": "other", "port": 82, "targetPort": 8081}]
    ip = make_service(kube, "both", ports, selector={"of": "both"})["clusterIP"]
    for at in (HOST, near):
        until_asked(at, "a:8080", "tcp", ip, 80)
        until_asked(at, "a:8081", "udp", ip, 80)
        until_asked(at, "a:8081", "tcp", ip, 82)
    assert HOST.ask("tcp", ip, 83) == "ConnectionRefusedError"


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_affinity_is_switched_on_and_off(kube, servers, kind):
    for i, node in enumerate(("node-1", "node-2", "node-2")):
        served(kube, servers, f"p{i}", node, 72030 + i, labels={"of": "affine"})
    start(kube, with_ports("client", "node-1", [], 72039))
    client = network_of_pod(kube, "72039")
    spec = make_service(kube, "affine", [{"port": 80, "targetPort": 8080}], selector={"of": "affine"}, type=kind,
                        sessionAffinity="ClientIP")
    assert spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] == 10800
    places = [(spec["clusterIP"], 80)]
    if kind == "NodePort":
        places += [(address_of_node(kube, n), spec["ports"][0]["nodePort"]) for n in ("node-1", "node-2")]
    for ip, port in places:
        until("it answers", lambda: ":8080" in client.ask("tcp", ip, port))
        until("one answers", lambda: len(who(client, "tcp", ip, port, 15)) == 1)
    kube("patch", "service", "affine", "-p", '{"spec": {"sessionAffinity": "None"}}')
    for ip, port in places:
        until("all answer", lambda: len(who(client, "tcp", ip, port, 30)) == 3)
    kube("patch", "service", "affine", "-p", '{"spec": {"sessionAffinity": "ClientIP"}}')
    for ip, port in places:
        until("one answers again", lambda: len(who(client, "tcp", ip, port, 15)) == 1)


def test_a_service_changes_its_type_and_its_name_follows(kube, servers):
    served(kube, servers, "a", "node-1", 72041, labels={"of": "turncoat"})
    name = f"turncoat.{kube.namespace}.svc.cluster.local"
    kube("create", "service", "externalname", "turncoat", "--external-name=kubernetes.default.svc.cluster.local")
    kubernetes = ask_dns(kube, "kubernetes.default.svc.cluster.local").values(A)
    r = until_named(kube, name, lambda r: r.values(A))
    assert r.values(CNAME) == ["kubernetes.default.svc.cluster.local"] and r.values(A) == kubernetes
    assert "clusterIP" not in kube.json("get", "service", "turncoat")["spec"]

    def change(**spec):
        kube("patch", "service", "turncoat", "-p", json.dumps({"spec": spec}))
        return kube.json("get", "service", "turncoat")["spec"]

    spec = change(type="ClusterIP", externalName=None, ports=[{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
                  selector={"app": None, "of": "turncoat"})
    until_named(kube, name, lambda r: r.values(A) == [spec["clusterIP"]] and not r.values(CNAME))
    until_asked(HOST, "a:8080", "tcp", spec["clusterIP"], 80)
    spec = change(type="NodePort")
    until_asked(HOST, "a:8080", "tcp", address_of_node(kube, "node-2"), spec["ports"][0]["nodePort"])
    old = spec["clusterIP"], spec["ports"][0]["nodePort"]
    spec = change(type="ExternalName", externalName="example.test", clusterIP=None, clusterIPs=None, selector=None)
    assert "clusterIP" not in spec and "nodePort" not in json.dumps(spec)
    until("the address is free", lambda: HOST.ask("tcp", address_of_node(kube, "node-2"), old[1]) ==
          "ConnectionRefusedError")
    until_named(kube, name, lambda r: r.values(CNAME) == ["example.test"], CNAME)
    spec = change(type="NodePort", externalName=None, selector={"of": "turncoat"},
                  ports=[{"port": 80, "targetPort": 8080, "protocol": "TCP"}])
    until_asked(HOST, "a:8080", "tcp", address_of_node(kube, "node-1"), spec["ports"][0]["nodePort"])


def test_a_local_policy_is_for_outsiders(kube, servers):
    served(kube, servers, "a", "node-1", 72045, labels={"of": "local"})
    start(kube, with_ports("client", "node-2", [], 72046))
    client = network_of_pod(kube, "72046")
    spec = make_service(kube, "local", [{"port": 80, "targetPort": 8080}], selector={"of": "local"}, type="LoadBalancer",
                        externalTrafficPolicy="Local")
    port = spec["ports"][0]["nodePort"]
    nodes = [address_of_node(kube, n) for n in ("node-1", "node-2")]
    until_asked(HOST, "a:8080", "tcp", nodes[0], port)
    # The address of who asks stays what it is: the gateway's, between this machine and the nodes.
    assert HOST.ask("tcp", nodes[0], port) == f"a:8080 10.{kube.cluster.block}.255.1"
    assert HOST.ask("tcp", nodes[1], port) == "TimeoutError", "nobody is there"
    # A Pod, and the node itself, are no outsiders.
    until_asked(client, "a:8080", "tcp", nodes[1], port)
    until_asked(network_of_node(kube, "node-2"), "a:8080", "tcp", nodes[1], port)
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.9"}]}}}
    kube("patch", "service", "local", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    until_asked(client, "a:8080", "tcp", "198.51.100.9", 80)
    until_asked(network_of_node(kube, "node-2"), "a:8080", "tcp", "198.51.100.9", 80)

    def health(node):  # how many are here is told at the Service's own port
        fetch = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
        c = subprocess.run(node.command(sys.executable, "-c", fetch, f"http://127.0.0.1:{spec['healthCheckNodePort']}/"),
                           capture_output=True, text=True)
        return c.returncode, c.stdout

    until("node-1 has one", lambda: health(network_of_node(kube, "node-1"))[0] == 0)
    assert '"localEndpoints": 1' in health(network_of_node(kube, "node-1"))[1]
    until("node-2 has none", lambda: health(network_of_node(kube, "node-2"))[0] != 0)


def test_pods_in_the_network_of_their_node(kube, servers):
    pods = {}
    for i, node in enumerate(("node-1", "node-2")):
        pod = with_ports(f"host-{i}", node, [], 72050 + i)
        pod["metadata"]["labels"]["of"] = "hosts"
        pod["spec"]["hostNetwork"] = True
        made = start(kube, pod)
        assert made["status"]["podIP"] == made["status"]["hostIP"] == address_of_node(kube, node)
        pods[f"host-{i}:8090"] = network_of_pod(kube, f"7205{i}")
        servers.append(pods[f"host-{i}:8090"].serve(f"host-{i}:8090", 8090))
    ip, inside = served(kube, servers, "pod", "node-2", 72055)
    service = make_service(kube, "hosts", [{"port": 80, "targetPort": 8090}], selector={"of": "hosts"})["clusterIP"]
    for kind in ("tcp", "udp"):
        for at in pods.values():  # from nodes to Pods
            until_asked(at, "pod:8080", kind, ip, 8080)
    for at in (inside, HOST, *pods.values()):
        until("both nodes answer", lambda: who(at, "tcp", service, 80) == set(pods))


# --- names ---


def test_names_of_pods(kube, servers):
    kube("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sub"}, "spec": {
        "clusterIP": "None", "selector": {"of": "sub"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
    pod = with_ports("named", "node-1", [], 72061)
    pod["metadata"]["labels"]["of"] = "sub"
    pod["spec"].update(hostname="host", subdomain="sub")
    ip = start(kube, pod)["status"]["podIP"]
    full = f"host.sub.{kube.namespace}.svc.cluster.local"
    until_named(kube, full, lambda r: r.values(A) == [ip])
    for ask in (ask_dns, ask_dns_by_stream):
        assert ask(kube, f"sub.{kube.namespace}.svc.cluster.local").values(A) == [ip]
    assert ask_dns(kube, f"_http._tcp.sub.{kube.namespace}.svc.cluster.local", SRV).values(SRV) == [(8080, full)]
    assert ask_dns(kube, ".".join(reversed(ip.split("."))) + ".in-addr.arpa", PTR).values(PTR) == [full]
    assert ask_dns(kube, ip.replace(".", "-") + f".{kube.namespace}.pod.cluster.local").values(A) == [ip]
    assert kube("exec", "named", "--", "hostname").strip() == "host"
    assert kube("exec", "named", "--", "hostname", "-f").strip() == full
    assert f"{ip}\t{full}\thost" in kube("exec", "named", "--", "cat", "/etc/hosts")
    # Names that are cut short are found by the search list.
    kube("exec", "named", "--", "httpd", "-p", "8080", "-h", "/etc")
    for name in ("sub", f"sub.{kube.namespace}", f"sub.{kube.namespace}.svc", f"host.sub.{kube.namespace}"):
        assert kube("exec", "named", "--", "wget", "-qO-", f"http://{name}:8080/hostname").strip() == "host"
    # Not ready: no name, but with publishNotReadyAddresses.
    unready = with_ports("unready", "node-2", [], 72062)
    unready["metadata"]["labels"]["of"] = "sub"
    unready["spec"].update(hostname="late", subdomain="sub")
    unready["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}
    kube("apply", "-f", "-", stdin=unready)
    late = until("it has an address", lambda: kube.json("get", "pod", "unready")["status"].get("podIP"))
    name = f"late.sub.{kube.namespace}.svc.cluster.local"
    assert ask_dns(kube, name).rcode == 3
    kube("patch", "service", "sub", "-p", '{"spec": {"publishNotReadyAddresses": true}}')
    until_named(kube, name, lambda r: r.values(A) == [late])


def test_names_by_a_pods_own_rules(kube):
    pod = sleeper("own", dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"], "searches": ["a.example", "b.example"],
                                                      "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]})
    start(kube, pod)
    lines = kube("exec", "own", "--", "cat", "/etc/resolv.conf").split("\n")
    assert "nameserver 192.0.2.53" in lines and "search a.example b.example" in lines
    assert "options ndots:2 edns0" in lines


def test_every_nodes_proxy_says_how_it_is(kube):
    fetch_it = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"
    for name in ("node-1", "node-2"):
        node = network_of_node(kube, name)
        assert '"nodeEligible": true' in node.run(sys.executable, "-c", fetch_it,
                                                  f"http://{address_of_node(kube, name)}:10256/healthz")
        said = node.run(sys.executable, "-c", fetch_it, "http://127.0.0.1:10249/metrics")
        assert "kubeproxy_sync_proxy_rules_nftables_sync_failures_total 0\n" in said

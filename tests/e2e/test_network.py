"""The network of a cluster of two nodes from outside and from inside: ports of Pods, names of Pods, Services by hand.

Sockets of the tests' own are opened in the network namespaces of Pods and nodes, because busybox speaks no UDP."""

import subprocess
import sys

import pytest

from cluster import until
from test_cluster import WAIT, sleeper, start

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
    host = Inside("/proc/self/ns/net")
    for kind in ("tcp", "udp"):
        for name, at in {"host": host, "the other node's Pod": far, "its own node's Pod": neighbour, "itself": owner,
                         "its node": network_of_node(kube, "node-1"), "the other node": network_of_node(kube, "node-2")}.items():
            until(f"{name} over {kind}", lambda: at.ask(kind, ip, 8000).split()[0] == "owner")
    # Who leaves the Pods' range does so as its node.
    assert far.ask("tcp", ip, 8000) == f"owner {address_of_node(kube, 'node-2')}"
    assert host.ask("tcp", address_of_node(kube, "node-2"), 8000) == "ConnectionRefusedError"
    kube("delete", "pod", "owner", "--wait")
    until("the port is free", lambda: host.ask("tcp", ip, 8000) == "ConnectionRefusedError")


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

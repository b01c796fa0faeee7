"""Cluster DNS beside an API server, asked over UDP and TCP; a small server plays the rest of the world."""

import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from harness import PINTLE, SLOWER, free_port, pintle

A, CNAME, SOA, PTR, TXT, AAAA, SRV = 1, 5, 6, 12, 16, 28, 33
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
DOMAIN = "cluster.local"


def name_bytes(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def read_name(m, at):
    labels, end = [], None
    while m[at]:
        if m[at] & 0xc0:
            end = end or at + 2
            at = struct.unpack(">H", m[at:at + 2])[0] & 0x3fff
            continue
        labels.append(m[at + 1:at + 1 + m[at]].decode())
        at += 1 + m[at]
    return ".".join(labels), end or at + 1


class Reply:
    def __init__(self, m):
        self.rcode, self.truncated, self.authoritative = m[3] & 15, bool(m[2] & 2), bool(m[2] & 4)
        counts = struct.unpack(">HHH", m[6:12])
        self.question, at = read_name(m, 12)
        at += 4
        self.sections = []
        for n in counts:
            records = []
            for _ in range(n):
                name, at = read_name(m, at)
                kind, _, ttl, length = struct.unpack(">HHIH", m[at:at + 10])
                at += 10
                records.append((name, kind, self.value(m, kind, at, length)))
                at += length
            self.sections.append(records)
        self.answers, self.authority, self.additional = self.sections

    @staticmethod
    def value(m, kind, at, length):
        if kind == A:
            return socket.inet_ntoa(m[at:at + 4])
        if kind == AAAA:
            return socket.inet_ntop(socket.AF_INET6, m[at:at + 16])
        if kind in (CNAME, PTR):
            return read_name(m, at)[0]
        if kind == SRV:
            return struct.unpack(">H", m[at + 4:at + 6])[0], read_name(m, at + 6)[0]
        return m[at:at + length]

    def values(self, kind):
        return sorted(v for _, k, v in self.answers if k == kind)


def question(name, kind, edns=0):
    m = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 1 if edns else 0) + name_bytes(name) + struct.pack(">HH", kind, 1)
    return m + (b"\0" + struct.pack(">HHIH", 41, edns, 0, 0) if edns else b"")


class Dns:
    def __init__(self, server, *flags):
        self.port = free_port()
        self.process = subprocess.Popen(
            [PINTLE, "dns", "--kubeconfig", str(server.dir / "dns.conf"), "--port", str(self.port), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert select.select([self.process.stdout], [], [], 20 * SLOWER)[0], "not ready in time"
        assert b"answering" in os.read(self.process.stdout.fileno(), 200)

    def ask(self, name, kind=A, tcp=False, edns=0):
        m = question(name, kind, edns)
        if not tcp:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(10)
                s.sendto(m, ("127.0.0.1", self.port))
                return Reply(s.recv(65536))
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            s.sendall(struct.pack(">H", len(m)) + m)
            f = s.makefile("rb")
            return Reply(f.read(struct.unpack(">H", f.read(2))[0]))

    def await_reply(self, holds, *args, **kw):
        end = time.monotonic() + 10 * SLOWER
        while True:
            r = self.ask(*args, **kw)
            if holds(r):
                return r
            assert time.monotonic() < end, vars(r)
            select.select([], [], [], 0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        self.process.stdout.close()
        return code


class World(threading.Thread):
    """example.org is 192.0.2.7; silent.org is never answered; everything else does not exist."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port, self.asked = self.socket.getsockname()[1], []

    def run(self):
        while True:
            m, peer = self.socket.recvfrom(4096)
            name, at = read_name(m, 12)
            self.asked.append((name, m[:2], peer[1]))
            if name == "silent.org":
                continue
            ok = name == "example.org"
            # A forged answer first: another identity. It must not be believed.
            self.socket.sendto(bytes([m[0] ^ 0xff]) + m[1:2] + b"\x81\x80" + m[4:6] + b"\0\1\0\0\0\0" + m[12:at + 4] +
                               b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton("6.6.6.6"), peer)
            self.socket.sendto(m[:2] + (b"\x81\x80" if ok else b"\x81\x83") + m[4:6] + (b"\0\1" if ok else b"\0\0") +
                               b"\0\0\0\0" + m[12:at + 4] +
                               (b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + socket.inet_aton("192.0.2.7") if ok else b""), peer)


@pytest.fixture(scope="module")
def world():
    w = World()
    w.start()
    return w


@pytest.fixture(scope="module")
def dns(server, world, raw):
    d = Dns(server, "--cluster-dns", "10.96.0.10", "--upstream", f"127.0.0.1:{world.port}")
    yield d
    assert d.stop() == 0


def make_service(raw, name, **spec):
    r = raw.post("/api/v1/namespaces/default/services", {"metadata": {"name": name}, "spec": spec})
    assert r.status == 201, r
    return r.json()


def make_slice(raw, service, endpoints, ports, suffix="a"):
    r = raw.post("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
        "metadata": {"name": f"{service}-{suffix}", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports})
    assert r.status == 201, r


def test_a_service_has_its_address_in_every_spelling(raw, dns):
    svc = make_service(raw, "web", ports=[{"name": "http", "port": 80}])
    ip = svc["spec"]["clusterIP"]
    r = dns.await_reply(lambda r: r.answers, f"web.default.svc.{DOMAIN}")
    assert r.values(A) == [ip] and r.authoritative and r.rcode == NOERROR
    mixed = dns.ask(f"WeB.default.SVC.{DOMAIN}")
    assert mixed.values(A) == [ip] and mixed.question.startswith("WeB.")
    assert dns.ask(f"web.default.svc.{DOMAIN}", tcp=True).values(A) == [ip]
    none = dns.ask(f"web.default.svc.{DOMAIN}", AAAA)
    assert none.rcode == NOERROR and not none.answers and none.authority[0][1] == SOA
    reverse = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
    assert dns.ask(reverse, PTR).values(PTR) == [f"web.default.svc.{DOMAIN}"]
    srv = dns.ask(f"_http._tcp.web.default.svc.{DOMAIN}", SRV)
    assert srv.values(SRV) == [(80, f"web.default.svc.{DOMAIN}")]
    assert srv.additional == [(f"web.default.svc.{DOMAIN}", A, ip)]
    assert dns.ask(f"_http._udp.web.default.svc.{DOMAIN}", SRV).rcode == NXDOMAIN


@pytest.mark.parametrize("name,rcode", [
    (f"nope.default.svc.{DOMAIN}", NXDOMAIN), (f"web.nowhere.svc.{DOMAIN}", NXDOMAIN),
    (f"nowhere.svc.{DOMAIN}", NXDOMAIN), (f"default.svc.{DOMAIN}", NOERROR), (f"svc.{DOMAIN}", NOERROR),
    (f"x.{DOMAIN}", NXDOMAIN), (DOMAIN, NOERROR), (f"a.b.c.d.web.default.svc.{DOMAIN}", NXDOMAIN)])
def test_what_is_not_there_and_what_has_no_such_record(dns, name, rcode):
    r = dns.ask(name)
    assert (r.rcode, r.answers) == (rcode, []) and r.authority[0][:2] == (DOMAIN, SOA)


def test_a_headless_service_is_its_endpoints(raw, dns):
    make_service(raw, "db", clusterIP="None", ports=[{"name": "sql", "port": 5432}])
    make_slice(raw, "db", [
        {"addresses": ["10.1.0.1"], "hostname": "db-0", "conditions": {"ready": True}},
        {"addresses": ["10.1.0.2"], "conditions": {"ready": True}},
        {"addresses": ["10.1.0.3"], "hostname": "db-2", "conditions": {"ready": False}},
    ], [{"name": "sql", "port": 5433, "protocol": "TCP"}])
    r = dns.await_reply(lambda r: r.answers, f"db.default.svc.{DOMAIN}")
    assert r.values(A) == ["10.1.0.1", "10.1.0.2"]
    assert dns.ask(f"db-0.db.default.svc.{DOMAIN}").values(A) == ["10.1.0.1"]
    assert dns.ask(f"10-1-0-2.db.default.svc.{DOMAIN}").values(A) == ["10.1.0.2"]
    assert dns.ask(f"db-2.db.default.svc.{DOMAIN}").rcode == NXDOMAIN
    assert dns.ask(f"_sql._tcp.db.default.svc.{DOMAIN}", SRV).values(SRV) == [
        (5433, f"10-1-0-2.db.default.svc.{DOMAIN}"), (5433, f"db-0.db.default.svc.{DOMAIN}")]
    assert dns.ask("1.0.1.10.in-addr.arpa", PTR).values(PTR) == [f"db-0.db.default.svc.{DOMAIN}"]


def test_endpoints_that_are_not_ready_count_where_the_service_says_so(raw, dns):
    make_service(raw, "early", clusterIP="None", publishNotReadyAddresses=True)
    make_slice(raw, "early", [{"addresses": ["10.1.1.1"], "conditions": {"ready": False}}], [])
    assert dns.await_reply(lambda r: r.answers, f"early.default.svc.{DOMAIN}").values(A) == ["10.1.1.1"]


def test_many_endpoints_are_cut_over_udp_and_whole_over_tcp(raw, dns):
    make_service(raw, "many", clusterIP="None")
    make_slice(raw, "many", [{"addresses": [f"10.2.0.{i}"]} for i in range(1, 101)], [])
    r = dns.await_reply(lambda r: r.answers, f"many.default.svc.{DOMAIN}")
    assert r.truncated and 20 < len(r.answers) < 35
    assert len(dns.ask(f"many.default.svc.{DOMAIN}", tcp=True).answers) == 100
    more = dns.ask(f"many.default.svc.{DOMAIN}", edns=4096)
    assert not more.truncated and len(more.answers) == 100
    firsts = {dns.ask(f"many.default.svc.{DOMAIN}").answers[0][2] for _ in range(10)}
    assert len(firsts) > 1, "the order never turns"


def test_an_external_name_is_an_alias(raw, dns):
    make_service(raw, "far", type="ExternalName", externalName="example.org")
    r = dns.await_reply(lambda r: r.answers, f"far.default.svc.{DOMAIN}")
    assert r.values(CNAME) == ["example.org"]


def test_pods_by_address(dns):
    assert dns.ask(f"10-9-8-7.default.pod.{DOMAIN}").values(A) == ["10.9.8.7"]
    assert dns.ask(f"300-9-8-7.default.pod.{DOMAIN}").rcode == NXDOMAIN
    assert dns.ask(f"dns-version.{DOMAIN}", TXT).values(TXT) == [b"\x051.1.0"]


def test_what_changes_is_seen_at_once(raw, dns):
    make_service(raw, "brief", ports=[{"port": 80}])
    dns.await_reply(lambda r: r.answers, f"brief.default.svc.{DOMAIN}")
    assert raw.delete("/api/v1/namespaces/default/services/brief").status == 200
    dns.await_reply(lambda r: r.rcode == NXDOMAIN, f"brief.default.svc.{DOMAIN}")


def test_the_rest_is_passed_on(dns, world):
    assert dns.ask("example.org").values(A) == ["192.0.2.7"]
    assert dns.ask("nowhere.org").rcode == NXDOMAIN
    for _ in range(5):
        dns.ask("example.org")
    identities = {(i, port) for name, i, port in world.asked if name == "example.org"}
    assert len(identities) == len([1 for a in world.asked if a[0] == "example.org"]), "identities are used again"


def test_silence_is_a_failure_and_holds_up_nobody(dns):
    results = []
    t = threading.Thread(target=lambda: results.append(dns.ask("silent.org")))
    t.start()
    for _ in range(20):
        assert dns.ask("example.org").rcode == NOERROR
    t.join(15)
    assert results[0].rcode == SERVFAIL


def test_rude_datagrams_and_streams_do_no_harm(dns):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for junk in (b"", b"\0", os.urandom(300), b"\xff" * 4000, question("a" * 60 + "." + "b" * 60, A)[:-3]):
            s.sendto(junk, ("127.0.0.1", dns.port))
    streams = [socket.create_connection(("127.0.0.1", dns.port)) for _ in range(50)]
    for s in streams:
        s.sendall(b"\xff\xff" + os.urandom(100))
    assert dns.ask("example.org").rcode == NOERROR
    for s in streams:
        s.close()
    assert dns.ask("example.org", tcp=False).rcode == NOERROR


def test_the_service_leads_here_and_is_mended(raw, dns):
    path = "/api/v1/namespaces/kube-system/services/kube-dns"

    def await_object(path, holds):
        end = time.monotonic() + 10 * SLOWER
        while True:
            r = raw.get(path)
            if r.status == 200 and holds(r.json()):
                return r.json()
            assert time.monotonic() < end, r
            select.select([], [], [], 0.02)

    svc = await_object(path, lambda o: o["spec"]["clusterIP"] == "10.96.0.10")
    assert {(p["name"], p["protocol"], p["port"]) for p in svc["spec"]["ports"]} == {
        ("dns", "UDP", 53), ("dns-tcp", "TCP", 53)}
    slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns"
    s = await_object(slices, lambda o: True)
    assert s["endpoints"][0]["addresses"] == ["127.0.0.1"] or s["ports"][0]["port"] == dns.port
    assert raw.delete(path).status == 200
    again = await_object(path, lambda o: o["metadata"]["uid"] != svc["metadata"]["uid"])
    assert again["spec"]["clusterIP"] == "10.96.0.10"


def test_wrong_flags_are_told():
    assert "--kubeconfig" in pintle("dns").stderr
    done = pintle("dns", "--kubeconfig", "/nowhere", "--upstream", "x:y:z")
    assert done.returncode == 1 and done.stderr.startswith("pintle dns:")

"""Cluster DNS beside an API server, asked over UDP and TCP; a small server plays the rest of the world."""

import http.client
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from harness import PINTLE, SLOWER, Server, free_port, pintle
from node import NODE_IP, NetworkNamespace

A, CNAME, SOA, PTR, TXT, AAAA, SRV = 1, 5, 6, 12, 16, 28, 33
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, REFUSED = 0, 1, 2, 3, 5
OPT = 41
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
        self.size, self.ttls = len(m), []
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
                if kind == OPT:
                    self.rcode |= ttl >> 24 << 4
                else:
                    self.ttls.append(ttl)
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


def question(name, kind, edns=0, version=0):
    m = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 1 if edns else 0) + name_bytes(name) + struct.pack(">HH", kind, 1)
    return m + (b"\0" + struct.pack(">HHIH", 41, edns, version << 16, 0) if edns else b"")


class Dns:
    def __init__(self, server, *flags):
        self.port = free_port()
        self.process = subprocess.Popen(
            [PINTLE, "dns", "--kubeconfig", str(server.dir / "dns.conf"), "--port", str(self.port), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert select.select([self.process.stdout], [], [], 20 * SLOWER)[0], "not ready in time"
        assert b"answering" in os.read(self.process.stdout.fileno(), 200)

    def ask(self, name, kind=A, tcp=False, edns=0, version=0):
        m = question(name, kind, edns, version)
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
        end = time.monotonic() + 30 * SLOWER
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


def record(kind, ttl, data, name=b"\xc0\x0c"):
    return name + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


SOA_DATA = name_bytes("ns.org") + name_bytes("h.org") + struct.pack(">IIIII", 1, 2, 3, 4, 300)


class World(threading.Thread):
    """The other servers: what they know is a table of names; the rest does not exist (kept for 300 s)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.asked, self.asked_by_tcp = [], []
        self.known = {
            "example.org": [record(A, 5, socket.inet_aton("192.0.2.7"))],
            "long.org": [record(A, 100, socket.inet_aton("192.0.2.8"))],
            "fleeting.org": [record(A, 0, socket.inet_aton("192.0.2.9"))],
            "second.org": [record(A, 1, socket.inet_aton("192.0.2.10"))],
            # An alias, the target's address; both names with pointers into the answer.
            "www.alias.org": [record(CNAME, 60, b"\4real\xc0\x10"),
                              record(A, 60, socket.inet_aton("192.0.2.11"), b"\xc0\x2b")],
            "huge.org": [record(A, 60, socket.inet_aton(f"192.0.{i // 200}.{i % 200}")) for i in range(300)],
            "empty.org": [],
        }

    def answer(self, m, limit):
        name, at = read_name(m, 12)
        records = self.known.get(name.lower())
        flags = b"\x81\x83" if records is None else b"\x81\x80"
        body = b"".join(records or [])
        denial = b"" if records else record(SOA, 300, SOA_DATA, name_bytes("org"))
        if 12 + at + len(body) > limit:
            return m[:2] + b"\x83\x80" + m[4:6] + b"\0\0\0\0\0\0" + m[12:at + 4]
        return (m[:2] + flags + m[4:6] + struct.pack(">HHH", len(records or []), 1 if denial else 0, 0) +
                m[12:at + 4] + body + denial)

    def serve_tcp(self):
        while True:
            c, _ = self.tcp.accept()
            with c, c.makefile("rb") as f:
                m = f.read(struct.unpack(">H", f.read(2))[0])
                self.asked_by_tcp.append(read_name(m, 12)[0])
                a = self.answer(m, 65535)
                c.sendall(struct.pack(">H", len(a)) + a)

    def run(self):
        threading.Thread(target=self.serve_tcp, daemon=True).start()
        while True:
            m, peer = self.udp.recvfrom(4096)
            name, at = read_name(m, 12)
            self.asked.append((name, m[:2], peer[1]))
            if name == "silent.org":
                continue
            # A forged answer first: another identity. It must not be believed.
            self.udp.sendto(bytes([m[0] ^ 0xff]) + m[1:2] + b"\x81\x80" + m[4:6] + b"\0\1\0\0\0\0" + m[12:at + 4] +
                            record(A, 5, socket.inet_aton("6.6.6.6")), peer)
            self.udp.sendto(self.answer(m, 512), peer)

    def count(self, name):
        return sum(a[0] == name for a in self.asked)


@pytest.fixture(scope="module")
def world():
    w = World()
    w.start()
    return w


@pytest.fixture(scope="module")
def dns(server, world, raw):
    ports = [free_port() for _ in range(3)]
    d = Dns(server, "--upstream", f"127.0.0.1:{world.port}", "--health-port", str(ports[0]),
            "--ready-port", str(ports[1]), "--metrics-port", str(ports[2]))
    d.health, d.ready, d.metrics = ports
    yield d
    assert d.stop() == 0


@pytest.fixture(scope="module", autouse=True)
def empty_namespace(raw):
    r = raw.post("/api/v1/namespaces", {"metadata": {"name": "empty"}})
    assert r.status == 201, r


def make_service(raw, name, **spec):
    r = raw.post("/api/v1/namespaces/default/services", {"metadata": {"name": name}, "spec": spec})
    assert r.status == 201, r
    return r.json()


def make_slice(raw, service, endpoints, ports, suffix="a", family="IPv4"):
    r = raw.post("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
        "metadata": {"name": f"{service}-{suffix}", "labels": {"kubernetes.io/service-name": service}},
        "addressType": family, "endpoints": endpoints, "ports": ports})
    assert r.status == 201, r


def get(port, path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request("GET", path)
    r = c.getresponse()
    body = r.read().decode()
    c.close()
    return r.status, body


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
    assert dns.ask(f"web.default.svc.{DOMAIN}", SRV).values(SRV) == [(80, f"web.default.svc.{DOMAIN}")]
    assert dns.ask(f"_http._udp.web.default.svc.{DOMAIN}", SRV).rcode == NXDOMAIN
    assert dns.ask(f"_http.web.default.svc.{DOMAIN}", SRV).rcode == NXDOMAIN


@pytest.mark.parametrize("name,rcode", [
    (f"nope.default.svc.{DOMAIN}", NXDOMAIN), (f"web.nowhere.svc.{DOMAIN}", NXDOMAIN),
    (f"nowhere.svc.{DOMAIN}", NXDOMAIN), (f"default.svc.{DOMAIN}", NOERROR), (f"empty.svc.{DOMAIN}", NOERROR),
    (f"empty.pod.{DOMAIN}", NOERROR), (f"nowhere.pod.{DOMAIN}", NXDOMAIN), (f"x.empty.svc.{DOMAIN}", NXDOMAIN),
    (f"1-2-3-4.nowhere.pod.{DOMAIN}", NXDOMAIN), (f"svc.{DOMAIN}", NOERROR),
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


def test_an_external_name_is_followed_wherever_it_leads(raw, dns, world):
    make_service(raw, "far", type="ExternalName", externalName="example.org")
    name = f"far.default.svc.{DOMAIN}"
    r = dns.await_reply(lambda r: r.answers, name)
    assert [(k, v) for _, k, v in r.answers] == [(CNAME, "example.org"), (A, "192.0.2.7")]
    assert [n for n, _, _ in r.answers] == [name, "example.org"]
    only = dns.ask(name, CNAME)
    assert (only.rcode, only.values(CNAME), len(only.answers)) == (NOERROR, ["example.org"], 1)
    none = dns.ask(name, AAAA)
    assert none.values(CNAME) == ["example.org"] and none.values(AAAA) == []
    assert dns.ask(f"x.far.default.svc.{DOMAIN}", CNAME).rcode == NXDOMAIN
    # A Service of the cluster; an alias of an alias; one whose target is not there; a ring.
    web = make_service(raw, "target", ports=[{"port": 80}])["spec"]["clusterIP"]
    make_service(raw, "near", type="ExternalName", externalName=f"target.default.svc.{DOMAIN}")
    make_service(raw, "twice", type="ExternalName", externalName=f"far.default.svc.{DOMAIN}.")
    make_service(raw, "lost", type="ExternalName", externalName=f"nope.default.svc.{DOMAIN}")
    make_service(raw, "gone", type="ExternalName", externalName="nowhere.org")
    make_service(raw, "ring", type="ExternalName", externalName=f"ring.default.svc.{DOMAIN}")
    near = dns.await_reply(lambda r: r.answers, f"near.default.svc.{DOMAIN}")
    assert near.answers == [(f"near.default.svc.{DOMAIN}", CNAME, f"target.default.svc.{DOMAIN}"),
                            (f"target.default.svc.{DOMAIN}", A, web)]
    near6 = dns.ask(f"near.default.svc.{DOMAIN}", AAAA)
    assert (near6.rcode, len(near6.answers), near6.authority[0][1]) == (NOERROR, 1, SOA)
    twice = dns.await_reply(lambda r: r.answers, f"twice.default.svc.{DOMAIN}")
    assert twice.values(CNAME) == ["example.org", f"far.default.svc.{DOMAIN}"] and twice.values(A) == ["192.0.2.7"]
    assert dns.await_reply(lambda r: r.answers, f"lost.default.svc.{DOMAIN}").rcode == NXDOMAIN
    assert dns.await_reply(lambda r: r.answers, f"gone.default.svc.{DOMAIN}").rcode == NXDOMAIN
    ring = dns.await_reply(lambda r: r.answers, f"ring.default.svc.{DOMAIN}")
    assert ring.values(A) == [] and len(ring.answers) < 20


def test_pods_by_address(dns):
    assert dns.ask(f"10-9-8-7.default.pod.{DOMAIN}").values(A) == ["10.9.8.7"]
    assert dns.ask(f"fd00--7.default.pod.{DOMAIN}", AAAA).values(AAAA) == ["fd00::7"]
    assert dns.ask(f"300-9-8-7.default.pod.{DOMAIN}").rcode == NXDOMAIN
    assert dns.ask(f"dns-version.{DOMAIN}", TXT).values(TXT) == [b"\x051.1.0"]


def test_verified_pods_alone_have_names_where_that_is_wanted(server, raw):
    made = raw.post("/api/v1/namespaces/empty/serviceaccounts", {"metadata": {"name": "default"}})
    assert made.status in (201, 409), made
    pod = raw.post("/api/v1/namespaces/empty/pods", {"metadata": {"name": "p"}, "spec": {
        "automountServiceAccountToken": False, "containers": [{"name": "c", "image": "i"}]}})
    assert pod.status == 201, pod
    status = {"phase": "Running", "podIP": "10.9.8.7", "podIPs": [{"ip": "10.9.8.7"}]}
    r = raw.patch("/api/v1/namespaces/empty/pods/p/status", {"status": status})
    assert r.status == 200, r
    verified, disabled = Dns(server, "--pods", "verified"), Dns(server, "--pods", "disabled")
    try:
        verified.await_reply(lambda r: r.values(A) == ["10.9.8.7"], f"10-9-8-7.empty.pod.{DOMAIN}")
        assert verified.ask(f"10-9-8-7.default.pod.{DOMAIN}").rcode == NXDOMAIN
        assert verified.ask(f"10-9-8-8.empty.pod.{DOMAIN}").rcode == NXDOMAIN
        assert disabled.ask(f"10-9-8-7.empty.pod.{DOMAIN}").rcode == NXDOMAIN
    finally:
        assert (verified.stop(), disabled.stop()) == (0, 0)
        raw.delete("/api/v1/namespaces/empty/pods/p?gracePeriodSeconds=0")


def test_ipv6_endpoints_and_their_names(raw, dns):
    make_service(raw, "six", clusterIP="None", ports=[{"name": "p", "port": 1}, {"name": "q", "port": 2}])
    make_slice(raw, "six", [{"addresses": ["fd00::1:2"], "hostname": "six-0"}, {"addresses": ["fd00::3"]}],
               [{"name": "p", "port": 81, "protocol": "TCP"}, {"name": "q", "port": 82, "protocol": "UDP"}], family="IPv6")
    r = dns.await_reply(lambda r: r.answers, f"six.default.svc.{DOMAIN}", AAAA)
    assert r.values(AAAA) == ["fd00::1:2", "fd00::3"]
    assert dns.ask(f"fd00--3.six.default.svc.{DOMAIN}", AAAA).values(AAAA) == ["fd00::3"]
    digits = "".join(f"{b:02x}" for b in socket.inet_pton(socket.AF_INET6, "fd00::1:2"))
    reverse = ".".join(reversed(digits)) + ".ip6.arpa"
    assert dns.ask(reverse, PTR).values(PTR) == [f"six-0.six.default.svc.{DOMAIN}"]
    assert dns.ask(reverse.upper(), PTR).values(PTR) == [f"six-0.six.default.svc.{DOMAIN}"]
    srv = dns.ask(f"_q._udp.six.default.svc.{DOMAIN}", SRV)
    assert srv.values(SRV) == [(82, f"fd00--3.six.default.svc.{DOMAIN}"), (82, f"six-0.six.default.svc.{DOMAIN}")]
    assert (f"six-0.six.default.svc.{DOMAIN}", AAAA, "fd00::1:2") in srv.additional
    assert len(dns.ask(f"six.default.svc.{DOMAIN}", SRV).values(SRV)) == 4


def test_endpoints_of_a_service_with_an_address_have_names_too(raw, dns):
    make_service(raw, "both", ports=[{"port": 80}])
    make_slice(raw, "both", [{"addresses": ["10.3.0.1"], "hostname": "b-0"}], [{"port": 80, "protocol": "TCP"}])
    assert dns.await_reply(lambda r: r.answers, f"b-0.both.default.svc.{DOMAIN}").values(A) == ["10.3.0.1"]


def test_what_changes_is_seen_at_once(raw, dns):
    make_service(raw, "brief", ports=[{"port": 80}])
    dns.await_reply(lambda r: r.answers, f"brief.default.svc.{DOMAIN}")
    assert raw.delete("/api/v1/namespaces/default/services/brief").status == 200
    dns.await_reply(lambda r: r.rcode == NXDOMAIN, f"brief.default.svc.{DOMAIN}")


def test_the_rest_is_passed_on_and_remembered(dns, world):
    assert dns.ask("long.org").values(A) == ["192.0.2.8"]
    again = dns.ask("LONG.org", edns=1232)  # asked anew: EDNS may change what is answered
    assert again.values(A) == ["192.0.2.8"] and again.question == "LONG.org"
    for _ in range(5):
        assert dns.ask("lOnG.org").values(A) == ["192.0.2.8"]
    assert dns.ask("long.org", tcp=True).ttls[0] <= 100
    assert world.count("long.org") == 2
    alias = dns.ask("www.alias.org")
    assert alias.answers == [("www.alias.org", CNAME, "real.alias.org"), ("real.alias.org", A, "192.0.2.11")]


def test_denials_are_remembered_as_long_as_they_say(dns, world):
    for _ in range(5):
        r = dns.ask("nowhere2.org")
        assert r.rcode == NXDOMAIN and r.authority[0][1] == SOA
        assert dns.ask("empty.org").rcode == NOERROR
    assert world.count("nowhere2.org") == 1 and world.count("empty.org") == 1


def test_what_may_not_be_kept_is_asked_anew(dns, world):
    for _ in range(5):
        assert dns.ask("fleeting.org").values(A) == ["192.0.2.9"]
    identities = {(i, port) for name, i, port in world.asked if name == "fleeting.org"}
    assert len(identities) == 5, "identities are used again"
    dns.ask("second.org")
    end = time.monotonic() + 30 * SLOWER
    while world.count("second.org") < 2:  # its second is over
        assert dns.ask("second.org").values(A) == ["192.0.2.10"]
        assert time.monotonic() < end
        select.select([], [], [], 0.05)


def test_equal_questions_under_way_are_one(dns, world):
    def ask():
        assert dns.ask("silent.org").rcode == SERVFAIL

    threads = [threading.Thread(target=ask) for _ in range(20)]
    before = world.count("silent.org")
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert world.count("silent.org") - before <= 6, "three tries, twice if somebody came late"


def test_a_cut_answer_is_asked_for_by_tcp(dns, world):
    small = dns.ask("huge.org")
    assert small.truncated and small.size <= 512 and len(small.answers) > 20
    assert world.asked_by_tcp.count("huge.org") == 1
    assert len(dns.ask("huge.org", tcp=True).answers) == 300
    middle = dns.ask("huge.org", edns=1232)
    assert middle.truncated and 512 < middle.size <= 1232
    assert len(dns.ask("huge.org", edns=65535).answers) > 200
    assert world.asked_by_tcp.count("huge.org") == 2


def test_edns(dns):
    r = dns.ask("long.org", edns=1232)
    assert r.additional[-1][1] == OPT
    assert not [1 for _, k, _ in dns.ask("long.org").additional if k == OPT]
    assert dns.ask(f"web.default.svc.{DOMAIN}", edns=1232, version=1).rcode == 16
    assert dns.ask(f"web.default.svc.{DOMAIN}", edns=100).rcode == NOERROR
    assert dns.ask("long.org", 252).rcode == REFUSED, "zones are nobody's to take"


def test_health_readiness_and_figures(server, dns):
    assert get(dns.health, "/health") == (200, "OK")
    assert get(dns.ready, "/ready") == (200, "OK")
    assert get(dns.ready, "/health")[0] == 404
    dns.ask(f"kubernetes.default.svc.{DOMAIN}", AAAA)
    status, text = get(dns.metrics, "/metrics")
    assert status == 200
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    asked = 'coredns_dns_requests_total{server="dns://:53",view="",zone=".",proto="udp",family="1",type="AAAA"}'
    assert int(values[asked]) > 0
    assert int(values['coredns_cache_hits_total{server="dns://:53",view="",zone=".",type="denial"}']) > 0
    assert int(values['pintle_dns_forwarded_total{proto="tcp"}']) >= 1
    total = values['coredns_dns_request_duration_seconds_count{server="dns://:53",view="",zone="."}']
    assert int(total) == sum(int(v) for k, v in values.items() if k.startswith("coredns_dns_responses_total"))
    assert float(values["process_resident_memory_bytes"]) > 1e6


def test_not_ready_before_the_api_was_read(server, scratch):
    """The configuration of a server that is not there: alive, not ready, and every question fails."""
    conf = (server.dir / "dns.conf").read_text().replace(f":{server.port}", f":{free_port()}")
    (scratch / "dns.conf").write_text(conf)
    port, health, ready = free_port(), free_port(), free_port()
    p = subprocess.Popen([PINTLE, "dns", "--kubeconfig", str(scratch / "dns.conf"), "--port", str(port),
                          "--health-port", str(health), "--ready-port", str(ready)], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30 * SLOWER
        while True:
            try:
                assert get(health, "/health") == (200, "OK")
                break
            except ConnectionRefusedError:
                assert time.monotonic() < end
                select.select([], [], [], 0.02)
        assert get(ready, "/ready") == (503, "kubernetes")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.sendto(question("long.org", A), ("127.0.0.1", port))
            assert Reply(s.recv(65536)).rcode == SERVFAIL
    finally:
        p.terminate()
        assert p.wait(10) == 0


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


@pytest.fixture
def elsewhere(scratch):
    """A server and its DNS in a network namespace: endpoints at 127.0.0.1 are refused."""
    with NetworkNamespace():
        server = Server(scratch / "data").init().start()
        d = Dns(server, "--address", NODE_IP, "--cluster-dns", "10.96.0.10")
        try:
            with server.raw() as raw:
                yield raw, d
        finally:
            d.stop()
            server.stop()
            server.forget()


def test_the_service_leads_here_and_is_mended(elsewhere):
    raw, dns = elsewhere
    path = "/api/v1/namespaces/kube-system/services/kube-dns"

    def await_object(path, holds):
        end = time.monotonic() + 30 * SLOWER
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
    assert s["endpoints"][0]["addresses"] == [NODE_IP] and {p["port"] for p in s["ports"]} == {dns.port}
    assert raw.delete(path).status == 200
    again = await_object(path, lambda o: o["metadata"]["uid"] != svc["metadata"]["uid"])
    assert again["spec"]["clusterIP"] == "10.96.0.10"


def test_wrong_flags_are_told():
    assert "--kubeconfig" in pintle("dns").stderr
    done = pintle("dns", "--kubeconfig", "/nowhere", "--upstream", "x:y:z")
    assert done.returncode == 1 and done.stderr.startswith("pintle dns:")

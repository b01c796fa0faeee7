"""What goes through the API server to kubelets and Pods: logs, exec, attach, port-forward, proxy.
The kubelet is a stand-in that shows what it was asked and echoes what it is sent."""

import base64
import http.server
import itertools
import json
import os
import select
import socket
import ssl
import subprocess
import threading

import pytest

from harness import Raw, pod, status_of, tls_context

numbers = itertools.count()
OWN = "198.51.100.7"
PODS = "/api/v1/namespaces/default/pods"


def make_certificate(server, directory):
    """A serving certificate of our addresses, signed by the cluster's authority."""
    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    key, csr, crt, ext = (directory / f"kubelet.{x}" for x in ("key", "csr", "crt", "ext"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            key, "-out", csr, "-subj", "/O=system:nodes/CN=system:node:n1")
    ext.write_text(f"subjectAltName=IP:127.0.0.1,IP:{OWN}\n")
    openssl("x509", "-req", "-in", csr, "-CA", server.dir / "pki/ca.crt", "-CAkey",
            server.dir / "pki/ca.key", "-out", crt, "-days", "2", "-extfile", ext)
    return crt, key


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def seen(self, body=b""):
        subject = {}
        if isinstance(self.connection, ssl.SSLSocket):
            for part in (self.connection.getpeercert() or {}).get("subject", ()):
                subject.update(dict(part))
        return json.dumps({"method": self.command, "path": self.path, "subject": subject,
                           "headers": {k.lower(): v for k, v in self.headers.items()},
                           "body": body.decode()}).encode()

    def answer(self, code, body, **headers):
        self.send_response(code)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def echo(self):
        """Upgraded: says hello and sends back what comes, in capitals, until the other end goes."""
        self.send_response(101)
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.send_header("Connection", "Upgrade")
        self.send_header("X-Stream-Protocol-Version", "v4.channel.k8s.io")
        self.end_headers()
        self.wfile.write(b"hello " + self.path.encode() + b"\n")
        self.wfile.flush()
        while data := self.connection.recv(65536):
            self.connection.sendall(data.upper())
        self.server.closed.set()
        self.close_connection = True

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Upgrade"):
            self.echo()
        elif "tailLines=7" in self.path:
            self.answer(400, b'container "main" in pod "x" is waiting to start\n')
        elif "limitBytes=9" in self.path:
            self.answer(500, b"broken")
        elif "follow" in self.path:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in (b"one\n", b"two\n"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
                self.server.go_on.wait(10)
            self.wfile.write(b"0\r\n\r\n")
        elif "/big" in self.path:
            self.answer(200, b"x" * (20 << 20))
        elif "/away" in self.path:
            self.answer(302, b"", Location="/elsewhere", Access_Control_Allow_Origin="*")
        elif "/page" in self.path:
            self.answer(200, b'<a href="/rewriteme">test</a>', Content_Type="text/html; charset=utf-8")
        else:
            self.answer(200, self.seen(body), Content_Type="application/json", X_Mine="yes")

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any


def serve(context=None, address="127.0.0.1"):
    backend = http.server.ThreadingHTTPServer((address, 0), Handler)
    backend.daemon_threads = True
    backend.go_on, backend.closed = threading.Event(), threading.Event()
    if context:
        backend.socket = context.wrap_socket(backend.socket, server_side=True)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    return backend


@pytest.fixture(scope="module")
def kubelet_context(server, workdir):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(server, workdir))
    context.load_verify_locations(server.dir / "pki/ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture(scope="module")
def kubelet(kubelet_context):
    backend = serve(kubelet_context)
    yield backend
    backend.shutdown()
    backend.server_close()


def make_node(raw, name, port, address="127.0.0.1"):
    assert raw.post("/api/v1/nodes", {"metadata": {"name": name}}).status == 201
    status = {"status": {"addresses": [{"type": "Hostname", "address": name},
                                       {"type": "InternalIP", "address": address}],
                         "daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}}
    assert raw.patch(f"/api/v1/nodes/{name}/status", status).status == 200


@pytest.fixture(scope="module")
def node(raw, kubelet):
    make_node(raw, "n1", kubelet.server_address[1])
    return "n1"


def make_pod(raw, node=None, containers=("main",)):
    body = pod(f"pod-{next(numbers)}")
    body["spec"]["containers"] = [{"name": c, "image": "example/c:1"} for c in containers]
    if node:
        body["spec"]["nodeName"] = node
    made = raw.post(PODS, body)
    assert made.status == 201, made
    return body["metadata"]["name"]


# --- logs ---

def test_logs_come_from_the_kubelet(raw, node):
    n = make_pod(raw, node)
    got = raw.get(f"{PODS}/{n}/log", tailLines="3", timestamps="true", container="main")
    assert got.status == 200
    seen = got.json()
    assert seen["path"] == f"/containerLogs/default/{n}/main?timestamps=true&tailLines=3"
    assert seen["subject"] == {"commonName": "kube-apiserver-kubelet-client"}


def test_logs_that_go_on(server, raw, kubelet, node):
    n = make_pod(raw, node)
    kubelet.go_on.clear()
    connection = raw.connect()
    connection.request("GET", f"{PODS}/{n}/log?follow=true")
    response = connection.getresponse()
    assert response.readline() == b"one\n"  # before the second is said
    kubelet.go_on.set()
    assert response.read() == b"two\n"
    connection.close()


def test_errors_of_the_kubelet_become_a_status(raw, node):
    n = make_pod(raw, node)
    waiting = status_of(raw.get(f"{PODS}/{n}/log", tailLines="7"), 400, "BadRequest")
    assert waiting["message"] == 'container "main" in pod "x" is waiting to start'
    status_of(raw.get(f"{PODS}/{n}/log", limitBytes="9"), 500, "InternalError")


def test_logs_of_what_is_not_there(raw, node):
    status_of(raw.get(f"{PODS}/nobody/log"), 404, "NotFound")
    two = make_pod(raw, node, ("a", "b"))
    which = status_of(raw.get(f"{PODS}/{two}/log"), 400, "BadRequest")
    assert which["message"] == (f"a container name must be specified for pod {two}, "
                                "choose one of: [a b]")
    status_of(raw.get(f"{PODS}/{two}/log", container="c"), 400)
    assert "/b" in raw.get(f"{PODS}/{two}/log", container="b").json()["path"]
    free = raw.get(f"{PODS}/{make_pod(raw)}/log")
    assert (free.status, free.body) == (200, b"")
    status_of(raw.get(f"{PODS}/{two}/log", container="a", tailLines="-1"), 422, "Invalid")


def test_a_kubelet_that_is_away(raw):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        make_node(raw, "n-away", closed.getsockname()[1])
        n = make_pod(raw, "n-away")
        gone = status_of(raw.get(f"{PODS}/{n}/log"), 500)
        assert gone["message"].startswith("error dialing backend: ")


def test_a_kubelet_that_is_somebody_else(server, raw, scratch):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", scratch / "k", "-out",
                    scratch / "c", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(scratch / "c", scratch / "k")
    backend = serve(context)
    make_node(raw, "n-false", backend.server_address[1])
    n = make_pod(raw, "n-false")
    status_of(raw.get(f"{PODS}/{n}/log"), 500)
    backend.shutdown()
    backend.server_close()


# --- upgraded connections ---

class Tunnel:
    """An upgraded connection, made by hand."""

    def __init__(self, server, method, path, *headers):
        self.socket = tls_context(server.dir).wrap_socket(
            socket.create_connection(("127.0.0.1", server.port), 10), server_hostname="localhost")
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: Upgrade", *headers]
        self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        while (line := self.file.readline().strip()):
            key, _, value = line.decode().partition(":")
            self.headers[key.lower()] = value.strip()

    def close(self):
        self.file.close()
        self.socket.close()


SPDY = ("Upgrade: SPDY/3.1", "X-Stream-Protocol-Version: v4.channel.k8s.io", "Content-Length: 0")


@pytest.mark.parametrize("what, query, wanted", [
    ("exec", "command=sh&command=-c&command=echo%20a%26b&stdin=true&stdout=1&tty=true",
     "/exec/default/{}/main?input=1&output=1&tty=1&command=sh&command=-c&command=echo%20a%26b"),
    ("attach", "stdout=true&stderr=true", "/attach/default/{}/main?output=1&error=1"),
    ("portforward", "ports=80&ports=81", "/portForward/default/{}?port=80&port=81"),
])
def test_streams_are_passed_on(server, raw, kubelet, node, what, query, wanted):
    n = make_pod(raw, node)
    kubelet.closed.clear()
    t = Tunnel(server, "POST", f"{PODS}/{n}/{what}?{query}", *SPDY)
    assert t.status == 101 and t.headers["upgrade"] == "SPDY/3.1"
    assert t.headers["x-stream-protocol-version"] == "v4.channel.k8s.io"
    assert t.file.readline() == f"hello {wanted.format(n)}\n".encode()
    t.socket.sendall(b"some words")
    assert t.file.read(10) == b"SOME WORDS"
    t.close()
    assert kubelet.closed.wait(5), "the kubelet's side was not closed"


def exchange(sock, data):
    """Sends data while it reads as many bytes. One thread: a TLS socket of Python's stands no two."""
    sock.setblocking(False)
    got, sent, view = bytearray(), 0, memoryview(data)
    while len(got) < len(data):
        wanted = [sock] if sent < len(data) else []
        if not sock.pending():
            assert any(select.select([sock], wanted, [], 30)), f"stuck after {sent} and {len(got)} bytes"
        try:
            sent += sock.send(view[sent:sent + 65536])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            more = sock.recv(65536)
            assert more, f"ended after {sent} and {len(got)} bytes"
            got += more
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
    return bytes(got)


WEBSOCKET = ("Upgrade: websocket", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: " + base64.b64encode(bytes(16)).decode())


def read_message(tunnel):
    """One short frame of a server: its opcode and bytes."""
    head = tunnel.file.read(2)
    n = head[1] if head[1] < 126 else int.from_bytes(tunnel.file.read(2), "big")
    assert head[0] & 0x80 and head[1] < 127, head
    return head[0] & 15, tunnel.file.read(n)


@pytest.mark.parametrize("protocol", ["binary.k8s.io", "base64.binary.k8s.io", None])
def test_logs_in_messages(server, raw, kubelet, node, protocol):
    n = make_pod(raw, node)
    kubelet.go_on.clear()
    t = Tunnel(server, "GET", f"{PODS}/{n}/log?follow=true", *WEBSOCKET,
               *([f"Sec-WebSocket-Protocol: other, {protocol}"] if protocol else []))
    assert t.status == 101 and t.headers.get("sec-websocket-protocol") == protocol
    kind, said = (1, base64.b64encode) if protocol and protocol.startswith("base64") else (2, bytes)
    assert read_message(t) == (kind, b"")
    assert read_message(t) == (kind, said(b"one\n"))  # before the second is said
    kubelet.go_on.set()
    assert read_message(t) == (kind, said(b"two\n"))
    assert read_message(t) == (8, (1000).to_bytes(2, "big"))
    t.close()


def test_logs_in_messages_that_cannot_be(server, raw, node):
    n = make_pod(raw, node)
    for path, protocol, status in ((f"{n}/log", "v5.channel.k8s.io", 400), (f"{n}/log?tailLines=7", "binary.k8s.io", 400),
                                   ("nobody/log", "binary.k8s.io", 404)):
        t = Tunnel(server, "GET", f"{PODS}/{path}", *WEBSOCKET, f"Sec-WebSocket-Protocol: {protocol}")
        assert t.status == status, path
        t.close()


def test_many_bytes_both_ways_at_once(server, raw, node):
    n = make_pod(raw, node)
    t = Tunnel(server, "GET", f"{PODS}/{n}/exec?command=cat&stdin=1&stdout=1",
               "Upgrade: websocket", "Sec-WebSocket-Version: 13",
               "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode())
    assert t.status == 101
    t.file.readline()
    data = (b"abcdefghij" * 1000) * 2000
    assert exchange(t.socket, data) == data.upper()
    t.close()


def test_streams_that_cannot_be(server, raw, node):
    free = make_pod(raw)
    t = Tunnel(server, "POST", f"{PODS}/{free}/exec?command=x", *SPDY)
    assert t.status == 400
    t.close()
    # Without an upgrade the kubelet's own answer comes back.
    n = make_pod(raw, node)
    assert raw.post(f"{PODS}/{n}/exec?command=x", "").json()["path"].startswith("/exec/default/")


def test_streams_leave_nothing_behind(server, raw, kubelet, node):
    n = make_pod(raw, node)
    before = None
    for i in range(60):
        t = Tunnel(server, "POST", f"{PODS}/{n}/attach?stdout=1", *SPDY)
        assert t.status == 101
        t.file.readline()
        kubelet.closed.clear()
        t.close()
        assert kubelet.closed.wait(5)
        if i == 20:
            before = server.fds()
    assert server.fds() <= before + 3


# --- proxies ---

@pytest.fixture(scope="module")
def address():
    """An address of this machine that is not the loopback's: nothing is proxied to that."""
    subprocess.run(["ip", "address", "add", f"{OWN}/32", "dev", "lo"], check=True)
    yield OWN
    subprocess.run(["ip", "address", "delete", f"{OWN}/32", "dev", "lo"], check=True)


@pytest.fixture(scope="module")
def far_node(raw, kubelet_context, address):
    backend = serve(kubelet_context, address)
    make_node(raw, "n-own", backend.server_address[1], address)
    yield "n-own"
    backend.shutdown()
    backend.server_close()


def test_node_proxy(raw, far_node):
    seen = raw.get(f"/api/v1/nodes/{far_node}/proxy/stats/summary?only=cpu").json()
    assert seen["path"] == "/stats/summary?only=cpu" and seen["method"] == "GET"
    posted = raw.post(f"/api/v1/nodes/{far_node}/proxy/run", "words",
                      headers={"X-Own": "1", "Authorization": "Basic x"}).json()
    assert (posted["method"], posted["body"], posted["headers"]["x-own"]) == ("POST", "words", "1")
    assert "authorization" not in posted["headers"]
    assert raw.delete(f"/api/v1/nodes/{far_node}/proxy/x").json()["method"] == "DELETE"
    status_of(raw.get("/api/v1/nodes/nobody/proxy/"), 404)


@pytest.fixture(scope="module")
def web(address):
    backend = serve(address=address)
    yield backend
    backend.shutdown()
    backend.server_close()


@pytest.fixture(scope="module")
def secure_web(server, workdir, address):
    """The same over HTTPS, with a certificate that is not for its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(server, workdir))
    backend = serve(context, address)
    yield backend
    backend.shutdown()
    backend.server_close()


@pytest.fixture(scope="module")
def service(raw, web, address):
    """A Service whose endpoint, and a Pod whose address, is the stand-in."""
    port = web.server_address[1]
    name = make_pod(raw, "n1")
    assert raw.patch(f"{PODS}/{name}/status", {"status": {
        "podIP": address, "podIPs": [{"ip": address}]}}).status == 200
    assert raw.post("/api/v1/namespaces/default/services", {
        "metadata": {"name": "web"},
        "spec": {"ports": [{"name": "http", "port": 80}]}}).status == 201
    assert raw.post("/api/v1/namespaces/default/endpoints", {
        "metadata": {"name": "web"},
        "subsets": [{"addresses": [{"ip": address}],
                     "ports": [{"name": "http", "port": port}]}]}).status == 201
    return f"{PODS}/{name}:{port}/proxy", "/api/v1/namespaces/default/services/{}/proxy"


def test_pod_and_service_proxy(raw, service):
    pods, services = service
    for path in (pods, services.format("web"), services.format("web:http"),
                 services.format("http:web:80")):
        got = raw.get(f"{path}/a%20b/c?x=1&y=%26")
        assert got.status == 200 and got.headers["X-Mine"] == "yes", (path, got)
        assert got.json()["path"] == "/a%20b/c?x=1&y=%26"
        assert got.json()["subject"] == {}
        redirect = raw.get(path)
        assert redirect.status == 301 and redirect.headers["Location"] == path + "/"
        assert raw.get(path + "/").json()["path"] == "/"
    assert len(raw.get(f"{pods}/big").body) == 20 << 20
    away = raw.get(f"{pods}/away")
    assert away.status == 302 and away.headers["Location"] == f"{pods}/elsewhere"
    assert "Access-Control-Allow-Origin" not in away.headers
    page = raw.get(f"{pods}/page", headers={"Accept-Encoding": "gzip"})
    assert page.body == f'<a href="{pods}/rewriteme">test</a>'.encode()
    assert raw.request("HEAD", f"{pods}/page").status == 200
    options = raw.request("OPTIONS", f"{pods}/x?y=z").json()
    assert options["method"] == "OPTIONS" and options["headers"]["x-forwarded-uri"] == f"{pods}/x"
    status_of(raw.request("OPTIONS", PODS), 405)
    assert raw.put(f"{pods}/x", "y" * 100000).json()["body"] == "y" * 100000


def test_backends_hear_where_a_request_came_from(raw, service):
    headers = raw.get(f"{service[0]}/a/b?c=d", headers={"X-Forwarded-For": "192.0.2.1"}).json()["headers"]
    assert headers["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert headers["x-forwarded-uri"] == f"{service[0]}/a/b"
    assert headers["host"].startswith("127.0.0.1:")


def test_proxy_by_https(raw, service, secure_web, address):
    pods, services = service
    port = secure_web.server_address[1]
    name = pods.rsplit("/", 2)[1].split(":")[0]
    got = raw.get(f"{PODS}/https:{name}:{port}/proxy/x").json()
    assert got["path"] == "/x" and got["subject"] == {}
    proxy = f"{PODS}/https:{name}:{port}/proxy"
    assert raw.get(f"{proxy}/page").body == f'<a href="{proxy}/rewriteme">test</a>'.encode()
    assert raw.get(f"{PODS}/http:{name}:{port}/proxy/x").status == 503
    assert raw.post("/api/v1/namespaces/default/services", {
        "metadata": {"name": "tls"}, "spec": {"ports": [{"name": "https", "port": 443}]}}).status == 201
    assert raw.post("/api/v1/namespaces/default/endpoints", {
        "metadata": {"name": "tls"},
        "subsets": [{"addresses": [{"ip": address}], "ports": [{"name": "https", "port": port}]}]}).status == 201
    for name in ("https:tls:https", "https:tls:443", "https:tls:"):
        assert raw.get(services.format(name) + "/y").json()["path"] == "/y"


def test_other_ports_of_nodes(raw, web, secure_web, address):
    make_node(raw, "n-far", 1, address)
    port, secure = web.server_address[1], secure_web.server_address[1]
    got = raw.get(f"/api/v1/nodes/n-far:{port}/proxy/x?y").json()
    assert got["path"] == "/x?y" and got["headers"]["x-forwarded-uri"].endswith("/proxy/x")
    assert raw.get(f"/api/v1/nodes/https:n-far:{secure}/proxy/x").json()["subject"] == {}
    status_of(raw.get("/api/v1/nodes/n-far:70000/proxy/x"), 400)


def test_nothing_is_proxied_to_the_servers_own_loopback(raw, web, node):
    """Whoever may set an address of a Pod or Node does not reach what only this machine may."""
    port = web.server_address[1]
    for ip in ("127.0.0.1", "169.254.1.1", "::1", "0.0.0.0", "fe80::1", "::ffff:127.0.0.1"):
        name = make_pod(raw, "n1")
        assert raw.patch(f"{PODS}/{name}/status", {"status": {"podIP": ip, "podIPs": [{"ip": ip}]}}).status == 200
        said = status_of(raw.get(f"{PODS}/{name}:{port}/proxy/x"), 400)
        assert said["message"] == "address not allowed", (ip, said)
    for where in (node, f"{node}:{port}"):
        assert status_of(raw.get(f"/api/v1/nodes/{where}/proxy/x"), 400)["message"] == "address not allowed"


def test_the_key_to_kubelets_opens_nothing_else(server):
    """A node that says that its kubelet listens where this server does gets nothing of this server's by its own
    certificate, whoever may ask for proxies of nodes."""
    context = tls_context(server.dir, client=False)
    context.load_cert_chain(server.dir / "pki/apiserver-kubelet-client.crt", server.dir / "pki/apiserver-kubelet-client.key")
    with Raw(server, context) as client:
        who = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}).json()["status"]["userInfo"]
        assert (who["username"], who["groups"]) == ("kube-apiserver-kubelet-client", ["system:authenticated"])
        for path in ("/api/v1/secrets", "/api/v1/nodes", "/api/v1/namespaces/default/pods"):
            status_of(client.get(path), 403, "Forbidden")


def test_proxies_to_nowhere(raw, service):
    _, services = service
    assert raw.post("/api/v1/namespaces/default/services", {
        "metadata": {"name": "empty"}, "spec": {"ports": [{"port": 80}]}}).status == 201
    none = status_of(raw.get(services.format("empty") + "/"), 503, "ServiceUnavailable")
    assert none["message"] == 'no endpoints available for service "empty"'
    status_of(raw.get(services.format("web:other") + "/"), 503)
    status_of(raw.get(services.format("nobody") + "/"), 404)
    status_of(raw.get(services.format("a:b:c:d") + "/"), 400)


def test_a_client_that_leaves_in_the_middle(server, raw, service):
    pods, _ = service
    before = server.fds()
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            s = tls_context(server.dir).wrap_socket(plain, server_hostname="localhost")
            s.sendall(f"GET {pods}/big HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            s.recv(100)
            s.close()
    assert raw.get(f"{pods}/x").status == 200
    assert server.fds() <= before + 8

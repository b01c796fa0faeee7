"""Slow, stuck and rude clients: others are served on, memory and descriptors stay bounded."""

import contextlib
import json
import os
import socket
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

from harness import IS_SANITIZED, SLOWER, config_map, tls_context

MAPS = "/api/v1/namespaces/default/configmaps"
LATENCY_S = 0.5 * SLOWER  # of most answers; none waits ten times as long, whatever else the machine does
MIB = 1024  # in KiB, as RSS is


@contextlib.contextmanager
def others(server, latency=LATENCY_S):
    """While the block runs, well-behaved clients ask on old and on new connections; each answer must
    come soon."""
    stop, seen, failures = threading.Event(), [], []

    def ask(fresh):
        client = server.raw(timeout=20)
        last = False
        while not last:  # at least once, and once more when the block is over
            last = stop.is_set()
            if fresh:
                client.close()
            begin = time.monotonic()
            try:
                answer = client.get("/api/v1/namespaces/default")
            except Exception as e:
                failures.append(repr(e))
                return
            seen.append(time.monotonic() - begin)
            if answer.status != 200:
                failures.append(repr(answer))
                return
            stop.wait(0.01)
        client.close()

    threads = [threading.Thread(target=ask, args=(fresh,)) for fresh in (False, True)]
    [t.start() for t in threads]
    try:
        yield seen
    finally:
        stop.set()
        [t.join(30) for t in threads]
    assert not failures, failures
    seen.sort()
    assert len(seen) >= 2 and seen[len(seen) // 2] < latency and seen[-1] < 10 * latency, seen[-5:]


def wait_until(check, seconds, what):
    """Polls what no message tells (memory, descriptors, a peer's close)."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def tls_socket(server, alpn=None):
    context = tls_context(server.dir)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=20),
                               server_hostname="localhost")


def closed_or_quiet(sock, seconds):
    """What comes until the end, or until nothing comes for so long."""
    sock.settimeout(seconds)
    got = b""
    with contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLError):
        while chunk := sock.recv(65536):
            got += chunk
    return got


def closed_by_peer(sock, seconds):
    """Reads until the end; returns what came, or fails when it stays open."""
    sock.settimeout(seconds)
    got = b""
    try:
        while chunk := sock.recv(65536):
            got += chunk
    except TimeoutError:
        raise AssertionError(f"still open after {seconds} s; got {got[:200]}") from None
    except (ConnectionError, ssl.SSLError):
        pass
    return got


@pytest.fixture
def base_fds(server, raw):
    raw.close()
    wait_until(lambda: True, 1, "")
    return server.fds()


def all_gone(server, base):
    wait_until(lambda: server.fds() <= base + 2, 20 * SLOWER, f"{server.fds()} descriptors, {base} before")


# --- connections ---

def test_connections_that_never_speak(server, base_fds):
    with others(server):
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
        shaken = [tls_socket(server) for _ in range(60)]
        wait_until(lambda: server.fds() >= base_fds + 360, 10 * SLOWER, "not all accepted")
    for s in silent + shaken:
        s.close()
    all_gone(server, base_fds)


def test_slow_header_writers_are_ended(server, base_fds):
    """A byte now and then does not keep a request's head open for ever."""
    slow = [tls_socket(server) for _ in range(50)]
    begin = time.monotonic()
    with others(server):
        for s in slow:
            s.sendall(b"GET /api/v1/pods HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        while time.monotonic() - begin < 14:
            alive = 0
            for s in slow:
                with contextlib.suppress(OSError):
                    s.sendall(b"x")
                    alive += 1
            if alive == 0:
                break
            time.sleep(0.25)
        for s in slow:
            got = closed_by_peer(s, 5 * SLOWER)
            assert got == b"" or got.startswith(b"HTTP/1.1 408 "), got[:100]
            s.close()
    all_gone(server, base_fds)


def test_no_handshake_is_ended(server, base_fds):
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        closed_by_peer(s, 25 * SLOWER)


def test_many_connections_come_and_go(server, base_fds):
    rss = server.rss_kib()
    with others(server, 2 * LATENCY_S):
        open_ = [tls_socket(server) for _ in range(400)]
        for s in open_:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for s in open_:
            assert s.recv(100).startswith(b"HTTP/1.1 200 ")
        each = (server.rss_kib() - rss) / 400
    assert each < (120 if not IS_SANITIZED else 1000), f"{each:.0f} KiB a connection"
    for s in open_:
        s.close()
    all_gone(server, base_fds)


def test_clients_that_leave_in_the_middle(server, base_fds):
    body = json.dumps(config_map("left", {"a": "x" * 10000}))
    head = f"POST {MAPS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" \
        f"Content-Length: {len(body)}\r\n\r\n"
    with others(server):
        for i in range(150):
            s = tls_socket(server)
            part = (head + body)[:1 + i * (len(head) + 5000) // 150]
            s.sendall(part.encode())
            if i % 2:  # without a word: a reset
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
    all_gone(server, base_fds)
    with server.raw() as raw:
        assert raw.get(f"{MAPS}/left").status == 404


def test_a_body_that_does_not_come_blocks_nobody(server, base_fds):
    stuck = []
    with others(server):
        for _ in range(50):
            s = tls_socket(server)
            s.sendall(f"POST {MAPS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      "Content-Length: 3000000\r\n\r\n{".encode())
            stuck.append(s)
        rss = server.rss_kib()
    assert rss < 300 * MIB * SLOWER
    for s in stuck:
        s.close()
    all_gone(server, base_fds)


# --- bytes that are no HTTP ---

@pytest.mark.parametrize("sent", [
    b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 1000, os.urandom(4096), b"\x16\x03\x01\xff\xff" + b"x" * 70000,
    b"SSH-2.0-x\r\n",
], ids=["plain http", "zeros", "noise", "long record", "ssh"])
def test_no_tls(server, sent):
    with others(server):
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            with contextlib.suppress(ConnectionError):
                s.sendall(sent)
                s.shutdown(socket.SHUT_WR)
            closed_by_peer(s, 5 * SLOWER)


REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("sent, code", [
    (b"\r\n\r\nnonsense\r\n\r\n", 400), (b"GET /\r\n\r\n", 400), (b"GET / HTTP/3.7\r\n\r\n", 400),
    (REQUEST + b"A b: c\r\n\r\n", 400), (REQUEST + b" folded: x\r\n\r\n", 400),
    (REQUEST + b"X: a\nY: b\r\n\r\n", 400), (REQUEST + b"X: \x00\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    (b"POST /api/v1/namespaces HTTP/1.1\r\nHost: l\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST /api/v1/namespaces HTTP/1.1\r\nHost: l\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    (b"POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", 400),
    (b"POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"POST /x HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", (400, 501)),
    (b"POST /api/v1/namespaces HTTP/1.1\r\nHost: l\r\nContent-Type: application/json\r\n"
     b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (REQUEST + b"".join(b"H%d: v\r\n" % i for i in range(5000)) + b"\r\n", 431),
    (REQUEST + b"Long: " + b"x" * 200_000 + b"\r\n\r\n", 431),
    (b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", (414, 431)),
], ids=range(17))
def test_broken_http(server, sent, code):
    with tls_socket(server) as s:
        with contextlib.suppress(OSError):
            s.sendall(sent)
        got = closed_by_peer(s, 5 * SLOWER)
    codes = code if isinstance(code, tuple) else (code,)
    assert got.startswith(b"HTTP/1.1 ") and int(got[9:12]) in codes, got[:200]
    assert got.count(b"HTTP/1.1 ") == 1, got  # what follows is never read as a request


def test_pipelined_requests_are_answered_in_order(server):
    with tls_socket(server) as s:
        s.sendall(b"".join(b"GET /api/v1/namespaces/%s HTTP/1.1\r\nHost: l\r\n%s\r\n" % (
            n, b"Connection: close\r\n" if n == b"nope" else b"")
            for n in (b"default", b"kube-system", b"kube-public", b"nope")))
        got = closed_by_peer(s, 5 * SLOWER)
    places = [got.index(b'"name":"%s"' % n) for n in (b"default", b"kube-system", b"kube-public", b"nope")]
    assert places == sorted(places) and got.count(b"HTTP/1.1 ") == 4


# --- readers that do not read ---

@pytest.fixture(scope="module")
def big_maps(server):
    """About 24 MB of ConfigMaps."""
    with server.raw() as raw:
        for i in range(48):
            assert raw.post(MAPS, config_map(f"big-{i}", {"a": "x" * 500_000},
                                             labels={"big": "yes"})).status == 201
    return 48


def test_stuck_readers_of_a_big_list(server, big_maps, base_fds):
    rss = server.rss_kib()
    stuck = []
    with others(server):
        for _ in range(30):
            s = tls_socket(server)
            s.sendall(f"GET {MAPS}?labelSelector=big HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            stuck.append(s)
        for s in stuck:
            assert s.recv(1000).startswith(b"HTTP/1.1 200 ")
        time.sleep(0.5)  # room for it to read ahead, if it did
        grown = server.rss_kib() - rss
    # 30 x 24 MB would be 700 MB; mapped pages of the store count once.
    assert grown < 90 * MIB * SLOWER, f"{grown // 1024} MiB for {len(stuck)} stuck readers"
    for s in stuck:
        s.close()
    all_gone(server, base_fds)


def test_a_stuck_watch_is_dropped_and_others_see_everything(server, base_fds):
    with server.raw() as raw:
        start = raw.get(MAPS, limit=1).json()["metadata"]["resourceVersion"]
        assert raw.post(MAPS, config_map("busy")).status == 201
        stuck = []
        for _ in range(10):
            s = tls_socket(server)
            s.sendall(f"GET {MAPS}?watch=1&resourceVersion={start} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert s.recv(15).startswith(b"HTTP/1.1 200 ")
            stuck.append(s)
        rss = server.rss_kib()
        with raw.watch(MAPS, resourceVersion=start, fieldSelector="metadata.name=busy") as good:
            assert good.next()["type"] == "ADDED"
            with others(server):
                for i in range(400):
                    answer = raw.patch(f"{MAPS}/busy", {"data": {"n": str(i), "f": chr(97 + i % 26) * 200_000}})
                    assert answer.status == 200
                    event = good.next()
                    assert event["object"]["data"]["n"] == str(i)
                grown = server.rss_kib() - rss
    # 80 MB were written, twice 64 may wait (old and new states); copies for each watch would be more.
    assert grown < 250 * MIB * SLOWER, f"{grown // 1024} MiB"
    # Whoever reads again finds what was sent, and then why it was dropped.
    stuck[0].settimeout(10)
    tail = b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        chunk = stuck[0].recv(1 << 20)
        assert chunk, tail
        tail = (tail + chunk)[-2000:]
    assert b'"type":"ERROR"' in tail and b'"code":410' in tail and b'"reason":"Expired"' in tail, tail
    for s in stuck:
        s.close()
    all_gone(server, base_fds)


# --- HTTP/2 ---

class H2:
    """A client that does what it is told, rude or not."""

    def __init__(self, server):
        self.sock = tls_socket(server, ["h2"])
        assert self.sock.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.events = []
        self.closed = False
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        with contextlib.suppress(OSError):
            self.sock.sendall(self.h2.data_to_send())

    def get(self, path, end=True):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", "GET"), (":path", path), (":scheme", "https"),
                                      (":authority", "localhost")], end_stream=end)
        self.flush()
        return stream

    def pump(self, until, seconds=10):
        self.sock.settimeout(seconds * SLOWER)
        while not self.closed and not any(map(until, self.events)):
            try:
                data = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                self.closed = True
                break
            self.events += self.h2.receive_data(data)
            self.flush()
        return [e for e in self.events if until(e)]

    def close(self):
        self.sock.close()


def is_end_of(*streams):
    return lambda e: isinstance(e, (h2.events.StreamEnded, h2.events.StreamReset)) and e.stream_id in streams


def test_http2_many_streams_on_one_connection(server):
    c = H2(server)
    streams = {c.get(f"/api/v1/namespaces/{n}"): n for n in ("default", "kube-system", "nope") * 30}
    ended = set()
    while len(ended) < len(streams):
        done = c.pump(is_end_of(*(streams.keys() - ended)))
        assert done, "the connection ended"
        ended |= {e.stream_id for e in done}
    codes = {e.stream_id: dict(e.headers) for e in c.events if isinstance(e, h2.events.ResponseReceived)}
    for stream, name in streams.items():
        assert codes[stream][b":status"] == (b"404" if name == "nope" else b"200")
    c.close()


def test_http2_watch_that_begins_with_nothing(server, raw):
    """No object is there yet: the first that comes is shown all the same."""
    c = H2(server)
    stream = c.get(f"{MAPS}?watch=true&labelSelector=late")
    assert c.pump(lambda e: isinstance(e, h2.events.ResponseReceived))
    assert raw.post(MAPS, {"metadata": {"name": "late", "labels": {"late": ""}}}).status == 201
    seen = c.pump(lambda e: isinstance(e, h2.events.DataReceived) and e.stream_id == stream)
    assert b'"ADDED"' in seen[0].data, seen
    assert raw.delete(f"{MAPS}/late").status == 200
    c.close()


def test_http2_rapid_reset(server, base_fds):
    """Requests opened and reset at once: the connection is ended, nobody else notices."""
    with others(server):
        clients = [H2(server) for _ in range(4)]
        rss = server.rss_kib()
        for c in clients:
            for _ in range(3000):
                stream = c.get(MAPS)
                c.h2.reset_stream(stream)
                c.flush()
            assert c.pump(lambda e: isinstance(e, h2.events.ConnectionTerminated)) or c.closed
        grown = server.rss_kib() - rss
    assert grown < 64 * MIB * SLOWER, f"{grown // 1024} MiB"
    for c in clients:
        c.close()
    all_gone(server, base_fds)


def test_http2_reader_that_gives_no_window(server, big_maps, base_fds):
    rss = server.rss_kib()
    with others(server):
        clients = [H2(server) for _ in range(5)]
        for c in clients:
            first = [c.get(f"{MAPS}?labelSelector=big") for _ in range(20)]
            # Its 64 KiB of window fill; no update ever comes.
            c.pump(lambda e: isinstance(e, h2.events.DataReceived))
            assert first
        time.sleep(0.5)
        grown = server.rss_kib() - rss
    assert grown < 120 * MIB * SLOWER, f"{grown // 1024} MiB for 100 stuck streams"
    for c in clients:
        c.close()
    all_gone(server, base_fds)


@pytest.mark.parametrize("frames", [
    b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"\0" * 8, b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
], ids=["pings", "empty settings", "settings"])
def test_http2_floods_of_frames_that_want_an_answer(server, base_fds, frames):
    c = H2(server)
    with others(server):
        rss = server.rss_kib()
        with contextlib.suppress(OSError):
            c.sock.settimeout(5)
            for _ in range(200):
                c.sock.sendall(frames * 200)
        grown = server.rss_kib() - rss
    assert grown < 64 * MIB * SLOWER, f"{grown // 1024} MiB"
    c.close()
    all_gone(server, base_fds)


def test_http2_headers_without_an_end(server, base_fds):
    """CONTINUATION frames for ever."""
    c = H2(server)
    with others(server):
        rss = server.rss_kib()
        with contextlib.suppress(OSError):
            c.sock.settimeout(5)
            c.sock.sendall(b"\x00\x00\x01\x01\x01\x00\x00\x00\x01\x82")
            for _ in range(500):
                c.sock.sendall(b"\x00\x40\x00\x09\x00\x00\x00\x00\x01" + b"\x00\x01a\x7f\x80\x3f" + b"v" * 0x3ffa)
        # A frame that ends the stream or the connection, or the end itself.
        kinds, data = set(), closed_or_quiet(c.sock, 2)
        while len(data) >= 9:
            kinds.add(data[3])
            data = data[9 + int.from_bytes(data[:3], "big"):]
        assert kinds & {3, 7} or c.sock.recv(1) == b"", kinds
        grown = server.rss_kib() - rss
    assert grown < 32 * MIB * SLOWER, f"{grown // 1024} MiB"
    c.close()
    all_gone(server, base_fds)


def test_http2_noise_after_the_preface(server):
    for noise in (os.urandom(5000), b"\xff" * 5000, b"GET / HTTP/1.1\r\n\r\n"):
        with tls_socket(server, ["h2"]) as s:
            with contextlib.suppress(OSError):
                s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + noise)
            closed_by_peer(s, 15 * SLOWER)


def test_the_server_is_well_after_all_this(server, raw):
    assert raw.get("/readyz").body == b"ok"
    metrics = raw.get("/metrics").body.decode()
    inflight = [line for line in metrics.splitlines() if line.startswith("apiserver_current_inflight_requests{")]
    assert inflight and all(line.endswith(" 0") or line.endswith(" 1") for line in inflight), inflight

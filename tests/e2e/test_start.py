"""Certificates, flags, starting, stopping, and what is refused with one clear line."""

import base64
import re
import signal
import socket
import ssl
import stat
import subprocess
import time

import pytest
import yaml

from harness import (SLOWER, PINTLE, Server, admin_files, config_map, pintle, status_of,
                     tls_context)


def tree(directory):
    """Every file's bytes and mode."""
    return {str(p.relative_to(directory)): (p.read_bytes(), p.stat().st_mode)
            for p in sorted(directory.rglob("*")) if p.is_file()}


def one_line(done, code, *words):
    assert done.returncode == code, done
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    for word in words:
        assert word in lines[0], lines[0]


# --- pki init ---

def test_pki_init_makes_what_upstream_names(scratch):
    done = pintle("pki", "init", scratch / "d", "--secure-port", "7443")
    assert done.returncode == 0 and f"KUBECONFIG={scratch}/d/admin.conf" in done.stdout
    pki = scratch / "d" / "pki"
    names = {p.name for p in pki.iterdir()}
    assert {"ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "sa.key", "sa.pub",
            "front-proxy-ca.crt", "front-proxy-client.crt", "apiserver-kubelet-client.crt"} <= names
    for name in names | {"../admin.conf"}:
        if name.endswith((".key", ".conf")):
            assert stat.S_IMODE((pki / name).stat().st_mode) == 0o600, name
    conf = yaml.safe_load((scratch / "d" / "admin.conf").read_text())
    assert conf["kind"] == "Config" and conf["apiVersion"] == "v1"
    cluster = conf["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:7443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == (pki / "ca.crt").read_bytes()
    context = next(c for c in conf["contexts"] if c["name"] == conf["current-context"])["context"]
    assert context["cluster"] == conf["clusters"][0]["name"]
    assert context["user"] == conf["users"][0]["name"]


def test_pki_init_defaults_to_port_6443(scratch):
    assert pintle("pki", "init", scratch / "d").returncode == 0
    assert "server: https://127.0.0.1:6443" in (scratch / "d" / "admin.conf").read_text()


def test_pki_init_again_changes_nothing(scratch):
    pintle("pki", "init", scratch / "d")
    before = tree(scratch / "d")
    done = pintle("pki", "init", scratch / "d")
    assert done.returncode == 0 and " 0 files made" in done.stdout
    assert tree(scratch / "d") == before


def test_pki_init_makes_what_is_missing_but_never_a_new_authority(scratch):
    pintle("pki", "init", scratch / "d")
    pki = scratch / "d" / "pki"
    before = tree(pki)
    (pki / "apiserver.crt").unlink()
    assert pintle("pki", "init", scratch / "d").returncode == 0
    after = tree(pki)
    assert after["ca.crt"] == before["ca.crt"] and after["ca.key"] == before["ca.key"]
    assert after["sa.key"] == before["sa.key"] and "apiserver.crt" in after

    (pki / "ca.key").unlink()
    kept = tree(pki)
    one_line(pintle("pki", "init", scratch / "d"), 1, "pki/ca.crt' is there without its key")
    assert tree(pki) == kept


def test_another_port_changes_kubeconfigs_alone(scratch):
    pintle("pki", "init", scratch / "d", "--secure-port", "7001")
    before = tree(scratch / "d")
    assert pintle("pki", "init", scratch / "d", "--secure-port", "7002").returncode == 0
    after = tree(scratch / "d")
    for name in ("admin.conf", "controller-manager.conf", "scheduler.conf", "proxy.conf",
                 "dns.conf"):
        assert b"127.0.0.1:7002" in after.pop(name)[0]
        before.pop(name)
    assert after == before


# --- words and flags ---

@pytest.mark.parametrize("args, words", [
    (["gizmo"], ["gizmo"]),
    (["apiserver"], ["--data-dir"]),
    (["apiserver", "--data-dir"], ["--data-dir needs a value"]),
    (["apiserver", "--data-dir", "x", "--gizmo"], ["unknown flag '--gizmo'"]),
    (["apiserver", "--data-dir", "x", "--secure-port", "65536"], ["--secure-port", "65536"]),
    (["apiserver", "--data-dir", "x", "--secure-port", "http"], ["--secure-port", "http"]),
    (["apiserver", "--data-dir", "x", "word"], ["unexpected word 'word'"]),
    (["apiserver", "--data-dir", "x", "--ephemeral=maybe"], ["--ephemeral"]),
    (["apiserver", "--data-dir", "x", "--etcd-servers", "u"], ["--etcd-servers", "not supported"]),
    (["pki"], ["usage: pintle pki init|node DIR"]),
    (["pki", "init"], ["usage: pintle pki init|node DIR"]),
    (["pki", "make", "x"], ["usage: pintle pki init|node DIR"]),
    (["pki", "init", "x", "--secure-port", "0"], ["--secure-port must not be 0"]),
    (["pki", "init", "x", "--gizmo=1"], ["unknown flag '--gizmo'"]),
], ids=lambda v: " ".join(v) if isinstance(v, list) else None)
def test_wrong_words_get_one_line(scratch, args, words):
    one_line(pintle(*args, cwd=scratch), 2, *words)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("args", [["pki", "init", "x", "--advertise-address", "here"],
                                  ["pki", "init", "x", "--service-cidr", "10.0.0.0/99"],
                                  ["pki", "init", "/proc/nowhere/x"],
                                  ["apiserver", "--data-dir", "/proc/nowhere"]])
def test_impossible_values_get_one_line(scratch, args):
    one_line(pintle(*args, cwd=scratch), 1)


def test_help_and_version():
    done = pintle("help")
    assert done.returncode == 0 and "apiserver" in done.stdout and "pki" in done.stdout
    done = pintle("apiserver", "--help")
    assert done.returncode == 0 and "--secure-port" in done.stdout
    done = pintle("version")
    assert done.returncode == 0 and re.match(r"pintle \d+\.\d+\.\d+ \(Kubernetes v1\.36\.", done.stdout)


def test_called_by_upstreams_name(scratch):
    (scratch / "kube-apiserver").symlink_to(PINTLE)
    done = subprocess.run([scratch / "kube-apiserver", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--data-dir" in done.stdout


# --- starting and stopping ---

def test_starts_in_a_new_directory_and_quickly_again(scratch):
    s = Server(scratch / "d")  # no pki init: the server makes its own
    try:
        s.start()
        with s.raw() as raw:
            assert raw.get("/readyz").body == b"ok"
        assert s.stop() == 0
        times = []
        for _ in range(3):
            begin = time.monotonic()
            s.start()
            times.append(time.monotonic() - begin)
            assert s.stop() == 0
        assert min(times) < 0.5 * SLOWER, times
    finally:
        s.kill()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_cleanly_and_quickly_under_watches(own_server, sig):
    with own_server.raw() as raw:
        watches = [raw.watch("/api/v1/namespaces/default/configmaps") for _ in range(20)]
        idle = [raw.connect() for _ in range(20)]
        for c in idle:
            c.connect()
        begin = time.monotonic()
        assert own_server.stop(sig) == 0
        assert time.monotonic() - begin < 5 * SLOWER
        for w in watches:
            assert w.response.read(1) == b""  # ended in order, not cut
            w.close()
        for c in idle:
            c.close()


def test_the_address_that_it_listens_on(scratch):
    s = Server(scratch / "d", ["--bind-address", "127.0.0.1"]).start()
    try:
        with s.raw() as raw:
            assert raw.get("/healthz").status == 200
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", s.port), timeout=5)
    finally:
        assert s.stop() == 0


# --- refusals ---

def run_once(server):
    return subprocess.run(server.command(), capture_output=True, text=True, timeout=30)


def test_two_servers_on_one_directory(own_server, scratch):
    other = Server(own_server.dir)
    before = tree(own_server.dir / "pki"), own_server.kubeconfig.read_bytes()
    one_line(run_once(other), 1, "is in use by another process")
    # Nothing of the first one was touched, and it serves on.
    assert (tree(own_server.dir / "pki"), own_server.kubeconfig.read_bytes()) == before
    with own_server.raw() as raw:
        assert raw.post("/api/v1/namespaces/default/configmaps", config_map("c")).status == 201


def test_port_in_use(scratch):
    s = Server(scratch / "d").init()
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", s.port))
        taken.listen()
        one_line(run_once(s), 1, f"port {s.port}", "Address already in use")
    s.start()
    assert s.stop() == 0


def test_foreign_directory(scratch):
    (scratch / "d" / "store").mkdir(parents=True)
    (scratch / "d" / "store" / "letters.txt").write_text("mine")
    before = tree(scratch / "d")
    one_line(run_once(Server(scratch / "d")), 1, "is not empty and holds no store")
    assert tree(scratch / "d") == before


def test_a_file_where_the_directory_should_be(scratch):
    (scratch / "d").write_text("mine")
    one_line(run_once(Server(scratch / "d")), 1)
    assert (scratch / "d").read_text() == "mine"


def cut(data):
    return data[:5000]


def garbage(data):
    return bytes(range(256)) * 200 + data[51200:]


def something_else(_):
    return b"SQLite format 3\0" + bytes(100000)


@pytest.mark.parametrize("harm", [cut, garbage, something_else])
def test_corrupt_data_file(scratch, harm):
    s = Server(scratch / "d").init().start()
    with s.raw() as raw:
        assert raw.post("/api/v1/namespaces/default/configmaps", config_map("c")).status == 201
    assert s.stop() == 0
    file = scratch / "d" / "store" / "hard.mdb"
    good = file.read_bytes()
    file.write_bytes(harm(good))
    bad = file.read_bytes()
    one_line(run_once(s), 1, "hard.mdb")
    assert file.read_bytes() == bad  # no attempt to mend it
    file.write_bytes(good)
    s.start()
    with s.raw() as raw:
        assert raw.get("/api/v1/namespaces/default/configmaps/c").status == 200
    assert s.stop() == 0


@pytest.mark.parametrize("name, text", [("ca.crt", "no certificate\n"), ("apiserver.key", "")])
def test_corrupt_certificates(scratch, name, text):
    s = Server(scratch / "d").init()
    (scratch / "d" / "pki" / name).write_text(text)
    before = (scratch / "d" / "pki" / "ca.key").read_bytes()
    done = run_once(s) if name == "ca.crt" else None
    if done:
        one_line(done, 1, name)
    else:  # a leaf can be made again
        s.start()
        assert s.stop() == 0
    assert (scratch / "d" / "pki" / "ca.key").read_bytes() == before


# --- who may come in ---

def test_nobody_without_a_certificate_but_for_health_and_version(own_server):
    with own_server.raw(context=tls_context(own_server.dir, client=False)) as nobody:
        for path in ("/healthz", "/livez", "/readyz", "/version"):
            assert nobody.get(path).status == 200, path
        for path in ("/api", "/apis", "/api/v1/pods", "/metrics", "/openapi/v2", "/nope"):
            s = status_of(nobody.get(path), 403, "Forbidden")
            assert 'User "system:anonymous" cannot ' in s["message"] and "details" in s
        status_of(nobody.post("/api/v1/namespaces", {"metadata": {"name": "x"}}), 403)
        bearer = {"Authorization": "Bearer abc"}
        status_of(nobody.get("/api/v1/pods", headers=bearer), 401)


def test_certificate_of_another_authority(own_server, scratch):
    other = Server(scratch / "other").init()
    context = tls_context(own_server.dir, client=False)
    crt, key, _ = admin_files(other.dir)
    context.load_cert_chain(crt, key)
    with own_server.raw(context=context) as stranger:
        try:
            status_of(stranger.get("/api/v1/pods"), 401, "Unauthorized")
        except (ssl.SSLError, ConnectionError):
            pass  # refusing in the handshake is as good


def test_a_server_certificate_is_no_admin(own_server):
    pki = own_server.dir / "pki"
    context = tls_context(own_server.dir, client=False)
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    with own_server.raw(context=context) as server_as_client:
        try:
            assert server_as_client.get("/api/v1/pods").status in (401, 403)
        except (ssl.SSLError, ConnectionError):
            pass


def test_a_certificate_of_the_front_proxys_authority_is_nobody(own_server):
    pki = own_server.dir / "pki"
    context = tls_context(own_server.dir, client=False)
    context.load_cert_chain(pki / "front-proxy-client.crt", pki / "front-proxy-client.key")
    with own_server.raw(context=context) as proxy:
        try:
            assert proxy.get("/api/v1/pods").status == 401
        except (ssl.SSLError, ConnectionError):
            pass


def test_the_servers_own_certificate_is_for_its_names(own_server):
    context = tls_context(own_server.dir)
    for name in ("localhost", "127.0.0.1", "kubernetes.default.svc", "10.96.0.1"):
        with socket.create_connection(("127.0.0.1", own_server.port), timeout=10) as s:
            with context.wrap_socket(s, server_hostname=name) as t:
                assert t.version() == "TLSv1.3"
    with socket.create_connection(("127.0.0.1", own_server.port), timeout=10) as s:
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(s, server_hostname="elsewhere.example")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(own_server):
    context = tls_context(own_server.dir)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", own_server.port), timeout=10) as s:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(s, server_hostname="localhost")


FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1/"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def names(server, path):
    return {i["metadata"]["name"] for i in server.raw().get(path).json()["items"]}


def test_what_every_cluster_begins_with(own_server):
    raw = own_server.raw()
    assert names(own_server, FLOW + "prioritylevelconfigurations") == {
        "exempt", "catch-all", "system", "node-high", "leader-election", "workload-high", "workload-low", "global-default"}
    schemas = {i["metadata"]["name"]: i for i in raw.get(FLOW + "flowschemas").json()["items"]}
    assert {n: s["spec"]["matchingPrecedence"] for n, s in schemas.items()} == {
        "exempt": 1, "probes": 2, "system-leader-election": 100, "system-node-high": 400, "system-nodes": 500,
        "kube-controller-manager": 800, "kube-scheduler": 800, "kube-system-service-accounts": 900,
        "service-accounts": 9000, "global-default": 9900, "catch-all": 10000}
    for schema in schemas.values():
        assert raw.get(FLOW + "prioritylevelconfigurations/" +
                       schema["spec"]["priorityLevelConfiguration"]["name"]).status == 200
        assert [(c["type"], c["status"], c["reason"]) for c in schema["status"]["conditions"]] == [
            ("Dangling", "False", "Found")]
    served = {f"{v['version']}.{g['name']}" for g in raw.get("/apis").json()["groups"] for v in g["versions"]}
    assert names(own_server, SERVICES) == served - {"v1.apiregistration.k8s.io"} | {"v1."}
    for service in raw.get(SERVICES).json()["items"]:
        assert [(c["type"], c["status"], c["reason"]) for c in service["status"]["conditions"]] == [
            ("Available", "True", "Local")]
    trusted = raw.get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication").json()["data"]
    assert trusted["client-ca-file"] == (own_server.dir / "pki/ca.crt").read_text()
    # What the server wrote is what it would accept.
    for path in (FLOW + "flowschemas", FLOW + "prioritylevelconfigurations", SERVICES):
        for item in raw.get(path).json()["items"]:
            one = f"{path}/{item['metadata']['name']}"
            assert raw.put(one, raw.get(one).json(), dryRun="All").status == 200, one


@pytest.mark.parametrize("path", [FLOW + "flowschemas/catch-all", FLOW + "prioritylevelconfigurations/workload-low",
                                  SERVICES + "/v1.apps",
                                  "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"])
def test_what_is_kept_comes_back(own_server, path):
    raw = own_server.raw()
    first = raw.get(path).json()
    collection, _, name = path.rpartition("/")
    with raw.watch(collection, resourceVersion=first["metadata"]["resourceVersion"],
                   fieldSelector=f"metadata.name={name}") as w:
        assert raw.delete(path).status == 200
        assert w.next()["type"] == "DELETED"
        again = w.next()
        assert again["type"] == "ADDED"
        assert again["object"]["metadata"]["uid"] != first["metadata"]["uid"]
        assert again["object"].get("spec") == first.get("spec")


def test_whom_servers_trust_cannot_be_changed(own_server):
    raw = own_server.raw()
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    first = raw.get(path).json()
    with raw.watch("/api/v1/namespaces/kube-system/configmaps",
                   resourceVersion=first["metadata"]["resourceVersion"]) as w:
        assert raw.patch(path, {"data": {"client-ca-file": "another"}}).status == 200
        assert w.next()["object"]["data"] == {"client-ca-file": "another"}
        assert w.next()["object"]["data"] == first["data"]

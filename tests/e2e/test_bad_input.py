"""Bad input over raw HTTPS: what it gets, in bounded time and memory."""

import gzip
import json
import time

import pytest

from harness import SLOWER, config_map, status_of

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}
PROTOBUF = {"Content-Type": "application/vnd.kubernetes.protobuf"}
MIB = 1 << 20


class Bounded:
    """The block ends soon and leaves the server about as big as it was."""

    def __init__(self, server, seconds=2.0, mib=48):
        self.server, self.seconds, self.mib = server, seconds * SLOWER, mib * SLOWER

    def __enter__(self):
        self.rss, self.begin = self.server.rss_kib(), time.monotonic()

    def __exit__(self, kind, *_):
        if kind:
            return
        elapsed = time.monotonic() - self.begin
        grown = (self.server.rss_kib() - self.rss) / 1024
        assert elapsed < self.seconds, f"took {elapsed:.1f} s"
        assert grown < self.mib, f"grew by {grown:.0f} MiB"


# --- bytes that are no document ---

@pytest.mark.parametrize("body, words", [
    ('{"metadata": {"name": "x"', "unexpected end"),
    ('{"metadata": {"name": "x",}}', "character '}' looking for beginning of object key string"),
    ('{"metadata" {"name": "x"}}', "character '{' after object key"),
    ('{"metadata": {"name": "x"}} trailing', "character 't' after top-level value"),
    ('{"metadata": {"name": \'x\'}}', "looking for beginning of value"),
    ('{"metadata": {"name": "x"}, "data": {"a": 01}}', "character '1' after object key:value pair"),
    ('{"metadata": {"name": "x"}, "data": {"a": NaN}}', "character 'N' looking for beginning of value"),
    ('{"a": "\\x"}', "character 'x' in string escape code"),
    ('{"a": "\n"}', "in string literal"),
    ("[", None), ("[]", None), ("3", None), ('"s"', None), ("", None), ("\0", None),
    ("tru", None), ("{" * 10, None), ("\ufeff{}", None),
], ids=repr)
def test_broken_json(raw, body, words):
    status = status_of(raw.post(MAPS, body, JSON), 400, "BadRequest")
    if words:
        assert words in status["message"], status["message"]


@pytest.mark.parametrize("body, position", [
    ("metadata:\n  name: x\n bad: indent\n", "line 3"),
    ("metadata: {name: x\n", "line 2"),
    ("metadata:\n\tname: x\n", "line 2"),
    ("a: 'open\n", "line"),
    ("b: 1\na: *nowhere\n", "line 2"),
], ids=repr)
def test_broken_yaml(raw, body, position):
    status = status_of(raw.post(MAPS, body, YAML), 400, "BadRequest")
    assert position in status["message"], status["message"]


def envelope(raw_bytes, kind=b"ConfigMap", version=b"v1"):
    """A protobuf body: magic, then runtime.Unknown."""
    def field(number, data):
        n, length = bytes([number << 3 | 2]), b""
        size = len(data)
        while True:
            length += bytes([size & 0x7f | (0x80 if size > 0x7f else 0)])
            size >>= 7
            if not size:
                return n + length + data
    return b"k8s\0" + field(1, field(1, version) + field(2, kind)) + field(2, raw_bytes)


@pytest.mark.parametrize("body", [
    b"", b"k8s", b"k8s\0", b"json", b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"k8s\0\x0a\x7f", envelope(b"\x0a\x05ab"), envelope(b"\x0a\xff\xff\xff\xff\x0f"),
    envelope(b"\x0b"), envelope(b"\x00\x00"), envelope(b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
    envelope(b"\x0a\x02\x0a\x7f"), envelope(b"\x0a\x04\x0a\x02\xff\xfe"),
    envelope(b"", kind=b"Gizmo"), envelope(b"", version=b"v9"),
], ids=repr)
def test_broken_protobuf(raw, body):
    answer = raw.request("POST", MAPS, body, PROTOBUF)
    status_of(answer, 400, "BadRequest")


def test_every_prefix_of_a_good_protobuf_body_is_refused_or_good(raw):
    """The server's own answer, cut at each byte: never a crash, never a 500."""
    made = raw.request("POST", MAPS, json.dumps(config_map("proto", {"a": "b"}, labels={"l": "m"})),
                       {**JSON, "Accept": "application/vnd.kubernetes.protobuf"}, dryRun="All")
    assert made.status == 201 and made.body.startswith(b"k8s\0")
    good = []
    for n in range(len(made.body)):
        answer = raw.request("POST", MAPS, made.body[:n], PROTOBUF, dryRun="All")
        assert answer.status in (201, 400, 422), (n, answer)
        if answer.status == 201:  # only what follows the object was cut off
            assert answer.json()["data"] == {"a": "b"}
            assert answer.json()["metadata"]["labels"] == {"l": "m"}
            good.append(n)
    assert good and good[0] > len(made.body) - 10


# --- documents that are no such object ---

@pytest.mark.parametrize("change, words", [
    ({"data": []}, ["cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string"]),
    ({"data": {"a": 1}}, ["cannot unmarshal number into Go struct field ConfigMap.data of type string"]),
    ({"immutable": "yes"}, ["cannot unmarshal string into Go struct field ConfigMap.immutable of type bool"]),
    ({"binaryData": {"a": "%%%"}}, ["illegal base64 data at input byte 0"]),
    ({"metadata": []}, ["cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta"]),
    ({"metadata": {"name": "x", "creationTimestamp": "yesterday"}}, ["yesterday"]),
    ({"kind": "Secret"}, ["Secret in version", "cannot be handled as a ConfigMap"]),
    ({"kind": "Gizmo"}, ['no kind "Gizmo" is registered for version "v1"']),
    ({"apiVersion": "apps/v1"}, ['no kind "ConfigMap" is registered for version "apps/v1"']),
    ({"kind": 3}, []),
], ids=lambda v: json.dumps(v)[:60])
def test_wrong_types(raw, change, words):
    status = status_of(raw.post(MAPS, {**config_map("x"), **change}), 400, "BadRequest")
    for word in words:
        assert word in status["message"], status["message"]


@pytest.mark.parametrize("spec, field", [
    ({"containers": "none"}, "PodSpec.spec.containers of type []v1.Container"),
    ({"containers": [{"name": "a", "ports": [{"containerPort": "80"}]}]}, "containerPort"),
    ({"containers": [{"name": "a", "ports": [{"containerPort": 1e99}]}]}, "containerPort"),
    ({"containers": [{"name": "a", "ports": [{"containerPort": 3000000000}]}]}, "containerPort"),
    ({"containers": [{"name": "a", "resources": {"limits": {"cpu": "lots"}}}]}, "quantities must match"),
    ({"terminationGracePeriodSeconds": 1.5}, "terminationGracePeriodSeconds"),
])
def test_wrong_types_inside_a_pod(raw, spec, field):
    body = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "b"}], **spec}}
    status = status_of(raw.post(PODS, body), 400, "BadRequest")
    assert field in status["message"], status["message"]


def test_huge_numbers(raw, server):
    for number in ("9" * 400, "1e400", "-" + "9" * 30, "0." + "1" * 100_000, "1" + "0" * 100_000):
        body = '{"metadata":{"name":"x"},"spec":{"terminationGracePeriodSeconds":%s,' \
            '"containers":[{"name":"a","image":"b"}]}}' % number
        with Bounded(server, 1):
            status_of(raw.post(PODS, body, JSON), 400, "BadRequest")
    for quantity in ("1e999999999", "9" * 300, "1" * 100_000, "0." + "0" * 10_000 + "1"):
        body = {"metadata": {"name": "x"}, "spec": {"containers": [
            {"name": "a", "image": "b", "resources": {"limits": {"cpu": quantity}}}]}}
        with Bounded(server, 1):
            answer = raw.post(PODS, body, dryRun="All")
        assert answer.status in (201, 400, 422), answer


# --- unknown and duplicate fields ---

def test_unknown_fields(raw):
    body = config_map("unknown")
    body["gizmo"] = 1
    body["metadata"]["lable"] = {}
    paths = ['unknown field "metadata.lable"', 'unknown field "gizmo"']  # as they come
    status = status_of(raw.post(MAPS, body, fieldValidation="Strict"), 400, "BadRequest")
    assert status["message"] == 'ConfigMap in version "v1" cannot be handled as a ConfigMap: ' \
        "strict decoding error: " + ", ".join(paths)
    warned = raw.post(MAPS, body, dryRun="All")
    assert warned.status == 201 and "gizmo" not in warned.json()
    assert warned.headers.get_all("Warning") == [f'299 - "{p}"'.replace('field "', 'field \\"').replace(
        '""', '\\""') for p in paths]
    ignored = raw.post(MAPS, body, dryRun="All", fieldValidation="Ignore")
    assert ignored.status == 201 and ignored.headers.get_all("Warning") is None
    status_of(raw.post(MAPS, body, fieldValidation="Maybe"), 422, "Invalid")


def test_unknown_field_deep_in_a_list(raw):
    body = {"metadata": {"name": "x"}, "spec": {"containers": [
        {"name": "a", "image": "b"}, {"name": "c", "image": "d", "env": [{"name": "E", "vlue": "1"}]}]}}
    status = status_of(raw.post(PODS, body, fieldValidation="Strict"), 400)
    assert 'unknown field "spec.containers[1].env[0].vlue"' in status["message"]


def test_duplicate_fields(raw):
    body = '{"metadata":{"name":"dup"},"data":{"a":"1","a":"2"},"data":{"b":"3"}}'
    status = status_of(raw.post(MAPS, body, JSON, fieldValidation="Strict"), 400)
    assert 'duplicate field "data' in status["message"], status["message"]
    done = raw.post(MAPS, body, JSON, dryRun="All")
    assert done.status == 201 and any("duplicate field" in w for w in done.headers.get_all("Warning"))
    yaml = "metadata:\n  name: dup\ndata:\n  a: '1'\n  a: '2'\n"
    status = status_of(raw.post(MAPS, yaml, YAML, fieldValidation="Strict"), 400)
    assert "a" in status["message"] and "already" in status["message"] or "duplicate" in status["message"]


# --- sizes ---

def test_bodies_over_the_limit(raw, server):
    big = json.dumps(config_map("big", {"a": "x" * (3 * MIB)}))
    with Bounded(server, 2):
        status = status_of(raw.post(MAPS, big, JSON), 413, "RequestEntityTooLarge")
    assert "3145728" in status["message"]
    # A ConfigMap holds less than a body.
    status = status_of(raw.post(MAPS, config_map("big", {"a": "x" * (MIB + 1)})), 422, "Invalid")
    assert "Too long: may not be more than 1048576 bytes" in status["message"]
    assert raw.post(MAPS, config_map("big", {"a": "x" * MIB}), dryRun="All").status == 201
    assert raw.get("/healthz").body == b"ok"


def test_chunked_body_over_the_limit(raw, server):
    def chunks():
        yield b'{"data":{"a":"'
        for _ in range(64):
            yield b"x" * 65536
    with Bounded(server, 3):
        connection = raw.connect()
        try:
            connection.request("POST", MAPS, body=chunks(), headers=JSON, encode_chunked=True)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may stop reading
        answer = connection.getresponse()
        assert answer.status == 413
        connection.close()


def test_total_size_of_annotations(raw):
    body = config_map("x", annotations={"a": "x" * (300 * 1024)})
    status = status_of(raw.post(MAPS, body), 422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "metadata.annotations"
    assert "Too long" in status["message"]


@pytest.mark.parametrize("body", [
    '{"a":' * 100_000, "[" * 1_000_000, '{"metadata":' + "[" * 20_000 + "]" * 20_000 + "}",
    '{"metadata":{"name":"x"},"zz":' + '{"a":' * 10_001 + "1" + "}" * 10_001 + "}",
], ids=["objects", "lists", "closed", "unknown field"])
def test_deep_json(raw, server, body):
    with Bounded(server):
        status_of(raw.post(MAPS, body, JSON, fieldValidation="Strict"), 400, "BadRequest")


@pytest.mark.parametrize("body", [
    "a: " + "[" * 100_000, "a: " + "{b: " * 50_000, "- " * 100_000, "? " * 100_000,
    "\n".join(" " * i + "a:" for i in range(2000)),
], ids=["lists", "maps", "sequences", "keys", "indent"])
def test_deep_yaml(raw, server, body):
    with Bounded(server, 5):
        status_of(raw.post(MAPS, body, YAML), 400, "BadRequest")


def test_yaml_aliases_do_not_multiply(raw, server):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 12):
        lines.append(f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]")
    with Bounded(server):
        answer = raw.post(MAPS, "\n".join(lines), YAML)
    assert answer.status in (400, 413), answer
    for bomb in ("a: &a [*a]\n", "&a {b: *a}\n"):
        with Bounded(server):
            status_of(raw.post(MAPS, bomb, YAML), 400, "BadRequest")


@pytest.mark.parametrize("lines", [
    [f"- &a{i} x" for i in range(150_000)], [f"a{i}: x" for i in range(200_000)],
    ["- &a x"] + ["- *a"] * 300_000, ["a: 1"] * 300_000, ["- !!str x"] * 200_000, ["---"] * 300_000,
    ["# comment"] * 200_000, ['- "' + "\\x41" * 500_000 + '"'], ["? a"] * 200_000,
    ["<<: {a: 1}"] * 100_000, ["%TAG ! x"] * 100_000,
], ids=["anchors", "keys", "aliases", "duplicates", "tags", "documents", "comments", "escapes",
        "question marks", "merges", "directives"])
def test_wide_yaml(raw, server, lines):
    with Bounded(server, 5, 128):
        answer = raw.post(MAPS, "\n".join(lines), YAML, dryRun="All")
    assert answer.status in (400, 413, 422), answer


def test_deep_protobuf(raw, server):
    inner = b""
    for _ in range(15000):  # JSONSchemaProps inside JSONSchemaProps would be; here: an unknown field
        size, length = len(inner), b""
        while True:
            length += bytes([size & 0x7f | (0x80 if size > 0x7f else 0)])
            size >>= 7
            if not size:
                break
        inner = b"\xfa\x01" + length + inner
    with Bounded(server):
        answer = raw.request("POST", MAPS, envelope(inner), PROTOBUF, dryRun="All")
    assert answer.status in (400, 422), answer


def test_many_keys(raw, server):
    data = {f"key-{i}": "v" for i in range(100_000)}
    with Bounded(server, 4, 64):
        answer = raw.post(MAPS, config_map("many", data), dryRun="All")
    assert answer.status == 201 and answer.json()["data"] == data  # small enough, so it is kept
    labels = {f"key-{i}": "v" for i in range(100_000)}
    with Bounded(server, 4, 64):
        answer = raw.post(MAPS, config_map("many", labels=labels), dryRun="All")
    assert answer.status in (201, 413, 422), answer
    unknown = {"metadata": {"name": "x"}, **{f"unknown{i}": 1 for i in range(100_000)}}
    with Bounded(server, 4, 64):
        answer = raw.post(MAPS, unknown, dryRun="All")
    assert answer.status in (201, 400) and sum(map(len, answer.headers.values())) < 64 * 1024


def test_many_duplicate_keys(raw, server):
    body = '{"metadata":{"name":"x"},"data":{' + ",".join(['"a":"1"'] * 100_000) + "}}"
    with Bounded(server, 4, 64):
        status_of(raw.post(MAPS, body, JSON, fieldValidation="Strict"), 400)


def test_many_validation_errors(raw, server):
    body = {"metadata": {"name": "x"}, "spec": {"containers": [
        {"name": f"c{i}", "image": "", "ports": [{"containerPort": -1}] * 20} for i in range(1000)]}}
    with Bounded(server, 5, 100):
        answer = raw.post(PODS, body)
    assert answer.status in (413, 422), answer
    assert len(answer.body) < 8 * MIB


@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_invalid_utf8(raw, text):
    """As upstream's decoder, JSON replaces it; a protobuf string must be valid."""
    body = b'{"metadata":{"name":"utf"},"data":{"a":"' + text + b'"}}'
    answer = raw.request("POST", MAPS, body, JSON, dryRun="All")
    assert answer.status in (201, 400), answer
    answer.body.decode("utf-8")
    if answer.status == 201:
        assert answer.json()["data"]["a"].strip("\ufffd") == ""


# --- wrong requests ---

def test_media_types(raw):
    body = json.dumps(config_map("x"))
    for kind in ("text/plain", "application/xml", "application/merge-patch+json", "nonsense", "a/b;c"):
        status_of(raw.post(MAPS, body, {"Content-Type": kind}), 415, "UnsupportedMediaType")
    status_of(raw.request("PATCH", f"{MAPS}/x", "{}", JSON), 415, "UnsupportedMediaType")
    for accept in ("text/html", "application/xml", "application/json;as=Gizmo;g=x;v=v1", "image/png,text/*"):
        status_of(raw.get(MAPS, {"Accept": accept}), 406, "NotAcceptable")
    assert raw.get(MAPS, {"Accept": "text/html, */*;q=0.1"}).status == 200
    assert raw.post(MAPS, body, {"Content-Type": "application/json; charset=utf-8"}, dryRun="All").status == 201


@pytest.mark.parametrize("method, path, code, reason", [
    ("PUT", MAPS, 405, "MethodNotAllowed"),
    ("POST", f"{MAPS}/x", 405, "MethodNotAllowed"),
    ("DELETE", "/api/v1/namespaces", 405, "MethodNotAllowed"),
    ("PATCH", MAPS, 405, "MethodNotAllowed"),
    ("PATCH", "/api/v1/namespaces", 405, "MethodNotAllowed"),
    ("OPTIONS", MAPS, 405, "MethodNotAllowed"),
    ("GET", "/api/v1/gizmos", 404, "NotFound"),
    ("GET", f"{MAPS}/x/status", 404, "NotFound"),
    ("GET", "/api/v1/namespaces/default/nodes", 404, "NotFound"),
    ("GET", f"{MAPS}/x/y/z", 404, "NotFound"),
    ("GET", "/api/v1/namespaces/default/configmaps/..%2f..", 404, "NotFound"),
])
def test_method_and_path(raw, method, path, code, reason):
    answer = raw.request(method, path, b"{}" if method in ("PUT", "POST") else None, JSON)
    status_of(answer, code, reason)


def test_a_method_that_http_does_not_know(raw):
    with raw.server.raw() as own:
        assert own.request("BREW", MAPS).status in (400, 405, 501)


def test_not_found_says_what(raw):
    status = status_of(raw.get(f"{MAPS}/nope"), 404, "NotFound")
    assert status["details"] == {"name": "nope", "kind": "configmaps"}
    assert status["message"] == 'configmaps "nope" not found'
    status = status_of(raw.get("/apis/apps/v1/namespaces/default/deployments/nope"), 404, "NotFound")
    assert status["details"] == {"name": "nope", "group": "apps", "kind": "deployments"}
    assert status["message"] == 'deployments.apps "nope" not found'


@pytest.mark.parametrize("query", [
    {"labelSelector": "a in"}, {"labelSelector": "a=b=c"}, {"labelSelector": "-bad-=x"},
    {"labelSelector": ",".join(f"k{i}=v" for i in range(3000))},
    {"fieldSelector": "metadata.name"}, {"fieldSelector": "spec.x=y"}, {"limit": "many"},
    {"continue": "garbage"}, {"resourceVersion": "abc"}, {"resourceVersion": "-1"},
    {"timeoutSeconds": "soon"},
], ids=lambda q: json.dumps(q)[:50])
def test_wrong_list_options(raw, query):
    answer = raw.get(MAPS, **query)
    assert answer.status in (400, 422), answer
    assert answer.json()["reason"] in ("BadRequest", "Invalid"), answer


def test_wrong_list_options_are_invalid_with_causes(raw):
    for query in ({"resourceVersionMatch": "Exact"}, {"resourceVersionMatch": "Sometimes", "resourceVersion": "1"},
                  {"sendInitialEvents": "true"}, {"resourceVersionMatch": "Exact", "resourceVersion": "0"}):
        status = status_of(raw.get(MAPS, **query), 422, "Invalid")
        assert status["details"]["causes"], status


def test_future_resource_version(raw, server):
    with Bounded(server, 8):
        answer = raw.get(MAPS, resourceVersion="999999999")
    status = status_of(answer, 504, "Timeout")
    assert "Too large resource version" in status["message"]


@pytest.mark.parametrize("patch, kind, code", [
    ("{", "merge-patch", 400), ("[]", "merge-patch", 400), ("3", "strategic-merge-patch", 400),
    ("{}", "json-patch", 400), ('[{"op":"fly","path":"/a"}]', "json-patch", 422),
    ('[{"op":"remove","path":"/data/nope"}]', "json-patch", 422),
    ('[{"op":"test","path":"/data/a","value":"2"}]', "json-patch", 422),
    ('{"data":{"a":[1]}}', "merge-patch", 422),
    ('{"metadata":{"$patch":"explode"}}', "strategic-merge-patch", 500),
    ('{"kind":"Secret"}', "merge-patch", 422),
    ('{"metadata":{"name":"other"}}', "merge-patch", 400),
    ('{"metadata":{"uid":"other"}}', "merge-patch", 422),
    ('{"metadata":{"labels":{"a b":"c"}}}', "merge-patch", 422),
    ('[' + ','.join(['{"op":"add","path":"/data/x","value":"y"}'] * 10_001) + ']', "json-patch", 413),
])
def test_wrong_patches(raw, server, patch, kind, code):
    raw.post(MAPS, config_map("patched", {"a": "1"}))
    before = raw.get(f"{MAPS}/patched").json()
    with Bounded(server):
        answer = raw.request("PATCH", f"{MAPS}/patched", patch, {"Content-Type": f"application/{kind}+json"})
    assert answer.status == code, answer
    assert answer.json()["kind"] == "Status"
    assert raw.get(f"{MAPS}/patched").json() == before


def test_json_patch_copies_cannot_explode(raw, server):
    raw.post(MAPS, config_map("copied", {"a": "x" * 1000}))
    patch = [{"op": "copy", "from": "/data", "path": "/data/b"}] * 40
    with Bounded(server):
        answer = raw.patch(f"{MAPS}/copied", patch, "json-patch")
    assert answer.status in (400, 413, 422), answer


@pytest.mark.parametrize("name, words", [
    ("UPPER", "a lowercase RFC 1123 subdomain"), ("a" * 254, "must be no more than 253"),
    ("-x", "RFC 1123"), ("x_y", "RFC 1123"), ("x/y", "RFC 1123"), ("..", "RFC 1123"),
])
def test_wrong_names(raw, name, words):
    status = status_of(raw.post(MAPS, config_map(name)), 422, "Invalid")
    cause = status["details"]["causes"][0]
    assert cause["field"] == "metadata.name" and cause["reason"] == "FieldValueInvalid"
    assert words in cause["message"], cause
    assert status["message"].startswith(f'ConfigMap "{name}" is invalid: metadata.name: Invalid value: ')


def test_namespaces_must_fit_and_exist(raw):
    status_of(raw.post("/api/v1/namespaces/nope/configmaps", {"metadata": {"name": "x"}}), 404, "NotFound")
    status = status_of(raw.post(MAPS, config_map("x", namespace="other")), 400, "BadRequest")
    assert "the namespace of the provided object does not match the namespace sent on the request" in \
        status["message"]


def test_compressed_answers(raw):
    raw.post(MAPS, config_map("large", {"a": "x" * 200_000}))
    plain = raw.get(f"{MAPS}/large")
    packed = raw.get(f"{MAPS}/large", {"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and len(packed.body) < 10_000
    assert gzip.decompress(packed.body) == plain.body
    assert "Content-Encoding" not in plain.headers
    small = raw.get("/version", {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers


def test_the_server_is_well_after_all_this(raw, server):
    assert raw.get("/readyz").body == b"ok"
    assert server.rss_kib() / 1024 < 150 * SLOWER
    assert server.fds() < 100

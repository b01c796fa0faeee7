"""Codes and words that clients of upstream's API server know, where a table would not show them:
options in every combination, bodies that are no objects, paths and methods that nobody has."""

import json

import pytest

from harness import config_map, status_of

MAPS = "/api/v1/namespaces/default/configmaps"
JSON = {"Content-Type": "application/json"}
UNSUPPORTED = 'Unsupported value: "Bogus": supported values: '


@pytest.fixture(scope="module")
def maps(server):
    with server.raw() as raw:
        for name in "abc":
            assert raw.post(MAPS, config_map(name, {"k": name}, labels={"same": "words"})).status == 201
        page = raw.get(MAPS, limit=1, labelSelector="same=words").json()
    return page["metadata"]


def options_error(kind, *causes):
    text = ", ".join(causes)
    return f'{kind}.meta.k8s.io "" is invalid: {text if len(causes) == 1 else f"[{text}]"}'


def match(text):
    return f"resourceVersionMatch: {text}"


UNLESS = match("Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided")
WITH_CONTINUE = match("Forbidden: resourceVersionMatch is forbidden when continue is provided")
FOR_WATCH = match("Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
NEEDS_NOT_OLDER = match("Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
BOGUS_LIST = match(UNSUPPORTED + '"Exact", "NotOlderThan", ""')
BOGUS_WATCH = match(UNSUPPORTED + '"NotOlderThan"')
NOT_FOR_LIST = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"
ZERO = match('Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
BAD_TOKEN = "invalid continue token: continue key is not valid: illegal base64 data at input byte 4"
NO_VERSION = "specifying resource version is not allowed when using continue"
BAD_VERSION = 'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax'

# rv = resourceVersion, m = resourceVersionMatch, c = continue, s = sendInitialEvents
LISTS = [
    ({"c": "bogus"}, 400, BAD_TOKEN),
    ({"rv": "5", "c": "bogus"}, 400, BAD_TOKEN),
    ({"rv": "5", "c": "TOKEN"}, 400, NO_VERSION),
    ({"rv": "abc"}, 400, "invalid resource version: " + BAD_VERSION),
    ({"rv": "abc", "c": "TOKEN"}, 400, NO_VERSION),
    ({"m": "Exact"}, 422, options_error("ListOptions", UNLESS)),
    ({"m": "Bogus"}, 422, options_error("ListOptions", UNLESS, BOGUS_LIST)),
    ({"m": "Bogus", "c": "TOKEN"}, 422, options_error("ListOptions", UNLESS, WITH_CONTINUE, BOGUS_LIST)),
    ({"rv": "abc", "m": "Bogus"}, 422, options_error("ListOptions", BOGUS_LIST)),
    ({"rv": "0", "m": "Exact"}, 422, options_error("ListOptions", ZERO)),
    ({"rv": "0", "m": "Exact", "c": "TOKEN"}, 422, options_error("ListOptions", WITH_CONTINUE, ZERO)),
    ({"rv": "1", "m": "NotOlderThan", "c": "TOKEN"}, 422, options_error("ListOptions", WITH_CONTINUE)),
    ({"s": "true"}, 422, options_error("ListOptions", NOT_FOR_LIST)),
    ({"s": "false", "m": "Exact"}, 422, options_error("ListOptions", UNLESS, NOT_FOR_LIST)),
    ({"limit": "x"}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ({"limit": ""}, 400, 'strconv.ParseInt: parsing "": invalid syntax'),
    ({"limit": "9" * 20}, 400, f'strconv.ParseInt: parsing "{"9" * 20}": value out of range'),
]

WATCHES = [
    ({"rv": "abc"}, 500, BAD_VERSION),
    ({"m": "Exact"}, 422, options_error("ListOptions", FOR_WATCH, BOGUS_WATCH.replace("Bogus", "Exact"))),
    ({"m": "Bogus"}, 422, options_error("ListOptions", FOR_WATCH, BOGUS_WATCH)),
    ({"m": "NotOlderThan"}, 422, options_error("ListOptions", FOR_WATCH)),
    ({"s": "true"}, 422, options_error("ListOptions", NEEDS_NOT_OLDER)),
    ({"s": "true", "m": "Bogus"}, 422, options_error("ListOptions", NEEDS_NOT_OLDER, BOGUS_WATCH)),
    ({"s": "true", "m": "NotOlderThan", "c": "TOKEN"}, 422, options_error("ListOptions", WITH_CONTINUE)),
    ({"c": "TOKEN"}, 422, options_error("ListOptions", WITH_CONTINUE)),
    ({"rv": "abc", "s": "true"}, 422, options_error("ListOptions", NEEDS_NOT_OLDER)),
]

NAMES = {"rv": "resourceVersion", "m": "resourceVersionMatch", "c": "continue", "s": "sendInitialEvents"}


def query(short, page):
    return {NAMES.get(k, k): page["continue"] if v == "TOKEN" else v for k, v in short.items()}


@pytest.mark.parametrize("short,code,words", LISTS)
def test_list_options(raw, maps, short, code, words):
    assert status_of(raw.get(MAPS, **query(short, maps)), code)["message"] == words


@pytest.mark.parametrize("short,code,words", WATCHES)
def test_watch_options(raw, maps, short, code, words):
    answer = raw.get(MAPS, watch="true", **query(short, maps))
    assert status_of(answer, code)["message"] == words


def test_any_revision_is_answered_whole(raw, maps):
    """As out of upstream's cache: the limit is not looked at."""
    got = raw.get(MAPS, resourceVersion=0, limit=1, labelSelector="same=words").json()
    assert [o["metadata"]["name"] for o in got["items"]] == ["a", "b", "c"]
    assert set(got["metadata"]) == {"resourceVersion"}


def test_a_revision_to_come_is_worth_waiting_for_unless_it_is_exact(raw, maps):
    at = "99999999999"
    s = status_of(raw.get(MAPS, resourceVersion=at, resourceVersionMatch="Exact"), 504, "Timeout")
    assert "retryAfterSeconds" not in s["details"]
    s = status_of(raw.get(MAPS, resourceVersion=at), 504, "Timeout")
    assert s["details"]["retryAfterSeconds"] == 1


def test_an_old_watch_of_one_object_shows_that_one(raw, maps):
    with raw.watch("/api/v1/watch/namespaces/default/configmaps/b") as w:
        assert w.next()["object"]["metadata"]["name"] == "b"
        raw.patch(f"{MAPS}/c", {"data": {"x": "1"}})
        raw.patch(f"{MAPS}/b", {"data": {"x": "1"}})
        assert w.next()["object"]["metadata"]["name"] == "b"


def test_a_watch_whose_time_is_up_before_it_begins(raw, maps):
    with raw.watch(MAPS, timeoutSeconds=-1) as w:
        assert w.status == 200 and w.next() is None


def test_an_empty_set_of_values_is_the_empty_value(raw, maps):
    assert raw.get(MAPS, labelSelector="same in ()").json()["items"] == []
    assert raw.get(MAPS, labelSelector="same notin ()").json()["items"] != []


WRITE_OPTIONS = [
    ({"dryRun": "x"}, 'dryRun: Unsupported value: ["x"]: supported values: "All"'),
    ({"dryRun": ["All", "x"]}, 'dryRun: Unsupported value: ["All","x"]: supported values: "All"'),
    ({"dryRun": ""}, 'dryRun: Unsupported value: [""]: supported values: "All"'),
    ({"fieldValidation": "Bogus"}, f'fieldValidation: {UNSUPPORTED}"", "Ignore", "Strict", "Warn"'),
    ({"fieldManager": "a\tb"}, 'fieldManager: Invalid value: "a\\tb": invalid character U+0009 (at position 1)'),
    ({"fieldManager": "x" * 129}, "fieldManager: Too long: may not be more than 128 bytes"),
]


@pytest.mark.parametrize("options,words", WRITE_OPTIONS)
def test_write_options(raw, maps, options, words):
    for kind, answer in (("CreateOptions", raw.post(MAPS, config_map("n"), **options)),
                         ("UpdateOptions", raw.put(f"{MAPS}/a", config_map("a"), **options)),
                         ("PatchOptions", raw.patch(f"{MAPS}/a", {}, **options))):
        assert status_of(answer, 422, "Invalid")["message"] == options_error(kind, words)


def unrecognized(why, shown):
    return f"the object provided is unrecognized (must be of type ConfigMap): {why} ({shown})"


def no_json(why, shown):
    return unrecognized(f"couldn't get version/kind; json parse error: {why}", shown)


GVK = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
HANDLED = "cannot be handled as a ConfigMap: "
BODIES = [
    ("{", no_json("unexpected end of JSON input", "{")),
    ("[]", no_json(f"json: cannot unmarshal array into Go value of type {GVK}", "5b5d")),
    ('"x"', no_json(f"json: cannot unmarshal string into Go value of type {GVK}", "227822")),
    ("{} {}", no_json("invalid character '{' after top-level value", "{} {}")),
    ("tru", no_json("unexpected end of JSON input", "747275")),
    ("trux", no_json("invalid character 'x' in literal true (expecting 'e')", "74727578")),
    ('{"kind":1}', no_json("json: cannot unmarshal number into Go struct field .kind of type string", '{"kind":1}')),
    ('{"apiVersion":"a/b/c","kind":"X"}',
     unrecognized("unexpected GroupVersion string: a/b/c", '{"apiVersion":"a/b/c","kind":" ...')),
    ('{"apiVersion":"v2","kind":"ConfigMap"}',
     f'ConfigMap in version "v2" {HANDLED}no kind "ConfigMap" is registered for version "v2" in scheme '
     '"pkg/api/legacyscheme/scheme.go:30"'),
    ('{"apiVersion":"apps/v1","kind":"Deployment"}',
     f'Deployment in version "v1" {HANDLED}converting (v1.Deployment) to (core.ConfigMap): unknown conversion'),
    ('{"metadata":{"creationTimestamp":"x"}}',
     f'ConfigMap in version "v1" {HANDLED}parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'),
]


@pytest.mark.parametrize("body,words", BODIES)
def test_bodies_that_are_no_objects(raw, body, words):
    assert status_of(raw.post(MAPS, body, JSON), 400, "BadRequest")["message"] == words


def test_null_is_an_object_without_a_name(raw):
    s = status_of(raw.post(MAPS, "null", JSON), 422, "Invalid")
    assert s["message"] == 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'


def test_a_body_in_no_protobuf(raw):
    answer = raw.post(MAPS, "{}", {"Content-Type": "application/vnd.kubernetes.protobuf"})
    assert status_of(answer, 400)["message"] == unrecognized(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]", "{}")


def test_names_and_identities_of_updates(raw, maps):
    uid = raw.get(f"{MAPS}/a").json()["metadata"]["uid"]
    for body, code, words in (
            ({"kind": "ConfigMap"}, 400,
             "the name of the object (a based on URL) was undeterminable: name must be provided"),
            (config_map("b"), 400, "the name of the object (b) does not match the name on the URL (a)"),
            (config_map("a", namespace="other"), 400,
             "the namespace of the provided object does not match the namespace sent on the request"),
            (config_map("a", uid="zz"), 409,
             'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: '
             "/registry/configmaps/default/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
             f"UID in precondition: zz, UID in object meta: {uid}"),
            (config_map("a", resourceVersion="x"), 500, 'strconv.ParseUint: parsing "x": invalid syntax')):
        assert status_of(raw.put(f"{MAPS}/a", body), code)["message"] == words
    for change, code, words in (
            ({"name": "b"}, 400, "the name of the object (b) does not match the name on the URL (a)"),
            ({"namespace": "other"}, 400,
             "the namespace of the provided object does not match the namespace sent on the request"),
            ({"uid": "zz"}, 422, 'ConfigMap "a" is invalid: metadata.uid: Invalid value: "zz": field is immutable')):
        assert status_of(raw.patch(f"{MAPS}/a", {"metadata": change}), code)["message"] == words
    lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/fresh"
    answer = raw.put(lease, {"metadata": {"name": "fresh", "uid": "7"}})
    assert status_of(answer, 409)["message"].endswith(
        "Key: /leases/default/fresh, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
        "precondition: 7, UID in object meta: ")


def test_patches_are_what_is_wrong_with_what_they_make(raw, maps):
    def patch(kind, text, **options):
        return raw.request("PATCH", f"{MAPS}/a", text, {"Content-Type": f"application/{kind}+json"}, **options)

    text = '{"foo":1,"metadata":{"bar":2},"data":{"a":"1","a":"2"}}'
    s = status_of(patch("strategic-merge-patch", text, fieldValidation="Strict"), 422, "Invalid")
    assert s["details"] == {"causes": [{
        "reason": "FieldValueInvalid", "field": "patch",
        "message": 'Invalid value: "map[data:map[a:2] foo:1 metadata:map[bar:2]]": strict decoding error: '
                   'duplicate field "data.a", unknown field "foo", unknown field "metadata.bar"'}]}
    assert s["message"] == f' "" is invalid: patch: {s["details"]["causes"][0]["message"]}'
    s = status_of(patch("merge-patch", '{"data":{"a":1}}'), 422, "Invalid")
    assert s["message"].startswith(' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"v1\\"')
    assert s["message"].endswith("json: cannot unmarshal number into Go struct field ConfigMap.data of type string")
    warned = patch("json-patch", '[{"op":"add","path":"/foo","value":1,"value":2}]', dryRun="All")
    assert warned.headers.get_all("Warning") == [
        r'299 - "json patch duplicate field \"[0].value\""', r'299 - "unknown field \"foo\""']
    for kind, text, words in (
            ("json-patch", '{"a":1}', "error decoding patch: json: cannot unmarshal object into Go value of type "
                                      "[]handlers.jsonPatchOp"),
            ("merge-patch", "[1]", "error decoding patch: json: cannot unmarshal array into Go value of type "
                                   "map[string]interface {}"),
            ("strategic-merge-patch", "[1]", "json: cannot unmarshal array into Go value of type "
                                             "map[string]interface {}")):
        assert status_of(patch(kind, text), 400, "BadRequest")["message"] == words


def test_a_patch_replaces_members_that_are_not_there(raw, maps):
    """As upstream's library does; elements of lists must be there."""
    def patch(ops):
        return raw.patch(f"{MAPS}/a", ops, "json-patch", dryRun="All")

    made = patch([{"op": "replace", "path": "/data/fresh", "value": "x"}])
    assert made.json()["data"]["fresh"] == "x"
    s = status_of(patch([{"op": "replace", "path": "/nope/fresh", "value": "x"}]), 422, "Invalid")
    assert s["details"] == {}


DELETES = [
    ({"kind": "Pod", "apiVersion": "v1"}, 400,
     'no kind "Pod" is registered for version "v1" in scheme '
     '"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"'),
    ({"propagationPolicy": "Bogus"}, 422, options_error(
        "DeleteOptions", f'propagationPolicy: {UNSUPPORTED}"Foreground", "Background", "Orphan", "nil"')),
    ({"dryRun": ["x"]}, 422,
     options_error("DeleteOptions", 'dryRun: Unsupported value: ["x"]: supported values: "All"')),
    ({"preconditions": {"resourceVersion": "1"}}, 409,
     'Operation cannot be fulfilled on ConfigMap "c": the ResourceVersion in the precondition (1) does not match '
     "the ResourceVersion in record (RV). The object might have been modified"),
    ("[]", 400, f"couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type {GVK}"),
]


@pytest.mark.parametrize("body,code,words", DELETES)
def test_delete_options_that_refuse(raw, maps, body, code, words):
    for path, options in ((f"{MAPS}/c", {}), (MAPS, {"fieldSelector": "metadata.name=c"})):
        rv = raw.get(f"{MAPS}/c").json()["metadata"]["resourceVersion"]
        s = status_of(raw.delete(path, body, JSON, **options), code)
        assert s["message"] == words.replace("RV", rv)
    assert raw.get(f"{MAPS}/c").status == 200


def test_a_dry_run_in_the_body_deletes_nothing(raw, maps):
    assert raw.delete(f"{MAPS}/c", {"dryRun": ["All"]}).json()["status"] == "Success"
    assert raw.get(f"{MAPS}/c").status == 200


METHODS = [
    ("HEAD", MAPS, 405), ("HEAD", f"{MAPS}/a", 405), ("PUT", MAPS, 405), ("POST", f"{MAPS}/a", 405),
    ("OPTIONS", MAPS, 405), ("DELETE", "/api/v1/configmaps", 405), ("POST", "/api/v1/configmaps", 405),
    ("POST", "/api", 405), ("PUT", "/apis/apps/v1", 405), ("POST", "/version", 405),
    ("GET", "/api/v1/nope", 404), ("GET", "/apis/apps/v1/nope", 404), ("GET", f"{MAPS}/a/nope", 404),
    ("GET", "/api/v1/configmaps/a", 404),
]


@pytest.mark.parametrize("method,path,code", METHODS)
def test_methods_and_resources_that_are_not_there(raw, maps, method, path, code):
    answer = raw.request(method, path, headers={"Content-Type": "application/json"} if method == "PUT" else {})
    assert answer.status == code, answer
    if method == "HEAD":
        return
    s = answer.json()
    if code == 405:
        assert s["details"] == {} and "Warning" not in answer.headers
        assert s["message"] == "the server does not allow this method on the requested resource"
    else:
        assert "details" not in s and s["message"] == "the server could not find the requested resource"


@pytest.mark.parametrize("path", ["/nope", "/api/v2", "/apis/nope", "/apis/nope/v1/x", "/apis/apps/v9", "/healthz/",
                                  "/openapi/v4", "/apis/apps/v9/deployments"])
def test_paths_that_nobody_knows(raw, path):
    answer = raw.get(path)
    assert (answer.status, answer.type, answer.body) == (404, "text/plain; charset=utf-8", b"404 page not found\n")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


AVAILABLE = "406: Not Acceptable\n\nAvailable representations: "
OBJECTS = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
STREAMS = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"


@pytest.mark.parametrize("path,accept,words", [
    (f"{MAPS}/a", "text/html", AVAILABLE + OBJECTS),
    (MAPS, "text/html", AVAILABLE + OBJECTS + ", " + STREAMS),
    ("/api", "text/html", AVAILABLE + OBJECTS),
    ("/version", "application/yaml", AVAILABLE + "application/json"),
    ("/apis", "text/html", f"only the following media types are accepted: {OBJECTS}"),
    (MAPS, "application/json;as=Foo;v=v1;g=meta.k8s.io", f"only the following media types are accepted: {OBJECTS}"),
])
def test_forms_that_are_not_there(raw, maps, path, accept, words):
    s = status_of(raw.get(path, {"Accept": accept}), 406, "NotAcceptable")
    assert s["message"] == words
    assert ("details" in s) == words.startswith("406")


def test_a_watch_in_yaml_is_refused_in_yaml(raw, maps):
    answer = raw.get(MAPS, {"Accept": "application/yaml"}, watch="true")
    assert answer.status == 406 and answer.type == "application/yaml"
    assert b"application/json;stream=watch" in answer.body


def test_a_patch_of_no_type(raw, maps):
    for headers in ({}, JSON):
        s = status_of(raw.request("PATCH", f"{MAPS}/a", "{}", headers), 415, "UnsupportedMediaType")
        assert s["message"] == "415: Unsupported Media Type" and s["details"] == {}


def test_pretty(raw, maps):
    """Indented text ends without a line's end; what is no truth is none."""
    assert raw.get(f"{MAPS}/a", pretty="1").body.endswith(b"\n}")
    assert raw.get(f"{MAPS}/a", {"User-Agent": "curl/8"}).body.endswith(b"\n}")
    assert raw.get(f"{MAPS}/a", {"User-Agent": "curl/8"}, pretty="x").body.endswith(b"}\n")
    assert raw.get(f"{MAPS}/a", {"User-Agent": "curl/8"}, pretty="").body.endswith(b"\n}")
    assert json.loads(raw.get(f"{MAPS}/a", pretty="true").body) == raw.get(f"{MAPS}/a").json()


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_whoever_names_the_aggregated_form_gets_it(raw):
    for path in ("/api", "/apis"):
        answer = raw.get(path, {"Accept": f"application/json, {AGGREGATED}"})
        assert answer.type == AGGREGATED and answer.headers["Cache-Control"] == "public"
        assert answer.headers["Vary"] == "Accept"
        same = raw.get(path, {"Accept": AGGREGATED, "If-None-Match": answer.headers["ETag"]})
        assert same.status == 304 and same.body == b""
        yaml = raw.get(path, {"Accept": AGGREGATED.replace("json", "yaml", 1)})
        assert yaml.type == AGGREGATED.replace("json", "yaml", 1) and yaml.body.startswith(b"apiVersion: ")


def test_kinds_of_answers_that_go_without_saying(raw):
    core = raw.get("/api", {"Accept": AGGREGATED}).json()["items"][0]["versions"][0]["resources"]
    pods = next(r for r in core if r["resource"] == "pods")
    assert pods["responseKind"] == {"group": "", "version": "", "kind": "Pod"}
    eviction = next(s for s in pods["subresources"] if s["subresource"] == "eviction")
    assert eviction["responseKind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
    assert "apiVersion" not in raw.get("/api/v1").json()
    assert raw.get("/apis/apps/v1").json()["apiVersion"] == "v1"
    rows = raw.get("/apis/apiextensions.k8s.io/v1").json()["resources"]
    assert rows[0]["storageVersionHash"] == "jfWCUB31mvA="


def columns(raw, path):
    return {row["object"]["metadata"]["name"]: row["cells"]
            for row in raw.get(path, {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}).json()["rows"]}


def test_cells_of_tables(raw, maps):
    """Numbers and truths as upstream prints them, whatever the column's type says; orders; both views of Events."""
    one = {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}
    for path, body in (
            ("/api/v1/nodes", {"metadata": {"name": "same-n", "labels": {
                "kubernetes.io/role": "x", "node-role.kubernetes.io/control-plane": ""}}}),
            ("/api/v1/persistentvolumes", {"metadata": {"name": "same-pv"}, "spec": {
                "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}}),
            ("/api/v1/namespaces/default/endpoints", {"metadata": {"name": "same-e"}, "subsets": [{
                "addresses": [{"ip": f"10.0.0.{i}"} for i in (1, 2)],
                "ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}]}),
            ("/apis/batch/v1/namespaces/default/cronjobs", {"metadata": {"name": "same-c"}, "spec": {
                "schedule": "* * * * *", "suspend": True, "jobTemplate": {"spec": {"template": {"spec": one}}}}}),
            ("/apis/storage.k8s.io/v1/storageclasses", {"metadata": {"name": "same-s"}, "provisioner": "x.y/z",
                                                        "allowVolumeExpansion": True}),
            ("/apis/apps/v1/namespaces/default/controllerrevisions", {"metadata": {"name": "same-r"}, "data": {"a": 1},
                                                                "revision": 3}),
            ("/api/v1/namespaces/default/events", {
                "metadata": {"name": "same-ev"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
                "reason": "R", "message": "hello", "type": "Normal", "count": 3,
                "source": {"component": "c", "host": "h"}})):
        assert raw.post(path, body).status == 201, path
    assert columns(raw, "/api/v1/nodes")["same-n"][2] == "control-plane,x"
    assert columns(raw, "/api/v1/persistentvolumes")["same-pv"][1] == "5Gi"
    assert columns(raw, "/api/v1/namespaces/default/endpoints")["same-e"][1] == \
        "10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more..."
    assert columns(raw, "/apis/batch/v1/namespaces/default/cronjobs")["same-c"][3] == "True"
    assert columns(raw, "/apis/storage.k8s.io/v1/storageclasses")["same-s"][4] is True
    assert columns(raw, "/apis/apps/v1/namespaces/default/controllerrevisions")["same-r"][2] == 3
    for group in ("/api/v1", "/apis/events.k8s.io/v1"):
        cells = columns(raw, f"{group}/namespaces/default/events")["same-ev"]
        assert cells[1:7] == ["Normal", "R", "pod/p", "", "c, h", "hello"] and cells[8:] == [3, "same-ev"]


OPENAPI = {
    "/api/v1/namespaces/{namespace}/pods/{name}/log": {"get": ("readCoreV1NamespacedPodLog", "get", "core_v1")},
    "/api/v1/nodes/{name}/proxy/{path}": {"head": ("connectCoreV1HeadNodeProxyWithPath", "connect", "core_v1"),
                                          "options": ("connectCoreV1OptionsNodeProxyWithPath", "connect", "core_v1")},
    "/apis/rbac.authorization.k8s.io/v1/clusterroles": {
        "post": ("createRbacAuthorizationV1ClusterRole", "post", "rbacAuthorization_v1")},
}


def test_operations_of_openapi(raw):
    for version in ("v2", "v3"):
        paths = {}
        if version == "v2":
            paths = raw.get("/openapi/v2").json()["paths"]
        else:
            for group in ("api/v1", "apis/rbac.authorization.k8s.io/v1", "version", "openid/v1/jwks"):
                paths |= raw.get(f"/openapi/v3/{group}").json()["paths"]
        for path, operations in OPENAPI.items():
            for method, (name, action, tag) in operations.items():
                op = paths[path][method]
                assert (op["operationId"], op["x-kubernetes-action"], op["tags"]) == (name, action, [tag])
        assert paths["/version/"]["get"]["operationId"] == "getCodeVersion"
        assert paths["/openid/v1/jwks/"]["get"]["tags"] == ["openid"]
        for path, item in paths.items():
            for method, op in item.items():
                assert method == "parameters" or op["description"], (path, method)


def test_definitions_of_openapi(raw):
    two = raw.get("/openapi/v2").json()["definitions"]
    three = raw.get("/openapi/v3/apis/apps/v1").json()["components"]["schemas"]
    spec = "io.k8s.api.core.v1.PersistentVolumeClaimSpec"
    for schemas in (two, three):
        modes = schemas[spec]["properties"]["accessModes"]
        assert modes["items"] == {"type": "string", "enum": ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce",
                                                             "ReadWriteOncePod"]}
        assert schemas["io.k8s.api.core.v1.SeccompProfile"]["x-kubernetes-unions"][0]["discriminator"] == "type"
        assert all("default" not in p.get("items", {}) for s in schemas.values()
                   for p in s.get("properties", {}).values())
    assert not any("default" in p for n, s in two.items() for p in s.get("properties", {}).values())
    assert three["io.k8s.api.core.v1.Container"]["properties"]["name"]["default"] == ""
    assert [g["group"] for g in three["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"][
        "x-kubernetes-group-version-kind"]] == ["", "apps"]
    usages = two["io.k8s.api.certificates.v1.CertificateSigningRequestSpec"]["properties"]["usages"]["items"]["enum"]
    assert "digital signature" in usages and "s/mime" in usages and len(usages) == 23
    assert "IPv4" in two["io.k8s.api.discovery.v1.EndpointSlice"]["properties"]["addressType"]["enum"]


def test_reviews_and_whom_one_may_be(raw):
    reviews = "/apis/authorization.k8s.io/v1"
    for kind, body, words in (
            ("selfsubjectaccessreviews", {"spec": {}},
             "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes "
             "must be specified"),
            ("subjectaccessreviews", {"spec": {"resourceAttributes": {"verb": "get"}}},
             'spec.user: Invalid value: "": at least one of user or group must be specified')):
        assert status_of(raw.post(f"{reviews}/{kind}", body), 422, "Invalid")["message"] == \
            f'.authorization.k8s.io "" is invalid: {words}'
    rules = raw.post(f"{reviews}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}).json()
    assert rules["spec"] == {} and rules["status"]["resourceRules"]
    me = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    who = raw.post(me, {}).json()["status"]["userInfo"]
    assert who["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("X509SHA256=")
    s = status_of(raw.post(me, {}, {"Impersonate-Group": "x"}), 400, "BadRequest")
    assert s["message"] == ('requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"x"}, '
                            "Extra:map[string][]string(nil)} without impersonating a user name")
    review = raw.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "abc"}}).json()
    assert review["status"] == {"error": "invalid bearer token", "user": {}}


def test_words_of_apply(raw, maps):
    def apply(body):
        return raw.request("PATCH", f"{MAPS}/a", body, {"Content-Type": "application/apply-patch+yaml"},
                           fieldManager="m")

    for body, words in (
            ("[]", "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type "
                   "map[string]interface {}"),
            ("a: b: c", "error converting YAML to JSON: yaml: mapping values are not allowed in this context")):
        assert status_of(apply(body), 400, "BadRequest")["message"] == f"error decoding YAML: {words}"


def test_a_key_that_is_not_given_is_empty(raw):
    """Keys of lists that are always written have their zero for a default: validation says what is missing."""
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "keys"},
            "spec": {"containers": [{"image": "i"}]}}
    answer = raw.request("PATCH", "/api/v1/namespaces/default/pods/keys", json.dumps(body),
                         {"Content-Type": "application/apply-patch+yaml"}, fieldManager="m")
    assert "spec.containers[0].name: Required value" in status_of(answer, 422, "Invalid")["message"]


def test_a_job_bears_its_templates_labels(raw):
    body = {"metadata": {"name": "same-j"}, "spec": {"template": {"spec": {
        "containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}}}
    made = raw.post("/apis/batch/v1/namespaces/default/jobs", body).json()
    assert made["metadata"]["labels"] == made["spec"]["template"]["metadata"]["labels"]
    assert made["metadata"]["labels"]["job-name"] == "same-j"

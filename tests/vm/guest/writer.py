#!/usr/bin/env python3
"""Creates, changes and deletes ConfigMaps as fast as it can, four at a time, and says a line of what the API server
has acknowledged: "NAME VALUE" is there with that value, "NAME -" is gone. Before each request: "NAME ?"."""

import http.client
import json
import re
import ssl
import sys
import tempfile
import threading
from base64 import b64decode

NAMESPACE = "/api/v1/namespaces/default/configmaps"
lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


def connect(path):
    conf = open(path).read()

    def field(name):
        return re.search(rf"{name}: *\"?([^\s\"]+)", conf).group(1)

    context = ssl.create_default_context(cadata=b64decode(field("certificate-authority-data")).decode())
    with tempfile.NamedTemporaryFile() as f:
        f.write(b64decode(field("client-certificate-data")) + b"\n" + b64decode(field("client-key-data")))
        f.flush()
        context.load_cert_chain(f.name)
    host, port = re.match(r"https://(.*):(\d+)", field("server")).groups()
    return http.client.HTTPSConnection(host, int(port), context=context)


def write(path, prefix):
    connection = connect(path)

    def ask(method, at, body=None):
        connection.request(method, at, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 201), text

    def config_map(name, value):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
                "data": {"value": value, "ballast": "x" * (len(value) * 100 % 9000)}}

    for i in range(1 << 30):
        name = f"{prefix}-{i}"
        say(name, "?")
        ask("POST", NAMESPACE, config_map(name, f"new-{i}"))
        say(name, f"new-{i}")
        if i % 3 == 1:
            say(name, "?")
            ask("PUT", f"{NAMESPACE}/{name}", config_map(name, f"changed-{i}"))
            say(name, f"changed-{i}")
        if i % 5 == 4:
            say(name, "?")
            ask("DELETE", f"{NAMESPACE}/{name}")
            say(name, "-")


for n in range(4):
    threading.Thread(target=write, args=(sys.argv[1], f"{sys.argv[2]}-{n}")).start()

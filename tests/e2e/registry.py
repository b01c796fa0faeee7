"""Image registries for tests: Debian's docker-registry, and one of our own that can be told to misbehave; and images
for them."""

import gzip
import hashlib
import http.server
import json
import socket
import ssl
import subprocess
import threading
import urllib.parse
import urllib.request

from harness import free_port
from images import busybox_layer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    """Blobs and a manifest, one layer a file set."""

    def __init__(self, *layers, media_type=MANIFEST, config=None):
        tars = [busybox_layer([(f"{n}.txt", text, 0o644)]) for n, text in enumerate(layers)]
        packed = [gzip.compress(t, 1) for t in tars]
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": config or {"Cmd": ["sh"]},
                             "rootfs": {"type": "layers", "diff_ids": [sha(t) for t in tars]}}).encode()
        self.id, self.layers = sha(config), [sha(p) for p in packed]
        self.blobs = {sha(b): b for b in [config, *packed]}
        self.media_type = media_type
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": media_type,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": self.id,
                       "size": len(config)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": sha(p), "size": len(p)}
                       for p in packed]}).encode()


def index_of(image):
    """An index whose first entry is for another machine."""
    def entry(digest, size, architecture):
        return {"mediaType": image.media_type, "digest": digest, "size": size,
                "platform": {"os": "linux", "architecture": architecture}}
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        entry("sha256:" + "0" * 64, 10, "s390x"), entry(sha(image.manifest), len(image.manifest), "amd64")]}).encode()


# --- Debian's registry ---


class Debian:
    """docker-registry on loopback; over HTTPS when it is given a certificate and its key."""

    def __init__(self, directory, certificate=None, key=None):
        self.port = free_port()
        config = directory / "registry.yml"
        config.write_text(json.dumps({
            "version": "0.1", "storage": {"filesystem": {"rootdirectory": str(directory / "registry")}},
            "http": {"addr": f"127.0.0.1:{self.port}",
                     **({"tls": {"certificate": str(certificate), "key": str(key)}} if key else {})}}))
        self.scheme = "https" if key else "http"
        self.trust = ssl.create_default_context(cafile=str(certificate)) if key else None
        self.log = open(directory / "registry.log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=self.log,
                                        stderr=subprocess.STDOUT)
        self.host = f"127.0.0.1:{self.port}"
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except ConnectionRefusedError:
                assert self.process.poll() is None
                threading.Event().wait(0.02)

    def request(self, method, path, body=b"", kind="application/octet-stream"):
        url = path if path.startswith("http") else f"{self.scheme}://{self.host}/v2/{path}"
        q = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind})
        with urllib.request.urlopen(q, timeout=10, context=self.trust) as answer:
            return answer.headers

    def push(self, repository, tag, image, index=None):
        for digest, blob in image.blobs.items():
            place = self.request("POST", f"{repository}/blobs/uploads/")["Location"]
            self.request("PUT", place + ("&" if "?" in place else "?") + urllib.parse.urlencode({"digest": digest}), blob)
        self.request("PUT", f"{repository}/manifests/{sha(image.manifest) if index else tag}", image.manifest,
                     image.media_type)
        if index:
            self.request("PUT", f"{repository}/manifests/{tag}", index, INDEX)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


# --- a registry of the test's own ---


class Registry:
    """Serves images; hooks change what it does. Every request is kept with its headers."""

    def __init__(self):
        self.images, self.seen, self.hooks, self.lock = {}, [], [], threading.Lock()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, code, body=b"", headers=()):
                self.send_response(code)
                for k, v in headers:
                    self.send_header(k, v)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                with registry.lock:
                    registry.seen.append((self.path, dict(self.headers)))
                for hook in registry.hooks:
                    if hook(self):
                        return
                registry.serve(self)

            do_POST = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, h):
        parts = h.path.split("/")
        image = self.images.get("/".join(parts[2:-2]))
        if image and parts[-2] == "manifests" and parts[-1] == sha(image.manifest):
            return h.answer(200, image.manifest, [("Content-Type", image.media_type)])
        if image and parts[-2] == "manifests":
            return h.answer(200, index_of(image), [("Content-Type", INDEX)])
        if image and parts[-1] in image.blobs:
            return h.answer(200, image.blobs[parts[-1]])
        return h.answer(404, b'{"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]}')

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

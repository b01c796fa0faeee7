"""Small images as OCI archives, made of a static busybox: no registry, no build tool."""

import hashlib
import io
import json
import tarfile

APPLETS = ("sh", "ash", "cat", "cp", "date", "dd", "echo", "env", "false", "grep", "head", "hostname", "httpd",
           "id", "ip", "kill", "ls", "mkdir", "mount", "nc", "nslookup", "printf", "ps", "rm", "seq", "sleep",
           "stat", "stty", "sysctl", "tail", "test", "touch", "true", "tty", "wc", "wget", "whoami", "yes", "tar",
           "mv", "sync", "sed", "sort", "tr", "chmod", "chown", "ln", "readlink", "pwd", "getent", "timeout")


def _add(tar, name, data=b"", mode=0o644, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = len(data), mode, kind, link
    tar.addfile(info, io.BytesIO(data) if kind == tarfile.REGTYPE else None)


def busybox_layer(files=()):
    """A layer with busybox and its applets; files: (name, bytes, mode) beside them."""
    out = io.BytesIO()
    with open("/bin/busybox", "rb") as f:
        program = f.read()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for d in ("bin", "etc", "tmp", "proc", "sys", "dev", "root", "var", "www"):
            _add(tar, d, mode=0o1777 if d == "tmp" else 0o755, kind=tarfile.DIRTYPE)
        _add(tar, "bin/busybox", program, 0o755)
        for a in APPLETS:
            _add(tar, f"bin/{a}", kind=tarfile.SYMTYPE, link="busybox")
        _add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n")
        _add(tar, "etc/group", b"root:x:0:\nweb:x:1000:\n")
        for name, data, mode in files:
            _add(tar, name, data, mode)
    return out.getvalue()


def write_oci_archive(path, name, files=(), config=None):
    """An OCI archive at path with one image called name ("busybox:1")."""
    layer = busybox_layer(files)
    digest = "sha256:" + hashlib.sha256(layer).hexdigest()
    settings = {"Env": ["PATH=/bin"], "Cmd": ["sh"]} | (config or {})
    image = json.dumps({"architecture": "amd64", "os": "linux", "config": settings,
                        "rootfs": {"type": "layers", "diff_ids": [digest]}}).encode()

    def blob(data):
        return "sha256:" + hashlib.sha256(data).hexdigest()

    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob(image), "size": len(image)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": len(layer)}],
    }).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": blob(manifest), "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": name}}]}).encode()
    with tarfile.open(path, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", index)
        for data in (layer, image, manifest):
            _add(tar, "blobs/sha256/" + blob(data)[7:], data)
    return path

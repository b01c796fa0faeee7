"""pintle-image pull: from Debian's docker-registry, and from small registries that ask for tokens, redirect, lie or
break off."""

import base64
import json
import subprocess
import urllib.error
import urllib.parse
from pathlib import Path

import pytest

from harness import PINTLE, SLOWER, free_port
from registry import DOCKER_MANIFEST, INDEX, MANIFEST, Debian, Image, Registry, index_of, sha

PROGRAM = str(Path(PINTLE).parent / "pintle-image")
def pull(store, name, *flags, auth=None, check=True):
    done = subprocess.run([PROGRAM, "--store", str(store), *map(str, flags), *(["--credentials"] if auth else []),
                           "pull", name], input=auth or "", capture_output=True, text=True, timeout=60 * SLOWER)
    assert not check or done.returncode == 0, done.stderr
    return done


def listed(store):
    done = subprocess.run([PROGRAM, "--store", str(store), "ls"], capture_output=True, text=True, check=True)
    return dict(line.split("\t") for line in done.stdout.splitlines())


# --- Debian's registry ---


@pytest.fixture(scope="module")
def debian(workdir):
    r = Debian(workdir)
    yield r
    r.stop()


@pytest.mark.parametrize("kind", [MANIFEST, DOCKER_MANIFEST])
def test_pull_by_tag_and_digest(debian, scratch, kind):
    image = Image(b"one", b"two", b"three", b"four", b"five", media_type=kind)
    name = f"team/{'oci' if kind == MANIFEST else 'docker'}"
    debian.push(name, "1", image)
    assert pull(scratch, f"{debian.host}/{name}:1").stdout.strip() == image.id
    assert listed(scratch) == {f"{debian.host}/{name}:1": image.id}
    assert len(list((scratch / "layers").iterdir())) == 5
    assert not list((scratch / "downloads").iterdir())
    pull(scratch, f"{debian.host}/{name}@{sha(image.manifest)}")


def test_index(debian, scratch):
    image = Image(b"indexed")
    debian_index = index_of(image)
    with pytest.raises(urllib.error.HTTPError):  # an entry that is not there is refused by this registry
        debian.push("team/index", "1", image, debian_index)
    whole = json.loads(debian_index)
    whole["manifests"] = whole["manifests"][1:]
    debian.push("team/index", "1", image, json.dumps(whole).encode())
    assert pull(scratch, f"{debian.host}/team/index:1").stdout.strip() == image.id


def test_unknown(debian, scratch):
    done = pull(scratch, f"{debian.host}/team/nothing:1", check=False)
    name = f"{debian.host}/team/nothing:1"
    assert done.returncode == 4
    assert done.stderr.strip() == (f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": '
                                   f'{name}: not found')


def test_nobody_there(scratch):
    done = pull(scratch, f"127.0.0.1:{free_port()}/x:1", check=False)
    assert done.returncode == 1 and "failed to do request: Get" in done.stderr and "Connection refused" in done.stderr


# --- a registry of the test's own ---


@pytest.fixture
def registry():
    r = Registry()
    yield r
    r.stop()


@pytest.fixture
def other():
    r = Registry()
    yield r
    r.stop()


def ask_for_token(registry, realm, token="abc.def"):
    def hook(h):
        if h.path.startswith("/v2/") and h.headers.get("Authorization") != f"Bearer {token}":
            h.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
                     [("WWW-Authenticate", f'Bearer realm="{realm}",service="s 1",scope="repository:a/b:pull"')])
            return True
        return False
    registry.hooks.append(hook)


def test_token(registry, other, scratch):
    registry.images["a/b"] = image = Image(b"token")
    ask_for_token(registry, f"http://{other.host}/token")

    def give(h):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(h.path).query)
        assert query == {"service": ["s 1"], "scope": ["repository:a/b:pull"]}
        wanted = "Basic " + base64.b64encode(b"me:pa:ss").decode()
        if h.headers.get("Authorization") == wanted:
            h.answer(200, b'{"token":"abc.def"}')
        else:
            h.answer(401, b'{"details":"incorrect username or password"}')
        return True
    other.hooks.append(give)
    done = pull(scratch, f"{registry.host}/a/b:1", check=False)
    assert done.returncode == 1 and "failed to fetch anonymous token" in done.stderr
    assert "incorrect username or password" in done.stderr and "pull access denied" in done.stderr
    assert pull(scratch, f"{registry.host}/a/b:1", auth="me\npa:ss\n\n\n").stdout.strip() == image.id
    assert not any("Basic" in h.get("Authorization", "") for _, h in registry.seen)


def test_basic(registry, scratch):
    registry.images["a/b"] = image = Image(b"basic")

    def hook(h):
        if h.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:secret").decode():
            return False
        h.answer(401, b"", [("WWW-Authenticate", 'Basic realm="x"')])
        return True
    registry.hooks.append(hook)
    assert "pull access denied" in pull(scratch, f"{registry.host}/a/b:1", check=False).stderr
    wrong = pull(scratch, f"{registry.host}/a/b:1", auth="me\nwrong\n\n\n", check=False)
    assert wrong.returncode == 1 and "secret" not in wrong.stderr and "wrong" not in wrong.stderr
    assert pull(scratch, f"{registry.host}/a/b:1", auth="me\nsecret\n\n\n").stdout.strip() == image.id
    (scratch / "r.yaml").write_text(f"registries:\n- name: r.example:5000\n  endpoint: http://{registry.host}\n"
                                    "  username: me\n  password: secret\n")
    pull(scratch / "s", "r.example:5000/a/b:1", "--registries", scratch / "r.yaml")
    assert listed(scratch / "s") == {"r.example:5000/a/b:1": image.id}


def test_identity_token(registry, scratch):
    registry.images["a/b"] = image = Image(b"identity")
    ask_for_token(registry, f"http://{registry.host}/token")

    def give(h):
        if h.path != "/token":
            return False
        form = urllib.parse.parse_qs(h.rfile.read(int(h.headers["Content-Length"])).decode())
        assert form["grant_type"] == ["refresh_token"] and form["refresh_token"] == ["re/fresh"]
        h.answer(200, b'{"access_token":"abc.def"}')
        return True
    registry.hooks.append(give)
    assert pull(scratch, f"{registry.host}/a/b:1", auth="\n\n\nre/fresh\n").stdout.strip() == image.id


def test_redirects_take_no_credentials(registry, other, scratch):
    registry.images["a/b"] = other.images["a/b"] = image = Image(b"elsewhere")

    def away(h):
        if "/blobs/" not in h.path:
            return False
        h.answer(307, b"", [("Location", f"http://{other.host}{h.path}")])
        return True
    registry.hooks.append(away)
    assert pull(scratch, f"{registry.host}/a/b:1", auth="\n\nsome.token\n\n").stdout.strip() == image.id
    assert other.seen and all("Authorization" not in h for _, h in other.seen)
    assert all(h.get("Authorization") == "Bearer some.token" for _, h in registry.seen)
    # What the other asks for is not given either.
    other.hooks.append(lambda h: h.answer(401, b"", [("WWW-Authenticate", 'Basic realm="x"')]) or True)
    assert pull(scratch / "s", f"{registry.host}/a/b:1", auth="me\nsecret\n\n\n", check=False).returncode == 1
    assert all("Authorization" not in h for _, h in other.seen)


def test_redirect_to_link_local(registry, scratch):
    registry.images["a/b"] = Image(b"link-local")
    registry.hooks.append(lambda h: "/blobs/" in h.path and
                          (h.answer(307, b"", [("Location", "http://169.254.169.254/latest")]) or True))
    done = pull(scratch, f"{registry.host}/a/b:1", check=False)
    assert done.returncode == 1 and "may not name" in done.stderr


def test_wrong_bytes(registry, scratch):
    registry.images["a/b"] = image = Image(b"good", b"better")
    good = image.blobs[image.layers[1]]
    image.blobs[image.layers[1]] = good[:-1] + bytes([good[-1] ^ 1])
    done = pull(scratch, f"{registry.host}/a/b:1", check=False)
    assert done.returncode == 1 and "unexpected commit digest" in done.stderr and not listed(scratch)
    image.blobs[image.layers[1]] = good + b"more"
    done = pull(scratch, f"{registry.host}/a/b:1", check=False)
    assert done.returncode == 1 and not listed(scratch)
    image.blobs[image.layers[1]] = good
    assert pull(scratch, f"{registry.host}/a/b:1").stdout.strip() == image.id


def test_resume(registry, scratch):
    """A layer that breaks off is taken up where it ended, in the same pull and in the next."""
    registry.images["a/b"] = image = Image(b"long")
    layer, broken = image.blobs[image.layers[0]], []

    def hook(h):
        if not h.path.endswith(image.layers[0]):
            return False
        begin = int(h.headers.get("Range", "bytes=0-")[6:-1])
        end = len(layer) if len(broken) > 4 else begin + len(layer) // 8
        broken.append(begin)
        h.send_response(206 if begin else 200)
        h.send_header("Content-Length", str(len(layer) - begin))
        h.end_headers()
        h.wfile.write(layer[begin:end])
        h.close_connection = True
        return True
    registry.hooks.append(hook)
    assert pull(scratch, f"{registry.host}/a/b:1", check=False).returncode == 1
    assert len(broken) == 4 and broken == sorted(set(broken)) and broken[1] > 0
    assert pull(scratch, f"{registry.host}/a/b:1").stdout.strip() == image.id
    assert broken[4] > broken[3]


def test_https_is_the_rule(registry, scratch):
    (scratch / "r.yaml").write_text(f"registries:\n- name: r.example\n  endpoint: https://{registry.host}\n")
    registry.images["a/b"] = Image(b"tls")
    done = pull(scratch, "r.example/a/b:1", "--registries", scratch / "r.yaml", check=False)
    assert done.returncode == 1 and "https://" in done.stderr and not registry.seen


@pytest.fixture(scope="module")
def secure(workdir):
    """Debian's registry over HTTPS, with a certificate that no machine trusts by itself."""
    directory = workdir / "secure"
    directory.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                    "-keyout", directory / "key.pem", "-out", directory / "ca.pem"], check=True, capture_output=True)
    r = Debian(directory, directory / "ca.pem", directory / "key.pem")
    r.authority = directory / "ca.pem"
    yield r
    r.stop()


def test_over_https(secure, scratch):
    image = Image(b"secret", b"sauce")
    secure.push("a/b", "1", image)
    said = []
    for more in ("", f"  caFile: {secure.authority}\n", "  skipVerify: true\n"):
        (scratch / "r.yaml").write_text(f"registries:\n- name: r.example\n  endpoint: https://{secure.host}\n{more}")
        done = pull(scratch / f"s{len(said)}", "r.example/a/b:1", "--registries", scratch / "r.yaml", check=False)
        said.append((done.returncode, done.stdout.strip()))
        assert done.returncode == 0 or "certificate" in done.stderr, done.stderr
    assert said == [(1, ""), (0, image.id), (0, image.id)]


def test_a_certificate_is_for_a_name(secure, scratch):
    """A registry that is asked by another name than its certificate bears is not believed."""
    endpoint = secure.host.replace("127.0.0.1", "localhost")
    (scratch / "r.yaml").write_text(f"registries:\n- name: r.example\n  endpoint: https://{endpoint}\n"
                                    f"  caFile: {secure.authority}\n")
    done = pull(scratch, "r.example/a/b:1", "--registries", scratch / "r.yaml", check=False)
    assert done.returncode == 1 and "certificate" in done.stderr, done.stderr


@pytest.mark.parametrize("text,words", [
    ("registries: 1\n", "no list"), ("registries:\n- endpoint: http://x\n", "no name"),
    ("registries:\n- name: r.example\n  endpoint: ftp://x\n", "endpoint must be"),
    ("registries:\n- name: r.example\n  entpoint: http://x\n", "unknown field 'entpoint'")])
def test_bad_registries_file(scratch, text, words):
    (scratch / "r.yaml").write_text(text)
    done = pull(scratch, "r.example/a/b:1", "--registries", scratch / "r.yaml", check=False)
    assert done.returncode == 1 and words in done.stderr


def test_together(registry, scratch):
    """Two pulls of one image at once."""
    registry.images["a/b"] = image = Image(b"together", b"twice")
    argv = [PROGRAM, "--store", str(scratch), "pull", f"{registry.host}/a/b:1"]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for p in both:
        out, err = p.communicate(timeout=60 * SLOWER)
        assert p.returncode == 0 and out.strip() == image.id, err
    assert not list((scratch / "downloads").iterdir())

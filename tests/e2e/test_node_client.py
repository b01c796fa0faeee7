"""The official JavaScript client and its informer: tests/e2e/node/client.mjs."""

import os
import shutil
import subprocess

import pytest

from harness import TOOLS

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.mark.skipif(not shutil.which("node"), reason="no Node.js")
def test_every_check_passes(server, scratch, raw):
    """Modules are found beside the program: it runs as a copy where they are."""
    program = os.path.join(TOOLS, "node", f"client-{os.getpid()}.mjs")
    shutil.copyfile(os.path.join(HERE, "node/client.mjs"), program)
    try:
        done = subprocess.run(["node", program, str(server.kubeconfig), "default"], capture_output=True, text=True,
                              timeout=120, env={"PATH": os.environ["PATH"], "HOME": str(scratch)})
    finally:
        os.unlink(program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 7, done.stdout

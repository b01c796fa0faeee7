"""A code generator reads the OpenAPI documents: openapi-typescript (tests/e2e/codegen), and a compiler what it
made of them."""

import os
import shutil
import subprocess

import pytest

from harness import TOOLS
from test_crd import wait

HERE = os.path.dirname(os.path.abspath(__file__))
GADGETS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.codegen.example.com"},
    "spec": {"group": "codegen.example.com", "scope": "Namespaced", "names": {"plural": "gadgets", "kind": "Gadget"},
             "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                 "type": "object", "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
                     "size": {"type": "integer"}, "mode": {"type": "string", "enum": ["fast", "safe"]}}}}}}}]}}


@pytest.mark.skipif(not shutil.which("node"), reason="no Node.js")
def test_types_are_generated_and_compile(server, scratch, raw):
    assert raw.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", GADGETS).status == 201
    wait(lambda: raw.get("/apis/codegen.example.com/v1/gadgets").status == 200)
    bin_dir = os.path.join(TOOLS, "codegen", "node_modules", ".bin")

    def run(program, *args):
        done = subprocess.run([os.path.join(bin_dir, program), *args], capture_output=True, text=True, timeout=120,
                              cwd=scratch, env={"PATH": os.environ["PATH"], "HOME": str(scratch)})
        assert done.returncode == 0, done.stdout + done.stderr

    for name, path in (("apps", "apis/apps/v1"), ("custom", "apis/codegen.example.com/v1")):
        (scratch / f"{name}.json").write_bytes(raw.get(f"/openapi/v3/{path}").body)
        run("openapi-typescript", f"{name}.json", "-o", f"{name}.ts", "--default-non-nullable=false")
    shutil.copyfile(os.path.join(HERE, "codegen/use.ts"), scratch / "use.ts")
    run("tsc", "--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler",
        "use.ts")

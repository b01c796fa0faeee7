#!/usr/bin/env python3
"""What bench/crd sends, into a directory: a definition of 1,000 fields, an object with all of them
and one with few, and ConfigMaps of as many entries and about as many bytes."""

import json
import sys
from pathlib import Path

FIELDS = 1000
KINDS = [
    ({"type": "string", "maxLength": 40, "pattern": "^[a-z]+-[0-9]+$"}, "value-17"),
    ({"type": "integer", "minimum": 0, "maximum": 1000}, 17),
    ({"type": "string", "enum": ["red", "green", "blue"]}, "green"),
    ({"type": "boolean"}, True),
]


def field(i):
    return f"field{i:04}"


def spec(n):
    return {field(i): KINDS[i % len(KINDS)][1] for i in range(n)}


def config_map(n):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "m-"},
            "data": {k: str(v) for k, v in spec(n).items()}}


def wide(n):
    return {"apiVersion": "bench.example.com/v1", "kind": "Wide",
            "metadata": {"generateName": "w-"}, "spec": spec(n)}


schema = {"type": "object", "properties": {"spec": {
    "type": "object", "properties": {field(i): KINDS[i % len(KINDS)][0] for i in range(FIELDS)}}}}
crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
       "metadata": {"name": "wides.bench.example.com"},
       "spec": {"group": "bench.example.com", "scope": "Namespaced",
                "names": {"plural": "wides", "kind": "Wide"},
                "versions": [{"name": "v1", "served": True, "storage": True,
                              "schema": {"openAPIV3Schema": schema}}]}}

out = Path(sys.argv[1])
for name, body in (("crd", crd), ("wide", wide(FIELDS)), ("wide-map", config_map(FIELDS)),
                   ("small", wide(50)), ("small-map", config_map(50))):
    (out / f"{name}.json").write_text(json.dumps(body))

"""The schema compiler refuses bad .kapi text and says where. KAPIC names the program."""

import os
import subprocess

import pytest

KAPIC = os.environ.get("KAPIC", "build/kapic")
GROUP = "group a/v1\n    proto x\n"  # two lines; what follows begins at line 3
TYPE = GROUP + "type A -- A.\n    f string 1 -- F.\n"  # four lines
RESOURCE = TYPE + "resource as\n    kind A\n"  # six lines

BAD = [
    ("group a\n", "1: group needs NAME/VERSION"),
    ("type A\n", "1: type before group"),
    ("enum E: a\n", "1: enum before group"),
    ("resource as\n", "1: resource before group"),
    (GROUP + "type A\n    f nothing 1\n", "4: unknown type 'nothing'"),
    (GROUP + "type A\n    f string 0\n", "4: '0' is no protobuf number"),
    (GROUP + "type A\n    f string\n", "4: a field needs NAME TYPE NUMBER"),
    (GROUP + "type A\n    f string 1 sparkling\n", "4: unknown mark 'sparkling'"),
    (GROUP + "type A\n    f string 1 enum=No\n", "4: unknown enum 'No'"),
    (GROUP + "type A\n    .f string -\n", "4: only a struct can be inline"),
    (GROUP + "type A\n    f A 1\n", "3: 'A' holds itself by value"),
    (TYPE + "    f string 2\n", "5: 'f' stands twice"),
    (TYPE + "    g string 1\n", "5: protobuf number 1 stands twice"),
    (TYPE + "type A\n", "5: type 'A' stands twice"),
    (GROUP + "resource as\n    kind A\n", "3: unknown kind 'A'"),
    (RESOURCE + "    verbs dance\n", "7: unknown verb 'dance'"),
    (RESOURCE + "    scope here\n", "7: scope is namespaced or cluster"),
    (RESOURCE + "    store /registry/as A\n", "7: store needs PREFIX/ TYPE"),
    (RESOURCE + '    column "X" string\n', '7: column needs "NAME" TYPE PRIORITY [name] CELL'),
    (RESOURCE + "    flags loud\n", "7: unknown flag 'loud'"),
    (RESOURCE + '    column "X string\n', "7: a quote that does not end"),
    (GROUP + 'enum E: "\n', "3: a quote that does not end"),
    ("common f string\n", "1: common needs NAME TYPE -- TEXT"),
    (GROUP + "type A\n    f string 1 -- F.\n", "3: type 'A' has no description"),
    (GROUP + "type A -- A.\n    f string 1\n", "4: field 'f' of 'A' has no description"),
    (TYPE + "common g string -- Says something.\n", "5: no field takes this text"),
    ("group a/v1\n    proto x\n    docs b/v1\ntype A -- A.\n", "1: docs of unknown group 'b/v1'"),
]


def compile_text(tmp_path, text):
    source = tmp_path / "x.kapi"
    source.write_text(text)
    return subprocess.run(
        [KAPIC, "-o", str(tmp_path), str(source)], capture_output=True, text=True, timeout=10
    )


@pytest.mark.parametrize("text, message", BAD)
def test_refuses(tmp_path, text, message):
    r = compile_text(tmp_path, text)
    assert r.returncode == 1
    assert r.stderr.strip().endswith("x.kapi:" + message)


def test_accepts(tmp_path):
    r = compile_text(tmp_path, TYPE)
    assert (r.returncode, r.stderr) == (0, "")
    assert "struct a_v1_a" in (tmp_path / "api" / "a_v1.h").read_text()


def test_shares_descriptions(tmp_path):
    older = "group a/v0\n    proto x\n    docs a/v1\ntype A\n    f string 1\n"
    older += "    g *int32 2\n    h []A 3\n"  # h says what its type says
    r = compile_text(tmp_path, older + TYPE + "common g *int32 -- Shared text.\n")
    assert (r.returncode, r.stderr) == (0, "")
    tables = (tmp_path / "api_tables.c").read_text()
    for text in ("A.", "F.", "Shared text."):
        assert tables.count('"' + text + "\\000") == 1

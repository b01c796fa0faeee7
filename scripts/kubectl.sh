#!/usr/bin/env bash
# Prints the path of a kubectl that is recent enough (1.32): $KUBECTL, that in PATH, or one of the test clients.
#
#   scripts/kubectl.sh              exit code 1, and how to get one on standard error, when there is none
#   scripts/kubectl.sh --install    installs the test clients' when there is none
set -euo pipefail
cd "$(dirname "$0")/.."

recent() {
    local minor
    command -v "$1" >/dev/null || return 1
    minor=$("$1" version --client -o json 2>/dev/null | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p' | head -n 1)
    [ -n "$minor" ] && [ "$minor" -ge 32 ]
}

for kubectl in ${KUBECTL:-} kubectl "$PWD/build/tools/kubectl-1.36"; do
    if recent "$kubectl"; then
        command -v "$kubectl"
        exit 0
    fi
done
if [ "${1-}" = --install ]; then
    scripts/deps.sh clients >&2
    scripts/test-tools.sh kubectl-1.36 >&2
    echo "$PWD/build/tools/kubectl-1.36"
    exit 0
fi
arch=$(dpkg --print-architecture 2>/dev/null || echo amd64)
cat >&2 <<TEXT
kubectl is missing, or older than 1.32 (Debian's own is 1.20). To get one:
  curl -fLo /usr/local/bin/kubectl https://dl.k8s.io/release/v1.36.0/bin/linux/$arch/kubectl
  chmod +x /usr/local/bin/kubectl
TEXT
exit 1

#!/usr/bin/env bash
# The demo: a Python script becomes an image, the image three Pods, and a Service answers: `make demo`.
#
#   scripts/demo.sh BUILD_DIRECTORY [--root DIR]      the cluster is up already
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
shift
root=/var/lib/pintle
case ${1-} in
--root=*) root=${1#--root=} ;;
--root) root=$2 ;;
esac
[ -e "$root/admin.conf" ] || { echo "demo: no cluster is up at $root: run 'make up' first" >&2; exit 1; }
export KUBECONFIG=$root/admin.conf
scripts/deps.sh demo
kubectl=$(scripts/kubectl.sh --install)
k() { "$kubectl" "$@"; }
say() { printf '\n== %s\n' "$*"; }

say "examples/hello/hello.py becomes an image (examples/hello/Containerfile, buildah)"
scripts/demo-image.sh "$build/demo" 1 2
for version in 1 2; do "$build/pintle" image --root "$root" load "$build/demo/hello-$version.tar"; done

say "kubectl apply -f examples/hello"
k apply -f examples/hello
k rollout status deployment/hello --timeout=60s
k get pods -l app=hello -o wide

cluster_ip=$(k get service hello -o jsonpath='{.spec.clusterIP}')
node_ip=$(k get nodes -o jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}')
node_port=$(k get service hello-node -o jsonpath='{.spec.ports[0].nodePort}')
ask() { curl -sS --fail --max-time 5 --retry 5 --retry-connrefused "$@"; }

say "curl http://$cluster_ip/          (the Service's address)"
for _ in 1 2 3; do ask "http://$cluster_ip/"; done
say "curl http://$node_ip:$node_port/  (its port on a node)"
ask "http://$node_ip:$node_port/"
say "curl -H 'Authorization: Bearer ...' http://$cluster_ip/secret  (the token is in a Secret)"
ask -H "Authorization: Bearer $(k get secret hello -o jsonpath='{.data.token}' | base64 -d)" "http://$cluster_ip/secret"

cat <<TEXT

Try a rolling update:  kubectl set image deployment/hello hello=localhost/hello:2 && kubectl rollout status deployment/hello
Go back:               kubectl rollout undo deployment/hello
Remove it:             kubectl delete -f examples/hello
TEXT

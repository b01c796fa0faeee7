# Shared by the benches of whole clusters: one of ours, in memory or on disk, in a place of its own.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "a cluster needs root" >&2; exit 1; }

CLUSTER=$WORK/root
stop_cluster() { "$B/pintle" down --root "$CLUSTER" --purge >/dev/null; }
trap 'stop_cluster; cleanup' EXIT

BLOCK=$((128 + RANDOM % 100)) API_PORT=$(free_port) DNS_PORT=$(free_port)
start_cluster() { # FLAGS: prints what `pintle up` says
    "$B/pintle" up --detach --log "$WORK/log" --root "$CLUSTER" --secure-port "$API_PORT" --dns-port "$DNS_PORT" \
        --node-cidr "10.$BLOCK.255.0/24" --cluster-cidr "10.$BLOCK.0.0/17" \
        --service-cluster-ip-range "10.$BLOCK.128.0/18" "$@"
}

# Shared by the benches of whole clusters: one of ours, in memory or on disk, in a place of its own.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "a cluster needs root" >&2; exit 1; }

CLUSTER=$WORK/root
stop_cluster() { "$B/pintle" down --root "$CLUSTER" --purge >/dev/null; }
trap 'stop_cluster; cleanup' EXIT

start_cluster() { # FLAGS: prints what `pintle up` says
    local block=$((128 + RANDOM % 100))
    "$B/pintle" up --detach --log "$WORK/log" --root "$CLUSTER" --secure-port "$(free_port)" --dns-port "$(free_port)" \
        --node-cidr "10.$block.255.0/24" --cluster-cidr "10.$block.0.0/17" \
        --service-cluster-ip-range "10.$block.128.0/18" "$@"
}

# Shared by the benches: a server of ours in a directory of its own, a floor beside it, one line of result.
# Each bench prints "name: ours=... floor=... ratio=..." and leaves nothing behind.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
B=${B:-build}
WORK=$(mktemp -d)
PIDS=()

cleanup() {
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$WORK"
}
trap cleanup EXIT

free_port() { # a port that nobody listens on now
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

await() { # COMMAND...: until it succeeds, 10 s at most
    local i
    for i in $(seq 200); do
        "$@" >/dev/null 2>&1 && return 0
        read -rt 0.05 <> <(:) || true
    done
    echo "gave up waiting for: $*" >&2
    return 1
}

start_apiserver() { # sets PORT, CERT, KEY, CA; extra arguments go to the server
    PORT=$(free_port)
    "$B/pintle" pki init "$WORK/data" --secure-port "$PORT" >/dev/null
    taskset -c "${SERVER_CPU:-0}" "$B/pintle" apiserver --data-dir "$WORK/data" --secure-port "$PORT" "$@" \
        >"$WORK/apiserver.log" 2>&1 &
    PIDS+=($!)
    APISERVER_PID=$!
    CA=$WORK/data/pki/ca.crt
    python3 - "$WORK/data/admin.conf" "$WORK" <<'PY'
import base64, re, sys
text = open(sys.argv[1]).read()
for name, key in (("admin.crt", "client-certificate-data"), ("admin.key", "client-key-data")):
    data = re.search(key + r":\s*(\S+)", text).group(1)
    open(f"{sys.argv[2]}/{name}", "wb").write(base64.b64decode(data))
PY
    CERT=$WORK/admin.crt KEY=$WORK/admin.key
    await api GET /readyz
}

api() { # METHOD PATH [BODY FILE]: one request as admin
    local data=()
    [ $# -lt 3 ] || data=(-H 'Content-Type: application/json' --data-binary "@$3")
    curl -sSf --cacert "$CA" --cert "$CERT" --key "$KEY" -X "$1" "${data[@]}" "https://127.0.0.1:$PORT$2"
}

default_account() { # what the controllers would make, and Pods are refused without
    echo '{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}' >"$WORK/account.json"
    api POST /api/v1/namespaces/default/serviceaccounts "$WORK/account.json" >/dev/null
}

load() { # arguments of http_load, on the client's processor
    taskset -c "${CLIENT_CPU:-1}" "$B/http_load" "$@"
}

cpu_ticks() { # of the server, so far
    awk '{ print $14 + $15 }' "/proc/$APISERVER_PID/stat"
}

field() { # NAME LINE: the number in name=number
    sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$2"
}

verdict() { # NAME OURS FLOOR UNIT GOAL: the one line that a bench is for
    awk -v n="$1" -v a="$2" -v b="$3" -v u="$4" -v g="$5" \
        'BEGIN { printf "%s: ours=%.0f %s floor=%.0f %s ratio=%.2f goal=%s\n", n, a, u, b, u, a / b, g }'
}

median3() { # COMMAND...: runs it three times, prints the line with the median requests_per_s
    local i lines=()
    for i in 1 2 3; do lines+=("$("$@")"); done
    printf '%s\n' "${lines[@]}" | sort -t= -k2 -n | sed -n 2p
}

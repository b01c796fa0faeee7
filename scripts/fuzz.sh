#!/usr/bin/env bash
# Runs fuzz targets for a bounded time each, two at once, on copies of their corpora.
#
#   scripts/fuzz.sh SECONDS TARGET ...     TARGET is a path that ends in fuzz_NAME
#
# A finding (crash, leak, more than 5 s or 2 GB for one input) is kept under build/fuzz-findings and
# fails the run. The last line counts the targets.
set -uo pipefail
seconds=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)
findings=$here/build/fuzz-findings
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$findings"

one() {
    target=$1 name=$(basename "$1") log=$work/$(basename "$1").log
    corpus=$work/corpus-$name
    mkdir -p "$corpus"
    cp "$here/tests/fuzz/corpus/${name#fuzz_}"/* "$corpus"/ || return 1
    # Bytes that a target prints are its own log, not ours.
    if "$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=65536 \
        -artifact_prefix="$findings/$name-" -print_final_stats=1 "$corpus" >"$log" 2>&1; then
        runs=$(awk '/number_of_executed_units/ {print $2}' "$log")
        [ "${runs:-0}" -gt 0 ] && echo "ok      $name: $runs runs" && return 0
    fi
    echo "failed  $name"
    tail -n 30 "$log"
    return 1
}
export -f one
export here work findings seconds

printf '%s\n' "$@" | xargs -P 2 -I{} bash -c 'one {}' | tee "$work/all"
passed=$(grep -c '^ok ' "$work/all")
failed=$(($# - passed))
echo "fuzz: $passed passed, $failed failed"
[ "$failed" = 0 ]

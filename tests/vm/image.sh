#!/usr/bin/env bash
# Makes a guest's disk from Debian packages and the built tree.
#
#   tests/vm/image.sh BUILD_DIRECTORY OUT      OUT/disk.img, OUT/vmlinuz, OUT/initrd.img
#
# The root of Debian comes from the Debian sources that this machine's apt is configured with; it is kept in OUT
# until the list of packages or this script changes. Nothing is mounted on the machine when it is over.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
disk_mib=6144

# A Debian that boots, the driver's agent, what tests run with, and what a newcomer's machine gets from
# scripts/deps.sh.
packages="linux-image-cloud-amd64 initramfs-tools systemd systemd-sysv udev kmod iproute2 procps python3
    libcriterion3 busybox-static python3-pytest python3-yaml supervisor
    $(scripts/deps.sh --list build run demo)"

sources() {
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' | sort -u
}

make_base() {
    local key codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    key=$({ cat "$0"; echo "$codename" $packages; } | sha256sum)
    [ -e "$out/base.tar" ] && [ "$(cat "$out/base.key" 2>/dev/null)" = "$key" ] && return
    rm -f "$out/base.key"
    [ -n "$(sources)" ] || apt-get update -qq
    # dpkg-deb unpacks into a scratch directory of mmdebstrap's: let it be below OUT.
    sources | TMPDIR=$out mmdebstrap --quiet --variant=minbase --mode=root --include="$(echo $packages | tr ' ' ',')" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "$codename" "$out/base.tar" - >"$out/base.log" 2>&1 ||
        { cat "$out/base.log" >&2; exit 1; }
    echo "$key" >"$out/base.key"
}

# The tree as a user who has built it would have it, and a kubectl, which Debian does not have.
copy_tree() {
    local to=$1
    mkdir -p "$to/build/tools"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp -a --parents -t "$to"
    tar -C "$build" -c --exclude=./vm --exclude=./tools --exclude=./fuzz . | tar -C "$to/build" -x
    cp -L "$(scripts/kubectl.sh)" "$to/build/tools/kubectl-1.36"
}

make_disk() {
    local root=$out/root
    rm -rf "$root"
    mkdir -p "$root"
    tar -C "$root" --numeric-owner -xf "$out/base.tar"
    cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
    cp "$root"/boot/initrd.img-* "$out/initrd.img"
    install -m 755 tests/vm/guest/agent.py "$root/usr/local/sbin/vm-agent"
    install -m 644 tests/vm/guest/vm-agent.service "$root/etc/systemd/system/"
    install -m 644 tests/vm/guest/20-wired.network "$root/etc/systemd/network/"
    for unit in vm-agent.service systemd-networkd.service; do
        ln -sf "$([ -e "$root/etc/systemd/system/$unit" ] && echo /etc || echo /lib)/systemd/system/$unit" \
            "$root/etc/systemd/system/multi-user.target.wants/$unit"
    done
    echo pintle-vm >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 pintle-vm\n' >"$root/etc/hosts"
    : >"$root/etc/machine-id"
    copy_tree "$root/root/pintle"
    rm -f "$out/disk.img"
    mke2fs -q -t ext4 -m 0 -L root -d "$root" "$out/disk.img" "${disk_mib}M"
    rm -rf "$root"
}

make_base
make_disk

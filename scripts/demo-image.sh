#!/usr/bin/env bash
# Makes the demo's image with Debian's own tools, from nothing: the root of its base is unpacked from Debian packages.
#
#   scripts/demo-image.sh DIRECTORY VERSION ...      DIRECTORY/hello-VERSION.tar, OCI archives of localhost/hello:VERSION
#
# Everything that it needs and makes is below DIRECTORY; the base is kept there for the next time.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
shift
packages="python3.11-minimal libpython3.11-minimal libpython3.11-stdlib python3-minimal libc6 zlib1g libexpat1
    libssl3 busybox-static"

# No daemon, no user namespaces, storage of our own: RUN would need --isolation chroot here, COPY needs nothing.
export BUILDAH_ISOLATION=chroot
b() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

unpack() {
    local root=$work/root deb
    rm -rf "$root" "$work/debs"
    mkdir -p "$root" "$work/debs"
    # A package list may be absent or too old for the mirror: one update, one retry.
    (cd "$work/debs" && { apt-get download -qq $packages || { apt-get update -qq && apt-get download -qq $packages; }; }) \
        >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; exit 1; }
    for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$root"; done
    rm -rf "$root/usr/share/doc" "$root/usr/share/man"
    mkdir -p "$root/bin" "$root/tmp" "$root/etc"
    chmod 1777 "$root/tmp"
    for applet in sh ls cat ps wget nslookup sleep; do ln -sf busybox "$root/bin/$applet"; done
    printf 'root:x:0:0:root:/root:/bin/sh\nhello:x:1000:1000::/:/bin/sh\n' >"$root/etc/passwd"
}

if ! b inspect --type image localhost/debian-python >/dev/null 2>&1; then
    unpack
    container=$(b from scratch)
    b copy -q "$container" "$work/root" / >/dev/null
    b config --env PATH=/usr/local/bin:/usr/bin:/bin "$container"
    b commit -q --rm "$container" localhost/debian-python >/dev/null
    rm -rf "$work/root" "$work/debs"
fi
for version in "$@"; do
    b bud -q --build-arg "VERSION=$version" -t "localhost/hello:$version" "$here/examples/hello" >/dev/null
    rm -f "$work/hello-$version.tar"
    b push -q "localhost/hello:$version" "oci-archive:$work/hello-$version.tar:localhost/hello:$version"
done

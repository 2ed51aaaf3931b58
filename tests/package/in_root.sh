#!/bin/sh
# The Debian package in a Debian 13 root: installed, upgraded, rolled back, purged; `make package-test ARCH=arm64`.
#
# Needs root, debootstrap and, for another architecture than this machine's, qemu-user-static; the first run for an
# architecture makes its root (ROOTS, by default /var/tmp/face-kiosk-roots) and takes minutes, for arm64 an hour.
# DEBS: a folder with packages old_ARCH.deb, new_ARCH.deb; by default they are built, from HEAD, with two versions.
# FAST=1 leaves the demonstration out.
set -eu

arch=${1:-amd64}
here=$(cd "$(dirname "$0")/../.." && pwd)
roots=${ROOTS:-/var/tmp/face-kiosk-roots}
debs=${DEBS:-}
root=$roots/run-$arch

[ "$(id -u)" = 0 ] || { echo "package-test: root makes the chroot: sudo make package-test" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "package-test: apt-get install debootstrap" >&2; exit 2; }

said() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }
# A board's processor: onnxruntime 1.32 dies when it is loaded under qemu 7.2's own default, "max".
inside() { chroot "$root" env QEMU_CPU=cortex-a72 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
wrong() { said "WRONG: $*"; exit 1; }

leave() {
    for place in dev sys proc; do
        if mountpoint -q "$root/$place"; then umount "$root/$place"; fi
    done
}

# qemu must be told to the kernel, which then runs the other architecture's programs; F keeps it open for a chroot.
emulate() {
    if [ "$arch" = "$(dpkg --print-architecture)" ] || [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then return; fi
    mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    rule=/usr/lib/binfmt.d/qemu-aarch64.conf
    [ -e "$rule" ] || { echo "package-test: apt-get install qemu-user-static" >&2; exit 2; }
    sed 's/:[A-Z]*$/:F/' "$rule" | tr -d '\n' >/proc/sys/fs/binfmt_misc/register
}

make_root() {
    emulate
    mkdir -p "$roots"
    if [ ! -d "$roots/$arch" ]; then
        rm -rf "$roots/$arch.part"
        debootstrap --arch="$arch" --variant=minbase --include=python3,systemd,procps trixie "$roots/$arch.part"
        mv "$roots/$arch.part" "$roots/$arch"
    fi
    if [ -d "$root" ]; then
        leave
        rm -rf "$root"
    fi
    cp -a "$roots/$arch" "$root"
    mount -t proc proc "$root/proc"
    mount --bind /dev "$root/dev"
    mount -t sysfs sysfs "$root/sys"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}

make_packages() {
    if [ -z "$debs" ]; then
        debs=$roots
        for number in 1 2; do
            made=$(cd "$here" && make -s deb ARCH="$arch" ARGS="--level 0 --version 0.1.0~test$number" | tail -n 1)
            case $number in 1) mv "$made" "$debs/old_$arch.deb" ;; 2) mv "$made" "$debs/new_$arch.deb" ;; esac
        done
    fi
    # The broken one: its program ends with an error, whatever it is asked.
    broken=$roots/broken-$arch
    rm -rf "$broken"
    dpkg-deb -R "$debs/new_$arch.deb" "$broken"
    sed -i 's/^Version: .*/Version: 0.1.0~testx/' "$broken/DEBIAN/control"
    echo 'raise SystemExit("this version is broken")' >"$(echo "$broken"/usr/lib/face-kiosk/lib/python3*/site-packages)/kiosk/__init__.py"
    echo 'only here' >"$broken/usr/lib/face-kiosk/only-in-the-broken-one"
    dpkg-deb --root-owner-group -Znone -b "$broken" "$roots/broken_$arch.deb" >/dev/null
    rm -rf "$broken"
    cp "$debs/old_$arch.deb" "$debs/new_$arch.deb" "$roots/broken_$arch.deb" "$root/tmp/"
}

installed() { inside dpkg-query -W -f '${Version} ${db:Status-Abbrev}' face-kiosk; }

# What must outlive an upgrade: people, key, configuration as it was read.
kept() {
    inside kiosk subjects list
    (cd "$root" && sha256sum var/lib/kiosk/gallery.key && grep -v -e '^embedder' -e '^.models.$' -e 'no upgrade changes' -e '^$' etc/kiosk/kiosk.toml)
}

trap leave EXIT
make_root
make_packages
inside apt-get update -qq

said "install $arch"
start=$(date +%s)
inside apt-get install -y -qq --no-install-recommends "/tmp/old_$arch.deb" >"$roots/install-$arch.log" 2>&1 ||
    { tail -n 20 "$roots/install-$arch.log"; wrong "it does not install"; }
said "installed in $(($(date +%s) - start)) s, dependencies included: $(installed)"
inside kiosk --version
inside getent passwd kiosk kiosk-door kiosk-notify >/dev/null || wrong "users are missing"
[ "$(stat -c %a "$root/var/lib/kiosk")" = 700 ] || wrong "the home is open"
said "doctor before the setup, which must say what is missing:"
status=0
inside kiosk doctor --config /etc/kiosk/kiosk.toml || status=$?
[ "$status" = 1 ] || wrong "doctor must find a problem (1) where nothing is set up, and ends with $status"

if [ -z "${FAST:-}" ]; then
    said "the demonstration, from another place than /etc"
    mv "$root/etc/kiosk" "$root/etc/kiosk.aside"
    # An emulated or loaded machine is too slow for a story that goes by the clock: it has three tries.
    for try in 1 2 3; do
        inside timeout 1500 kiosk run --headless >"$roots/demo-$arch.log" 2>&1 && break
        grep -e 'NOT as expected' "$roots/demo-$arch.log" || tail -n 3 "$roots/demo-$arch.log"
        [ "$try" != 3 ] || wrong "the demonstration has decided otherwise"
    done
    said "$(grep -c 'as expected' "$roots/demo-$arch.log") decisions as expected"
    mv "$root/etc/kiosk.aside" "$root/etc/kiosk"
fi

said "a configuration, a gallery"
cat >"$root/etc/kiosk/kiosk.toml" <<'TOML'
# written by the test
[kiosk]
home = "/var/lib/kiosk"
[camera]
kind = "simulated"
[lock]
kind = "simulated"
TOML
inside chown root:kiosk-listen /etc/kiosk/kiosk.toml
inside chmod 640 /etc/kiosk/kiosk.toml
inside "/usr/lib/face-kiosk/bin/python3" -P - /tmp/face.png <"$here/tests/package/face.py"
inside kiosk enrol --name "Ada" --consent 1/en /tmp/face.png || inside kiosk enrol --name "Ada" /tmp/face.png
kept >"$roots/before-$arch"

said "upgrade"
start=$(date +%s)
inside dpkg -i "/tmp/new_$arch.deb" || wrong "the upgrade failed"
said "upgraded in $(($(date +%s) - start)) s: $(installed)"
kept >"$roots/after-$arch"
cmp "$roots/before-$arch" "$roots/after-$arch" || wrong "the upgrade has changed gallery or configuration"
grep '^embedder' "$root/etc/kiosk/kiosk.toml" || wrong "the embedder is not pinned"
[ -z "$(ls -A "$root/var/lib/face-kiosk")" ] || wrong "the upgrade has left a copy: $(ls "$root/var/lib/face-kiosk")"

said "a broken version, which must roll back"
if inside dpkg -i "/tmp/broken_$arch.deb"; then wrong "a broken version was taken"; fi
kept >"$roots/after-$arch"
cmp "$roots/before-$arch" "$roots/after-$arch" || wrong "the rollback has changed gallery or configuration"
[ ! -e "$root/usr/lib/face-kiosk/only-in-the-broken-one" ] || wrong "the broken version is still there"
[ -e "$root/var/lib/face-kiosk/failed/why" ] || wrong "nobody can say why"
said "once more: it must try again, and go back again"
if inside dpkg --configure face-kiosk; then wrong "the second try was taken"; fi
kept | cmp "$roots/before-$arch" - || wrong "the second rollback has changed something"
said "and a version that works, over it"
inside dpkg -i "/tmp/new_$arch.deb" || wrong "no way out of a rollback"
kept | cmp "$roots/before-$arch" - || wrong "the way out has changed something"
[ ! -e "$root/usr/lib/face-kiosk/only-in-the-broken-one" ] || wrong "files of the broken version are left"

said "remove keeps, purge erases"
inside dpkg -r face-kiosk
[ -e "$root/var/lib/kiosk/gallery.key" ] || wrong "remove has erased the gallery"
inside dpkg -P face-kiosk
left=$(find "$root/etc" "$root/var" "$root/usr" "$root/run" -name '*kiosk*' ! -path '*/var/lib/apt/*' \
    ! -path '*/var/cache/apt/*' ! -path "*/var/lib/dpkg/*-old" | head)
[ -z "$left" ] || wrong "left: $left"
if grep kiosk "$root/etc/passwd" "$root/etc/group"; then wrong "users are left"; fi
said "all is as it should be on $arch"

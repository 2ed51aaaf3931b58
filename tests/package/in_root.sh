#!/bin/sh
# The Debian package in a Debian 13 root: installed, upgraded, rolled back, purged; `make package-test ARCH=arm64`.
#
# Needs root, debootstrap and, for another architecture than this machine's, qemu-user-static; the first run for an
# architecture makes its root (ROOTS, by default /var/tmp/face-kiosk-roots) and takes minutes, for arm64 an hour.
# DEBS: a folder with packages old_ARCH.deb, new_ARCH.deb; by default they are built, from HEAD, with two versions.
# FAST=1 leaves out what is the same for all architectures: power that fails, full cards.
set -eu

arch=${1:-amd64}
here=$(cd "$(dirname "$0")/../.." && pwd)
roots=${ROOTS:-/var/tmp/face-kiosk-roots}
debs=${DEBS:-}
root=$roots/run-$arch

[ "$(id -u)" = 0 ] || { echo "package-test: root makes the chroot: sudo make package-test" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "package-test: apt-get install debootstrap" >&2; exit 2; }

said() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }
# A board's processor, for qemu.
inside() { chroot "$root" env QEMU_CPU=cortex-a72 FACE_KIOSK_CHECK_SECONDS=1800 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
wrong() { said "WRONG: $*"; exit 1; }

# Runs a command in the root until a file is there, then kills all that runs in it, as if the power failed.
cut_at() {
    if [ -n "${FAST:-}" ]; then return; fi
    mark=$root/$1
    shift
    inside "$@" >"$roots/cut-$arch.log" 2>&1 &
    running=$!
    until [ -e "$mark" ]; do
        kill -0 "$running" 2>/dev/null || { tail "$roots/cut-$arch.log"; wrong "it has ended before $mark was there"; }
        sleep 0.01
    done
    found=yes
    while [ -n "$found" ]; do
        found=
        for process in /proc/[0-9]*; do
            if [ "$(readlink "$process/root")" = "$(readlink -f "$root")" ]; then
                kill -9 "${process#/proc/}" 2>/dev/null && found=yes
            fi
        done
    done
    wait "$running" || true
}

leave() {
    for place in var/lib/kiosk/stick var/lib/face-kiosk dev sys proc/cpuinfo proc; do
        if mountpoint -q "$root/$place"; then umount "$root/$place"; fi
    done
}

# qemu must be told to the kernel, which then runs the other architecture's programs. The rule goes as it is: by its F
# qemu stays open for a chroot, and without its P qemu 7.2 takes a program's first argument for the program.
emulate() {
    if [ "$arch" = "$(dpkg --print-architecture)" ] || [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then return; fi
    mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    rule=/usr/lib/binfmt.d/qemu-aarch64.conf
    [ -e "$rule" ] || { echo "package-test: apt-get install qemu-user-static" >&2; exit 2; }
    tr -d '\n' <"$rule" >/proc/sys/fs/binfmt_misc/register
}

# What a Raspberry Pi 4 says of itself: qemu shows this machine's own, and onnxruntime dies of it when it is loaded.
board() {
    for processor in 0 1; do
        printf 'processor\t: %s\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n' "$processor"
        printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n'
    done
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
    if [ "$arch" = arm64 ] && [ "$(dpkg --print-architecture)" != arm64 ]; then
        board >"$roots/cpuinfo"
        mount --bind "$roots/cpuinfo" "$root/proc/cpuinfo"
    fi
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
    # The broken one: its program spoils the gallery and ends with an error, whatever it is asked.
    broken=$roots/broken-$arch
    rm -rf "$broken"
    dpkg-deb -R "$debs/new_$arch.deb" "$broken"
    sed -i 's/^Version: .*/Version: 0.1.0~testx/' "$broken/DEBIAN/control"
    cat >"$(echo "$broken"/usr/lib/face-kiosk/lib/python3*/site-packages)/kiosk/__init__.py" <<'PYTHON'
import pathlib

for home in ("/var/lib/kiosk", "/srv/people"):
    if pathlib.Path(home, "gallery.db").exists():
        pathlib.Path(home, "gallery.db").write_text("spoiled")
        pathlib.Path(home, "only-in-the-broken-one").touch()
raise SystemExit("this version is broken")
PYTHON
    echo 'only here' >"$broken/usr/lib/face-kiosk/only-in-the-broken-one"
    dpkg-deb --root-owner-group -Znone -b "$broken" "$roots/broken_$arch.deb" >/dev/null
    rm -rf "$broken"
    cp "$debs/old_$arch.deb" "$debs/new_$arch.deb" "$roots/broken_$arch.deb" "$root/tmp/"
}

installed() { inside dpkg-query -W -f '${Version} ${db:Status-Abbrev}' face-kiosk; }

# What must outlive an upgrade: people, key, configuration as it was read.
kept() {
    inside kiosk subjects list
    home=$(sed -n 's/^home = "\(.*\)"/\1/p' "$root/etc/kiosk/kiosk.toml")
    inside sha256sum "$home/gallery.key" | cut -d ' ' -f 1
    (cd "$root" && grep -v '^home' etc/kiosk/kiosk.toml | grep -v -e '^embedder' -e '^.models.$' -e 'no upgrade changes' -e '^$')
}

# All that is kept is as before, and nothing is there of the broken version.
unharmed() {
    kept >"$roots/after-$arch" && cmp "$roots/before-$arch" "$roots/after-$arch" || wrong "$1 has changed gallery or configuration"
    left=$(find "$root/usr" "$root/var/lib/kiosk" "$root/srv" -name only-in-the-broken-one)
    [ -z "$left" ] || wrong "files of the broken version are left: $left"
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
new=$(dpkg-deb -f "$debs/new_$arch.deb" Version)

said "upgrade"
[ -n "${FAST:-}" ] || said "the power fails: while it copies, while dpkg unpacks, while the new version checks itself"
start=$(date +%s)
for mark in before/data before/whole check; do
    cut_at "var/lib/face-kiosk/$mark" dpkg -i "/tmp/new_$arch.deb"
    [ -n "${FAST:-}" ] || [ -e "$root/var/lib/face-kiosk/unchecked" ] || wrong "cut off at $mark, it may start unchecked"
done
if [ -n "${FAST:-}" ]; then inside dpkg -i "/tmp/new_$arch.deb"; else inside dpkg --configure -a; fi || wrong "the upgrade failed"
said "upgraded in $(($(date +%s) - start)) s: $(installed)"
unharmed "the upgrade"
grep '^embedder' "$root/etc/kiosk/kiosk.toml" || wrong "the embedder is not pinned"
[ -z "$(ls -A "$root/var/lib/face-kiosk")" ] || wrong "the upgrade has left a copy: $(ls "$root/var/lib/face-kiosk")"

said "the demonstration with the new version, from another place than /etc"
start=$(date +%s)
mv "$root/etc/kiosk" "$root/etc/kiosk.aside"
inside timeout 5400 kiosk run --headless >"$roots/demo-$arch.log" 2>&1 || {
    grep -e 'NOT as expected' "$roots/demo-$arch.log" || tail -n 3 "$roots/demo-$arch.log"
    wrong "the demonstration has decided otherwise"
}
grep 'of its pace' "$roots/demo-$arch.log" || true
said "$(grep -c 'as expected' "$roots/demo-$arch.log") decisions as expected, in $(($(date +%s) - start)) s"
mv "$root/etc/kiosk.aside" "$root/etc/kiosk"

broken_version() {
    if inside dpkg "$@" >"$roots/broken-$arch.log" 2>&1; then wrong "a broken version was taken"; fi
    grep '^face-kiosk:' "$roots/broken-$arch.log"
    grep -q 'ROLLED BACK.*gallery and configuration as they were' "$roots/broken-$arch.log" || wrong "it does not say so"
    unharmed "the rollback"
}
works() { inside dpkg -i "/tmp/new_$arch.deb" >"$roots/works-$arch.log" 2>&1 || { cat "$roots/works-$arch.log"; wrong "no way out of a rollback"; }; unharmed "the way out"; }

said "a broken version, which must roll back"
broken_version -i "/tmp/broken_$arch.deb"
[ -e "$root/var/lib/face-kiosk/failed/why" ] || wrong "nobody can say why"
said "once more: it must try again, and go back again"
[ -n "${FAST:-}" ] || said "the power fails at both"
cut_at var/lib/face-kiosk/before/again dpkg --configure face-kiosk
cut_at var/lib/face-kiosk/before/going-back dpkg --configure face-kiosk
broken_version --configure face-kiosk
said "and a version that works, over it"
works

full_cards() {
    said "a card without room for a copy: the upgrade does not begin"
    mount -t tmpfs -o size=8m tmpfs "$root/var/lib/face-kiosk"
    if inside dpkg -i "/tmp/old_$arch.deb" >"$roots/full-$arch.log" 2>&1; then wrong "it went on without a copy"; fi
    tail -n 4 "$roots/full-$arch.log"
    unharmed "a full card"
    case "$(installed)" in "$new "*ii*) ;; *) wrong "of before nothing is installed: $(installed)" ;; esac
    umount "$root/var/lib/face-kiosk"
    said "a card with room for one copy: it goes back all the same, from a home elsewhere, behind a link"
    mount -t tmpfs -o size="$(($(du -sk "$root/usr/lib/face-kiosk" | cut -f 1) * 5 / 4))k" tmpfs "$root/var/lib/face-kiosk"
    mv "$root/var/lib/kiosk" "$root/srv/of-the-kiosk"
    ln -s of-the-kiosk "$root/srv/people"
    sed -i 's,^home.*,home = "/srv/people",' "$root/etc/kiosk/kiosk.toml"
    broken_version -i "/tmp/broken_$arch.deb"
    grep 'there is no room' "$roots/broken-$arch.log" || wrong "the card was not full"
    works
    umount "$root/var/lib/face-kiosk"
    sed -i 's,^home.*,home = "/var/lib/kiosk",' "$root/etc/kiosk/kiosk.toml"
    rm "$root/srv/people"
    rm -rf "$root/var/lib/kiosk"
    mv "$root/srv/of-the-kiosk" "$root/var/lib/kiosk"
}
[ -n "${FAST:-}" ] || full_cards

said "remove keeps, purge erases, but for a stick that is mounted inside"
inside dpkg -r face-kiosk
[ -e "$root/var/lib/kiosk/gallery.key" ] || wrong "remove has erased the gallery"
mkdir "$root/var/lib/kiosk/stick"
mount -t tmpfs tmpfs "$root/var/lib/kiosk/stick"
touch "$root/var/lib/kiosk/stick/backup"
inside dpkg -P face-kiosk
[ -e "$root/var/lib/kiosk/stick/backup" ] || wrong "purge has erased what is on another medium"
[ ! -e "$root/var/lib/kiosk/gallery.key" ] || wrong "purge has left the key"
umount "$root/var/lib/kiosk/stick"
rmdir "$root/var/lib/kiosk/stick" "$root/var/lib/kiosk"
left=$(find "$root/etc" "$root/var" "$root/usr" "$root/run" -name '*kiosk*' ! -path '*/var/lib/apt/*' \
    ! -path '*/var/cache/apt/*' ! -path "*/var/lib/dpkg/*-old" | head)
[ -z "$left" ] || wrong "left: $left"
if grep kiosk "$root/etc/passwd" "$root/etc/group"; then wrong "users are left"; fi
said "all is as it should be on $arch"

# What the maintainer scripts share; the build puts it into each of them.
tree=/usr/lib/face-kiosk
python=$tree/bin/python3
tools=/usr/share/face-kiosk
state=/var/lib/face-kiosk
config=/etc/kiosk/kiosk.toml
data="/etc/kiosk /var/lib/kiosk /var/lib/kiosk-door /var/lib/kiosk-notify /var/lib/kiosk-models"
services="kiosk kiosk-notify kiosk-door"
patience=${FACE_KIOSK_CHECK_SECONDS:-300}  # of the self-check; an emulated machine needs more

say() { echo "face-kiosk: $*" >&2; }

booted() { [ -d /run/systemd/system ]; }

# Stops all of it and its timers' work; what ran is in $state/running, and is not forgotten when this is called again.
stop_all() {
    booted || return 0
    for unit in $services; do
        if systemctl --quiet is-active "$unit.service"; then echo "$unit.service" >>"$state/running"; fi
    done
    systemctl stop kiosk-backup.service kiosk-retention.service kiosk-notify.service kiosk.service kiosk-door.service \
        2>/dev/null || true
}

# Starts what ran, the door first. Each tells systemd that it is ready, so a program that cannot run is a failure here.
start_again() {
    rm -f "$state/unchecked"
    booted || return 0
    systemctl daemon-reload
    # The kiosk last: from then on it writes records, which going back would lose. Without kiosk-notify a door is safe.
    for unit in kiosk-door kiosk-notify kiosk; do
        if ! grep -qsx "$unit.service" "$state/running" || systemctl start "$unit.service"; then continue; fi
        if [ "$unit" != kiosk-notify ]; then return 1; fi
        say "kiosk-notify does not start: kiosk doctor"
    done
}

# Where the configuration has the gallery; empty for the usual place, or where nothing can be read.
configured_home() {
    /usr/bin/python3 -I - "$config" 2>/dev/null <<'PYTHON' ||
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    print(tomllib.load(file).get("kiosk", {}).get("home", ""))
PYTHON
        sed -n 's/^[ \t]*home[ \t]*=[ \t]*"\(.*\)".*/\1/p' "$config" 2>/dev/null || true
}

# Folders with somebody's data, one a line: what links lead to, for a copy of a link saves nothing; and a home elsewhere
# if it is the kiosk's own. A folder with other people's files is neither copied whole nor put back whole.
places() {
    {
        for folder in $data; do
            if [ -d "$folder" ]; then readlink -f "$folder"; fi
        done
        configured_home | while IFS= read -r home; do
            if [ -d "$home" ] && [ "$(stat -L -c %U "$home")" = kiosk ]; then readlink -f "$home"; fi
        done
    } | sort -u | while IFS= read -r folder; do
        if [ "$folder" != / ]; then echo "$folder"; fi
    done
}

# The configured home, if the copy $1 lacks it.
not_copied() {
    configured_home | while IFS= read -r home; do
        if [ -n "$home" ] && ! [ -d "$1/data$(readlink -m "$home")" ]; then echo "$home"; fi
    done
}

# Files of the installed version that a rollback puts back: all but documents.
program_files() {
    for place in "$tree" /usr/lib/systemd/system/kiosk*.service* /usr/lib/systemd/system/kiosk*.timer \
        /usr/lib/sysusers.d/face-kiosk.conf /usr/lib/tmpfiles.d/face-kiosk.conf \
        /usr/lib/udev/rules.d/70-face-kiosk.rules /usr/lib/systemd/*.conf.d/70-face-kiosk.conf \
        /usr/lib/sysctl.d/70-face-kiosk.conf "$tools" $(find /etc/apparmor.d -name "*kiosk*" -type f 2>/dev/null); do
        if [ -e "$place" ]; then echo "$place"; fi
    done
}

# Copies what stands under / into folder $1: the program by hard links where that works, everybody's data as bytes.
copy_program() {
    mkdir -p "$1/program"
    program_files | while read -r place; do
        cp -al --parents "$place" "$1/program" 2>/dev/null || cp -a --parents "$place" "$1/program" || exit 1
    done
}

# What is mounted below a folder is neither copied nor erased: a stick with backups, say.
copy_data() {
    mkdir -p "$1/data"
    places >"$1/places" || return 1
    while IFS= read -r folder; do cp -a --one-file-system --parents "$folder" "$1/data" || return 1; done <"$1/places"
}

# Both, for the way back. The mark comes after the bytes: power may fail.
copy_all() {
    copy_data "$1"
    copy_program "$1"
    sync -f "$1"
    : >"$1/whole"
}

# Puts back what copy_program and copy_data have copied. The folders stay: they may be mount points.
put_back_program() {
    rm -rf "$tree"
    cp -al --remove-destination "$1/program/." / 2>/dev/null || cp -a --remove-destination "$1/program/." /
}

put_back_data() {
    if [ -e "$1/places" ]; then cat "$1/places"; else printf '%s\n' $data; fi | while IFS= read -r folder; do
        if [ -d "$folder" ]; then find "$folder" -xdev -mindepth 1 -delete || true; fi
    done
    cp -a "$1/data/." /
}

# The self-check, into file $1. Exit status 0: it could be asked, whatever it found.
self_check() {
    status=0
    timeout "$patience" /usr/bin/kiosk doctor --json --config "$config" >"$1" 2>"$1.errors" </dev/null || status=$?
    if [ "$status" = 124 ]; then echo "no answer within $patience s" >>"$1.errors"; fi
    [ "$status" -le 1 ] && [ -s "$1" ]
}

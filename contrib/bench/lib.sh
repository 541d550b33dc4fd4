# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2154,SC2034  # sourced; sets build, usbemu, ctl, processor, work
#
# lib.sh - what benchmarks beside pcscd share: name spaces of their own, and a daemon on an
# emulated USB reader. The script sets $name and calls prepare BUILD_DIR.

daemon=

die() {
    echo "contrib/bench/$name: $*" >&2
    exit 1
}

skip() {
    echo "SKIP $name: $*"
    exit 77
}

# prepare BUILD_DIR ARGUMENT...: starts the script again with those, in a name space of its
# own: the mount, and a /run/pcscd beside that of the machine
prepare() {
    build=$1
    shift
    usbemu=${USBEMU:-$(find "$build/tests/usbemu" -name '*usbemu*.so' | head -n 1)}
    ctl=$(dirname "$usbemu")/usbemu-ctl
    processor=$(($(nproc) - 1))
    [ -n "$usbemu" ] || die "the USB emulation is not built in $build"
    [ "$(id -u)" = 0 ] || die "mounts that nobody else sees need root"
    [ -c /dev/fuse ] || skip 'no /dev/fuse'
    unshare -m true || skip 'no mount name space of its own can be had here'
    [ -n "${SCARDFS_BENCH_PRIVATE:-}" ] ||
        SCARDFS_BENCH_PRIVATE=1 exec unshare -m "$0" "$@"
    work=$(mktemp -d) || exit 1
    trap 'stop; umount /run/pcscd /etc/reader.conf.d 2>/dev/null; rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
}

stop() {
    [ -z "$daemon" ] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null
    daemon=
}

# start NAME COMMAND...: a daemon; with $reader on the emulated bus, if that is set, and
# with $pin before it
start() {
    log=$work/$1.log
    shift
    if [ -n "${reader:-}" ]; then
        # shellcheck disable=SC2086 # a command and its argument, or nothing
        USBEMU_DEVICES=$reader USBEMU_CTL=$work/usb.sock LD_PRELOAD=$usbemu \
            ${pin:-} "$@" >"$log" 2>&1 &
    else
        # shellcheck disable=SC2086
        ${pin:-} "$@" >"$log" 2>&1 &
    fi
    daemon=$!
}

# until_true COMMAND...: waits for it, 10 seconds at most.
until_true() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || return 1
        sleep 0.05
    done
}

# need_pcscd CLIENT: it is installed, and the client that the build makes when it finds
# libpcsclite; 1 if they cannot be had
need_pcscd() {
    have_pcscd "$1" && return
    "$(dirname "$0")/../run" --bench-deps >"$work/deps" 2>&1 &&
        meson configure --clearcache "$build" &&
        meson setup --reconfigure "$build" >>"$work/deps" 2>&1 &&
        ninja -C "$build" "contrib/$1" >>"$work/deps" 2>&1
    have_pcscd "$1" && return
    tail -n 5 "$work/deps" >&2
    echo "SKIP $name through pcscd: not installed; try contrib/run --bench-deps, then" \
        "meson configure --clearcache build && meson setup --reconfigure build && ninja -C build"
    return 1
}

have_pcscd() {
    command -v pcscd >/dev/null && [ -x "$build/contrib/$1" ]
}

# hide_pcscd: the machine's own is not there
hide_pcscd() {
    mkdir -p /run/pcscd /etc/reader.conf.d
    for directory in /run/pcscd /etc/reader.conf.d; do
        mount -t tmpfs none "$directory" || die "cannot hide the machine's $directory"
    done
}

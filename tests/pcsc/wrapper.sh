#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# wrapper.sh - scardfs-pcsc, and the other way to the library, ld.so.conf.d.
#
# From the environment, beside lib.sh's: CLIENT_SYSTEM (client.c, linked with Debian's
# library), WRAPPER (scardfs-pcsc for this build).
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse wrapper
[ -n "$CLIENT_SYSTEM" ] || skip wrapper 'no libpcsclite-dev'
need_plain wrapper
unset SCARDFS_MOUNT LD_LIBRARY_PATH
there="list 00000000 [scardfs Virtual Reader (0000) 00 00]"

# says STATUS PATTERN ARGUMENT...: the wrapper's end, and what it has said
says() {
    wanted=$1
    pattern=$2
    shift 2
    said=$("$WRAPPER" "$@" 2>&1)
    got=$?
    # shellcheck disable=SC2254 # a pattern is meant
    case $said in
    $pattern) [ "$got" = "$wanted" ] && return ;;
    esac
    printf '     status %s, said: %s\n' "$got" "$said"
    return 1
}

# In a name space with an /etc of its own, as an administrator would do it.
by_ldconfig() {
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -c '
        mkdir "$1/etc" && cp -a /etc/ld.so.* "$1/etc" && mount --bind "$1/etc" /etc &&
            echo "$2" >/etc/ld.so.conf.d/00-scardfs.conf && ldconfig &&
            SCARDFS_MOUNT=$3 "$4" list' - "$dir" "$PCSC_DIR" "$mnt" "$CLIENT_SYSTEM" 2>&1
}

step 'a reader' start_daemon --virtual
is 'without it there is no service' 'establish 8010001d' "$("$CLIENT_SYSTEM")"
is 'with it there is' "$there" "$("$WRAPPER" -m "$mnt" "$CLIENT_SYSTEM" list | tail -n 1)"
is 'by SCARDFS_MOUNT' "$there" "$(SCARDFS_MOUNT=$mnt "$WRAPPER" "$CLIENT_SYSTEM" list |
    tail -n 1)"
step 'arguments stay in one piece' says 0 '*[[]a b[]]' -m "$mnt" printf '[%s]' 'a b'
step 'the status is the program'\''s' says 3 '' -m "$mnt" sh -c 'exit 3'
step 'no mount is said' says 0 '*no scardfs is mounted on /nowhere*8010001d*' -m /nowhere \
    "$CLIENT_SYSTEM"
step 'no program' says 2 '*no program is named*'
step 'no such option' says 2 '*no such option*' -x
step 'no directory' says 2 '*needs a directory*' -m
step 'help' says 0 'usage: *' -h
step 'no such program' says 127 '*not found*' -m "$mnt" no-such-program
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    is 'by ld.so.conf.d' "$there" "$(by_ldconfig | tail -n 1)"
else
    echo 'SKIP ld.so.conf.d: no name space of its own can be had here'
fi
step 'the daemon ends' stop_daemon
finish

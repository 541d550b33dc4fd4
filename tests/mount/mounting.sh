#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# mounting.sh - the ways to mount, who may then use what, and mount points that are refused.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse mounting
[ "$(id -u)" -eq 0 ] || skip mounting 'needs root'
command -v setpriv >/dev/null || skip mounting 'no setpriv'

r=$mnt/reader0
stranger=54321
# Others must be able to come here; the build may be where only root comes.
chmod 755 "$dir"
mkdir "$dir/bin"
cp "$SCARDFS" "$dir/bin/scardfs"
cp -L "$LIBSMCLIB" "$dir/bin/libsmclib.so.0"
export LD_LIBRARY_PATH="$dir/bin"

is_mounted() {
    grep -q " $mnt fuse" /proc/self/mounts
}

# as UID[:GID] COMMAND...
as() {
    who=$1
    shift
    setpriv --reuid="${who%:*}" --regid="${who#*:}" --clear-groups "$@"
}

may_use() {
    # shellcheck disable=SC2016  # for that shell
    as "$1" sh -c ': <>"$1"' - "$2" 2>/dev/null
}

# seen_by UID FILE
seen_by() {
    as "$1" cat "$2" >/dev/null
}

# daemon_with WORD: the process of a scardfs with such an argument
daemon_with() {
    find /proc/[0-9]*/exe -lname '*/scardfs' 2>/dev/null | sed 's/[^0-9]//g' |
        while read -r pid; do
            tr '\0' '\n' <"/proc/$pid/cmdline" | grep -q -- "$1" && echo "$pid"
        done | tail -n 1
}

# status PID FIELD
status() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# no_dumps PID: no core, whatever its limit and the pattern are; nobody may attach
no_dumps() {
    grep -q '^Max core file size  *0  *0 ' "/proc/$1/limits" || return
    is "whose /proc/PID is not the user's" 0 "$(stat -c %u "/proc/$1/mem")"
}

unmount() {
    umount -l "$mnt"
    eventually 10 not is_mounted
}

ordinary_user() {
    user=$(id -u nobody) # fusermount3 wants a name
    mkdir "$dir/home"
    chown "$user" "$dir/home"
    mnt=$dir/home
    step 'an ordinary user mounts' as "$user" "$dir/bin/scardfs" --virtual "$mnt"
    is 'the files are his' "$user:$(id -g nobody):660" \
        "$(as "$user" stat -c %u:%g:%a "$mnt/reader0/control")"
    step 'he may touch' may_use "$user" "$mnt/reader0/control"
    step 'others may not look' not as 1 test -e "$mnt/version"
    pid=$(daemon_with "^$mnt\$")
    step 'it leaves no core' no_dumps "$pid"
    step 'he may not look into its memory' not as "$user" head -c 0 "/proc/$pid/mem" 2>/dev/null
    step 'he unmounts' as "$user" fusermount3 -u "$mnt"
    step 'it is gone' eventually 10 not is_mounted
}

if [ "${1:-}" = ordinary ]; then # with a /dev/fuse for all, see below
    ordinary_user
    finish
fi

# --- mount points
step 'a safe one is taken' start_daemon --virtual
step 'SIGTERM ends it with status 0' stop_daemon
ln -s "$mnt" "$dir/link"
step 'a link is refused' refuses 1 'a symbolic link' -f --virtual "$dir/link"
step 'a link with a slash is refused' refuses 1 'a symbolic link' -f --virtual "$dir/link//"
chmod 777 "$mnt"
step 'one that others may write is refused' refuses 1 'others may write it' -f --virtual "$mnt"
chmod 1777 "$mnt"
step 'the same with the sticky bit is taken' start_daemon --virtual
step 'SIGTERM ends it with status 0' stop_daemon
chmod 755 "$mnt"
chown "$stranger" "$mnt"
step 'one of somebody else is refused' refuses 1 'somebody else owns it' -f --virtual "$mnt"
chown 0 "$mnt"
: >"$mnt/.hidden"
step 'one with a file in it is refused' refuses 1 'not empty' -f --virtual "$mnt"
rm "$mnt/.hidden"

# --- owner, group, mode
step 'it mounts for all' start_daemon --virtual
step 'others may look' seen_by "$stranger" "$r/state"
step 'and not touch' not may_use "$stranger" "$r/control"
step 'nor change the readers' not may_use "$stranger" "$mnt/virtual"
step 'nor change what they may' not as "$stranger" chmod 666 "$r/control"
step 'SIGTERM ends it with status 0' stop_daemon
step 'it mounts for a group' start_daemon --virtual -o "gid=$stranger"
is 'whose file it is' "0:$stranger:660" "$(stat -c %u:%g:%a "$r/control")"
step 'the group may touch' may_use "1:$stranger" "$r/control"
step 'others may not' not may_use "1:1" "$r/control"
step 'nobody of them may change the readers' not may_use "1:$stranger" "$mnt/virtual"
step 'SIGTERM ends it with status 0' stop_daemon
step 'it mounts for one user' start_daemon --virtual -o "uid=$stranger,mode=0600"
step 'he may touch' may_use "$stranger:1" "$r/control"
step 'others may not' not may_use "1:$stranger" "$r/control"
step 'SIGTERM ends it with status 0' stop_daemon

# --- rules for single readers
cat >"$dir/conf" <<CONF
# the second is not for everybody
path=virtual-1 uid=$stranger gid=$stranger mode=0600
CONF
step 'it mounts with rules' start_daemon --virtual=2 -o "mode=0666,config=$dir/conf"
step 'there is the other reader' eventually 5 test -e "$mnt/reader1/control"
is 'the rest' 0:0:666 "$(stat -c %u:%g:%a "$r/control")"
is 'the one of the rule' "$stranger:$stranger:600" "$(stat -c %u:%g:%a "$mnt/reader1/control")"
step 'others may use the rest' may_use 1 "$r/control"
step 'and not that one' not may_use 1 "$mnt/reader1/control"
step 'which they see, though' seen_by 1 "$mnt/reader1/state"
step 'SIGTERM ends it with status 0' stop_daemon
echo 'path=virtual-1 mode=0900' >>"$dir/conf"
step 'a mistake is refused with its line' refuses 2 "$dir/conf:3: mode=0900" \
    -f --virtual -o "config=$dir/conf" "$mnt"
step 'rules that are not there' refuses 2 "$dir/none" -f --virtual -o "config=$dir/none" "$mnt"

# --- root mounts, nobody serves
step 'a user that is not there is refused' refuses 2 'no user' --user nobody-of-this-name "$mnt"
step '--user is for root' not as "$stranger" "$dir/bin/scardfs" --user nobody --virtual "$mnt"
step 'with --user it mounts' "$SCARDFS" --user nobody --virtual "$mnt"
pid=$(daemon_with "^$mnt\$")
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
    is "it has no $set" 0000000000000000 "$(status "$pid" "$set")"
done
is 'and gets no new one' 1 "$(status "$pid" NoNewPrivs)"
step 'it leaves no core' no_dumps "$pid"
is 'it is the user' "$(id -u nobody)" "$(status "$pid" Uid | cut -f 4)"
is 'with his groups' "$(id -g nobody)" "$(status "$pid" Gid | cut -f 4)"
is 'the files are root'\''s' 0:660 "$(stat -c %u:%a "$r/control")"
step 'others may look' seen_by "$stranger" "$r/atr"
step 'and not touch' not may_use "$stranger" "$r/control"
step 'not even the daemon'\''s user' not may_use "$(id -u nobody)" "$mnt/virtual"
step 'root may' virtual 'remove reader0'
is 'and the card is gone' absent "$(cat "$r/state")"
options=$(grep " $mnt " /proc/self/mounts)
for option in nosuid nodev noexec default_permissions allow_other; do
    step "it is mounted $option" test "${options%%*"$option"*}" = ''
done
kill "$pid"
step 'SIGTERM ends it' eventually 10 ended "$pid"
step 'the mount stays' is_mounted
step 'and the next start cleans it' "$SCARDFS" --user=nobody --virtual "$mnt"
step 'it is live' test -e "$mnt/version"
step 'root unmounts' unmount
step 'a start that fails leaves no mount' not "$SCARDFS" --user nobody --virtual=cube "$mnt"
step 'really none' not is_mounted

# --- supervised
if command -v python3 >/dev/null; then
    python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(20)
print(s.recv(99).decode(), s.recv(99).decode(), sep="\n")' "$dir/notify" >"$dir/told" &
    supervisor=$!
    step 'the supervisor listens' eventually 10 test -e "$dir/notify"
    chmod 777 "$dir/notify"
    NOTIFY_SOCKET=$dir/notify
    export NOTIFY_SOCKET
    step 'it mounts' "$SCARDFS" --user nobody --virtual "$mnt"
    unset NOTIFY_SOCKET
    pid=$(daemon_with "^$mnt\$")
    step 'root unmounts' unmount
    step 'the supervisor has heard' wait "$supervisor"
    is 'who is ready, and that it ends' "READY=1 MAINPID=$pid STOPPING=1" "$(xargs <"$dir/told")"

    if [ "$SANITIZE" = none ]; then
        "$(dirname "$0")/manager.py" "$dir/bin/scardfs" "$mnt" nobody >"$dir/told" 2>>"$log"
        is 'a manager takes a mount, and starts a daemon that was never root' \
            "FDSTORE=1 FDNAME=scardfs 1 BARRIER=1 waits mounted 0 $(:
            )FDSTOREREMOVE=1 FDNAME=scardfs ready 3b88800154455354424544015d ended 0" \
            "$(xargs <"$dir/told")"
        unmount
    fi
    step 'without a manager there is no such mount' refuses 1 'no service manager' \
        --mount-for nobody "$mnt"
    step 'really none' not is_mounted
    step 'nor one on a link' refuses 1 'a symbolic link' --mount-for nobody "$dir/link"
else
    printf 'SKIP mounting supervised: no python3\n'
fi

# --- as mount(8) does it
if command -v mount.fuse3 >/dev/null; then
    mkdir "$dir/sbin"
    cat >"$dir/sbin/scardfs" <<PROGRAM
#!/bin/sh
exec "$SCARDFS" "\$@"
PROGRAM
    chmod 755 "$dir/sbin/scardfs"
    echo "none $mnt fuse.scardfs noauto,nofail,_netdev,x-test,mode=0600 0 0" >"$dir/fstab"
    # mount(8) finds the program where it wants; in a name space of its own it can be there.
    cat >"$dir/inside" <<'INSIDE'
mount --bind "$1/sbin" /usr/local/sbin && mount -T "$1/fstab" "$1/mnt" &&
    stat -c %a "$1/mnt/version" && grep " $1/mnt " /proc/self/mounts && umount "$1/mnt"
INSIDE
    if unshare -m true 2>/dev/null; then
        unshare -m sh "$dir/inside" "$dir" >"$dir/said" 2>&1
        is 'from fstab it mounts' 0:444 "$?:$(head -n 1 "$dir/said")"
        step 'without setuid programs and devices' grep -q nosuid,nodev,noexec "$dir/said"
    else
        printf 'SKIP mounting fstab: no mount name spaces here\n'
    fi
    # "mark" is how this test finds it again
    step 'mount.fuse3 mounts and drops privileges' mount.fuse3 "$SCARDFS#none" "$mnt" -o \
        "setuid=nobody,drop_privileges,allow_other,default_permissions,nosuid,nodev,fsname=mark=$$"
    pid=$(daemon_with "mark=$$")
    is 'without capabilities' 0000000000000000 "$(status "$pid" CapEff)"
    is 'it is the user' "$(id -u nobody)" "$(status "$pid" Uid | cut -f 4)"
    step 'it is live' test -e "$mnt/version"
    is 'the files are root'\''s' 0:444 "$(stat -c %u:%a "$mnt/version")"
    step 'root unmounts' unmount
    step 'that ends it' eventually 10 ended "$pid"
else
    printf 'SKIP mounting fstab: no mount.fuse3\n'
fi

# --- an ordinary user
if as "$(id -u nobody)" test -w /dev/fuse; then
    ordinary_user
elif mknod "$dir/fuse" c 10 229 && chmod 666 "$dir/fuse" &&
    unshare -m mount --bind "$dir/fuse" /dev/fuse 2>/dev/null; then
    # shellcheck disable=SC2016  # for that shell
    unshare -m sh -c 'mount --bind "$1" /dev/fuse && exec "$2" ordinary' - \
        "$dir/fuse" "$0" || failures=$((failures + 1))
else
    printf 'SKIP mounting by an ordinary user: he may not open /dev/fuse\n'
fi
finish

#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# remote.sh - the mount through sshfs, as scardfs(5) says it may be used. The server speaks
# over a pipe: nothing listens on the network.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse remote
[ "$(id -u)" -eq 0 ] || skip remote 'needs root, for sshd'
for tool in sshfs ssh-keygen setsid; do
    command -v "$tool" >/dev/null || skip remote "no $tool"
done
[ -x /usr/sbin/sshd ] || skip remote 'no sshd'

far=$dir/far
hello=00A4040008F054455354424544
mkdir "$far"
made=no
[ -d /run/sshd ] || { mkdir /run/sshd && made=yes; }

unmount_far() {
    status=$?
    umount -l "$far" 2>/dev/null
    [ "$made" = no ] || rmdir /run/sshd 2>/dev/null
    (exit "$status")
    cleanup
}
trap unmount_far EXIT

ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
ssh-keygen -q -t ed25519 -N '' -f "$dir/user"
cat >"$dir/sshd_config" <<CONF
HostKey $dir/host
AuthorizedKeysFile $dir/user.pub
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
CONF
cat >"$dir/ssh_config" <<CONF
Host *
    ProxyCommand /usr/sbin/sshd -i -e -f $dir/sshd_config 2>>$dir/sshd.log
    IdentityFile $dir/user
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
CONF
ssh -F "$dir/ssh_config" root@here true 2>>"$log" ||
    skip remote "sshd takes nobody here: $(tail -n 1 "$dir/sshd.log")"

# converse FILE HEX...: writes and reads lines by one open file
converse() {
    exec 4<>"$1"
    shift
    for line; do
        printf '%s\n' "$line" >&4
        IFS= read -r answer <&4 && printf '%s\n' "$answer"
    done
    exec 4>&-
}

step 'it mounts' start_daemon --virtual
step 'sshfs mounts it' sshfs -F "$dir/ssh_config" -o direct_io,max_conns=4 "root@here:$mnt" "$far"
is 'a text file' 3b88800154455354424544015d "$(cat "$far/reader0/atr")"
is 'another' 1 "$(cat "$far/version")"
is 'a conversation' '9000 00019000' "$(converse "$far/reader0/transmit" "$hello" 00B0000002 | xargs)"

cat "$far/reader0/events/absent" >"$dir/heard" &
waiter=$!
# shellcheck disable=SC2016  # for that shell
step 'somebody far away waits' eventually 10 \
    sh -c 'find /proc/[0-9]*/fd -lname "$1" 2>/dev/null | grep -q .' - "$mnt/reader0/events/absent"
is 'others still read' negotiable "$(timeout 10 cat "$far/reader0/state" | sed 's/specific/negotiable/')"
virtual 'remove reader0'
step 'and he hears of it' wait "$waiter"
is 'the counter' 1 "$(cat "$dir/heard")"
is 'the state there' absent "$(cat "$far/reader0/state")"
is 'an error looks like an empty file there' '' "$(cat "$far/reader0/atr" 2>&1)"
umount "$far"
step 'the daemon goes on' test -e "$mnt/version"
step 'SIGTERM ends it with status 0' stop_daemon
finish

#compdef scardctl
# SPDX-License-Identifier: BSD-2-Clause
# zsh completion for scardctl(1).

_scardctl_readers() {
    local mount=${opt_args[-m]:-${SCARDFS_MOUNT:-$(awk '$3 == "fuse.scardfs" { print $2; exit }' /proc/self/mounts)}}
    local -a readers
    readers=($mount/reader*(N:t) $mount/by-id/*(N:t) $mount/by-path/*(N:t))
    compadd -a readers
}

_scardctl_task() {
    local -a tasks
    tasks=(
        'list:the readers, their state and name'
        'watch:a line for each change'
        'atr:the answer to reset of the card'
        'apdu:send commands, print the answers'
        'wait:wait for a card to come or go'
        'lock:run a command that nobody else interrupts at the card'
        'doctor:look for what keeps readers from working'
    )
    _describe command tasks
}

_scardctl_arguments() {
    case $words[1] in
    wait) compadd present absent ;;
    lock)
        shift words
        ((CURRENT--))
        _normal
        ;;
    esac
}

_arguments -S \
    '-m[where scardfs is mounted]:directory:_directories' \
    '-r[the reader]:reader:_scardctl_readers' \
    '-h[help]' \
    '1:command:_scardctl_task' \
    '*::argument:_scardctl_arguments'

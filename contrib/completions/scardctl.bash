# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# bash completion for scardctl(1).

# The mount point that the words before name, or the usual one.
_scardctl_mount() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -m ]]; then
            printf '%s\n' "${COMP_WORDS[i + 1]}"
            return
        fi
    done
    printf '%s\n' "${SCARDFS_MOUNT:-$(awk '$3 == "fuse.scardfs" { print $2; exit }' /proc/self/mounts)}"
}

_scardctl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local i task='' mount
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -m | -r) i=$((i + 1)) ;;
        -*) ;;
        *)
            task=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $task:$previous in
    :-m) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    :-r)
        mount=$(_scardctl_mount)
        mapfile -t COMPREPLY < <(compgen -W "$(printf '%s\n' "$mount"/reader* \
            "$mount"/by-id/* "$mount"/by-path/* | sed 's|.*/||; s|^\*$||; /^reader\*$/d')" -- "$current")
        ;;
    :*)
        mapfile -t COMPREPLY < <(compgen \
            -W '-m -r -h list watch atr apdu wait lock doctor' -- "$current")
        ;;
    wait:wait) mapfile -t COMPREPLY < <(compgen -W 'present absent' -- "$current") ;;
    lock:lock) mapfile -t COMPREPLY < <(compgen -c -- "$current") ;;
    lock:*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}

complete -F _scardctl scardctl

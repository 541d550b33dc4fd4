#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Files that are no corpus, or not all of them: a clear message and status 1.
#
# usage: corpus-files.sh CORPUS-PROGRAM
set -u

corpus=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failures=0

# says STATUS TEXT [FILE]: what the program says of a file, and how it ends
says() {
    "$corpus" ${3:+"$3"} >"$folder/output" 2>&1
    status=$?
    if [ $status -ne "$1" ] || ! grep -qF -- "$2" "$folder/output"; then
        echo "status $status and not $1, or no \"$2\":"
        cat "$folder/output"
        failures=$((failures + 1))
    fi
}

# reader IFSD: a reader at TPDU level, whose descriptor says 254
reader() {
    printf '%s' '{"vid": "1209", "pid": "00FE", "bcdDevice": "0100",' \
        '"bInterfaceNumber": 0, "bInterfaceClass": 11, "bInterfaceSubClass": 0,' \
        '"bInterfaceProtocol": 0, "bNumEndpoints": 3, "bcdCCID": "0110",' \
        '"bMaxSlotIndex": 0, "bVoltageSupport": 7, "dwProtocols": 3,' \
        '"dwDefaultClock": 4000, "dwMaximumClock": 4000, "bNumClockSupported": 0,' \
        '"dwDataRate": 10752, "dwMaxDataRate": 344064, "bNumDataRatesSupported": 0,' \
        "\"dwMaxIFSD\": $1," \
        '"dwSynchProtocols": 0, "dwMechanical": 0, "dwFeatures": 66096,' \
        '"dwMaxCCIDMessageLength": 271, "bClassGetResponse": 0, "bClassEnvelope": 0,' \
        '"wLcdLayout": 0, "bPINSupport": 0, "bMaxCCIDBusySlots": 1, "class_descriptor":' \
        '"36211001000703000000A00F0000A00F000000002A00000040050000FE000000000000000000' \
        '00003002' '01000F010000000000000001"}'
    echo
}

says 1 "$folder/none: No such file or directory" "$folder/none"
says 1 "$folder: Is a directory" "$folder"

: >"$folder/empty"
says 1 "$folder/empty: no reader in it" "$folder/empty"

reader 254 >"$folder/one"
says 0 "1 slots" "$folder/one"
says 0 "all                       1       1        0       0" "$folder/one"

{ echo 'neither JSON nor reader'; echo '{}'; echo; reader 254; } >"$folder/some"
says 1 "line 1: no JSON" "$folder/some"
says 1 "line 2: no vid, pid and bInterfaceNumber" "$folder/some"
says 1 "2 lines that describe no reader" "$folder/some"
says 1 "all                       1       1        0       0" "$folder/some"

{ head -c 200000 /dev/zero | tr '\0' '{'; printf '\n\377\001\200"\n'; } >"$folder/rubbish"
says 1 "line 1: longer than" "$folder/rubbish"
says 1 "line 2: no JSON" "$folder/rubbish"

reader 253 >"$folder/wrong"
says 1 "dwMaxIFSD is 253 and was read as 254" "$folder/wrong"
says 1 "all                       1       0        0       1" "$folder/wrong"

# Named by the environment; and, where nobody has asked for a file, there need be none.
SCARDFS_CORPUS=$folder/one
export SCARDFS_CORPUS
says 0 "1 slots"
unset SCARDFS_CORPUS
SCARDFS_TEST_DATA=$folder
export SCARDFS_TEST_DATA
says 77 "SKIP corpus: $folder/ccid-readers.jsonl: No such file or directory"

[ $failures -eq 0 ]

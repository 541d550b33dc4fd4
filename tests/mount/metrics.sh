#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# metrics.sh - the file `metrics`: well-formed, and it counts what has happened.
# shellcheck disable=SC2317  # functions are called through step
. "$(dirname "$0")/lib.sh"
need_fuse metrics
here=$(dirname "$0")
python=/usr/bin/python3
[ -x "$python" ] || python=python3
command -v "$python" >/dev/null || skip metrics 'no python3'

call() {
    "$SCARDCALL" "$mnt/reader0/control" "$@"
}

# sample NAME{LABELS}: its value; the whole text is checked each time
sample() {
    "$python" "$here/openmetrics.py" "$@" <"$mnt/metrics"
}

# within SECONDS: how many commands of reader0 have taken no longer
within() {
    sample "scard_apdu_duration_seconds_bucket{reader=\"reader0\",le=\"$1\"}"
}

t1=02000000
pci=08000000

step 'the daemon mounts' start_daemon --virtual --virtual
step 'both readers appear' eventually 5 test -d "$mnt/reader1"
is 'two readers' 2 "$(sample scard_readers)"
is 'two changes' 2 "$(sample scard_reader_changes_total)"
is 'a card' 1 "$(sample 'scard_card_present{reader="reader0"}')"
is 'the name' 1 "$(sample \
    'scard_reader_info{reader="reader0",name="scardfs Virtual Reader (0000) 00 00"}')"
is 'no commands' 0 "$(sample 'scard_apdus_total{reader="reader0"}')"

is 'T=1' "00000000 $t1" "$(call set_protocol 03000000)"
for _ in 1 2 3; do
    is 'a command' "00000000 $t1${pci}00019000" "$(call transmit ${t1}${pci}00b0000002)"
done
is 'three commands' 3 "$(sample 'scard_apdus_total{reader="reader0"}')"
is 'of the other reader none' 0 "$(sample 'scard_apdus_total{reader="reader1"}')"
is 'their bytes' 15 "$(sample 'scard_command_bytes_total{reader="reader0"}')"
is 'the bytes of the answers' 12 "$(sample 'scard_response_bytes_total{reader="reader0"}')"
is 'and their times' 3 "$(within +Inf)"
fast=$(within 0.05)
# Not 50 ms: virtual cards count whole milliseconds, the first of which may be half over.
is 'a slow one' "00000000 $t1${pci}9000" "$(call transmit ${t1}${pci}80e40064)"
is 'counts' 4 "$(within +Inf)"
is 'and not among the fast' "$fast" "$(within 0.05)"

is 'no error' 0 "$(sample 'scard_errors_total{reader="reader0",kind="no_card"}')"
step 'the card goes' virtual 'remove reader0'
is 'a command without it' 'c0000178 ENOMEDIUM' "$(call transmit ${t1}${pci}00b0000002)"
is 'is an error' 1 "$(sample 'scard_errors_total{reader="reader0",kind="no_card"}')"
is 'no card' 0 "$(sample 'scard_card_present{reader="reader0"}')"
is 'one change' 1 "$(sample 'scard_card_changes_total{reader="reader0"}')"
is 'the driver has counted nothing' 0 \
    "$(sample 'scard_device_events_total{reader="reader0",kind="violations"}')"

step 'a reader goes' virtual 'unplug reader1'
is 'one reader' 1 "$(sample scard_readers)"
is 'three changes' 3 "$(sample scard_reader_changes_total)"
is 'nothing is said of it' - "$(sample 'scard_apdus_total{reader="reader1"}')"
step 'the daemon ends' stop_daemon
finish

#!/bin/bash
# A VM rack that does not come up, whoever is to blame, leaves nothing: interrupted, killed at its worst moment, with a
# machine that fails. Then it is told why, with the last lines of that machine.
# timeout: 300
. "$(dirname "$0")/functions.sh"

# The name tells ours from those of other racks on this host
name=${mark#ashlar-}
name=${name:0:24}
machines() { pgrep -fc "^qemu-system-x86_64 .*-name $name-" || true; }

some_machines() { [ "$(machines)" -ge "$1" ]; }
no_machines() { [ "$(machines)" = 0 ] && [ ! -e "$ASHLAR_RUN" ]; }

start vm up --name "$name"
wait_for 20 some_machines 5 || fail "only $(machines) machines"
kill -TERM "$command"
wait_status "$command" 20
expect_status 143
no_machines || fail "an interrupted start leaves $(machines) machines, $(find "$ASHLAR_RUN")"

start vm up --name "$name"
wait_for 20 some_machines 3 || fail "only $(machines) machines"
kill -KILL "$command"
wait_for 20 no_machines || fail "a killed start leaves $(machines) machines, $(find "$ASHLAR_RUN")"

# A root that looks like a file system, and is none
truncate -s 4M "$tmp/image"
printf '\x53\xef' | dd of="$tmp/image" bs=1 seek=1080 conv=notrunc status=none
run timeout 120 "$bin/ashlar" vm up --name "$name" --root "$tmp/image"
expect_status 125
grep -q 'machine of s0 (storage) has ended' "$tmp/err" || fail "which machine failed: $(cat "$tmp/err")"
grep -q 'failed: mount of the root image' "$tmp/err" || fail "why it failed: $(cat "$tmp/err")"
no_machines || fail "a failed start leaves $(machines) machines"

passed

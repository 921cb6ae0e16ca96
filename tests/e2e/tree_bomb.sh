#!/bin/bash
# A program that makes processes without end meets EAGAIN at the limit of its tree, others on the rack run, and when it is
# ended nothing is left.
# timeout: 300
. "$(dirname "$0")/functions.sh"
rack_start 1G 2
mkfifo wait
exec 8<>wait
input=wait start run --rack "$rack" --excache 64M -- "$programs/bomb"
wait_for 200 has_line "$tmp/out" '^[0-9]' || fail "no end: $(cat "$tmp/err"; ashlar ps --rack "$rack")"
cat "$tmp/out"
read -r n why <"$tmp/out"
[ "$why" = EAGAIN ] || fail "it met $why"
[ "$n" -ge 200 ] && [ "$n" -le 512 ] || fail "$n processes"
members() { ashlar ps --rack "$rack" --json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["processes"][0]["processes"])'; }
all_there() { [ "$(members)" = $((n + 1)) ]; } # the last ones may still be on their way to the node daemon
wait_for 10 all_there || fail "not so many processes: $(ashlar ps --rack "$rack")"
ashlar ps --rack "$rack"
[ "$(ashlar ps --rack "$rack" --tree | grep -c bomb)" = $((n + 2)) ] || fail "not so many lines: $(ashlar ps --rack "$rack" -t | tail -n 5)"
bomb=$command
cp "$tmp/out" bomb.out
run ashlar run --rack "$rack" --excache 8M -- sh -c 'for i in 1 2 3; do /bin/echo $i | cat; done'
expect_status 0
[ "$(cat "$tmp/out")" = $'1\n2\n3' ] || fail "others: $(cat "$tmp/out" "$tmp/err")"
wait_for 20 ask_to_end "$bomb" || fail "it does not end"
wait "$bomb" 2>/dev/null
wait_for 20 rack_is_empty || fail "left: $(ashlar rack status "$rack")"
run ashlar run --rack "$rack" --excache 8M -- sh -c '/bin/echo on; exit 3'
expect_status 3
passed

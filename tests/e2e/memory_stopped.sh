#!/bin/bash
# Misses need no processor of the memory components: they go on while those are stopped, as long as slabs are left. (A
# fabric without such devices, ofi:tcp, needs it after all: there the program waits, and goes on with them.)
# also: asan ofi
. "$(dirname "$0")/functions.sh"
rack_noise=yes # they tell that they are heard of again
case $fabric in ofi:*) passive= ;; *) passive=yes ;; esac
rack_start 256M 2
input=/dev/null
start run --rack "$rack" --excache 2M --stats "$tmp/stats" -- "$programs/reader" 12
wait_for 10 has_line "$tmp/out" '^ready' || fail "the program does not start: $(cat "$tmp/err")"
for p in "${memory[@]}"; do
	kill -STOP "$p"
done
for p in "${memory[@]}"; do
	wait_for 2 in_state "$p" T || fail "$p is not stopped"
done
before=$(wc -l <"$tmp/out")
if [ "$passive" ]; then
	wait_for 10 lines_more_than "$tmp/out" $((before + 20)) || fail "no misses while the memory components are stopped"
else
	sleep 1 # nothing can be seen of a program that waits
fi
for p in "${memory[@]}"; do
	in_state "$p" T || fail "$p runs again by itself"
	kill -CONT "$p"
done
[ "$passive" ] || before=$(wc -l <"$tmp/out")
wait_for 10 lines_more_than "$tmp/out" $((before + 3)) || fail "no misses after it"
kill -INT "$(program_of "$command")"
wait_status "$command"
expect_status 0
[ ! -s "$tmp/err" ] || fail "stderr: $(cat "$tmp/err")"
echo "rounds: $before before, $(($(wc -l <"$tmp/out") - before)) while stopped and after;" \
	"$(stat_of "$tmp/stats" excache.misses) misses"
[ "$(stat_of "$tmp/stats" excache.misses)" -gt 10000 ] || fail "that were no misses"
expect_freed "the end of the program"

# A program that writes needs slabs: when none is left it waits for the components, and goes on with them.
start run --rack "$rack" --excache 2M -- "$programs/walker" 12 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
for p in "${memory[@]}"; do
	kill -STOP "$p"
done
n=$(wc -l <"$tmp/out")
wait_for 3 lines_more_than "$tmp/out" $((n + 50))
echo "a writer: $(($(wc -l <"$tmp/out") - n)) passes while stopped"
for p in "${memory[@]}"; do
	kill -CONT "$p"
done
n=$(wc -l <"$tmp/out")
wait_for 10 lines_more_than "$tmp/out" $((n + 3)) || fail "the writer does not go on: $(cat "$tmp/err")"
kill -INT "$(program_of "$command")"
wait_status "$command"
expect_status 3
! grep -v 'warning: memory component' "$tmp/err" || fail "more than warnings"
expect_freed "the end of the writer"
# One that grows, on components that are slow again and again, all at once: it waits for them
start run --rack "$rack" --excache 2M -- "$programs/walker" 150 1
for _ in 1 2 3 4 5 6; do
	kill -STOP "${memory[@]}"
	sleep 0.4
	kill -CONT "${memory[@]}"
	sleep 0.1
done
wait_status "$command" 60
expect_status 0
has_line "$tmp/out" '^pass 1$' || fail "it has not come to an end: $(cat "$tmp/err")"
expect_freed "the end of one that grew"
passed

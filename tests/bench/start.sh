#!/bin/bash
# From the command to the program's first instruction, and the whole of `ashlar run true` beside `true`.
. "$(dirname "$0")/functions.sh"
for ((i = 0; i < pairs; i++)); do
	t=$EPOCHREALTIME
	/bin/true
	u=$EPOCHREALTIME
	echo "true, native: $((${u/./} - ${t/./})) us"
	t=$EPOCHREALTIME
	"$bin/ashlar" run --stats "$tmp/stats" -- /bin/true || die "true fails"
	u=$EPOCHREALTIME
	echo "ashlar run true: $((${u/./} - ${t/./})) us"
	echo "command to first instruction: $(($(stat_of "$tmp/stats" detail.start_ns) / 1000)) us"
	echo "of it the dispatcher: $(($(stat_of "$tmp/stats" detail.dispatcher_start_ns) / 1000)) us"
done | summary

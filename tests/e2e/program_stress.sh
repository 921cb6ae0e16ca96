#!/bin/bash
# stress-ng's stressors of memory, processes, signals and locks, each of which verifies what it finds, with less memory than
# they use.
# timeout: 400
. "$(dirname "$0")/functions.sh"
requires stress-ng
while read -r name ops options; do
	# shellcheck disable=SC2086 # words
	run ashlar run --excache 16M --stats "$tmp/stats" -- stress-ng --verify --no-rand-seed --temp-path "$tmp/work" \
		--$name 1 --$name-ops $ops $options
	[ "$status" -eq 0 ] && ! grep -iqE 'fail:|error:' "$tmp/out" "$tmp/err" || {
		show "$tmp/out" "$tmp/err"
		fail "$name ends with $status"
	}
	echo "$name: $(stat_of "$tmp/stats" excache.misses) misses, $(stat_of "$tmp/stats" detail.processes) processes"
done <<'END'
vm 20 --vm-bytes 12M
mmap 3 --mmap-bytes 8M
mremap 1 --mremap-bytes 2M
mprotect 20
stack 3
fork 60
vfork 30
clone 60
signal 500
sigq 300
sigsegv 50
futex 500
shm 3
shm-sysv 3
pipe 300
END
passed

# shellcheck shell=bash disable=SC2034 # what tests use
# Library of the end-to-end tests; source it first:  . "$(dirname "$0")/functions.sh"
# (bash.) A test prints what it does, ends with `passed`, and anything else is a failure; 77 means skipped.
#
# What it gives:
#   $tmp         a folder of the test's own, removed at its end; the test starts in it
#   $bin $programs $top $python
#   $fabric      what the test runs on ($ASHLAR_FABRIC, by default local): private racks and those of rack_start
#   ashlar ...   the command, marked so that all that comes of it can be found again
#   run CMD..    runs it: $status, stdout and stderr in $tmp/out and $tmp/err
#   at the end, however it comes: hooks of `cleanup`, hand-made racks down, and then nothing of ours may be left: no
#   process, no socket, no file in /dev/shm or in the folder for temporary files.

set -u
top=${ASHLAR_TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
build=${ASHLAR_BUILD:-$top/build}
case $build in /*) ;; *) build=$top/$build ;; esac
bin=${ASHLAR_BIN:-$build/bin}
case $bin in /*) ;; *) bin=$top/$bin ;; esac
programs=$build/tests/programs
here=$top/tests/e2e
python=/usr/bin/python3
export ASHLAR_FABRIC=${ASHLAR_FABRIC:-local} # the command takes it from there
fabric=$ASHLAR_FABRIC
unset ASHLAR_BIN ASHLAR_BUILD ASHLAR_TOP B MAKEFLAGS
export LC_ALL=C PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
unset ASHLAR_TEST_MARK # set for what we start, and only there
mark=ashlar-test-$$-$RANDOM$RANDOM

tmp=$(mktemp -d "${TMPDIR:-/tmp}/ashlar-e2e.XXXXXX") || exit 1
mkdir "$tmp/temporary" "$tmp/work"
export TMPDIR=$tmp/temporary
export ASHLAR_RUN=$tmp/run # where standing racks keep their state
unset ASHLAR_RACK
cd "$tmp/work" || exit 1

# ---- results -----------------------------------------------------------------------------------------------------------

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

passed() {
	did_pass=1
	exit 0
}

skip() {
	did_pass=skip
	echo "skipped: $*"
	exit 77
}

requires() { # programs that must be there, else the test is skipped
	local p
	for p in "$@"; do
		command -v "$p" >/dev/null 2>&1 || skip "there is no $p"
	done
}

show() { # files, on the way to failing
	local f
	for f in "$@"; do
		echo "--- ${f##*/}:"
		head -c 3000 "$f"
	done >&2
}

now_ms() {
	local t=$EPOCHREALTIME
	echo $((${t/./} / 1000))
}

# wait_for SECONDS CMD..: until the command succeeds; false when the time is over. Long times are patience with a
# program at work, and four times as long on a slower fabric than local; short ones are promises.
wait_for() {
	local seconds=$1 end
	[ "$fabric" = local ] || [ "$seconds" -lt 5 ] || seconds=$((4 * seconds))
	end=$(($(now_ms) + seconds * 1000))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.01
	done
}

has_line() { # file, pattern
	grep -q -e "$2" "$1" 2>/dev/null
}

lines_more_than() { # file, number
	[ "$(wc -l <"$1")" -gt "$2" ]
}

ended() { # pid: gone, or dead and not yet waited for
	local state
	state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 0
	[ -z "$state" ] || [ "$state" = Z ]
}

in_state() { # pid, letter
	[ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null)" = "$2" ]
}

# ---- running -----------------------------------------------------------------------------------------------------------

ashlar() { ASHLAR_TEST_MARK=$mark "$bin/ashlar" "$@"; }

# start ARGS..: the command in the background; its pid is $command.
started=0
start() {
	# Here as well: the child comes to it later, and nobody shall see what an earlier one wrote
	started=$((started + 1))
	: >"$tmp/out"
	: >"$tmp/err"
	ASHLAR_TEST_MARK=$mark ASHLAR_TEST_START=$mark.$started "$bin/ashlar" "$@" >"$tmp/out" 2>"$tmp/err" <"$input" &
	command=$!
}

# Asks the command to end, and again when it has not in a second: what comes before it knows of its program's end goes to the
# program, and what that leaves running ends by the next. With wait_for.
ask_to_end() { # pid
	kill -TERM "$1" 2>/dev/null
	wait_for 1 ended "$1"
}

wait_status() { # pid [SECONDS]: its exit status in $status
	wait_for "${2:-20}" ended "$1" || {
		show "$tmp/out" "$tmp/err"
		fail "process $1 does not end"
	}
	status=0
	wait "$1" 2>/dev/null || status=$?
}

run() {
	status=0
	"$@" >"$tmp/out" 2>"$tmp/err" || status=$?
}

expect_status() {
	[ "$status" -eq "$1" ] && return 0
	show "$tmp/out" "$tmp/err"
	fail "exit status $status, not $1"
}

expect_one_line() { # that matches the pattern; nothing else on stderr, nothing on stdout
	[ ! -s "$tmp/out" ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -qE -e "$1" "$tmp/err" && return 0
	show "$tmp/out" "$tmp/err"
	fail "not one line that matches $1"
}

# stat_of FILE NAME: a number of the JSON that --stats wrote, e.g. excache.misses
stat_of() {
	"$python" -c 'import json, sys
v = json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."):
    v = v[k]
print(int(v))' "$1" "$2"
}

seen_of() { # file of memwatch, name
	sed -n "s/^$2 //p" "$1"
}

# same_as_native EXCACHE PROGRAM ARGS..: stdout, stderr and exit status natively and on a private rack. stdin is $input.
# Counters are in $tmp/stats afterwards. $program_is says how a difference is to be called. The halves of it: `natively`
# (exit status in $native_status), and `as_natively`, any number of times.
input=/dev/null
same_as_native() {
	natively "${@:2}"
	as_natively "$@"
}

natively() {
	native_status=0
	# the braces: what the shell itself says of a program that died is not the program's
	{ "$@" <"$input" >"$tmp/native.out" 2>"$tmp/native.err" || native_status=$?; } 2>/dev/null
}

as_natively() {
	local excache=$1 rack_status=0
	shift
	ashlar run --excache "$excache" --stats "$tmp/stats" -- "$@" <"$input" >"$tmp/rack.out" 2>"$tmp/rack.err" ||
		rack_status=$?
	compare_with_native "${1##*/} ${*:2:3} with $excache" "$native_status" "$rack_status"
}

compare_with_native() { # what, native status, status on the rack
	local bad=
	[ "$2" -eq "$3" ] || { bad=1; echo "$1: exit status $3, natively $2" >&2; }
	cmp -s "$tmp/native.out" "$tmp/rack.out" || {
		bad=1
		echo "$1: stdout differs (< native, > rack)" >&2
		diff -a "$tmp/native.out" "$tmp/rack.out" | head -n 30 | cut -c 1-300 >&2
	}
	cmp -s "$tmp/native.err" "$tmp/rack.err" || {
		bad=1
		echo "$1: stderr differs (< native, > rack)" >&2
		diff -a "$tmp/native.err" "$tmp/rack.err" | head -n 30 | cut -c 1-300 >&2
	}
	[ -z "$bad" ] || fail "$1 is not as natively"
	expect_kernel
	echo "$1: as natively, exit status $2"
}

# As tests/run.sh asked by ASHLAR_KERNEL: nothing beyond Debian's 6.1 was used. (A killed program may have told nothing.)
expect_kernel() {
	[ -n "${ASHLAR_KERNEL:-}" ] || return 0
	[ "$(stat_of "$tmp/stats" detail.kernel_drop_vector)$(stat_of "$tmp/stats" detail.kernel_pagemap_scan)" = 00 ] ||
		fail "more of the kernel was used than $ASHLAR_KERNEL has"
}

# squeeze [-p PART] PROGRAM ARGS..: the program natively, its footprint measured, and on a private rack with a PARTth
# of it (a quarter). Output and exit status as natively; the anonymous memory of its mappings stays within the budget
# plus 5 % plus 1 MB, that of the dispatcher within the bound it states; misses fit the squeeze: at least as many as
# pages have no room.
squeeze() {
	local share=4 footprint budget native_status=0 rack_status=0 limit peak own bound misses least evictions
	[ "$1" != -p ] || { share=$2; shift 2; }
	"$programs/memwatch" -o "$tmp/watch" "$@" <"$input" >"$tmp/native.out" 2>"$tmp/native.err" || native_status=$?
	footprint=$(seen_of "$tmp/watch" anon_peak)
	budget=$((footprint / share / 4096 * 4096))
	limit=$((budget + budget / 20 + (1 << 20)))
	[ "$footprint" -ge $((16 << 20)) ] || fail "${1##*/} has a footprint of $footprint bytes only"
	ASHLAR_TEST_MARK=$mark "$programs/memwatch" -r -i 10 -l "$limit" -o "$tmp/watch.rack" \
		"$bin/ashlar" run --excache "$budget" --stats "$tmp/stats" -- "$@" \
		<"$input" >"$tmp/rack.out" 2>"$tmp/rack.err" || rack_status=$?
	compare_with_native "${1##*/} with a ${share}th of $footprint bytes" "$native_status" "$rack_status"
	peak=$(seen_of "$tmp/watch.rack" program_peak)
	own=$(seen_of "$tmp/watch.rack" own_peak)
	bound=$(stat_of "$tmp/stats" detail.local_bytes_max)
	misses=$(stat_of "$tmp/stats" excache.misses)
	evictions=$(stat_of "$tmp/stats" excache.evictions)
	echo "budget $budget, peak $peak in $(seen_of "$tmp/watch.rack" samples) samples, dispatcher $own of $bound;" \
		"$misses misses, $evictions evictions; native $(($(seen_of "$tmp/watch" wall_ns) / 1000000)) ms," \
		"rack $(($(seen_of "$tmp/watch.rack" wall_ns) / 1000000)) ms"
	[ "$(seen_of "$tmp/watch.rack" samples)" -ge 3 ] || fail "hardly sampled"
	[ "$peak" -le "$limit" ] || {
		echo "anonymous KB and mapping, where it was first over the budget:" >&2
		awk '/^[0-9a-f]+-/ { map = $0 } /^Anonymous:/ && $2 >= 256 { print $2, map }' "$tmp/watch.rack.over" >&2
		fail "over its budget"
	}
	[ "${bound:-0}" = 0 ] || [ "$own" -le "$bound" ] || fail "the dispatcher takes more than it states"
	least=$(((footprint - budget) / 4096))
	[ "$misses" -ge "$least" ] || fail "only $misses misses, where $least pages have no room"
	[ "$evictions" -ge "$least" ] || fail "only $evictions evictions, where $least pages have no room"
}

# A user at a terminal: steps on stdin, see terminal.py. In them $ashlar is the command.
terminal() {
	env ASHLAR_TEST_MARK="$mark" ashlar="$bin/ashlar" programs="$programs" python="$python" tmp="$tmp" \
		"$python" "$here/terminal.py"
}

# The program of an `ashlar run` that `start` began, by the pid of that, or nothing: the child of it that is in its session
# and has become it; on a standing rack the child of a node daemon that has what `start` put into the environment.
program_of() {
	local stat pid comm rest told
	local -a f
	told=$(tr '\0' '\n' <"/proc/$1/environ" 2>/dev/null | grep '^ASHLAR_TEST_START=')
	for stat in /proc/[0-9]*/stat; do
		read -r rest <"$stat" 2>/dev/null || continue
		pid=${rest%% *}
		comm=${rest#*(}
		comm=${comm%)*}
		read -ra f <<<"${rest##*) }"
		# f: state ppid pgrp session
		[ -n "$told" ] && [ "$comm" != dispatcher ] && [ "$(cat "/proc/${f[1]}/comm")" = pcomponent ] &&
			grep -qzxF "$told" "/proc/$pid/environ" && echo "$pid" && return 0
		[ "${f[1]}" = "$1" ] && [ "$comm" != ashlar ] && [ "$comm" != dispatcher ] &&
			[ "${f[3]}" = "$(sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f4)" ] && echo "$pid" && return 0
	done 2>/dev/null
	return 1
}

program_running() { # pid of the command; sets $program
	program=$(program_of "$1") && [ -n "$program" ]
}

# ---- a rack made by hand -------------------------------------------------------------------------------------------------

# rack_start [SIZE [N [ROOT [EXCACHE]]]]: N memory components of SIZE each (2 of 64M). $rack is its file; $gmm, $daemon,
# $storage and the array $memory are pids.
rack_start() {
	local n=${2:-2} i
	memory_size=${1:-64M} storage_root=${3:-/} excache_size=${4:-1G}
	rack_file
	rack_gmm
	rack_storage
	memory=()
	for ((i = 0; i < n; i++)); do
		rack_memory "$i"
	done
	rack_processor
	for i in "${parts[@]}"; do
		wait_for 10 has_line "$tmp/ready.$i" '^ready ' || {
			show "$tmp/log.$i"
			fail "a component of the rack does not start"
		}
	done
}

# The components one by one: also to start one anew after its end
rack_gmm() {
	rack_part gmm --listen "$(rack_address gmm)"
	gmm=$part
}
rack_storage() { # at an address that stays: programs come back to it
	rack_part scomponent --gmm "$(rack_address gmm)" --name s0 --root "$storage_root" --listen "$(rack_address s0)"
	storage=$part
}
rack_memory() { # number
	rack_part mcomponent --gmm "$(rack_address gmm)" --name "m$1" --size "$memory_size"
	memory[$1]=$part
}
rack_processor() {
	rack_part pcomponent --gmm "$(rack_address gmm)" --name p0 --excache "$excache_size"
	daemon=$part
}

# rack_address NAME: an address of the rack's fabric for that component, always the same one in a test
rack_address() {
	local rack_fabric=${fabric#relay:} port=$tmp/port-$1
	case $rack_fabric in
	local) echo "local:@$mark-$1" ;;
	*)
		[ -s "$port" ] || "$python" -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])' >"$port"
		echo "$rack_fabric:127.0.0.1:$(cat "$port")"
		;;
	esac
}

rack_file() { # the file of a rack whose parts are started by hand, to $rack
	rack=$tmp/rack.conf
	printf 'gmm = "%s"\nfabric = "%s"\nnode = "%s"\n' "$(rack_address gmm)" "$fabric" "local:@$mark-node" >"$rack"
}

parts=()
part_number=0
rack_part() { # program, options..; its pid in $part
	local n=$((++part_number)) program=$1
	shift
	set -- --fabric "${fabric#relay:}" "$@"
	[ "$program" != pcomponent ] || set -- --node "local:@$mark-node" "$@"
	[ "$program" != pcomponent ] || [ "$fabric" = local ] || set -- --relay "$@"
	: >"$tmp/ready-$n"
	: >"$tmp/log-$n"
	# Descriptor 9: neither standard nor one that a shell uses. A session of its own, as a machine of its own has.
	ASHLAR_TEST_MARK=$mark setsid "$bin/$program" "$@" --ready-fd 9 \
		9>"$tmp/ready-$n" >"$tmp/log-$n" 2>&1 </dev/null &
	part=$!
	ln -s "ready-$n" "$tmp/ready.$part"
	ln -s "log-$n" "$tmp/log.$part"
	parts+=("$part")
}

rack_stop() { # asks all to end, from the last started to the first, and expects that they do
	local i
	for ((i = ${#parts[@]} - 1; i >= 0; i--)); do
		kill -CONT "${parts[i]}" 2>/dev/null
		kill -TERM "${parts[i]}" 2>/dev/null
		wait_for 5 ended "${parts[i]}" || {
			kill -KILL "${parts[i]}"
			echo "component ${parts[i]} did not end when asked to" >&2
			rack_bad=1
		}
		wait "${parts[i]}" 2>/dev/null
		if [ -s "$tmp/log.${parts[i]}" ] && [ -z "${rack_noise:-}" ]; then
			echo "component ${parts[i]} complained:" >&2
			head -c 2000 "$tmp/log.${parts[i]}" >&2
			rack_bad=1
		fi
	done
	parts=()
}

rack_bytes_used() {
	ashlar rack status --json "$rack" | "$python" -c 'import json, sys
print(sum(c["used_bytes"] for c in json.load(sys.stdin)["components"] if c["kind"] == "memory"))'
}

rack_frames_used() { echo $(($(rack_bytes_used) / 4096)); }

rack_processes() { ashlar rack status --json "$rack" | "$python" -c 'import json, sys; print(json.load(sys.stdin)["processes"])'; }

rack_is_empty() { [ "$(rack_bytes_used)" = 0 ] && [ "$(rack_processes)" = 0 ]; }

rack_uses() { [ "$(rack_bytes_used)" -gt "$1" ]; }

# The components tell of their load by heartbeats, twice a second
expect_used() { # bytes
	wait_for 3 rack_uses "$1" || fail "only $(rack_bytes_used) bytes remote"
}

# Descriptors of each component, one number a line: the same before and after
rack_descriptors() {
	local p
	for p in "${parts[@]}"; do
		find "/proc/$p/fd" -mindepth 1 2>/dev/null | wc -l
	done
}

# Frames are free within a second from now on, and nothing of it is left
expect_freed() { # what ended
	local from
	from=$(now_ms)
	# Asking takes a while where the command opens a library for it
	wait_for "$([ "$fabric" = local ] && echo 1 || echo 4)" rack_is_empty || {
		ashlar rack status "$rack" >&2
		fail "frames or processes are left a second after $1"
	}
	echo "$1: all is free after $(($(now_ms) - from)) ms"
}

# ---- a standing rack ------------------------------------------------------------------------------------------------------

# standing_rack [LINES]: $rack is a rack file, $standing its name; 1P+2M+1S, or the components that LINES name.
standing_rack() {
	local files=
	standing=r$$
	rack=$tmp/$standing.rack
	{
		# Where addresses have ports: those of whom programs come back to stay
		if [ "$fabric" != local ]; then
			printf 'fabric = "%s"\ngmm = "%s"\n' "${fabric#relay:}" "$(rack_address gmm)"
			files=" listen = \"$(rack_address s0)\""
		fi
		if [ $# -gt 0 ]; then
			printf '%s\n' "$1"
		else
			echo 'processor p0 { excache = 256M }'
			echo 'memory m0 { size = 64M }'
			echo 'memory m1 { size = 64M }'
			echo "storage s0 { root = \"/\"$files }"
		fi
	} >"$rack"
	cleanup 'ashlar rack down "$standing" >/dev/null'
}

part_pid() { cut -d' ' -f1 "$ASHLAR_RUN/$standing/$1.pid"; }

rack_is_up() { # exactly as many components as $1 are up
	[ "$(ashlar rack status --json "$rack" 2>/dev/null | grep -c '"state": "up"')" -eq "$1" ]
}

# ---- before and after ----------------------------------------------------------------------------------------------------

our_processes() {
	grep -lzxF "ASHLAR_TEST_MARK=$mark" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

# Sockets of the fabric that have a file, by inode and name. (An abstract one lives as long as a process holds it: what is
# left of those is found by the processes, also where other users have racks of their own.)
fabric_sockets() { awk '/ashlar/ && $8 !~ /^@/ { print $7, $8 }' /proc/net/unix | sort; }

# New ones that no living process holds: those of others who use ashlar at the same time are theirs, and those of our own
# processes are found by the processes. (Inode 0: not accepted yet, part of its listener.)
sockets_left() {
	local new held inode name
	new=$(comm -13 <(echo "$sockets_before") <(fabric_sockets))
	[ -n "$new" ] || return 0
	held=$(find /proc/[0-9]*/fd -mindepth 1 -lname 'socket:*' -printf '%l\n' 2>/dev/null)
	while read -r inode name; do
		[ "$inode" = 0 ] || case $held in *"socket:[$inode]"*) ;; *) echo "$name" ;; esac
	done <<<"$new"
}
our_files() { { ls /dev/shm; find "$tmp/temporary" -mindepth 1; } 2>/dev/null | sort; }

no_process() { [ -z "$(our_processes)" ]; }
no_socket() { [ -z "$(sockets_left)" ]; }

# New ones that no living process maps: as with sockets, others use ashlar and shared memory at the same time. What another
# test had there at our start may be gone by now.
files_left() {
	local new name
	new=$(comm -13 <(echo "$files_before") <(our_files))
	[ -n "$new" ] || return 0
	while read -r name; do
		case $name in
		/*) echo "$name" ;;
		*) grep -qsF "/dev/shm/$name" /proc/[0-9]*/maps || echo "$name" ;;
		esac
	done <<<"$new"
}
same_files() { [ -z "$(files_left)" ]; }
nothing_left() { no_process && no_socket && same_files; }

expect_nothing_left() {
	wait_for 2 nothing_left && return 0
	local p
	for p in $(our_processes); do
		echo "left: process $p $(tr '\0' ' ' <"/proc/$p/cmdline" | cut -c 1-120)" >&2
	done
	no_socket || echo "left: sockets $(sockets_left)" >&2
	same_files || echo "left: files $(files_left)" >&2
	return 1
}

hooks=()
cleanup() { hooks+=("$1"); } # a command (one string) for the end

the_end() {
	local code=$? h p
	# A child that a signal meets before its exec is no end of the test
	[ "$BASHPID" = $$ ] || exit "$code"
	trap '' INT TERM HUP
	trap - EXIT
	for h in ${hooks[@]+"${hooks[@]}"}; do
		eval "$h"
	done
	rack_bad=
	rack_stop
	[ -z "$rack_bad" ] || code=1
	if ! expect_nothing_left; then
		for p in $(our_processes); do
			kill -KILL "$p" 2>/dev/null
		done
		echo "FAILED: something is left" >&2
		code=1
	fi
	if [ "$code" -eq 0 ] && [ -z "${did_pass:-}" ]; then
		echo "FAILED: the test ended before its end" >&2
		code=1
	fi
	cd / && rm -rf "$tmp"
	exit "$code"
}
trap the_end EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
trap 'exit 129' HUP

sockets_before=$(fabric_sockets)
files_before=$(our_files)
[ -x "$bin/ashlar" ] || skip "there is no $bin/ashlar"

#!/bin/bash
# Runs the tests that `make test` has built, each with a time limit, and counts them.
#
#   tests/run.sh                      all of them
#   tests/run.sh e2e/signals proto/*  those whose name matches one of the (shell) patterns
#   tests/run.sh --for SECONDS PAT..  the same again and again, until the time is over or a test fails
#   tests/run.sh --fabric ofi:tcp 'e2e/*'  e2e tests on another fabric than local (with eight times the time)
#   tests/run.sh --list [PAT..]       names only
#
# A test is a program of tests/{unit,proto,model,fuzz}, built sanitized, or a script of tests/house, tests/sim,
# tests/e2e or tests/vm (functions.sh is the library of the latter two). Exit status 0 is passed, 77 skipped, all else failed. What it prints goes to
# build/tests/log/NAME.log and is shown only when it failed. Three kinds of line in the head of a script speak to us:
#   # timeout: 300      seconds, where the usual limit does not fit; more of them in make soak (ASHLAR_SOAK) behind it,
#                       for what does more there: timeout: 300, soak 900
#   # only: test-vm     not among all tests, but where a pattern names it (make test-vm); soak: the same (make soak)
#   # also: asan ofi 6.1  run again with the sanitized monitors, under the name e2e-asan/..., on the fabric ofi:tcp, under
#                       the name e2e-ofi/..., and with what Debian's own kernel has (ASHLAR_KERNEL=6.1), under e2e-6.1/...
# A program of tests/abi is a test as well, abi/NAME: one behaviour of Linux, run natively, then with a tiny ExCache and
# with an ample one (tests/abi/compare.sh): same output, same exit status, else it fails and shows the difference. Lines
# of the same kind, but with //, stand in the head of its source:
#   // timeout: 300     as above                 // also: ofi   again as abi-ofi/NAME (6.1: abi-6.1/NAME)
#   // args: a b        what it is run with      // status: 3   what it ends with natively, where that is not 0
#   // excache: 4M      what is tiny for it, where 1M is not enough
# Tests find the fabric by ASHLAR_FABRIC, the programs by ASHLAR_BIN, the build folder by ASHLAR_BUILD, and the sources by ASHLAR_TOP.
# House, unit, proto, model, fuzz, tsan, sim and abi tests run two at a time; e2e and vm tests alone.

set -u
cd "$(dirname "$0")/.." || exit 1
export ASHLAR_TOP=$PWD
export ASHLAR_BUILD=${B:-build}
case $ASHLAR_BUILD in /*) ;; *) ASHLAR_BUILD=$PWD/$ASHLAR_BUILD ;; esac
logs=$ASHLAR_BUILD/tests/log
summary=$ASHLAR_BUILD/tests/summary
export LC_ALL=C
# disable_coredump would lower a limit that programs started by the command have from it
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:strict_string_checks=1:disable_coredump=0}
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$ASHLAR_TOP/tests/lsan.supp:print_suppressions=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
# Handlers of ours may use malloc and locks: they interrupt program code only, never our own.
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:report_signal_unsafe=0}

limit_abi=60
limit_e2e=120
limit_vm=400
limit_other=300
parallel=2
seconds=0
fabric=local
list_only=

while [ $# -gt 0 ]; do
	case $1 in
	--for) seconds=${2:?--for needs seconds}; shift 2 ;;
	--fabric) fabric=${2:?--fabric needs a name}; shift 2 ;;
	--list) list_only=1; shift ;;
	--help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 0 ;;
	--) shift; break ;;
	-*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
	*) break ;;
	esac
done
patterns=("$@")

wanted() {
	local p
	[ ${#patterns[@]} -gt 0 ] || return 0
	for p in "${patterns[@]}"; do
		p=${p#tests/}; p=${p%.sh}; p=${p%.c}
		# shellcheck disable=SC2053 # a pattern is meant
		[[ $1 == $p || $1 == $p/* ]] && return 0
	done
	return 1
}

# What a script's head says: head_says FILE KEY
head_says() {
	sed -nE "1,40s,^(#|//) $2:[[:space:]]*,,p" "$1" | head -n 1
}

# limit FILE USUAL: the seconds that it may take
limit() {
	local said
	said=$(head_says "$1" timeout)
	[ -z "${ASHLAR_SOAK:-}" ] || said=${said##*soak }
	said=${said%%,*}
	echo "${said:-$2}"
}

names=() ; files=() ; limits=() ; bins=() ; fabrics=()
add() { # name, file, limit, folder of programs, fabric
	local slower=1
	wanted "$1" || return 0
	[ "${5:-$fabric}" = local ] || slower=8 # a miss takes ten times as long, on a busy machine more
	names+=("$1"); files+=("$2"); limits+=("$((slower * $3))"); bins+=("$4"); fabrics+=("${5:-$fabric}")
}

shopt -s nullglob
for f in tests/house/*.sh; do
	t=$(limit "$f" $limit_other)
	add "house/$(basename "$f" .sh)" "$f" "$t" "$ASHLAR_BUILD/bin"
done
for f in tests/unit/*.c tests/proto/*.c tests/model/*.c tests/fuzz/*.c; do
	n=${f#tests/}; n=${n%.c}
	[ "$n" != fuzz/record ] || continue # no program: preloaded by record.sh
	add "$n" "$ASHLAR_BUILD/asan/tests/$n" "$limit_other" "$ASHLAR_BUILD/bin"
	! grep -q '^ \* also: tsan$' "$f" || add "tsan/${n##*/}" "$ASHLAR_BUILD/tsan/tests/$n" "$limit_other" "$ASHLAR_BUILD/bin"
done
for f in tests/sim/*.sh; do
	t=$(limit "$f" $limit_other)
	add "sim/$(basename "$f" .sh)" "$f" "$t" "$ASHLAR_BUILD/asan/bin"
done
for f in tests/abi/*.c; do
	n=$(basename "$f" .c)
	t=$(limit "$f" $limit_abi)
	add "abi/$n" tests/abi/compare.sh "$t" "$ASHLAR_BUILD/bin"
	also=" $(head_says "$f" also) "
	case $also in
	*" 6.1 "*) add "abi-6.1/$n" tests/abi/compare.sh "$t" "$ASHLAR_BUILD/bin" ;;
	esac
	case $also in
	*" ofi "*) add "abi-ofi/$n" tests/abi/compare.sh "$t" "$ASHLAR_BUILD/bin" ofi:tcp ;;
	esac
done
concurrent=${#names[@]}
for f in tests/e2e/*.sh; do
	n=$(basename "$f" .sh)
	[ "$n" != functions ] || continue
	[ ${#patterns[@]} -gt 0 ] || [ "$(head_says "$f" only)" != soak ] || continue
	t=$(limit "$f" $limit_e2e)
	add "e2e/$n" "$f" "$t" "$ASHLAR_BUILD/bin"
	also=" $(head_says "$f" also) "
	case $also in
	*" 6.1 "*) add "e2e-6.1/$n" "$f" "$t" "$ASHLAR_BUILD/bin" ;;
	esac
	case $also in
	*" asan "*) add "e2e-asan/$n" "$f" "$((2 * t))" "$ASHLAR_BUILD/asan/bin" ;;
	esac
	case $also in
	*" ofi "*) add "e2e-ofi/$n" "$f" "$t" "$ASHLAR_BUILD/bin" ofi:tcp ;;
	esac
done
# VMs of 2 GB and more in all: a test on a VM rack that says so in its head is run only where it is asked for by name.
for f in tests/vm/*.sh; do
	n=$(basename "$f" .sh)
	[ "$n" != functions ] || continue
	[ ${#patterns[@]} -gt 0 ] || [ "$(head_says "$f" only)" != test-vm ] || continue
	t=$(limit "$f" $limit_vm)
	add "vm/$n" "$f" "$t" "$ASHLAR_BUILD/bin" local
done
total=${#names[@]}

if [ -n "$list_only" ]; then
	[ "$total" -eq 0 ] || printf '%s\n' "${names[@]}"
	exit 0
fi

mkdir -p "$logs" || exit 1
rm -f "$summary"
passed=0 ; failed=0 ; skipped=0 ; count=0
declare -A running=() started=()
failures=()

# timeout(1) makes a process group of its own, so that a test's end by time is the end of all it started there; and
# it passes on a signal that we send to it.
stop_all() {
	trap '' INT TERM HUP
	[ ${#running[@]} -eq 0 ] || kill -TERM "${!running[@]}" 2>/dev/null
	wait
	echo
	echo "run.sh: interrupted" >&2
	exit 130
}
trap stop_all INT TERM HUP

# The sanitizers of Debian 12 lose their way where addresses are more random than they were built for.
fixed=()
bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null)
if [ "${bits:-0}" -gt 28 ] && setarch -R true 2>/dev/null; then
	fixed=(setarch -R)
fi

start() { # index
	local i=$1 log wrap=() kernel=
	case ${names[i]} in e2e-6.1/* | abi-6.1/*) kernel=6.1 ;; esac
	case ${files[i]}${bins[i]} in */asan/tests/* | */tsan/tests/* | */asan/bin) wrap=("${fixed[@]}") ;; esac
	log=$logs/${names[i]}.log
	mkdir -p "${log%/*}"
	ASHLAR_FABRIC=${fabrics[i]} ASHLAR_BIN=${bins[i]} ASHLAR_TEST=${names[i]} ASHLAR_KERNEL=$kernel \
		timeout --kill-after=15 "${limits[i]}" "${wrap[@]}" "${files[i]}" >"$log" 2>&1 </dev/null &
	running[$!]=$i
	started[$!]=$EPOCHREALTIME
}

finish() { # pid, status
	local i=${running[$1]} tenths s=${started[$1]} now=$EPOCHREALTIME word note="" log
	unset "running[$1]" "started[$1]"
	log=$logs/${names[i]}.log
	tenths=$(((${now/./} - ${s/./}) / 100000))
	count=$((count + 1))
	case $2 in
	0) word=ok; passed=$((passed + 1)) ;;
	77) word=skip; skipped=$((skipped + 1)); note=" ($(tail -n 1 "$log"))" ;;
	*)
		word=FAIL; failed=$((failed + 1)); failures+=("${names[i]}")
		case $2 in
		124 | 137) note=" (over its limit of ${limits[i]} s, or killed)" ;;
		*) note=" (exit status $2)" ;;
		esac
		;;
	esac
	printf '[%3d/%d] %-4s %s %d.%ds%s\n' "$count" "$total" "$word" "${names[i]}" \
		$((tenths / 10)) $((tenths % 10)) "$note"
	if [ "$word" = FAIL ]; then
		tail -n 60 "$log" | sed 's/^/    | /'
		echo "    whole log: ${log#"$ASHLAR_TOP"/}"
	fi
}

reap() {
	local pid status=0
	wait -n -p pid "${!running[@]}" || status=$?
	finish "$pid" "$status"
}

one_round() {
	local i
	count=0
	for ((i = 0; i < total; i++)); do
		while [ ${#running[@]} -ge "$([ "$i" -lt "$concurrent" ] && echo $parallel || echo 1)" ]; do
			reap
		done
		start "$i"
	done
	while [ ${#running[@]} -gt 0 ]; do
		reap
	done
}

one_round
while [ "$failed" -eq 0 ] && [ "$total" -gt 0 ] && [ "$SECONDS" -lt "$seconds" ]; do
	one_round
done

[ "$total" -gt 0 ] || echo "run.sh: no test has such a name" >&2
for f in "${failures[@]}"; do
	echo "failed: $f"
done
line="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
echo "$line" | tee "$summary"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

#!/bin/bash
# A program gone wild: stores all over the dispatcher's memory (deterministic sweep and random), GS bases of its own, and
# system calls aimed at the dispatcher, each in a process of its own. Allowed: the program's own signal, our message with
# an exit status, or that all goes on rightly; after a store also that it hangs (in a lock that was overwritten), if it ends
# with its command. Afterwards the rack is whole.
# timeout: 900, soak 1800
. "$(dirname "$0")/functions.sh"

rack_noise=1
rack_start 64M 2
n_maps=${WILD_MAPS:-4} seed=${WILD_SEED:-1}
[ -z "${ASHLAR_SOAK:-}" ] || n_maps=${WILD_MAPS:-16} seed=${WILD_SEED:-$EPOCHSECONDS}
echo "seed $seed, $n_maps mappings of the dispatcher"
RANDOM=$seed
declare -A count
hangs=0
mkfifo "$tmp/orders"

# order LINE..: LINE may hold @, an address that is asked of `where` once the program is there
one() { # kind, line (with @ for the address), function that prints the address
	local kind=$1 line=$2 where=${3:-} addr=0 outcome=
	start_with_orders
	[ -z "$where" ] || addr=$($where)
	[ -n "$addr" ] || addr=0
	echo "${line//@/$addr}" >&8
	exec 8>&-
	# A fault that waits for a line which nobody holds is ended after 45 s
	if ! wait_for 60 ended "$command"; then
		kill -KILL "$command"
		wait_for 20 ended "$program" || fail "hangs, and outlives its command, after: ${line//@/$addr} (seed $seed)"
		[ "${line%% *}" = store ] && [ $((hangs += 1)) -le 6 ] || fail "hangs after: ${line//@/$addr} (seed $seed)"
		outcome=hangs
	fi
	status=0
	wait "$command" 2>/dev/null || status=$?
	if [ "$outcome" ]; then
		:
	elif [ "$status" -eq 0 ] && has_line "$tmp/out" '^right$'; then
		outcome=right
	elif [ "$status" -eq 125 ] && has_line "$tmp/err" '^ashlar: '; then
		outcome=message
	elif [ "$status" -gt 128 ] && [ "$status" -lt 160 ]; then
		outcome="signal $((status - 128))"
		! has_line "$tmp/err" '^ashlar: ' || outcome+=" with a message"
	elif [[ $status == [1-4] || $status == 98 ]]; then
		outcome="error seen by the program"
	else
		show "$tmp/out" "$tmp/err"
		fail "status $status after: ${line//@/$addr} (seed $seed)"
	fi
	[ -z "${WILD_VERBOSE:-}" ] || echo "${line//@/$addr}: $outcome $(head -c 300 "$tmp/err" | tr '\n' '|')"
	count["$kind: $outcome"]=$((${count["$kind: $outcome"]:-0} + 1))
}

start_with_orders() {
	input=$tmp/orders start run --rack "$rack" --excache 4M -- "$programs/wild"
	exec 8>"$tmp/orders"
	wait_for 20 has_line "$tmp/out" '^ready$' || {
		show "$tmp/err"
		fail "the program does not start"
	}
	program_running "$command" || fail "no program"
}

# Mappings of the dispatcher: above the program's window
maps() { awk -v want="$1" '$1 >= "7000" && $1 !~ /^f/ && $2 ~ want { split($1, a, "-"); print a[1], a[2], $6 }' "/proc/$program/maps"; }

nth_map() { # permissions, n, part: the address `part` eighths into the nth mapping (round the end)
	local rows n
	mapfile -t rows < <(maps "$1")
	n=${rows[$(($2 % ${#rows[@]}))]}
	local from=$((16#${n%% *})) to
	n=${n#* }
	to=$((16#${n%% *}))
	printf '%x\n' $((from + (to - from) / 8 / 8 * $3 * 8))
}

own_data() { # somewhere in the writable part of the image and what lies behind it
	local from to
	read -r from to < <(awk '/dispatcher/ && $2 ~ /^rw/ { on = 1; split($1, a, "-"); start = a[1]; end = a[2]; next }
		on && start { split($1, a, "-"); if (a[1] == end) end = a[2]; print start, end; exit }' "/proc/$program/maps")
	printf '%x\n' $((16#$from + (RANDOM << 15 | RANDOM) % (16#$to - 16#$from) / 8 * 8))
}

one none nothing
[ "${count["none: right"]}" = 1 ] || fail "without anything wild it is not right: ${!count[*]}"

for gs in 0 1000 7fffffffffff ffff800000000000; do
	[ "$gs" = ffff800000000000 ] || one gs "gs $gs"
done
one gs gs-selector
where() { nth_map rw-p 0 4; }
one gs "gs @" where

for c in munmap munmap-all munmap-wrap mprotect mmap-fixed mremap mremap-to madvise brk self-mem vm-write read-into \
	readv-into forge-segv forge-bus forge-sys descriptors seccomp sud set-gs set-fs ldt uffd io-uring ptrace altstack \
	limits clear-tid robust; do
	one call "call $c @" where
done

for ((i = 0; i < n_maps; i++)); do
	for part in 0 5; do
		where() { nth_map rw $((i * 16 / n_maps)) $part; }
		one "store of 8 bytes" "store @ 8 $i" where
	done
done
for ((i = 0; i < n_maps; i++)); do
	where() { nth_map rw $((i * 16 / n_maps + 1)) $((RANDOM % 8)); }
	one "store of a page" "store @ 4096 $i" where
done
for ((i = 0; i < n_maps; i++)); do
	where() { own_data; }
	one "store to variables" "store @ $((i % 2 ? 512 : 8)) $i" where
done
for ((i = 0; i < 416; i += 32)); do
	one "store to the thread block" "block $i $((i % 64 ? 32 : 8)) $i"
done
for ((i = 0; i < 4; i++)); do
	where() { nth_map '(r--|r-x|---)' "$i" 1; }
	one "store where nothing may be written" "store @ 8 $i" where
done
for ((i = 0; i < 6; i++)); do
	one "store anywhere" "store $(printf '%x' $((RANDOM << 32 | RANDOM << 17 | RANDOM << 3))) 8 $i"
done

for k in "${!count[@]}"; do
	printf '%5d  %s\n' "${count[$k]}" "$k"
done | sort -k2
expect_freed "all of them"
for p in "${parts[@]}"; do
	! ended "$p" || fail "component $p died"
done
one none nothing
[ "${count["none: right"]}" = 2 ] || fail "the next program is not right"
passed

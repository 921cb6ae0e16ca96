#!/bin/bash
# For whoever has RDMA devices: does ashlar work on them, and how close to them does it come? Ships what was built to two or
# more machines, and writes a report: what the devices are, the conformance tests of the fabric on each machine, messages
# and one-sided reads between the first two beside perftest's in turn, and programs on a rack across all of them, their
# output compared with that of a native run, with the devices' counters before and after.
#
#   scripts/rdma_report.sh [options] NODE NODE [NODE..]
#
#     --via CMD       run a command on a node by `CMD NODE COMMAND..` (default: ssh). As root, or with RDMA devices,
#                     /proc/sys/vm/unprivileged_userfaultfd and locked memory that a user may have.
#     --root DIR      what the second node exports to programs (default: /)
#     --device NAME   RDMA device (default: the first one of each node that is up and has an IPv4 address)
#     --pairs N       of measurements in turn (10)       --steps N   of each measurement (1000)
#     --mb N          size of sort's input (20)          --out FILE  the report (rdma-report.md)
#     --skip PART     conformance, bench or programs; may be given several times
#
# On a rack of virtual machines (`ashlar vm up`), the same:
#   scripts/rdma_report.sh --via 'build/bin/ashlar vm exec' --root /export p0 s0 m0 m1
#
# The first node is the processor and holds the gmm, the second the storage component, all but the first one lend memory.
# Exit status 1 when anything failed. Needs on the nodes: a kernel with the devices' drivers, sh, tar, setsid.
set -u
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
export LC_ALL=C
via=ssh root=/ device='' pairs=10 steps=1000 mb=20 out=rdma-report.md skip=' ' nodes=()
dir=/tmp/ashlar-report # on the nodes; ours from the first to the last line
port=7170

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; }
die() {
	echo "rdma_report: $*" >&2
	exit 1
}
while [ $# -gt 0 ]; do
	case $1 in
	--via) via=${2:?}; shift 2 ;;
	--root) root=${2:?}; shift 2 ;;
	--device) device=${2:?}; shift 2 ;;
	--pairs) pairs=${2:?}; shift 2 ;;
	--steps) steps=${2:?}; shift 2 ;;
	--mb) mb=${2:?}; shift 2 ;;
	--out) out=${2:?}; shift 2 ;;
	--skip) skip+="${2:?} "; shift 2 ;;
	--help) usage; exit 0 ;;
	-*) die "unknown option $1 (try --help)" ;;
	*) nodes+=("$1"); shift ;;
	esac
done
[ ${#nodes[@]} -ge 2 ] || die "two nodes at least (try --help)"
wants() { [[ $skip != *" $1 "* ]]; }

tmp=$(mktemp -d "${TMPDIR:-/tmp}/ashlar-report.XXXXXX") || exit 1
failed=0
declare -A address device_of netdev_of gid_of

on() { # node, shell text: runs it there
	# shellcheck disable=SC2086 # the words of --via
	$via "$1" sh -s <<<"cd $dir 2>/dev/null; export PATH=\$PATH:/usr/sbin:/sbin; $2"
}
begin() { # node, name, command: in the background there, its output in NAME.log
	on "$1" "setsid sh -c 'echo \$\$ > $2.pid; exec $3' >$2.log 2>&1 </dev/null &"
}
end() { # node, name
	on "$1" "[ -r $2.pid ] && kill \$(cat $2.pid) 2>/dev/null; rm -f $2.pid"
}
# shellcheck disable=SC2329 # by the trap
the_end() {
	local n
	for n in "${nodes[@]}"; do
		on "$n" "for f in *.pid; do [ -r \$f ] && kill \$(cat \$f) 2>/dev/null; done; cd /; rm -rf $dir" >/dev/null 2>&1
	done
	rm -rf "$tmp"
}
trap the_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
say() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&2; }
report() { printf "$@" >>"$out"; }
verdict() { # status, what
	[ "$1" -eq 0 ] || failed=1
	[ "$1" -eq 0 ] && echo ok || echo "**failed**"
}

# ---- what goes there ---------------------------------------------------------------------------------------------------

perftest=()
for p in ib_read_lat ib_send_lat; do
	command -v $p >/dev/null && perftest+=("$(command -v $p)")
done
tests=("$B"/tests/unit/net_{messages,regions,back,death,secret} "$B"/tests/verbs/hostile)
MAKEFLAGS='' make --no-print-directory -s -j2 B="$B" all "${tests[@]}" "$B/tests/bench/pair" || die "cannot build"
bundle=$tmp/bundle
mkdir -p "$bundle"/{bin,lib,libexec/ashlar}
cp "$B"/bin/{ashlar,gmm,pcomponent,mcomponent,scomponent} "${tests[@]}" "$B/tests/bench/pair" \
	${perftest[@]+"${perftest[@]}"} "$bundle/bin"
cp "$B/libexec/ashlar/dispatcher" "$bundle/libexec/ashlar"
# Libraries of ours go along but for the C library; a node's own go first.
ldd "$bundle"/bin/* | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
	grep -v -E '/(libc|libm|libpthread|libdl|librt)\.so' | while read -r lib; do cp "$lib" "$bundle/lib"; done

ship() { # node
	# shellcheck disable=SC2086
	on "$1" "rm -rf $dir; mkdir -p $dir" && tar -C "$bundle" -cf - . | $via "$1" tar -C $dir -xf - &&
		on "$1" 'for l in lib/*; do for d in /lib /usr/lib /lib/*-linux-gnu /usr/lib/*-linux-gnu; do
			[ ! -e $d/${l##*/} ] || rm -f $l; done; done'
}
env_there="LD_LIBRARY_PATH=$dir/lib ASHLAR_BIN=$dir/bin"

# The device, its interface, its address, and the GID of that (RoCE v2), as "DEVICE NETDEV ADDRESS [INDEX]"
find_device() { # node
	on "$1" "for d in /sys/class/infiniband/${device:-*}; do
		grep -qs ACTIVE \$d/ports/1/state || continue
		for g in \$d/ports/1/gid_attrs/ndevs/*; do
			n=\$(cat \$g 2>/dev/null) || continue
			a=\$(ip -4 -o addr show dev \$n | sed -n 's,.* inet \\([0-9.]*\\).*,\\1,p' | head -n 1)
			[ -n \"\$a\" ] || continue
			for i in 0 1 2 3 4 5 6 7; do
				grep -qs 'v2' \$d/ports/1/gid_attrs/types/\$i && grep -qs 'ffff:....:....\$' \$d/ports/1/gids/\$i && break
			done
			grep -qs Ethernet \$d/ports/1/link_layer || i=
			echo \"\${d##*/} \$n \$a \$i\"
			exit
		done
	done"
}

rm -f "$out"
report '# RDMA report\n\n%s, `%s`, %s. Nodes are reached by `%s`.\n' "$(date -u '+%F %H:%M UTC')" \
	"$(git describe --always --dirty 2>/dev/null || echo unknown)" "$(uname -srm)" "$via"
report '\n## Machines\n\n| node | device | interface | address | MTU | kernel | cores | load | locked memory |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n'
for n in "${nodes[@]}"; do
	say "$n: shipping"
	ship "$n" || die "cannot ship to $n"
	read -r device_of[$n] netdev_of[$n] address[$n] gid_of[$n] <<<"$(find_device "$n")"
	[ -n "${address[$n]}" ] || die "$n has no RDMA device that is up and has an IPv4 address"
	report '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$n" "${device_of[$n]}" "${netdev_of[$n]}" "${address[$n]}" \
		"$(on "$n" "cat /sys/class/net/${netdev_of[$n]}/mtu")" "$(on "$n" 'uname -r')" "$(on "$n" nproc)" \
		"$(on "$n" 'cut -d" " -f1-3 /proc/loadavg')" "$(on "$n" 'ulimit -l')"
done
first=${nodes[0]} second=${nodes[1]}

# ---- conformance --------------------------------------------------------------------------------------------------------

if wants conformance; then
	report '\n## Conformance\n\nThe tests of the fabric, of the key of a rack, and of hostile peers (`tests/verbs/hostile.c`), all ends on one machine.\n\n| node | test | outcome |\n| --- | --- | --- |\n'
	for n in "${nodes[@]}"; do
		for t in "${tests[@]}"; do
			t=${t##*/}
			say "$n: $t"
			on "$n" "$env_there ASHLAR_TEST_FABRIC=verbs timeout 300 bin/$t" >"$tmp/log" 2>&1
			status=$?
			report '| %s | %s | %s, %s |\n' "$n" "$t" "$(verdict $status)" \
				"$(grep -o '[0-9]* test(s)\.' "$tmp/log" | tail -n 1)"
			[ $status -eq 0 ] || { failed=1; sed 's/^/    /' "$tmp/log" | tail -n 30 >>"$tmp/failures"; }
		done
	done
fi

# ---- the wire, beside perftest ----------------------------------------------------------------------------------------

# The value of perftest's column (t_typical) in ns
perf() { # tool, bytes
	begin "$first" perf "env $env_there bin/$1 -d ${device_of[$first]} ${gid_of[$first]:+-x ${gid_of[$first]}} -F -s $2 -n $steps"
	for _ in 1 2 3 4 5; do
		sleep 1
		on "$second" "env $env_there bin/$1 -d ${device_of[$second]} ${gid_of[$second]:+-x ${gid_of[$second]}} -F -s $2 -n $steps ${address[$first]}" >"$tmp/perf" 2>&1 &&
			break
	done
	end "$first" perf
	awk -v bytes="$2" '$1 == bytes && $5 ~ /^[0-9.]+$/ { print int($5 * 1000) }' "$tmp/perf"
}

if wants bench; then
	say "messages and reads between $first and $second"
	begin "$first" owner "env $env_there bin/pair owner verbs verbs:${address[$first]}:$port"
	sleep 1
	for ((i = 0; i < pairs; i++)); do
		on "$second" "$env_there bin/pair measure verbs verbs:${address[$first]}:$port $steps" >"$tmp/pair" 2>&1 ||
			{ failed=1; cat "$tmp/pair" >>"$tmp/failures"; break; }
		grep -E 'p50' "$tmp/pair"
		if [ ${#perftest[@]} -eq 2 ]; then
			read_ns=$(perf ib_read_lat 4096) half_ns=$(perf ib_send_lat 64) # it tells half of the way there and back
			[ -n "$read_ns" ] && [ -n "$half_ns" ] || { failed=1; cat "$tmp/perf" >>"$tmp/failures"; break; }
			echo "perftest, read of 4 KB: $read_ns ns"
			echo "perftest, 64 B there and back: $((2 * half_ns)) ns"
		fi
	done >"$tmp/bench"
	end "$first" owner
	report '\n## Messages and one-sided reads\n\nFrom %s to %s, %d pairs in turn of %d each; median (quartiles) of the pairs. Load at the end: %s.\n\n```\n%s\n```\n' \
		"$second" "$first" "$pairs" "$steps" "$(cut -d' ' -f1-3 /proc/loadavg)" \
		"$(python3 tests/bench/summary.py 'read / perftest = read of 4 KB, p50 / perftest, read of 4 KB' \
			'there and back / perftest = 64 B there and back, p50 / perftest, 64 B there and back' <"$tmp/bench")"
	report '\nCounts of one of them:\n\n```\n%s\n```\n' "$(grep ' times: ' "$tmp/pair")"
fi

# ---- programs ----------------------------------------------------------------------------------------------------------

counters() { # node: bytes and packets of the interface and the device
	on "$1" "for f in /sys/class/net/${netdev_of[$1]}/statistics/[rt]x_bytes \
		/sys/class/infiniband/${device_of[$1]}/ports/1/counters/port_*_data \
		/sys/class/infiniband/${device_of[$1]}/ports/1/hw_counters/*_pkts; do
		[ -r \$f ] && echo \"\${f##*/} \$(cat \$f)\"; done"
}

program() { # name, excache, command
	local status native_status before after
	say "$1"
	before=$(counters "$first")
	on "$second" "chroot $root /bin/sh -c 'cd /tmp && $3'" >"$tmp/native" 2>"$tmp/native.err"
	native_status=$?
	on "$first" "$env_there $dir/bin/ashlar run --rack $dir/report.rack --excache $2 --stats $dir/stats -- $3" \
		>"$tmp/ours" 2>"$tmp/ours.err"
	status=$?
	after=$(counters "$first")
	on "$first" "cat $dir/stats" >"$tmp/stats" 2>/dev/null
	[ "$native_status" = 0 ] || die "$1 fails natively on $second: $(cat "$tmp/native.err")"
	[ "$status" = 0 ] && cmp -s "$tmp/native" "$tmp/ours" || {
		failed=1
		{ echo "$1: status $status"; head -n 5 "$tmp/ours.err"; } >>"$tmp/failures"
	}
	report '| %s | %s | %s | %s | %s |\n' "$1" "$2" \
		"$([ "$status" = 0 ] && cmp -s "$tmp/native" "$tmp/ours" && echo same || echo '**differs**')" \
		"$(python3 -c 'import json, sys
s = json.load(open(sys.argv[1]))
e, f = s["excache"], s["fabric"]
print("%d misses, p50 %.1f us; %d reads, %d bytes; %d messages; %.1f s" % (e["misses"], e["miss_ns"]["p50"] / 1000,
      f["reads"], f["read_bytes"], f["messages"], s["process"]["wall_ns"] / 1e9))' "$tmp/stats" 2>/dev/null || echo none)" \
		"$(join -j 1 <(sort <<<"$before") <(sort <<<"$after") | awk '{ printf "%s%s +%d", sep, $1, $3 - $2; sep = ", " }')"
}

wait_ready() { # node, name
	for _ in $(seq 100); do
		on "$1" "grep -qs '^ready' $2.log" && return 0
		sleep 0.2
	done
	on "$1" "cat $2.log" >>"$tmp/failures"
	return 1
}

if wants programs; then
	say "a rack on ${nodes[*]}"
	on "$first" "$env_there bin/ashlar rack key rack.key && cat rack.key" >"$tmp/key" || die "no key"
	for n in "${nodes[@]:1}"; do on "$n" "umask 077; echo $(cat "$tmp/key") > rack.key"; done
	gmm=verbs:${address[$first]}:$((port + 1))
	part="--fabric verbs --key $dir/rack.key --ready-fd 1 --log info"
	begin "$first" gmm "env $env_there bin/gmm $part --listen $gmm"
	wait_ready "$first" gmm || failed=1
	begin "$first" p "env $env_there bin/pcomponent $part --gmm $gmm --name p-$first --node local:@ashlar-report"
	begin "$second" s "env $env_there bin/scomponent $part --gmm $gmm --name s-$second --root $root --listen verbs:${address[$second]}:$((port + 2))"
	for n in "${nodes[@]:1}"; do
		begin "$n" m "env $env_there bin/mcomponent $part --gmm $gmm --name m-$n --size 128M --listen verbs:${address[$n]}:$((port + 3))"
	done
	wait_ready "$first" p && wait_ready "$second" s || failed=1
	for n in "${nodes[@]:1}"; do wait_ready "$n" m || failed=1; done
	on "$first" "printf '%s\n' 'fabric = \"verbs\"' 'gmm = \"$gmm\"' 'node = \"local:@ashlar-report\"' >report.rack; cat report.rack" >"$tmp/rack"
	seed=$((mb * 16384))
	on "$second" "chroot $root /bin/sh -c 'seq $seed | awk \"{ print (\\\$1 * 48271) % 2147483647, \\\$1 }\" > /tmp/ashlar-report.txt'"
	report '\n## Programs\n\nOn a rack of all machines: gmm and processor on %s, files on %s, memory on the others.\n\n```\n%s\n```\n\n| program | local memory | output | its counters | counters of %s |\n| --- | --- | --- | --- | --- |\n' \
		"$first" "$second" "$(on "$first" "$env_there bin/ashlar rack status report.rack" 2>&1)" "$first"
	program sort 2M "sort -S 8M --parallel=1 /tmp/ashlar-report.txt"
	program python3 4M "python3 -S -c \"d = [str(i) * 60 for i in range(30000)]; print(sum(len(s) for s in d), d[12345])\""
	program sqlite3 2M "sqlite3 :memory: \"create table t(a, b); with recursive c(i) as (select 1 union all select i + 1 from c where i < 40000) insert into t select i, hex(zeroblob(75)) || i * 7919 % 40009 from c; select sum(length(b)), max(b) from t where a > 10000;\""
	on "$second" "rm -f $root/tmp/ashlar-report.txt"
	for n in "${nodes[@]}"; do
		on "$n" 'for f in gmm p s m; do [ -r $f.log ] && grep -H -v "^ready" $f.log; done' | grep -E 'warning|error' >"$tmp/log" &&
			report '\n%s told:\n\n```\n%s\n```\n' "$n" "$(tail -n 20 "$tmp/log")"
	done
fi

[ ! -s "$tmp/failures" ] || report '\n## What failed\n\n```\n%s\n```\n' "$(cat "$tmp/failures")"
report '\n%s\n' "$([ $failed -eq 0 ] && echo 'All that was tried worked.' || echo '**Something failed.**')"
say "$out is written"
exit $failed

#!/bin/bash
# What a program's misses cost beside a program that writes back as fast as it can, on a rack that both share. Three runs
# in turn: alone; beside a program that computes and moves nothing (what another process costs on few cores); beside one that
# writes 64 MB round and round through an ExCache of 4 MB, so that each of its misses pushes a dirty page out (background).
# The measured one reads 64 MB at random through 16 MB and checks every word; each program stays on a core of its own where
# there are two. Times are those of the stats page (a miss from fault to end, to an eighth). Then the same of a
# memory component's messages: priority_map.c.
. "$(dirname "$0")/functions.sh"
export ASHLAR_RUN=$tmp/run
measured=0 other=$(($(nproc) > 1 ? 1 : 0))
helper=

helper_end() {
	[ -z "$helper" ] || { kill "$helper" && wait "$helper"; } 2>/dev/null
	helper=
}
trap 'helper_end; for f in "$tmp"/*.rack; do "$bin/ashlar" rack down "$f" >/dev/null 2>&1; done; rm -rf "$tmp"' EXIT

rack_begin() { # fabric -> $rack
	rack=$tmp/${1//:/-}-$$.rack
	{
		echo "fabric = \"$1\""
		[ "$1" = local ] || echo "gmm = \"$1:127.0.0.1:$("$python" -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')\""
		echo 'processor p0 { excache = 128M }'
		echo 'memory m0 { size = 256M }'
		echo 'memory m1 { size = 256M }'
		echo 'storage s0 { root = "/" }'
	} >"$rack"
	"$bin/ashlar" rack up "$rack" >"$tmp/up" 2>&1 || die "no rack: $(cat "$tmp/up")"
}

helper_begin() { # ExCache, pages: it is at it when the memory is filled
	taskset -c "$other" "$bin/ashlar" run --rack "$rack" --excache "$1" --stats "$tmp/helper" -- \
		"$programs/touch" "$2" 1000000000 write cycle >/dev/null 2>&1 &
	helper=$!
	sleep 2
}

measure() { # name
	taskset -c "$measured" "$bin/ashlar" run --rack "$rack" --excache 16M --stats "$tmp/stats" -- \
		"$programs/touch" 16384 20000 read random 1 "$i" >"$tmp/out" || die "touch fails: $(cat "$tmp/out")"
	[ -z "$helper" ] || kill -0 "$helper" 2>/dev/null || die "the other program ended"
	[ "$(word_of "$tmp/out" wrong wrong)" = 0 ] || die "wrong words"
	echo "$fabric, $1, p50: $(stat_of "$tmp/stats" excache.miss_ns.p50) ns"
	echo "$fabric, $1, p99: $(stat_of "$tmp/stats" excache.miss_ns.p99) ns"
}

# What the helper wrote back, by its own counters
writes() {
	helper_end
	echo "$fabric, written back by the other: $(stat_of "$tmp/helper" fabric.writes) transfers"
}

turn() {
	measure alone
	helper_begin 16M 512
	measure 'beside computing'
	helper_end
	helper_begin 4M 16384
	measure 'beside write-back'
	writes
}

fabrics=${FABRICS:-local ofi:tcp}
for fabric in $fabrics; do
	rack_begin "$fabric"
	for ((i = 0; i < pairs; i++)); do
		turn
	done
	"$bin/ashlar" rack down "$rack" >/dev/null || die "the rack stays"
done >"$tmp/all"
rules=()
for fabric in $fabrics; do
	for q in p50 p99; do
		rules+=("$fabric, $q, write-back / alone = $fabric, beside write-back, $q / $fabric, alone, $q")
		rules+=("$fabric, $q, write-back / computing = $fabric, beside write-back, $q / $fabric, beside computing, $q")
	done
done
summary "${rules[@]}" <"$tmp/all"
"$bench/priority_map" "$pairs" | summary "local, p99, beside / alone = local, beside page map batches, p99 / local, alone, p99" \
	"ofi:tcp, p99, beside / alone = ofi:tcp, beside page map batches, p99 / ofi:tcp, alone, p99"

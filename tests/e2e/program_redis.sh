#!/bin/bash
# redis-server with less memory than its data: background saves (fork) while clients write. Each dump loads again, the last
# one with the very contents that the server had.
# timeout: 300
. "$(dirname "$0")/functions.sh"
requires redis-server redis-cli redis-benchmark
port=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
cli() { redis-cli -p "$port" "$@"; }
up() { [ "$(cli ping 2>/dev/null)" = PONG ]; }
settings=(--save "" --appendonly no --enable-debug-command yes --dir "$PWD" --bind 127.0.0.1)
start run --excache 12M --stats "$tmp/stats" -- redis-server --port "$port" "${settings[@]}"
cleanup "kill $command"
wait_for 20 up || fail "no server: $(tail -n 3 "$tmp/out")"
python3 -c 'for i in range(20000): print("SET key:%d %s\r" % (i, ("v%d-" % i) * 40))' | cli --pipe >/dev/null || fail "filling"
saved() { cli info persistence | grep -q 'rdb_bgsave_in_progress:0'; }
for i in 1 2; do
	redis-benchmark -h 127.0.0.1 -p "$port" -n 5000 -r 100000 -q -t set -d 100 >/dev/null &
	load=$!
	cli bgsave >/dev/null
	wait_for 100 saved || fail "a save does not end"
	cli info persistence | grep -q 'last_bgsave_status:ok' || fail "a save failed"
	mv dump.rdb "dump$i.rdb"
	wait "$load"
done
before=$(cli debug digest)
cli save >/dev/null || fail "save"
cli shutdown nosave
wait_status "$command" 60
expect_status 0
for dump in dump1.rdb dump2.rdb dump.rdb; do
	redis-server --port "$port" "${settings[@]}" --dbfilename "$dump" >"$tmp/native" 2>&1 &
	native=$!
	wait_for 20 up || fail "$dump does not load: $(tail -n 3 "$tmp/native")"
	after=$(cli debug digest)
	[ "$(cli dbsize)" -ge 20000 ] || fail "$dump holds $(cli dbsize) keys"
	cli shutdown nosave
	wait "$native"
done
[ "$before" = "$after" ] || fail "the server had $before, the dump has $after"
[ "$(stat_of "$tmp/stats" excache.misses)" -gt 1000 ] || fail "hardly a miss"
echo "$(stat_of "$tmp/stats" excache.misses) misses, $(stat_of "$tmp/stats" detail.processes) processes"
passed

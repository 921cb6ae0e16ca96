#!/bin/bash
# PostgreSQL: initdb, a server with less memory than it uses, pgbench, the whole rack killed in the middle, recovery: what was
# committed is there, and adds up. As an ordinary user: the server refuses root.
# timeout: 400
. "$(dirname "$0")/functions.sh"
. "$here/postgres.bash"
under() { # ashlar run with these arguments, as that user
	env ASHLAR_TEST_MARK="$mark" HOME="$tmp/pg" "${as[@]}" "$bin/ashlar" run --excache 48M "$@"
}
server() {
	env ASHLAR_TEST_MARK="$mark" HOME="$tmp/pg" "${as[@]}" "$bin/ashlar" run --excache 48M -- "$postgres" -D "$tmp/pg/d" \
		-k "$tmp/pg" -c listen_addresses= -c shared_buffers=16MB >"$tmp/server" 2>&1 &
	server=$!
	wait_for 60 "$dir/psql" -qtc 'select 1' postgres >/dev/null 2>&1 || fail "no server: $(tail -n 5 "$tmp/server")"
}
run under -- "$dir/initdb" -D "$tmp/pg/d" -A trust -U u
expect_status 0
server
cleanup "kill $server"
"$dir/createdb" bench || fail "createdb"
"$dir/pgbench" -i -q bench >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
"$dir/pgbench" -n -c 3 -t 100 bench >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
grep -q '300/300' "$tmp/out" || fail "transactions: $(cat "$tmp/out")"
"$dir/pgbench" -n -c 3 -T 30 -P 1 bench >"$tmp/load" 2>&1 &
load=$!
wait_for 20 has_line "$tmp/load" '^progress: [2-9]' || fail "no load: $(cat "$tmp/load")"
# the command, and with it all of the rack
postmaster=$(head -n 1 "$tmp/pg/d/postmaster.pid")
kill -9 "$server"
wait "$load"
# not only deaf: a new server refuses to begin while the process of the old one's number is there
postmaster_gone() { ! kill -0 "$postmaster" 2>/dev/null; }
wait_for 20 postmaster_gone || fail "the server outlives its command"
server
cleanup "kill $server"
grep -q 'automatic recovery in progress' "$tmp/server" || fail "no recovery: $(cat "$tmp/server")"
[ "$("$dir/psql" -qtAc 'select sum(abalance) = (select sum(delta) from pgbench_history), (select count(*) >= 300 from pgbench_history) from pgbench_accounts' bench)" = 't|t' ] ||
	fail "it does not add up after the crash"
"$dir/psql" -qtAc 'select count(*) from pgbench_history' bench
kill -INT "$server"
wait_status "$server" 60
expect_status 0
passed

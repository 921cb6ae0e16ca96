#!/bin/bash
# PostgreSQL whose shared buffers are larger than the ExCache: all of its processes find their pages, and the accounts add up.
# As an ordinary user: the server refuses root.
# timeout: 300
. "$(dirname "$0")/functions.sh"
. "$here/postgres.bash"
HOME=$tmp/pg "${as[@]}" "$dir/initdb" -D "$tmp/pg/d" -A trust -U u >/dev/null || fail "initdb, natively"
env ASHLAR_TEST_MARK="$mark" HOME="$tmp/pg" "${as[@]}" "$bin/ashlar" run --excache 24M -- "$postgres" -D "$tmp/pg/d" \
	-k "$tmp/pg" -c listen_addresses= -c shared_buffers=48MB >"$tmp/server" 2>&1 &
server=$!
cleanup "kill $server"
wait_for 60 "$dir/psql" -qtc 'select 1' postgres >/dev/null 2>&1 || fail "no server: $(tail -n 5 "$tmp/server")"
"$dir/createdb" bench || fail "createdb"
"$dir/pgbench" -i -q -s 4 bench >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
"$dir/pgbench" -n -c 3 -t 60 bench >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
grep -q '180/180' "$tmp/out" || fail "transactions: $(cat "$tmp/out")"
[ "$("$dir/psql" -qtAc 'select sum(abalance) = (select sum(delta) from pgbench_history), count(*) from pgbench_accounts' bench)" = 't|400000' ] ||
	fail "it does not add up"
kill -INT "$server"
wait_status "$server" 60
expect_status 0
passed

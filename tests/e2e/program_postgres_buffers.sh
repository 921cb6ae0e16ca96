#!/bin/bash
# PostgreSQL whose shared buffers are larger than the ExCache: all of its processes find their pages, and the accounts add up.
# As an ordinary user: the server refuses root.
# timeout: 300
. "$(dirname "$0")/functions.sh"
postgres=$(find /usr/lib/postgresql/*/bin -name postgres 2>/dev/null | tail -n 1)
[ -n "$postgres" ] || skip "there is no postgres"
dir=${postgres%/*}
as=()
getent passwd "$(id -u)" >/dev/null || skip "this user has no name"
if [ "$(id -u)" -eq 0 ]; then
	requires setpriv
	id postgres >/dev/null 2>&1 || skip "there is no user postgres"
	as=(setpriv --reuid "$(id -u postgres)" --regid "$(id -g postgres)" --clear-groups)
	chmod a+rx "$tmp" "$tmp/work" "$tmp/temporary"
	chmod a+rwx "$tmp/temporary"
	"${as[@]}" test -x "$bin/ashlar" || skip "user postgres does not reach $bin"
fi
mkdir "$tmp/pg"
[ ${#as[@]} -eq 0 ] || chown postgres "$tmp/pg"
cd "$tmp/pg" || exit 1
export PGHOST=$tmp/pg PGPORT=5432 PGUSER=u
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

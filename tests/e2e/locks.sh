#!/bin/bash
# Record locks between processes of a rack: two sqlite3 write to one database at once, and lose nothing.
. "$(dirname "$0")/functions.sh"
requires sqlite3
rack_start 64M 2

rows=60
pids=()
for who in a b; do
	{
		echo '.timeout 30000'
		for i in $(seq $rows); do echo "insert into t values ('$who', $i);"; done
	} >"$tmp/$who.sql"
done
run ashlar run --rack "$rack" -- sqlite3 -batch both.db 'create table t (who text, n integer);'
expect_status 0
for who in a b; do
	ASHLAR_TEST_MARK=$mark "$bin/ashlar" run --rack "$rack" -- sqlite3 -batch both.db <"$tmp/$who.sql" >"$tmp/$who.out" 2>&1 &
	pids[${#pids[@]}]=$!
done
for p in "${pids[@]}"; do
	wait_status "$p" 120
	[ "$status" -eq 0 ] || fail "sqlite3 ended with $status: $(cat "$tmp/a.out" "$tmp/b.out")"
done
[ ! -s "$tmp/a.out" ] && [ ! -s "$tmp/b.out" ] || fail "$(cat "$tmp/a.out" "$tmp/b.out")"
run ashlar run --rack "$rack" -- sqlite3 -batch both.db 'pragma integrity_check; select who, count(*), sum(n) from t group by who;'
expect_status 0
sum=$((rows * (rows + 1) / 2))
printf 'ok\na|%s|%s\nb|%s|%s\n' $rows $sum $rows $sum | cmp - "$tmp/out" || fail "rows are missing: $(cat "$tmp/out")"
expect_freed "programs that locked"
passed

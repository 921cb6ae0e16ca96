#!/bin/bash
# A rack that root runs serves several users at once: each program runs and reaches files as its own user, whatever the
# command claims, and nobody signals another's.
. "$(dirname "$0")/functions.sh"
[ "$(id -u)" -eq 0 ] || skip "only root can be several users"
requires setpriv
chmod 755 "$tmp"
mkdir -p "$tmp/prog/libexec"
cp -r "$bin" "$tmp/prog/bin" && cp -r "$bin/../libexec/ashlar" "$tmp/prog/libexec/"
cp "$programs/walker" "$tmp/prog/"
as() { # uid, command..
	local uid=$1
	shift
	ASHLAR_TEST_MARK=$mark setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all --bounding-set=-all "$@"
}
as 65534 "$tmp/prog/walker" 1 1 >/dev/null 2>&1 || skip "the user cannot reach the build"
standing_rack
chmod 644 "$rack"
ashlar rack up "$rack" >/dev/null || fail "no rack"
for uid in 65533 65534; do
	mkdir "$tmp/home$uid"
	chown "$uid:$uid" "$tmp/home$uid"
	chmod 700 "$tmp/home$uid"
done
echo secret >"$tmp/secret"
chmod 600 "$tmp/secret"
command65533='' command65534=''
for uid in 65533 65534; do
	run as $uid "$tmp/prog/bin/ashlar" run --rack "$rack" -- id -u
	expect_status 0
	[ "$(cat "$tmp/out")" = $uid ] || fail "user $(cat "$tmp/out"), not $uid"
	run as $uid "$tmp/prog/bin/ashlar" run --rack "$rack" -- touch "$tmp/home$uid/file"
	expect_status 0
	[ "$(stat -c %u:%g "$tmp/home$uid/file")" = $uid:$uid ] || fail "$(ls -ln "$tmp/home$uid")"
	run as $uid "$tmp/prog/bin/ashlar" run --rack "$rack" -- cat "$tmp/secret"
	expect_status 1
	grep -q 'Permission denied' "$tmp/err" || fail "$(cat "$tmp/out" "$tmp/err")"
	run as $uid "$tmp/prog/bin/ashlar" run --rack "$rack" -- test -r "$tmp/secret"
	expect_status 1
	as $uid "$tmp/prog/bin/ashlar" run --rack "$rack" --excache 2M -- "$tmp/prog/walker" 20 0 \
		>"$tmp/out$uid" 2>"$tmp/err$uid" &
	eval "command$uid=$!"
done
run as 65533 "$tmp/prog/bin/ashlar" run --rack "$rack" -- ls "$tmp/home65534"
[ "$status" -ne 0 ] || fail "another's folder"
run ashlar run --rack "$rack" -- cat "$tmp/secret" # root still may
expect_status 0
for uid in 65533 65534; do
	wait_for 20 has_line "$tmp/out$uid" '^pass 2' || fail "user $uid: $(cat "$tmp/err$uid")"
done
ashlar ps --rack "$rack"
pid_of() { ashlar ps --rack "$rack" --json | "$python" -c 'import json, sys
print(*[r["pid"] for r in json.load(sys.stdin)["processes"] if r["uid"] == int(sys.argv[1])])' "$1"; }
run as 65533 "$tmp/prog/bin/ashlar" kill --rack "$rack" -KILL "$(pid_of 65534)"
expect_status 1
expect_one_line 'belongs to another user'
run as 65533 "$tmp/prog/bin/ashlar" kill --rack "$rack" -INT "$(pid_of 65533)"
expect_status 0
wait_status "$command65533"
expect_status 3
run ashlar kill --rack "$rack" -INT "$(pid_of 65534)"
expect_status 0
wait_status "$command65534"
expect_status 3
# Another user cannot take it down, nor write where its state is
run as 65533 env ASHLAR_RUN="$ASHLAR_RUN" "$tmp/prog/bin/ashlar" rack down "$standing"
expect_status 125
expect_one_line 'does not belong|not a folder that belongs to us'
expect_freed "all of them"
passed

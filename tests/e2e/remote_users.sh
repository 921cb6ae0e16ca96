#!/bin/bash
# Programs of ordinary users on a rack of root's: each runs as its user, with its groups and no others; nobody becomes
# another, at the storage component neither.
. "$(dirname "$0")/functions.sh"
requires setpriv
[ "$(id -u)" = 0 ] || skip "only root can be several users"
chmod 755 "$tmp" "$tmp/work"
setpriv --reuid 4711 --regid 4712 --clear-groups -- test -x "$bin/ashlar" || skip "another user cannot reach the programs"
tell='import os; print(os.getresuid(), os.getresgid(), sorted(os.getgroups()))'
# Supplementary groups count at the storage component too
echo "of a group" >shared
chgrp 4714 shared
chmod 640 shared
rack_start 128M 2
chmod 644 "$rack"
for user in "--reuid 4711 --regid 4712 --groups 4713,4714" "--reuid 4811 --regid 4812 --clear-groups"; do
	read -ra user <<<"$user"
	on_rack() { ASHLAR_TEST_MARK=$mark setpriv "${user[@]}" -- "$bin/ashlar" run --rack "$rack" -- "$@"; }
	setpriv "${user[@]}" -- "$python" -c "$tell" >native || fail "natively"
	run on_rack "$python" -c "$tell"
	expect_status 0
	cmp native "$tmp/out" || fail "${user[*]}: $(cat "$tmp/out")"
	cat "$tmp/out"
	run on_rack "$programs/walker" 20 3
	expect_status 0
	run on_rack /usr/bin/head -c 1 /etc/shadow
	expect_status 1
	grep -q 'Permission denied' "$tmp/err" || fail "reads what is root's: $(cat "$tmp/err")"
	setpriv "${user[@]}" -- cat shared >native 2>/dev/null
	native=$?
	run on_rack /bin/cat shared
	expect_status $native
	cmp native "$tmp/out" || fail "${user[*]} and its groups: $(cat "$tmp/out" "$tmp/err")"
	expect_freed "the user's programs"
done
passed

#!/bin/bash
# All of it as an ordinary user without any privilege; files are as that user may reach them.
. "$(dirname "$0")/functions.sh"
mkdir "$tmp/user"
cp -r "$bin" "$tmp/user/bin" && mkdir -p "$tmp/user/libexec" && cp -r "$bin/../libexec/ashlar" "$tmp/user/libexec/"
cp "$programs/walker" "$programs/signals" "$programs/files" "$programs/memwatch" "$build/tests/abi/credentials" "$tmp/user/"
echo secret >"$tmp/user/secret"
chmod 600 "$tmp/user/secret"
mkdir "$tmp/user/work"
as=()
if [ "$(id -u)" -eq 0 ]; then
	requires setpriv
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
	chmod 755 "$tmp" "$tmp/user"
	chown 65534 "$tmp/user/work"
fi
cd "$tmp/user/work" || exit 1
try() { ASHLAR_TEST_MARK=$mark HOME=$tmp/user/work TMPDIR=$tmp/user/work ${as[@]+"${as[@]}"} "$@"; }
run try "$tmp/user/walker" 1 1
[ "$status" -eq 0 ] || skip "the user cannot reach the build"
run try "$tmp/user/bin/ashlar" run --excache 2M --stats "$tmp/user/work/stats" -- "$tmp/user/walker" 10 3
expect_status 0
[ "$(cat "$tmp/out")" = "$(printf 'pass 1\npass 2\npass 3')" ] || fail "$(cat "$tmp/out")"
echo "$(stat_of "$tmp/user/work/stats" excache.misses) misses"
[ "$(stat_of "$tmp/user/work/stats" excache.misses)" -gt 1000 ] || fail "no misses"
for program in "$tmp/user/signals" "$tmp/user/files" "$tmp/user/credentials"; do
	try "$program" >"$tmp/native.out" 2>"$tmp/native.err" || fail "$program natively"
	run try "$tmp/user/bin/ashlar" run --excache 1M -- "$program"
	expect_status 0
	diff "$tmp/native.out" "$tmp/out" || fail "${program##*/} is not as natively"
done
run try "$tmp/user/bin/ashlar" run -- id -u
native=$(try id -u)
[ "$(cat "$tmp/out")" = "$native" ] || fail "id: $(cat "$tmp/out"), natively $native"
if [ "$(id -u)" -eq 0 ]; then
	run try "$tmp/user/bin/ashlar" run -- cat "$tmp/user/secret"
	expect_status 1
	grep -q 'Permission denied' "$tmp/err" || fail "secret: $(cat "$tmp/out" "$tmp/err")"
	run try "$tmp/user/bin/ashlar" run -- touch "$tmp/user/file"
	expect_status 1
	cp "$(type -P true)" "$tmp/user/private"
	chmod 700 "$tmp/user/private"
	run try "$tmp/user/bin/ashlar" run -- "$tmp/user/private"
	expect_status 126
	expect_one_line 'Permission denied'
	printf '#!/bin/sh\necho read\n' >"$tmp/user/script"
	chmod 711 "$tmp/user/script"
	run try "$tmp/user/bin/ashlar" run -- "$tmp/user/script"
	expect_status 126
	expect_one_line 'script.*Permission denied'
	run try "$tmp/user/bin/ashlar" run -- touch mine
	expect_status 0
	[ "$(stat -c %u mine)" = 65534 ] || fail "a file of user $(stat -c %u mine)"
fi
rm -rf "$tmp/user/work/"*
passed

#!/bin/bash
# gcc and make -j2 build all of ashlar inside ashlar: the same files as natively, byte for byte, on an ExCache smaller than
# what the tree takes natively. The unit tests are built there, too, and pass there, as an ordinary user.
# timeout: 3600
# only: soak
. "$(dirname "$0")/functions.sh"
requires gcc make
export CCACHE_DISABLE=1
PATH=$(tr : '\n' <<<"$PATH" | grep -v ccache | paste -sd:)

# Those that cannot run inside, and why
declare -A not=(
	[unit/excache_failure]=userfaultfd [unit/excache_fork]=userfaultfd [unit/excache_layout]=userfaultfd
	[unit/excache_resize]=userfaultfd [unit/excache_threads]=userfaultfd
)

# The sources alone, where another user may read them; one build folder for both, since its name is in what is built
chmod 755 "$tmp"
mkdir "$tmp/src"
# shellcheck disable=SC2046 # our file names have no blanks
(cd "$top" && cp -r --parents $(find . -mindepth 1 -maxdepth 1 ! -name '.*' ! -name build) "$tmp/src")
cd "$tmp/src" || exit 1
from=$(now_ms)
make -s -j2 B="$tmp/b" all >"$tmp/out" 2>&1 || {
	grep -v '^  [A-Z]' "$tmp/out" >&2
	fail "make fails natively"
}
native=$(($(now_ms) - from))
mv "$tmp/b" "$tmp/native"
from=$(now_ms)
ashlar run --excache 64M --stats "$tmp/stats" -- make -s -j2 B="$tmp/b" all >"$tmp/out" 2>&1 || {
	grep -v '^  [A-Z]' "$tmp/out" >&2
	fail "make fails"
}
echo "built in $(($(now_ms) - from)) ms, natively $native, by $(stat_of "$tmp/stats" detail.processes) programs with" \
	"$(stat_of "$tmp/stats" excache.misses) misses"
[ "$(stat_of "$tmp/stats" excache.evictions)" -gt 100000 ] || fail "hardly an eviction"
diff -rq "$tmp/native" "$tmp/b" || fail "what was built differs"

ashlar run --excache 64M -- make -s -j2 B="$tmp/b" unit >"$tmp/out" 2>&1 || {
	grep -v '^  [A-Z]' "$tmp/out" >&2
	fail "make unit fails"
}
cat >"$tmp/all.sh" <<'INSIDE'
cd "$1" || exit
for t in "${@:2}"; do
	timeout 900 "$t" >out 2>&1 </dev/null || { echo "$t: exit status $?"; tail -n 40 out; }
	rm -f out
done
INSIDE
as=()
if [ "$(id -u)" -eq 0 ] && command -v setpriv >"$tmp/out"; then
	as=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all)
	chown 65534 "$tmp/work" "$tmp/temporary"
fi

# pass EXCACHE SOURCE..: what is built of these, one after the other in one tree, says nothing is wrong
pass() {
	local excache=$1 source name tests=() from
	shift
	for source in "$@"; do
		name=${source#tests/}
		name=${name%.c}
		[ -z "${not[$name]:-}" ] || continue
		[ -x "$tmp/b/tests/$name" ] || fail "$name was not built"
		tests+=("$tmp/b/tests/$name")
	done
	from=$(now_ms)
	ASHLAR_TEST_MARK=$mark ASHLAR_TOP=$tmp/src ${as[@]+"${as[@]}"} "$bin/ashlar" run --excache "$excache" -- \
		bash "$tmp/all.sh" "$tmp/work" "${tests[@]}" >"$tmp/out" 2>&1 || fail "the shell fails"
	[ ! -s "$tmp/out" ] || {
		cat "$tmp/out" >&2
		fail "unit tests fail inside"
	}
	echo "${#tests[@]} programs pass with $excache in $(($(now_ms) - from)) ms"
}

pass 8M tests/unit/*.c tests/proto/*.c
pass 64M tests/model/*.c # one of them takes 135 MB
passed

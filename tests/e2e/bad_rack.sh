#!/bin/bash
# A rack that is not there, not complete, or does not answer: one line, 125, in good time, nothing left.
# also: asan
. "$(dirname "$0")/functions.sh"
refused() { # seconds, pattern, rack file
	local from
	from=$(now_ms)
	run timeout 40 "$bin/ashlar" run --rack "$3" -- true
	expect_status 125
	expect_one_line "^ashlar: .*$2"
	[ $(($(now_ms) - from)) -le $(($1 * 1000)) ] || fail "it took $(($(now_ms) - from)) ms"
	echo "$(cat "$tmp/err") ($(($(now_ms) - from)) ms)"
}
rack_noise=yes
rack_file
sed "s|^gmm = .*|gmm = \"$(rack_address absent)\"|" "$rack" >"$tmp/absent.conf"
refused 12 'cannot reach the gmm' "$tmp/absent.conf"
printf 'gmm = "nonsense"\n' >"$tmp/nonsense.conf"
refused 3 'gmm' "$tmp/nonsense.conf"

# Component by component: it says what is missing.
addr=$(rack_address gmm)
at_work() { wait_for 10 has_line "$tmp/ready.$part" '^ready' || fail "a component does not start"; }
rack_part gmm --listen "$addr"
gmm=$part
at_work
refused 3 'no processor component' "$rack"
rack_part pcomponent --gmm "$addr" --name p0 --excache 64M
daemon=$part
at_work
refused 3 'no memory component' "$rack"
rack_part mcomponent --gmm "$addr" --name m0 --size 16M
memory=$part
at_work
refused 3 'no storage component' "$rack"
rack_part scomponent --gmm "$addr" --name s0 --root /
storage=$part
at_work
run ashlar run --rack "$rack" -- true
expect_status 0

# A name that is taken is refused
rack_part mcomponent --gmm "$addr" --name m0 --size 16M
wait_status_of_part() { wait_for 20 ended "$part"; }
wait_status_of_part || fail "two components of one name"
cat "$tmp/log.$part"

# Components that do not answer
for p in "$daemon" "$storage"; do
	kill -STOP "$p"
	refused 25 '(does not answer|timed out|Connection timed out|given up)' "$rack"
	kill -CONT "$p"
	works() { ashlar run --rack "$rack" -- true 2>/dev/null; }
	wait_for 10 works || fail "it does not recover"
done
kill -STOP "$gmm"
refused 25 '(does not answer|timed out|Connection timed out|given up)' "$rack"
kill -CONT "$gmm"
wait_for 10 works || fail "the gmm does not recover"
expect_freed "all of them"

# A private rack, a part of which does not start, or does not answer
mkdir "$tmp/parts"
for p in "$bin"/*; do
	ln -s "$p" "$tmp/parts/"
done
broken() { # shell script in place of mcomponent, seconds, pattern
	local from
	from=$(now_ms)
	rm -f "$tmp/parts/mcomponent"
	printf '#!/bin/sh\n%s\n' "$1" >"$tmp/parts/mcomponent"
	chmod 755 "$tmp/parts/mcomponent"
	run env ASHLAR_BIN="$tmp/parts" ASHLAR_TEST_MARK="$mark" timeout 40 "$bin/ashlar" run -- true
	expect_status 125
	expect_one_line "^ashlar: .*$3"
	[ $(($(now_ms) - from)) -le $(($2 * 1000)) ] || fail "it took $(($(now_ms) - from)) ms"
	only_the_rack() { [ "$(our_processes | wc -l)" -eq "${#parts[@]}" ]; }
	wait_for 2 only_the_rack || fail "processes are left: $(our_processes)"
	cat "$tmp/err"
}
rack_stop
broken 'exit 4' 3 'mcomponent.*exit status 4' # 3 is a component's own: no such fabric
broken 'kill -9 $$' 3 'mcomponent.*signal 9'
broken 'exec tail -f /dev/null' 15 'mcomponent.*does not answer'
rm "$tmp/parts/mcomponent"
run env ASHLAR_BIN="$tmp/parts" "$bin/ashlar" run -- true
expect_status 125
expect_one_line '^ashlar: .*mcomponent'
passed

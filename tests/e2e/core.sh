#!/bin/bash
# also: 6.1
# ashlar core: gdb reads it, evicted memory among it, and the program goes on undisturbed.
. "$(dirname "$0")/functions.sh"
requires gdb
mkfifo "$tmp/in"
input=$tmp/in
exec 8<>"$tmp/in"
start run --excache 2M -- "$programs/coreme"
wait_for 40 has_line "$tmp/out" '^ready' || fail "the program does not start: $(cat "$tmp/err")"
program=$(program_of "$command")
cat >"$tmp/script" <<'END'
info threads
thread apply all bt
set $n = list
set $sum = 0
set $bad = 0
while $n
  set $sum = $sum + $n->value
  if $n->text[4999] != 'a' + $n->value % 26
    set $bad = $bad + 1
  end
  set $n = $n->next
end
printf "sum %d bad %d number %g hidden %s\n", $sum, $bad, number, hidden
info auxv
END
for who in "$program" coreme "$program"; do
	run ashlar core -o "$tmp/core" "$who"
	expect_status 0
	cat "$tmp/out"
	gdb -batch -nx -x "$tmp/script" "$programs/coreme" "$tmp/core" >"$tmp/gdb" 2>&1 </dev/null || fail "gdb: $(cat "$tmp/gdb")"
	grep -q '^sum 1999000 bad 0 number 3.25 hidden behind PROT_NONE$' "$tmp/gdb" || fail "memory: $(cat "$tmp/gdb")"
	[ "$(grep -c '(LWP [0-9]*))*:*$' "$tmp/gdb")" -ge 4 ] || fail "threads: $(cat "$tmp/gdb")"
	[ "$(grep -c 'in computing\|^#.* computing (' "$tmp/gdb")" -ge 6 ] || fail "frames: $(cat "$tmp/gdb")"
	grep -q 'in sleeps ' "$tmp/gdb" || fail "no sleeper: $(cat "$tmp/gdb")"
	grep -q 'misses (' "$tmp/gdb" || fail "no misser: $(cat "$tmp/gdb")"
	grep -q '^#.* main (' "$tmp/gdb" || fail "no main: $(cat "$tmp/gdb")"
	grep -q AT_PHDR "$tmp/gdb" || fail "no auxiliary vector"
	[ "$(stat -c %b "$tmp/core")" -lt 100000 ] || fail "the core file takes $(du -h "$tmp/core")"
	rm "$tmp/core"
done
run ashlar core -o "$tmp/core" 1
expect_status 125
run ashlar core nobody-of-this-name
expect_status 125
[ "$(cat "$tmp/err")" = "ashlar: no program of this machine is nobody-of-this-name" ] || fail "$(cat "$tmp/err")"
run ashlar core -o /dev/null/no "$program"
expect_status 125
run ashlar core -o /dev/full "$program"
expect_status 125
[ -c /dev/full ] || fail "a failing core file takes what was there with it"
# It is stopped while it computes, many times over
for ((i = 0; i < 6; i++)); do
	ashlar core -o "$tmp/core" "$program" >/dev/null || fail "round $i"
done
: >"$tmp/out"
echo >&8
wait_status "$command" 10
expect_status 0
grep -q '^whole$' "$tmp/out" || fail "the program did not go on: $(cat "$tmp/out" "$tmp/err")"
passed

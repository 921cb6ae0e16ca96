#!/bin/bash
# stdin, stdout, stderr, pipes, working directory, environment, arguments and descriptors are those of the shell.
. "$(dirname "$0")/functions.sh"
seq 1 20000 >"$tmp/numbers"

out=$(ashlar run -- cat <"$tmp/numbers" | sort -rn | head -n 1)
[ "$out" = 20000 ] || fail "cat in a pipe: $out"
out=$(seq 1 20000 | ashlar run -- sort -n -r | ashlar run -- head -n 2 | tr '\n' ' ')
[ "$out" = "20000 19999 " ] || fail "two in a pipe: $out"
out=$(ashlar run -- sh -c 'echo to stderr >&2' 2>&1 >/dev/null)
[ "$out" = "to stderr" ] || fail "stderr: $out"
run ashlar run -- sh -c 'read a; echo "got $a"; echo more' <<<"a line"
[ "$(cat "$tmp/out")" = "$(printf 'got a line\nmore')" ] || fail "read: $(cat "$tmp/out" "$tmp/err")"

mkdir "$tmp/work/a folder"
cd "$tmp/work/a folder" || exit 1
[ "$(ashlar run -- pwd -P 2>&1)" = "$(pwd -P)" ] || fail "pwd: $(ashlar run -- pwd -P 2>&1)"
echo text >file
[ "$(ashlar run -- cat file ./file ../a\ folder/file)" = "$(printf 'text\ntext\ntext')" ] || fail "relative paths"
[ "$(ashlar run --excache 1M -- /bin/echo 'one  word' '' "it's" '$HOME' '*')" = "one  word  it's \$HOME *" ] || fail "arguments"

env -i A=1 "B=two words" C= ASHLAR_TEST_MARK="$mark" PATH="$PATH" env >"$tmp/native"
env -i A=1 "B=two words" C= ASHLAR_TEST_MARK="$mark" PATH="$PATH" "$bin/ashlar" run -- env >"$tmp/out"
cmp "$tmp/native" "$tmp/out" || fail "environment: $(cat "$tmp/out")"

# descriptors that the shell opened, and none of ours
exec 5<"$tmp/numbers" 6>"$tmp/six"
out=$(ashlar run -- sh -c 'read a <&5; echo "$a" >&6; exec 7>&-; echo "$a"')
[ "$out" = 1 ] && [ "$(cat "$tmp/six")" = 1 ] || fail "inherited descriptors: $out, $(cat "$tmp/six")"
exec 5<&- 6>&-

# closed ones stay closed
status=0
ashlar run -- cat <&- >"$tmp/out" 2>"$tmp/err" || status=$?
native=0
cat <&- >"$tmp/native" 2>"$tmp/native.err" || native=$?
[ "$status" -eq "$native" ] && cmp "$tmp/err" "$tmp/native.err" || fail "closed stdin: $status, $(cat "$tmp/err")"

# who reads no more ends the writer, as in a shell
set -o pipefail
status=0
ashlar run -- seq 1 10000000 2>"$tmp/err" | head -n 1 >"$tmp/out" || status=$?
native=0
seq 1 10000000 2>/dev/null | head -n 1 >/dev/null || native=$?
[ "$status" -eq "$native" ] || fail "broken pipe: $status, natively $native: $(cat "$tmp/err")"
set +o pipefail
passed

#!/bin/bash
# Scripts of bash and dash: pipelines, here-documents, subshells, traps, jobs, redirections, with an ExCache smaller than
# what their processes take, and an ample one: as natively.
# timeout: 300
# also: 6.1
. "$(dirname "$0")/functions.sh"
cat >"$tmp/posix.sh" <<'END'
set -u
cd "$1" || exit 9
echo "words: $(echo a b c | tr a-z A-Z | sed 's/ /-/g')"
cat <<HERE | sort -r | head -n 2
line one
line two
line three $((6 * 7))
HERE
x=1
(x=2; echo "in a subshell $x"; exit 3)
echo "status $? and $x"
seq 200 | while read -r n; do [ $((n % 50)) -ne 0 ] || echo "tick $n"; done
seq 3000 | awk '{ s += $1 } END { print s }'
echo first >file; echo second >>file; { echo third; echo fourth; } >>file
while read -r l; do echo "<$l>"; done <file
exec 3<file; read -r one <&3; read -r two <&3; exec 3<&-
echo "$one $two"
trap 'echo "trap on exit, status $?"' EXIT
trap 'echo "got USR1"' USR1
kill -USR1 $$
sh -c 'kill -TERM $$'; echo "killed: $?"
sleep 0.05 & wait $!; echo "waited $?"
sh -c 'exit 7' & wait $!; echo "waited $?"
for i in 1 2 3; do (exit $i) & done; wait; echo "all gone"
find . -name 'fil*' -exec wc -l {} \;
echo "a:b:c" | cut -d: -f2 | xargs -I{} echo "[{}]"
test -e /nowhere || echo "nowhere"
nosuchcommand-anywhere 2>/dev/null; echo "not found: $?"
./file 2>/dev/null; echo "not executable: $?"
printf "%s\n" z y x | tee copy | sort | tail -n 1; wc -l <copy
env -i A=1 sh -c 'echo "$A ${HOME-none}"'
exit 5
END
cat >"$tmp/bash.sh" <<'END'
cd "$1" || exit 9
set -o pipefail
diff <(seq 5) <(seq 4); echo "diff $?"
coproc UP { while read -r l; do echo "${l^^}"; done; }
echo hello >&"${UP[1]}"; read -r up <&"${UP[0]}"; echo "$up"
exec {UP[1]}>&-; wait "$UP_PID" 2>/dev/null
false | true; echo "pipefail $?"
set -m
sleep 5 & jobs -r | sed 's/ *$//'
kill %1; wait %1 2>/dev/null; echo "job $?"
set +m
mapfile -t lines < <(printf '%s\n' one two three); echo "${#lines[@]} ${lines[2]}"
a=(); for i in {1..20}; do a+=("$(printf '%02x' "$i")"); done; echo "${a[*]}"
timeout 0.1 sleep 5; echo "timeout $?"
( trap 'echo child int; exit 4' INT; kill -INT $BASHPID ); echo "sub $?"
echo "$BASHPID" | { read -r p; [ "$p" = "$$" ] && echo same; }
wait -n 2>/dev/null; echo "nothing to wait for $?"
( exec -a other bash -c 'echo "$0 is the name"' )
ulimit -c 0; { bash -c 'kill -SEGV $$'; echo "segv $?"; } 2>/dev/null
x=$(exec 2>&1; echo err >&2); echo "$x"
cat /dev/fd/3 3<<<"from a descriptor"
time=$( { TIMEFORMAT=%R; time true; } 2>&1 ); [[ $time =~ ^[0-9.]+$ ]] && echo timed
read -r -t 0.05 never < <(sleep 0.2); echo "read $?"; wait
exit 6
END
for kind in "dash posix" "bash posix" "bash bash"; do
	for excache in 6M 256M; do
		rm -rf "$tmp/d"; mkdir "$tmp/d"
		natively "${kind% *}" "$tmp/${kind#* }.sh" "$tmp/d"
		rm -rf "$tmp/d"; mkdir "$tmp/d"
		as_natively "$excache" "${kind% *}" "$tmp/${kind#* }.sh" "$tmp/d"
	done
done
passed

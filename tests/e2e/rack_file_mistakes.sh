#!/bin/bash
# Mistakes of a rack file are told all at once, each with file and line, and nothing is started.
. "$(dirname "$0")/functions.sh"
cat >"$tmp/bad.rack" <<'END'
fabric = "local"
gmm = "nonsense"
colour = "red"
processor p0 { excache = 12Q }
memory m0 {
	size = 64M
	size = 65M
}
memory m2 { sizes = 3 size = 64M }
memory m1 { listen = "ofi:tcp:1.2.3.4:5" }
storage s0 { }
storage s1 { root = "relative" }
END
run ashlar rack up "$tmp/bad.rack"
expect_status 125
show "$tmp/err"
for what in ':2: gmm: nonsense is no address' ':3: unknown key: .colour' ':4: excache: bad size 12Q' \
	':7: size is set already (line 6)' ':9: unknown key: .sizes' ':10: listen: .* is no address of the fabric local' \
	':11: storage s0 lacks a line root' ':12: root: relative must begin with /' ':12: a second storage component'; do
	grep -q "bad.rack$what" "$tmp/err" || fail "not told: $what"
done
[ "$(wc -l <"$tmp/err")" -eq 9 ] || fail "more is told"
[ ! -e "$ASHLAR_RUN" ] || fail "something was made"
printf '%s\n' 'memory m0 {}' 'memory m0 {}' >"$tmp/bad.rack"
run ashlar rack up "$tmp/bad.rack"
expect_status 125
expect_one_line 'bad.rack:2: .*m0'
run ashlar rack up /dev/zero
expect_status 125
expect_one_line 'is not a file'
mkfifo "$tmp/pipe"
run timeout 10 "$bin/ashlar" rack up "$tmp/pipe"
expect_status 125
expect_one_line 'is not a file'
head -c 200000 /dev/zero | tr '\0' '\n' >"$tmp/long"
run ashlar rack up "$tmp/long"
expect_status 125
expect_one_line 'longer than'
head -c 1000 /dev/zero >"$tmp/zeros"
run ashlar rack up "$tmp/zeros"
expect_status 125
expect_one_line 'is not text'
run ashlar rack up "$tmp/absent"
expect_status 125
expect_one_line 'No such file'
run ashlar run --rack nobody -- true
expect_status 125
expect_one_line 'neither a rack file nobody nor'
passed

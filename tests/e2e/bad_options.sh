#!/bin/bash
# Mistakes in the command line: one line that names it, 125, and nothing is started.
# also: asan
. "$(dirname "$0")/functions.sh"
refused() { # pattern, arguments
	run timeout 20 "$bin/ashlar" "${@:2}"
	expect_status 125
	expect_one_line "^ashlar: .*$1"
	cat "$tmp/err"
}
refused '' # nothing at all
refused 'frobnicate' frobnicate
refused '--frobnicate' --frobnicate
refused 'program' run
refused 'program' run --
refused 'program' run --excache 4M
refused '--frobnicate' run --frobnicate -- true
refused '-x' run -x true
refused '--excache' run --excache
for size in abc 12Q -5M 1.5M "" 4MM 0x10 99999999999999999999G 0 1 4095 100k " 4M" "4M "; do
	refused 'excache' run --excache "$size" -- true
done
for memory in abc 0 -1 2x 2x0 2xabc 1000000 2x-1M x64M 99999999999999999999 2x1; do
	refused 'memory' run --memory "$memory" -- true
done
refused 'fabric' run --fabric carrier-pigeon -- true
refused 'log' run --log loud -- true
refused 'absent' run --root /absent -- true
refused 'rack' run --rack /absent/rack.conf -- true
refused 'stats|/absent' run --stats /absent/stats -- true
refused 'stats' run --stats "" -- true
echo 'this is no rack file' >"$tmp/bad.conf"
refused 'bad.conf' run --rack "$tmp/bad.conf" -- true
echo 'fabric = "local"' >"$tmp/bad.conf"
refused 'gmm' run --rack "$tmp/bad.conf" -- true
printf 'gmm = "local:@x"\nfabric = "none"\n' >"$tmp/bad.conf"
refused 'fabric|none' run --rack "$tmp/bad.conf" -- true
refused 'root|memory' run --rack "$tmp/bad.conf" --memory 3 -- true
refused '' rack
refused 'rack' rack frobnicate
refused '' rack status
refused 'absent' rack status /absent
run timeout 20 "$bin/ashlar" run --memory 16x1M --excache 1M -- true
expect_status 0
for p in gmm mcomponent scomponent pcomponent; do
	run timeout 5 "$bin/$p" --frobnicate
	[ "$status" -ne 0 ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] || fail "$p --frobnicate: $status, $(cat "$tmp/err")"
	run timeout 5 "$bin/$p" --help
	expect_status 0
	[ -s "$tmp/out" ] && [ ! -s "$tmp/err" ] || fail "$p --help"
	[ "$p" = gmm ] && continue
	run timeout 30 "$bin/$p"
	[ "$status" -ne 0 ] && [ "$(wc -l <"$tmp/err")" -le 2 ] || fail "$p without options: $status, $(cat "$tmp/err")"
done
for words in --help "run --help" "rack --help" "rack status --help" --version; do
	# shellcheck disable=SC2086
	run "$bin/ashlar" $words
	expect_status 0
	[ -s "$tmp/out" ] && [ ! -s "$tmp/err" ] || fail "ashlar $words"
done
passed

# shellcheck shell=bash disable=SC2034 # what tests use
# Library of the tests on a VM rack: that of the end-to-end tests (tests/e2e/functions.sh), and
#   vm_up [OPTIONS]   brings the rack up; down again at the end of the test, however it comes
#   vm_down           the same at once; nothing is left then
#   vm_e2e WHEN       end-to-end tests with their programs on that rack
#   ashlar vm ...     as ever: state and sockets of the rack are in the test's own folder
# A boot costs 20 to 60 s where there is no KVM, so a test tries many things on one rack.
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/functions.sh"

requires qemu-system-x86_64 cpio mke2fs

# Without a kernel there is nothing to test, and whether one can be downloaded is not for us to say
"$build/libexec/ashlar/vm/image" "$build" "$build/vm" >"$tmp/image" 2>&1 || {
	cat "$tmp/image"
	grep -q -e 'apt-get download' -e 'apt knows no kernel' "$tmp/image" && skip "no kernel: $(tail -n 1 "$tmp/image")"
	fail "the image cannot be built"
}

vm_up() {
	run ashlar vm up "$@"
	expect_status 0
	cat "$tmp/out"
}

vm_down() {
	run ashlar vm down
	expect_status 0
	[ ! -e "$ASHLAR_RUN" ] || fail "the rack leaves $(find "$ASHLAR_RUN")"
}

# vm_same EXCACHE PROGRAM ARGS..: stdout, stderr and exit status natively and on the rack
vm_same() {
	local excache=$1 native_status=0 rack_status=0
	shift
	"$@" <"$input" >"$tmp/native.out" 2>"$tmp/native.err" || native_status=$?
	ashlar vm run --excache "$excache" -- "$@" <"$input" >"$tmp/rack.out" 2>"$tmp/rack.err" || rack_status=$?
	compare_with_native "${1##*/} ${*:2:3} with $excache on VMs" "$native_status" "$rack_status"
}

# vm_state NODE: what vm status says of it, running, paused or ended
vm_state() {
	ashlar vm status --json | "$python" -c 'import json, sys
print([n["state"] for n in json.load(sys.stdin)["nodes"] if n["name"] == sys.argv[1]][0])' "$1"
}
vm_is() { [ "$(vm_state "$1")" = "$2" ]; }

# vm_put NODE FILE: a program into its /tmp
vm_put() {
	ashlar vm exec "$1" sh -c "cat >/tmp/${2##*/}; chmod 755 /tmp/${2##*/}" <"$2" || fail "cannot put $2 into $1"
}

# vm_row NAME KEY: what rack status --json says of a component
vm_row() {
	ashlar vm exec p0 ashlar rack status --json /run/rack.rack </dev/null | "$python" -c 'import json, sys
print([c[sys.argv[2]] for c in json.load(sys.stdin)["components"] if c["name"] == sys.argv[1]][0])' "$1" "$2"
}

e2e= # the end-to-end test that runs
cleanup '[ -z "$e2e" ] || { kill $e2e; wait $e2e; }'

# vm_e2e WHEN: the end-to-end tests that tests/vm/e2e.list marks so, as they are, but with the programs of `ashlar run` on the
# rack that is up. All are run; then it fails if one did.
vm_e2e() {
	local name status from failed=
	mkdir "$tmp/bin"
	cat >"$tmp/bin/ashlar" <<-END
		#!/bin/bash
		[ "\$1" != run ] || { export ASHLAR_RUN=$ASHLAR_RUN; set -- vm "\$@"; }
		exec "$bin/ashlar" "\$@"
	END
	chmod 755 "$tmp/bin/ashlar"
	for name in $(awk -v when="$1" '$1 == when { print $2 }' "$top/tests/vm/e2e.list"); do
		status=0 from=$(now_ms)
		ASHLAR_BIN=$tmp/bin ASHLAR_BUILD=$build ASHLAR_TOP=$top ASHLAR_FABRIC=verbs ASHLAR_TEST=$name \
			timeout --kill-after=15 1200 "$here/$name.sh" >"$tmp/log-$name" 2>&1 </dev/null &
		e2e=$! # not in the foreground: we must hear of our own end
		wait $e2e || status=$?
		e2e=
		echo "$name: exit status $status after $(($(now_ms) - from)) ms"
		case $status in
		0) ;;
		77) tail -n 1 "$tmp/log-$name" ;;
		*)
			failed+=" $name"
			tail -n 30 "$tmp/log-$name" | sed 's/^/    | /'
			;;
		esac
	done
	[ -z "$failed" ] || fail "on the VM rack:$failed"
}

cleanup 'ashlar vm down >/dev/null'

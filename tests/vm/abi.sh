#!/bin/bash
# A selection of tests/abi on a VM rack: each program natively, then on the rack with a tiny ExCache: same output and status.
# timeout: 2400
# only: test-vm
. "$(dirname "$0")/functions.sh"
vm_up
# Three threads that miss without a pause beside each fork, and four passes of misses after it, on one emulated processor: a
# minute and more each, so two of them
for name in proc_fork_basics proc_fork_memory proc_exec proc_vfork proc_groups proc_shared 'proc_threads_fork 2' \
	sa_flags sigqueue_order fork_advice; do
	read -ra words <<<"$name"
	program=$build/tests/abi/${words[0]}
	[ -x "$program" ] || fail "there is no ${words[0]} any more"
	vm_same 1M "$program" "${words[@]:1}"
done
# a shell with all that it starts
vm_same 4M sh -c 'seq 300 | sort -rn | head -n 3 | tr 0-9 a-j; (exit 3); echo $?; echo done | cat; ls /etc/passwd'
vm_down
passed

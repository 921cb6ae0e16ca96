#!/bin/bash
# The simulator is checked: each bug that a switch plants is found within so many seeds, and is not found without it.
set -u
sim=$ASHLAR_BUILD/asan/tests/sim/sim

found() { # bug, seeds, what the report says
	local said
	if said=$("$sim" --plant "$1" --first 1 --seeds "$2" --quiet 2>&1); then
		echo "$1 was not found in $2 seeds"
		exit 1
	fi
	echo "$1: $said"
	case $said in
	*"$3"*) ;;
	*) echo "found something else"; exit 1 ;;
	esac
}

found early-ack 20 ", not "
found no-protect 50 ", not "
found lost-end 50 ""
found no-share 50 "a child of process"
found early-free 50 " of page " # a frame that a process shares with its child: either may be the one that sees it

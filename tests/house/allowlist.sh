#!/bin/sh
# Rule: objects of the trap and fault path call nothing but what scripts/trap-symbols.txt allows.
cd "$(dirname "$0")/../.." || exit 1
build=${ASHLAR_BUILD:-build}
list=scripts/trap-symbols.txt
bad=0
n=0

allowed() {
	while IFS= read -r pattern; do
		case $pattern in
		'' | '#'*) continue ;;
		esac
		case $1 in
		# shellcheck disable=SC2254 # a pattern is meant
		"$pattern") return 0 ;;
		$pattern) printf '%s\n' "$ours" | grep -qx "$1" && return 0 ;;
		esac
	done <"$list"
	return 1
}

# A prefix may not open the door to libc: it is a word of ours with its underscore, and what it admits is defined in
# an object of ours.
grep -nF '*' "$list" | grep -vE '^[0-9]+:([a-z]+_\*$|#)' |
	sed "s,^\([0-9]*\):\(.*\),$list:\1: \2 is no prefix of the form word_*," | grep . && bad=1
ours=$(find "$build/obj" -name '*.o' -exec nm -P --defined-only {} + 2>/dev/null | awk 'NF > 1 { print $1 }' | sort -u)

for src in $(scripts/files.sh c S | grep -E '^pcomponent/(trap|fault)/'); do
	o=$build/obj/${src%.*}.o
	if [ ! -f "$o" ]; then
		echo "$src:1: has no object $o; build first"
		bad=1
		continue
	fi
	n=$((n + 1))
	symbols=$(nm -u -P "$o") || exit 1
	for s in $(printf '%s\n' "$symbols" | cut -d' ' -f1); do
		allowed "$s" && continue
		at=$(grep -nwm 1 -e "$s" "$src" | cut -d: -f1)
		echo "$src:${at:-1}: calls $s, which $list does not allow"
		bad=1
	done
done
echo "$n objects"
exit "$bad"

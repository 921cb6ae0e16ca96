#!/bin/sh
# Rule: what README and docs/ point to exists, and each manual page lists the very options that --help prints.
cd "$(dirname "$0")/../.." || exit 1
bin=${ASHLAR_BIN:-build/bin}
say() { echo "$*"; bad=1; }
bad=0
all=$(scripts/files.sh)

exists() { # path, document
	case $1 in
	build/*) return 0 ;;
	esac
	for base in . "$(dirname "$2")" include include/ashlar pcomponent tests; do
		# shellcheck disable=SC2086 # `*` in a document is a pattern
		for hit in "$base"/$1; do
			[ -e "$hit" ] && return 0
		done
	done
	# A bare file name: anywhere
	case $1 in
	*/*) return 1 ;;
	esac
	printf '%s\n' "$all" | grep -qE "(^|/)$(printf '%s' "$1" | sed 's/[].^$+[]/\\&/g; s,\*,[^/]*,g')\$"
}

# x/{a,b}.c -> x/a.c x/b.c
braces() {
	echo "$1" | awk '{
		if (!match($0, /\{[^{}]*\}/)) { print; next }
		head = substr($0, 1, RSTART - 1); tail = substr($0, RSTART + RLENGTH)
		n = split(substr($0, RSTART + 1, RLENGTH - 2), part, ",")
		for (i = 1; i <= n; i++) print head part[i] tail
	}'
}

tops=$(printf '%s\n' "$all" | sed -n 's,/.*,,p' | sort -u | tr '\n' '|')
# A path is what begins with a folder of ours, or ends as our files do.
shape="^(${tops}build)/[A-Za-z0-9_./*{},-]*\$|^[A-Za-z0-9_./{},*-]+\.(c|h|S|def|md|sh|txt|py)\$"
for doc in $(printf '%s\n' "$all" | grep -E '(^|/)[^/]*\.md$'); do
	spans=$(awk '
		/^```/ { fence = !fence; next }
		fence { next }
		{
			s = $0
			while (match(s, /`[^` ]+`/)) {
				print FNR " " substr(s, RSTART + 1, RLENGTH - 2)
				s = substr(s, RSTART + RLENGTH)
			}
			s = $0
			while (match(s, /\]\([^)# ]+/)) {
				print FNR " " substr(s, RSTART + 2, RLENGTH - 2)
				s = substr(s, RSTART + RLENGTH)
			}
		}' "$doc")
	printf '%s\n' "$spans" | while read -r at span; do
		printf '%s\n' "$span" | grep -qE "$shape" || continue
		braces "$span" | while read -r p; do
			exists "${p%/}" "$doc" || echo "$doc:$at: there is no $p"
		done
	done
done | grep . && bad=1

options() { grep -oE '(^|[^A-Za-z0-9-])--[a-z][a-z0-9-]*' | grep -oE -e '--[a-z0-9-]*' | LC_ALL=C sort -u; }

for page in docs/man/*.1; do
	[ -f "$page" ] || continue
	name=$(basename "$page" .1)
	# ashlar-WORD.1 is the page of the subcommand `ashlar WORD`
	case $name in
	ashlar-*) prog=$bin/ashlar word=${name#ashlar-} ;;
	*) prog=$bin/$name word= ;;
	esac
	if [ ! -x "$prog" ]; then
		say "$page:1: there is no program $prog"
		continue
	fi
	# shellcheck disable=SC2086 # no word, or one
	help=$(timeout 10 "$prog" $word --help 2>&1) || say "$page:1: $name --help fails: $help"
	in_help=$(printf '%s\n' "$help" | options)
	in_page=$(sed 's/\\-/-/g; s/\\f[A-Z]//g' "$page" | options)
	[ -n "$in_help" ] || say "$page:1: $name --help prints no option"
	for o in $in_help; do
		printf '%s\n' "$in_page" | grep -qxe "$o" || say "$page:1: lacks $o, which $name --help prints"
	done
	for o in $in_page; do
		printf '%s\n' "$in_help" | grep -qxe "$o" ||
			say "$page:$(sed 's/\\-/-/g' "$page" | grep -n -m1 -e "$o" | cut -d: -f1): has $o, which $name --help does not print"
	done
done
exit "$bad"

#!/bin/sh
# Prints the project's own files, one a line, relative to its top: all of them, or those with the given endings.
# Files that git tracks or would track; where there is no git (or a stranger's clone), all but build folders.
#   scripts/files.sh c h
set -eu
cd "$(dirname "$0")/.."

list() {
	git ls-files --cached --others --exclude-standard 2>/dev/null ||
		find . -name .git -prune -o -name 'build*' -prune -o -type f -print | sed 's,^\./,,'
}

endings=
for e in "$@"; do
	endings="$endings${endings:+|}$e"
done

list | LC_ALL=C sort -u | while IFS= read -r f; do
	[ -f "$f" ] && printf '%s\n' "$f"
done | if [ -n "$endings" ]; then grep -E "\\.($endings)\$" || true; else cat; fi

#!/bin/sh
# Rule: nothing in the project names this machine's folders or the host of a package registry, and code holds no
# notes of unfinished work: those are issues.
cd "$(dirname "$0")/../.." || exit 1
bad=0

# found PATTERN MESSAGE FILES...: says where PATTERN occurs
found() {
	pattern=$1
	message=$2
	shift 2
	[ $# -gt 0 ] || return 0
	grep -nHIE -e "$pattern" -- "$@" | sed "s|^\([^:]*:[0-9]*\):|\1: $message: |" | grep . && bad=1
	return 0
}

quote() { printf '%s' "$1" | sed 's/[][\.*^$+?(){}|]/\\&/g'; }

# shellcheck disable=SC2046 # our file names have no blanks
set -- $(scripts/files.sh | grep -vx LICENSE)

here=$(pwd -P)
for dir in "$here" "$(dirname "$here")" "${HOME:-/}"; do
	case $dir in
	/ | /home | /tmp | /var/tmp | /usr | /usr/src | /usr/local/src | /opt | /srv | /var | /mnt | /build | /src) ;;
	*) found "(^|[^A-Za-z0-9_./-])$(quote "$dir")/[A-Za-z0-9_.]" "a folder of this machine" "$@" ;;
	esac
done
found '/home/[a-z]' "somebody's home" "$@"

found '(deb|security|ftp)[.]debian[.]org|pypi[.](org|python)|pythonhosted[.]org|registry[.]npmjs|crates[.]io|rubygems[.]org|proxy[.]golang|repo[.]maven|docker[.]io|ghcr[.]io|quay[.]io' \
	"host of a package registry" "$@"

code=$(printf '%s\n' "$@" | grep -E '\.(c|h|S|def|sh|py)$|(^|/)Makefile$|^[.]ci/run$')
# shellcheck disable=SC2086
found '(^|[^A-Za-z_])(TO''DO|FIX''ME|XX''X|HA''CK)([^A-Za-z_]|$)' "a note of unfinished work" $code

exit "$bad"

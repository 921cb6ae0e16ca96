#!/bin/sh
# Installs the packages that building and testing need and that are missing; silent and quick when none is.
# With sudo where we are not root. Asks nothing itself.
set -eu

packages="
gcc clang make libc6-dev
libcmocka-dev libjansson-dev libconfuse-dev libsodium-dev
libfabric-dev libfabric1
libibverbs-dev librdmacm-dev libnl-3-dev libnl-route-3-dev ibverbs-providers
clang-format cppcheck
python3 sqlite3 perl mawk grep xz-utils zstd openssl bc
procps util-linux gdb
qemu-system-x86 busybox-static cpio kmod e2fsprogs iproute2 perftest ibverbs-providers
musl-tools libklibc-dev klibc-utils dietlibc-dev
shfmt gron ripgrep sd
stress-ng
expect sbcl
"

fail() {
	echo "setup: $*" >&2
	exit 1
}

# shellcheck disable=SC2086 # the list is meant to be split
missing() {
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null |
		awk -v want="$(echo $packages)" '
			$2 == "installed" { have[$1] = 1 }
			END {
				n = split(want, p, " ")
				for (i = 1; i <= n; i++)
					if (!(p[i] in have))
						printf "%s%s", sep++ ? " " : "", p[i]
			}'
}

command -v dpkg-query >/dev/null 2>&1 ||
	fail "not a Debian system; please install the counterparts of:" $packages

need=$(missing)
[ -n "$need" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
	root="env"
elif command -v sudo >/dev/null 2>&1; then
	root="sudo env"
else
	fail "missing packages, and neither root nor sudo is at hand; please have installed: $need"
fi

apt="$root DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300"
echo "setup: installing $need"
# shellcheck disable=SC2086
$apt update </dev/null || echo "setup: the package lists could not be renewed; trying with those at hand" >&2
# shellcheck disable=SC2086
$apt install -y --no-install-recommends $need </dev/null || fail "could not install: $need"

need=$(missing)
[ -z "$need" ] || fail "still missing after installation: $need"

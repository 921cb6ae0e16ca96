# shellcheck shell=bash disable=SC2034 # what the tests use
# Library of the tests that run a PostgreSQL server (bash; source it behind functions.sh). Sets postgres, dir (of its programs)
# and as (how the user begins who runs it: it refuses root), makes $tmp/pg that user's and goes there.
postgres=$(find /usr/lib/postgresql/*/bin -name postgres 2>/dev/null | tail -n 1)
[ -n "$postgres" ] || skip "there is no postgres"
dir=${postgres%/*}
as=()
getent passwd "$(id -u)" >/dev/null || skip "this user has no name"
if [ "$(id -u)" -eq 0 ]; then
	requires setpriv
	id postgres >/dev/null 2>&1 || skip "there is no user postgres"
	as=(setpriv --reuid "$(id -u postgres)" --regid "$(id -g postgres)" --clear-groups)
	chmod a+rx "$tmp" "$tmp/work" "$tmp/temporary"
	chmod a+rwx "$tmp/temporary"
	"${as[@]}" test -x "$bin/ashlar" || skip "user postgres does not reach $bin"
fi
mkdir "$tmp/pg"
[ ${#as[@]} -eq 0 ] || chown postgres "$tmp/pg"
cd "$tmp/pg" || exit 1
export PGHOST=$tmp/pg PGPORT=5432 PGUSER=u

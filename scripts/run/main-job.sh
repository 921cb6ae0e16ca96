#!/bin/bash
# The main job: sort, python3, sqlite3 and a compressor on real input, natively and then on a rack with half and a
# quarter of their footprint local. Outputs are compared byte by byte; a table at the end says what each run cost.
# Exit status 1 when an output differs or a run fails. `make run` calls it.
#
#   B=build            where the programs are
#   MAIN_JOB_MB=100    size of sort's input; smaller for a quick look
#   MAIN_JOB_ONLY=...  only these of: sort python3 sqlite3 zstd
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1
B=${B:-build}
ashlar=$B/bin/ashlar
memwatch=$B/tests/programs/memwatch
bare=$B/tests/bench/miss_bare
export LC_ALL=C
export PYTHONHASHSEED=0
python=/usr/bin/python3

sort_mb=${MAIN_JOB_MB:-100}
sort_buffer=32M
dictionary_entries=1000000
dictionary_queries=200000
sqlite_rows=200000
sqlite_queries=20000
zstd_bytes=2500000
only=${MAIN_JOB_ONLY:-sort python3 sqlite3 zstd}

say() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }

die() {
	echo "main-job: $*" >&2
	exit 1
}

MAKEFLAGS='' make --no-print-directory -s B="$B" "$memwatch" "$bare" >&2 || die "cannot build its helpers"
[ -x "$ashlar" ] || die "there is no $ashlar; run make first"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/ashlar-run.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
mkdir "$tmp/sort" || exit 1
# Programs are named by absolute paths, since they run in another folder.
case $ashlar in /*) ;; *) ashlar=$PWD/$ashlar ;; esac
results=$tmp/results
: >"$results"
failed=0

value() { # file, name: of memwatch's report
	sed -n "s/^$2 //p" "$1"
}

mb() { awk -v n="$1" 'BEGIN { printf "%.1f", n / 1e6 }'; }
seconds() { awk -v n="$1" 'BEGIN { printf "%.2f", n / 1e9 }'; }

# One program: job NAME INPUT COMMAND ARGS...; what it writes to stdout, and to $tmp/out where it has one, is compared.
job() {
	local name=$1 input=$2 footprint native part divisor budget cost verdict status
	shift 2
	case " $only " in *" $name "*) ;; *) return 0 ;; esac

	say "$name: natively"
	rm -f "$tmp/out"
	"$memwatch" -o "$tmp/watch" "$@" <"$input" >"$tmp/native" || die "$name fails natively"
	footprint=$(value "$tmp/watch" anon_peak)
	"$memwatch" -i 20 -o "$tmp/watch" "$@" <"$input" >"$tmp/native" || die "$name fails natively"
	native=$(value "$tmp/watch" wall_ns)
	say "$name: $(seconds "$native") s, footprint $(mb "$footprint") MB"

	for part in 1/2 1/4; do
		divisor=${part#*/}
		budget=$((footprint / divisor))
		cost=$("$bare" 20 | sed -n 's/^bare miss: \([0-9.]*\).*/\1/p')
		say "$name: on the rack, $part local ($(mb $budget) MB), $(mb $((footprint - budget))) MB and more remote"
		"$ashlar" run --excache "$budget" --memory 2 --stats "$tmp/stats.$name.$divisor" -- "$@" \
			<"$input" >"$tmp/rack"
		status=$?
		verdict=same
		if [ "$status" -ne 0 ]; then
			verdict="FAILED ($status)"
		elif ! cmp "$tmp/native" "$tmp/rack" >&2; then
			verdict=DIFFERENT
		fi
		[ "$verdict" = same ] || failed=1
		[ "$status" -lt 129 ] || [ "$status" -gt 131 ] || exit "$status"
		say "$name: output is $verdict"
		printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$footprint" "$native" "$part" "$budget" \
			"$tmp/stats.$name.$divisor" "${cost:-0}" "$verdict" >>"$results"
	done
	rm -f "$tmp/native" "$tmp/rack"
}

say "making the inputs from this system's own files"
scripts/run/inputs.sh $((sort_mb * 1000000)) "$tmp/lines" || die "no input"
head -c $zstd_bytes "$tmp/lines" >"$tmp/some"
sed "s/@ROWS@/$sqlite_rows/g; s/@QUERIES@/$sqlite_queries/g" "$here/items.sql" >"$tmp/items.sql"

cat <<END
sort      $sort_mb MB, $(wc -l <"$tmp/lines") lines, -S $sort_buffer, one thread, temporary files on the storage component
python3   a dictionary of $dictionary_entries entries, $dictionary_queries queries
sqlite3   :memory:, $sqlite_rows rows, an index, $sqlite_queries queries by it
zstd      $(mb $zstd_bytes) MB, -9, one thread
rack      gmm, one processor, two memory and one storage component; fabric local; $(nproc) cores, Linux $(uname -r)
END

job sort /dev/null sort --parallel=1 -S "$sort_buffer" -T "$tmp/sort" "$tmp/lines"
job python3 /dev/null "$python" "$here/dictionary.py" $dictionary_entries $dictionary_queries
job sqlite3 "$tmp/items.sql" sqlite3 -batch :memory:
job zstd /dev/null zstd --single-thread -9 -q -c "$tmp/some"

echo
"$python" "$here/table.py" "$results" || failed=1
echo
if [ "$failed" -eq 0 ]; then
	echo "All outputs are the same, byte by byte. $SECONDS s in all."
else
	echo "Some outputs are NOT the same, or a run failed. $SECONDS s in all."
fi
exit "$failed"

#!/bin/sh
# Rule: no file includes a file of a floor above or beside its own. The floors are in scripts/floors.txt.
cd "$(dirname "$0")/../.." || exit 1

scripts/files.sh c h S def | awk '
	function bad(msg) { printf "%s:%d: %s\n", file, line, msg; failures++ }

	function floor_of(path,   p, best, name) {
		for (p in floor)
			if ((path == p || index(path, p "/") == 1) && length(p) > length(best)) {
				best = p
				name = floor[p]
			}
		return name
	}

	# The path with its "x/.." taken out
	function tidy(path,   old) {
		do {
			old = path
			sub(/\/\.\//, "/", path)
			sub(/[^\/]+\/\.\.\//, "", path)
		} while (path != old)
		return path
	}

	BEGIN {
		list = "scripts/floors.txt"
		while ((getline row < list) > 0) {
			sub(/#.*/, "", row)
			n = split(row, w, /[ \t]+/)
			if (w[1] == "floor") {
				sub(/:$/, "", w[2])
				known[w[2]] = 1
				for (i = 3; i <= n; i++)
					if (w[i] != "")
						floor[w[i]] = w[2]
			} else if (w[1] == "only") {
				sub(/:$/, "", w[2])
				outside[w[2]] = " "
				for (i = 3; i <= n; i++)
					outside[w[2]] = outside[w[2]] w[i] " "
			} else if (w[2] == "<-") {
				for (i = 3; i <= n; i++)
					may[w[1], w[i]] = 1
			}
		}
	}

	{ files[++count] = $0; exists[$0] = 1 }

	END {
		if (!count || !length(known)) {
			print "floors: nothing to check, or no list"
			exit 1
		}
		for (f = 1; f <= count; f++) {
			file = files[f]
			line = 1
			from = floor_of(file)
			if (from == "")
				bad("stands on no floor of " list)
			line = 0
			while ((getline text < file) > 0) {
				line++
				if (text !~ /^[ \t]*#[ \t]*include[ \t]*["<]/)
					continue
				name = text
				sub(/^[^"<]*["<]/, "", name)
				sub(/[">].*/, "", name)
				dir = file
				sub(/[^\/]*$/, "", dir)
				target = tidy(dir name)
				if (!(target in exists))
					target = "include/" tidy(name)
				if (!(target in exists))
					target = tidy(name)
				if (target in exists) {
					to = floor_of(target)
					if (to != from && !((from, to) in may))
						bad(from " may not include " target ", which is " to)
				} else if (text ~ /"/) {
					bad("includes " name ", which is no file of ours")
				}
				for (o in outside)
					if (index(name, o) == 1 && index(outside[o], " " from " ") == 0)
						bad(from " may not include <" name ">")
			}
			close(file)
		}
		exit failures > 0
	}'

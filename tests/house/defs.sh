#!/bin/sh
# Rule: no two messages of include/ashlar/proto/*.def have one id or one name, and the messages of an edge share
# the high byte of their ids.
cd "$(dirname "$0")/../.." || exit 1
set -- include/ashlar/proto/*.def
[ -f "$1" ] || exit 0
awk '
	function bad(msg) { printf "%s:%d: %s\n", FILENAME, FNR, msg; failures++ }
	FNR == 1 { delete edge }
	/^MSG\(/ {
		n = split($0, arg, /[(,]/)
		name = arg[2]
		id = arg[3]
		gsub(/[ \t]/, "", name)
		gsub(/[ \t]/, "", id)
		rows++
		if (id !~ /^0x[0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/) {
			bad(name " has the id " id ", not one of the form 0x0123")
			next
		}
		if (id in ids)
			bad(name " has the id " id " of " ids[id])
		if (name in names)
			bad(name " is listed already, at " names[name])
		ids[id] = name " (" FILENAME ":" FNR ")"
		names[name] = FILENAME ":" FNR
		high = substr(id, 1, 4)
		if (("high" in edge) && edge["high"] != high)
			bad(name ": this edge has ids " edge["high"] "..")
		if ((high in owner) && owner[high] != FILENAME)
			bad(name ": ids " high ".. belong to " owner[high])
		edge["high"] = high
		owner[high] = FILENAME
		next
	}
	/MSG[ \t]*\(/ && !/^[ \t]*(\/?\*|#)/ { bad("a message that does not begin its line with MSG(") }
	END {
		if (!rows)
			print "defs: no message found"
		exit failures > 0 || !rows
	}' "$@"

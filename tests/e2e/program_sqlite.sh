#!/bin/bash
# sqlite3 with a database in memory, a quarter of its footprint local, is as natively.
. "$(dirname "$0")/functions.sh"
sed 's/@ROWS@/200000/g; s/@QUERIES@/3000/g' "$top/scripts/run/items.sql" >"$tmp/sql"
input=$tmp/sql
squeeze sqlite3 -batch :memory:
passed

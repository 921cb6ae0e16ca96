# dictionary.py ENTRIES QUERIES: builds a dictionary and asks it at random, in vain one time in nine.
import sys

entries, queries = int(sys.argv[1]), int(sys.argv[2])
table = {}
for i in range(entries):
    table["key%d" % i] = i * 7

state, found, total = 12345, 0, 0
for _ in range(queries):
    state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    value = table.get("key%d" % ((state >> 33) % (entries + entries // 8)))
    if value is not None:
        found += 1
        total += value
print(len(table), queries, found, total)

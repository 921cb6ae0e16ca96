#!/bin/bash
# python3 with a dictionary, a quarter of its footprint local, is as natively.
# also: 6.1
. "$(dirname "$0")/functions.sh"
squeeze "$python" "$top/scripts/run/dictionary.py" 150000 30000
squeeze -p 2 "$python" -c '
import re, collections, json
words = collections.Counter()
text = " ".join("%d.%d" % (i * 7919 % 10007, i % 97) for i in range(200000))
for w in re.findall(r"[0-9]+", text):
    words[w] += 1
data = json.loads(json.dumps([{"k": k, "v": v} for k, v in words.most_common()]))
print(len(data), data[:5], sum(d["v"] for d in data))'
passed

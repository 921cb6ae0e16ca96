# summary.py: reads "NAME: VALUE UNIT" lines from stdin, one for each pair of a measurement, and prints the median of each
# name with its quartiles, in the order in which the names appeared. "NAME = A / B" arguments add ratios, taken pair by
# pair; "NAME = A / B + C" as well.
import re
import sys

values, units = {}, {}
for line in sys.stdin:
    m = re.match(r"(.*): ([-0-9.e+]+) ?(.*)", line.rstrip("\n"))
    if m:
        values.setdefault(m[1], []).append(float(m[2]))
        units[m[1]] = m[3]
for rule in sys.argv[1:]:
    name, _, formula = rule.partition(" = ")
    above, _, below = formula.partition(" / ")
    parts = [values.get(p.strip(), []) for p in below.split(" + ")]
    tops = values.get(above.strip(), [])
    values[name] = [a / sum(b) for a, *b in zip(tops, *parts) if sum(b)]
    units[name] = ""
for name, v in values.items():
    v = sorted(v)
    if not v:
        print("%s: no value" % name)
        continue
    form = "%.2f" if v[len(v) // 2] < 100 else "%.0f"
    text = "%s: " + form + " (" + form + " .. " + form + ")%s, %d pairs"
    unit = " " + units[name] if units[name] else ""
    print(text % (name, v[len(v) // 2], v[len(v) // 4], v[len(v) * 3 // 4], unit, len(v)))

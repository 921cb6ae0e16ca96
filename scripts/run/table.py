# table.py RESULTS: the table of main-job.sh. A line of RESULTS is, separated by tabs:
#   program  footprint_bytes  native_ns  part  excache_bytes  stats_file  bare_ns  same|DIFFERENT|FAILED
import json
import sys


def mega(n):
    return "%.1f" % (n / 1e6)


rows = []
starts = []
for line in open(sys.argv[1]):
    program, footprint, native, part, excache, stats_file, bare, verdict = line.rstrip("\n").split("\t")
    footprint, native, excache, bare = int(footprint), int(native), int(excache), float(bare)
    try:
        stats = json.load(open(stats_file))
    except (OSError, ValueError):
        rows.append([program, part, mega(excache), "%.2f" % (native / 1e9)] + ["-"] * 7 + [verdict])
        continue
    wall, cpu = stats["process"]["wall_ns"], stats["process"]["cpu_ns"]
    misses, fabric = stats["excache"]["misses"], stats["fabric"]
    least = misses * bare
    starts.append(stats.get("detail", {}).get("start_ns", 0))
    rows.append([
        program,
        part,
        mega(excache),
        "%.2f" % (native / 1e9),
        "%.2f" % (wall / 1e9),
        "%.2f" % (cpu / 1e9),
        "%.2f" % (wall / native),
        str(misses),
        mega(fabric["read_bytes"]),
        mega(fabric["write_bytes"]),
        "%.2f" % (least / 1e9),
        "%.2f" % (wall / (native + least)),
        verdict,
    ])

head = ["program", "local", "ExCache MB", "native s", "rack s", "CPU s", "ratio", "misses", "MB in", "MB out",
        "misses x bare s", "of bound", "output"]
rows = [r + [""] * (len(head) - len(r)) for r in rows]
width = [max(len(head[i]), *(len(r[i]) for r in rows)) for i in range(len(head))]
for r in [head] + rows:
    print("  ".join(v.ljust(w) if i in (0, 1, 12) else v.rjust(w) for i, (v, w) in enumerate(zip(r, width))).rstrip())
print()
print("local: the part of the program's footprint (peak of its anonymous memory, natively) that the ExCache holds.")
print("ratio: rack / native. MB in, out: over the fabric, pages read by misses and written back.")
print("misses x bare: what the misses would cost at the price of a bare 4 KB one-sided read and a bare fault.")
print("of bound: rack / (native + misses x bare).")
if starts:
    starts.sort()
    print("A rack of five components comes up, and the program's first instruction is reached, in %.0f ms (median; not\n"
          "in the times above)." % (starts[len(starts) // 2] / 1e6))

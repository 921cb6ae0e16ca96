#!/bin/sh
# A minute of seeds that nobody has run before, sanitized. What fails is printed with the seed that shows it again.
# timeout: 240
first=$(($(date +%s) * 1000))
echo "seeds from $first on"
exec "$ASHLAR_BUILD/asan/tests/sim/sim" --first "$first" --for "${SIM_SECONDS:-60}"

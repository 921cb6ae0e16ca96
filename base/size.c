/* Sizes as people write them; see size.h. */
#include <errno.h>
#include <stdio.h>
#include "ashlar/base/size.h"

#define SIZE_TOP (1ULL << 63)

static const char units[] = "KMGT";

/* The power of two that a unit letter stands for; 0: no unit. */
static unsigned unit_shift(char c)
{
	for (unsigned i = 0; units[i]; i++)
		if (c == units[i] || c == units[i] + ('a' - 'A'))
			return 10 * (i + 1);
	return 0;
}

int size_parse(const char *s, uint64_t *bytes)
{
	uint64_t v = 0;
	unsigned shift = 0;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > SIZE_TOP / 10)
			return -ERANGE;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (*s) {
		shift = unit_shift(*s);
		if (!shift || s[1])
			return -EINVAL;
	}
	if (v > SIZE_TOP >> shift)
		return -ERANGE;
	*bytes = v << shift;
	return 0;
}

char *size_format(uint64_t bytes, char *buf)
{
	unsigned i = 0;

	while (bytes && bytes % 1024 == 0 && i < sizeof(units) - 1) {
		bytes /= 1024;
		i++;
	}
	if (i)
		snprintf(buf, 24, "%llu%c", (unsigned long long)bytes, units[i - 1]);
	else
		snprintf(buf, 24, "%llu", (unsigned long long)bytes);
	return buf;
}

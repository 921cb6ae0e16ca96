/* Mistakes of a rack file, as many as fit a screen; each once. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/rack_file.h"

void mistake(struct rack_mistakes *all, int line, const char *fmt, ...)
{
	struct rack_mistake m = { .line = line };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	for (char *c = m.text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	for (unsigned i = 0; i < all->n; i++)
		if (all->at[i].line == line && strcmp(all->at[i].text, m.text) == 0)
			return;
	if (all->n < RACK_MISTAKES_MAX)
		all->at[all->n++] = m;
	else
		all->more++;
}

static int by_line(const void *a, const void *b)
{
	return ((const struct rack_mistake *)a)->line - ((const struct rack_mistake *)b)->line;
}

void mistakes_sort(struct rack_mistakes *all)
{
	qsort(all->at, all->n, sizeof(all->at[0]), by_line);
}

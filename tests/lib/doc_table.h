/* Tables in docs/ that are made from lists in the code: what stands between two marker lines is what the code prints. */
#ifndef TESTS_LIB_DOC_TABLE_H
#define TESTS_LIB_DOC_TABLE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The text of docs/NAME between the line `begin` and the line "<!-- end of table -->", in a static buffer. NULL: there is
 * no such text.
 */
static const char *doc_table(const char *name, const char *begin)
{
	static char doc[1 << 20];
	const char *top = getenv("ASHLAR_TOP");
	char path[4096], *from, *end;
	FILE *f;

	snprintf(path, sizeof(path), "%s/docs/%s", top ? top : ".", name);
	f = fopen(path, "r");
	if (!f)
		return NULL;
	doc[fread(doc, 1, sizeof(doc) - 1, f)] = '\0';
	fclose(f);
	from = strstr(doc, begin);
	if (!from)
		return NULL;
	from += strlen(begin);
	end = strstr(from, "<!-- end of table -->\n");
	if (!end)
		return NULL;
	*end = '\0';
	return from;
}

#endif

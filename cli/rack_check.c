/* The rack file as a whole: defaults of what it leaves out, and whether its parts fit together. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/rack_file.h"

bool rack_name_fits(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len >= NAME_BYTES || s[0] == '.' || s[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i]))
			return false;
	return true;
}

static bool port_fits(const char *s)
{
	char *end;
	unsigned long n;

	if (strcmp(s, "auto") == 0)
		return true;
	if (!isdigit((unsigned char)s[0]) || strlen(s) > 5)
		return false;
	n = strtoul(s, &end, 10);
	return !*end && n > 0 && n < 65536;
}

/* What stands behind the fabric's name, as net.h says it. */
static bool address_fits(const char *addr)
{
	const char *last = strrchr(addr, ':');

	if (strncmp(addr, "local:", 6) == 0)
		return strcmp(addr, "local:auto") == 0 || (addr[6] == '/' && addr[7]) || (addr[6] == '@' && addr[7]);
	return last && last[1] && port_fits(last + 1);
}

void rack_check_address(const struct rack_file *f, const char *what, const char *addr, int line,
			struct rack_mistakes *all)
{
	const char *fabric = strcmp(what, "node") == 0 ? "local" : f->fabric;
	size_t len = strlen(fabric);

	if (strncmp(addr, fabric, len) != 0 || addr[len] != ':')
		mistake(all, line, "%s: %s is no address of the fabric %s", what, addr, fabric);
	else if (!address_fits(addr))
		mistake(all, line, "%s: no such address is possible: %s", what, addr);
}

static void name_default(struct rack_file *f, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');
	size_t len = dot && dot != base ? (size_t)(dot - base) : strlen(base);

	if (len < sizeof(f->name)) {
		memcpy(f->name, base, len);
		f->name[len] = 0;
	}
	if (!rack_name_fits(f->name))
		f->name[0] = 0;
}

static unsigned count_kind(const struct rack_file *f, const char *kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_components; i++)
		n += strcmp(f->component[i].kind, kind) == 0;
	return n;
}

static void same_twice(const struct rack_file *f, unsigned i, struct rack_mistakes *all)
{
	const struct rack_component *c = &f->component[i];
	size_t len = strlen(c->listen);
	bool chosen = len < 5 || strcmp(c->listen + len - 5, ":auto") != 0;

	if (*c->listen && chosen && strcmp(c->listen, f->gmm) == 0)
		mistake(all, c->line, "%s %s and the gmm cannot both listen at %s", c->kind, c->name, c->listen);
	if (strcmp(c->name, "gmm") == 0)
		mistake(all, c->line, "no component can be called gmm");
	for (unsigned j = 0; j < i; j++) {
		const struct rack_component *other = &f->component[j];

		if (*c->name && strcmp(c->name, other->name) == 0)
			mistake(all, c->line, "there is a component %s already (line %d)", c->name, other->line);
		else if (*c->listen && chosen && strcmp(c->listen, other->listen) == 0)
			mistake(all, c->line, "%s and %s cannot both listen at %s", other->name, c->name, c->listen);
		if (*c->node && strcmp(c->node, other->node) == 0)
			mistake(all, c->line, "%s and %s cannot both have the node address %s", other->name, c->name,
				c->node);
		if (strcmp(c->kind, "storage") == 0 && strcmp(other->kind, "storage") == 0)
			mistake(all, c->line,
				"a second storage component: the root of the rack is that of %s (line %d)", other->name,
				other->line);
	}
}

/*
 * An address of the fabric local stays, so that whoever uses a component finds it again when it is started anew. Other
 * fabrics have ports, which cannot be guessed: there the provider chooses, where the file does not. A processor
 * component listens for those of its machine only, so always locally.
 */
static void address_default(struct rack_file *f, struct rack_component *c)
{
	bool processor = strcmp(c->kind, "processor") == 0, local = strcmp(f->fabric, "local") == 0;
	char *to = processor ? c->node : c->listen, addr[ADDR_BYTES];

	if (processor || local)
		snprintf(addr, sizeof(addr), "local:@ashlar-rack-%s-%s", f->name, c->name);
	else
		snprintf(addr, sizeof(addr), "%s:auto", f->fabric);
	if (!*to)
		strcpy(to, addr);
	if (processor && !local && !*f->node)
		memcpy(f->node, c->node, ADDR_BYTES);
}

static void components_check(struct rack_file *f, struct rack_mistakes *all)
{
	static const char *const needed[] = { "processor", "memory", "storage" };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (count_kind(f, needed[i]) == 0)
			mistake(all, 0, "there is no %s component", needed[i]);
	for (unsigned i = 0; i < f->n_components; i++) {
		same_twice(f, i, all);
		address_default(f, &f->component[i]);
	}
	if (!*f->name)
		mistake(all, 0, "a line name = \"...\" is needed, as the file's own name fits no rack");
	else if (!*f->gmm && strcmp(f->fabric, "local") == 0)
		strcat(strcpy(f->gmm, "local:@ashlar-rack-"), f->name);
}

void rack_check(struct rack_file *f, const char *path, struct rack_mistakes *all)
{
	if (!*f->name)
		name_default(f, path);
	if (f->n_components)
		components_check(f, all);
	if (!*f->gmm)
		mistake(all, 0, "lacks a line gmm = \"%s:...\": where does the gmm listen?", f->fabric);
	else if (strlen(f->gmm) > 5 && strcmp(f->gmm + strlen(f->gmm) - 5, ":auto") == 0)
		mistake(all, 0, "gmm: %s cannot be found by anybody; a fixed address is needed", f->gmm);
}

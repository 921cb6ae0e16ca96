/*
 * The text of a rack file, by libconfuse. All values are taken as text and judged here, as they come, since only then
 * their line is known. libconfuse itself stops at its first complaint: where that is an unknown key, it is blanked and
 * the text parsed again, so that the mistakes behind it are found as well.
 */
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ashlar/base/size.h"
#include "cli/cli.h"
#include "cli/rack_file.h"

#define KEYS_MAX (RACK_COMPONENTS_MAX * 8)

/* What a parse knows; libconfuse's callbacks have no argument for it. */
static struct parse {
	struct rack_file *out;
	struct rack_mistakes *all;
	struct seen {
		const void *what;
		int line;
	} seen[KEYS_MAX]; /* keys and sections that came, and where */
	unsigned n_seen;
	int unknown_line; /* of the key that libconfuse does not know; 0: that is not why it stopped */
	char unknown_key[64];
} the;

/* libconfuse's own complaints. */
static void complain(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[160];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (strstr(fmt, "no such option")) {
		the.unknown_line = cfg->line;
		mistake(the.all, cfg->line, "unknown key: %s", text + strlen("no such option "));
		sscanf(text, "no such option '%63[^']", the.unknown_key);
		return;
	}
	mistake(the.all, cfg ? cfg->line : 0, "%s", text);
}

static void seen_twice(const cfg_t *cfg, const cfg_opt_t *opt)
{
	for (unsigned i = 0; i < the.n_seen; i++)
		if (the.seen[i].what == opt) {
			mistake(the.all, cfg->line, "%s is set already (line %d)", opt->name, the.seen[i].line);
			return;
		}
	if (the.n_seen < KEYS_MAX)
		the.seen[the.n_seen++] = (struct seen){ opt, cfg->line };
}

static void size_check(const cfg_t *cfg, const char *key, const char *value)
{
	uint64_t bytes;

	if (size_parse(value, &bytes))
		mistake(the.all, cfg->line, "%s: bad size %s (such as 64M is meant)", key, value);
	else if (bytes < PAGE_BYTES)
		mistake(the.all, cfg->line, "%s: %s is too little (at least a page)", key, value);
}

static void log_check(const cfg_t *cfg, const char *value)
{
	if (strcmp(value, "error") != 0 && strcmp(value, "warn") != 0 && strcmp(value, "info") != 0 &&
	    strcmp(value, "debug") != 0)
		mistake(the.all, cfg->line, "log: %s is no level (error, warn, info or debug)", value);
}

static size_t key_bytes(const char *key)
{
	static const struct {
		const char *key;
		size_t bytes;
	} longest[] = {
		{ "gmm", ADDR_BYTES },	{ "listen", ADDR_BYTES },    { "node", ADDR_BYTES },
		{ "hook", HOOK_BYTES }, { "root", RACK_PATH_BYTES }, { "key", RACK_PATH_BYTES },
	};

	for (size_t i = 0; i < sizeof(longest) / sizeof(longest[0]); i++)
		if (strcmp(longest[i].key, key) == 0)
			return longest[i].bytes;
	return NAME_BYTES;
}

/* A key was set: is its value possible? Addresses wait until the fabric is known. Never fails: parsing goes on. */
static int key_set(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *value = cfg_opt_getnstr(opt, 0), *key = opt->name;

	seen_twice(cfg, opt);
	if (!*value)
		mistake(the.all, cfg->line, "%s has an empty value", key);
	else if (strlen(value) >= key_bytes(key))
		mistake(the.all, cfg->line, "%s: the value is too long", key);
	else if (strcmp(key, "size") == 0 || strcmp(key, "excache") == 0)
		size_check(cfg, key, value);
	else if (strcmp(key, "log") == 0)
		log_check(cfg, value);
	else if ((strcmp(key, "name") == 0 || strcmp(key, "domain") == 0) && !rack_name_fits(value))
		mistake(the.all, cfg->line, "%s: %s is no name (letters, digits, \".\", \"_\", \"-\"; at most %u)", key,
			value, NAME_BYTES - 1);
	else if ((strcmp(key, "root") == 0 || strcmp(key, "key") == 0) && value[0] != '/')
		mistake(the.all, cfg->line, "%s: %s must begin with /", key, value);
	return 0;
}

/* A section has ended. */
static int section_set(cfg_t *cfg, cfg_opt_t *opt)
{
	if (the.n_seen < KEYS_MAX)
		the.seen[the.n_seen++] = (struct seen){ cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1), cfg->line };
	return 0;
}

static int line_of(const void *what)
{
	for (unsigned i = 0; i < the.n_seen; i++)
		if (the.seen[i].what == what)
			return the.seen[i].line;
	return 0;
}

static void take(cfg_t *cfg, const char *key, char *to, size_t bytes)
{
	const char *value = cfg_getopt(cfg, key) ? cfg_getstr(cfg, key) : NULL;

	if (value && strlen(value) < bytes)
		strcpy(to, value);
}

static void take_address(cfg_t *cfg, const char *key, char *to)
{
	take(cfg, key, to, ADDR_BYTES);
	if (*to)
		rack_check_address(the.out, key, to, line_of(cfg_getopt(cfg, key)), the.all);
}

static void take_component(cfg_t *cfg, const char *kind)
{
	struct rack_component *c = &the.out->component[the.out->n_components];
	const char *title = cfg_title(cfg), *size_key = strcmp(kind, "memory") == 0 ? "size" : "excache";
	int line = line_of(cfg);
	cfg_opt_t *size;

	if (the.out->n_components == RACK_COMPONENTS_MAX) {
		mistake(the.all, line, "more than %u components", RACK_COMPONENTS_MAX);
		return;
	}
	the.out->n_components++;
	c->kind = kind;
	c->line = line;
	if (!rack_name_fits(title))
		mistake(the.all, line, "%s is no name of a component", title);
	else
		strcpy(c->name, title);
	take(cfg, "domain", c->domain, sizeof(c->domain));
	take(cfg, "log", c->log, sizeof(c->log));
	take(cfg, "hook", c->hook, sizeof(c->hook));
	if (strcmp(kind, "processor") == 0)
		take_address(cfg, "node", c->node);
	else
		take_address(cfg, "listen", c->listen);
	if (strcmp(kind, "storage") == 0) {
		if (!cfg_getstr(cfg, "root"))
			mistake(the.all, line, "storage %s lacks a line root = \"/...\": what does it export?", title);
		take(cfg, "root", the.out->root, sizeof(the.out->root));
		return;
	}
	size = cfg_getopt(cfg, size_key);
	if (cfg_opt_getnstr(size, 0))
		size_parse(cfg_opt_getnstr(size, 0), &c->bytes);
}

static void take_all(cfg_t *cfg)
{
	static const char *const kinds[] = { "processor", "memory", "storage" };

	strcpy(the.out->fabric, "local");
	take(cfg, "fabric", the.out->fabric, sizeof(the.out->fabric));
	take(cfg, "name", the.out->name, sizeof(the.out->name));
	take(cfg, "place", the.out->place, sizeof(the.out->place));
	take(cfg, "log", the.out->log, sizeof(the.out->log));
	take(cfg, "hook", the.out->hook, sizeof(the.out->hook));
	take(cfg, "key", the.out->key, sizeof(the.out->key));
	take_address(cfg, "gmm", the.out->gmm);
	take_address(cfg, "node", the.out->node);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (unsigned i = 0; i < cfg_size(cfg, kinds[k]); i++)
			take_component(cfg_getnsec(cfg, kinds[k], i), kinds[k]);
}

static void watch_keys(cfg_t *cfg, const cfg_opt_t *options, const char *section)
{
	char path[64];

	for (; options->name; options++) {
		snprintf(path, sizeof(path), "%s%s%s", section, *section ? "|" : "", options->name);
		cfg_set_validate_func(cfg, path, options->type == CFGT_SEC ? section_set : key_set);
		if (options->type == CFGT_SEC)
			watch_keys(cfg, options->subopts, options->name);
	}
}

#define KEY(name) CFG_STR(name, NULL, CFGF_NONE)
#define KEYS_OF_ALL KEY("domain"), KEY("log"), KEY("hook")

/* One pass; true: libconfuse read to the end. */
static bool pass(const char *text, const char *path)
{
	cfg_opt_t processor[] = { KEY("excache"), KEY("node"), KEYS_OF_ALL, CFG_END() };
	cfg_opt_t memory[] = { KEY("size"), KEY("listen"), KEYS_OF_ALL, CFG_END() };
	cfg_opt_t storage[] = { KEY("root"), KEY("listen"), KEYS_OF_ALL, CFG_END() };
	cfg_opt_t options[] = {
		KEY("name"),
		KEY("fabric"),
		KEY("gmm"),
		KEY("node"),
		KEY("place"),
		KEY("log"),
		KEY("hook"),
		KEY("key"),
		CFG_SEC("processor", processor, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("memory", memory, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_SEC("storage", storage, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_END(),
	};
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	bool whole;

	the.n_seen = 0;
	the.unknown_line = 0;
	the.unknown_key[0] = 0;
	if (!cfg) {
		mistake(the.all, 0, "out of memory");
		return false;
	}
	cfg_set_error_function(cfg, complain);
	cfg->filename = strdup(path); /* cfg_free frees it */
	watch_keys(cfg, options, "");
	whole = cfg_parse_buf(cfg, text) == CFG_SUCCESS;
	if (whole)
		take_all(cfg);
	else if (the.all->n == 0)
		mistake(the.all, cfg->line, "this cannot be understood");
	cfg_free(cfg);
	return whole;
}

/* Blanks the comment at s, not its newlines; returns what follows it. */
static char *comment_blank(char *s, int *line)
{
	bool block = s[0] == '/' && s[1] == '*';
	char *end = block ? strstr(s + 2, "*/") : s + strcspn(s, "\n");

	if (!end) {
		mistake(the.all, *line, "a comment without an end");
		return s + strlen(s);
	}
	for (end += block ? 2 : 0; s < end; s++)
		if (*s == '\n')
			(*line)++;
		else
			*s = ' ';
	return end;
}

/* The quoted text at s; returns what follows it. */
static char *quoted_skip(char *s, int *line)
{
	char quote = *s++;

	for (; *s && *s != quote; s++) {
		if (*s == '\\' && quote == '"' && s[1])
			s++;
		*line += *s == '\n';
	}
	return *s ? s + 1 : s;
}

/*
 * Blanks the comments, since libconfuse 3.3 loses count of lines at each. As there, `#` begins one anywhere outside of
 * quotes, the others begin one where a word could begin.
 */
static void comments_blank(char *s)
{
	bool word = false; /* inside of one */
	int line = 1;

	while (*s) {
		bool slashes = s[0] == '/' && (s[1] == '/' || s[1] == '*') && !word;

		word = !strchr(" \t\n{}=\"'#", *s) && !slashes;
		if (*s == '#' || slashes) {
			s = comment_blank(s, &line);
		} else if (*s == '"' || *s == '\'') {
			s = quoted_skip(s, &line);
		} else {
			line += *s++ == '\n';
		}
	}
}

/* The key as a word of the line, with "=" behind it; NULL: it is not there like that. */
static char *key_find(char *line, const char *end, const char *key)
{
	size_t len = strlen(key);

	for (char *at = line; len && (at = strstr(at, key)) && at < end; at++)
		if ((at == line || strchr(" \t{", at[-1])) && at[len + strspn(at + len, " \t")] == '=')
			return at;
	return NULL;
}

/* Blanks an unknown key and its value; false: what follows it cannot be told apart from it. */
static bool key_blank(char *text, int line, const char *key)
{
	char *end, *from, *to;

	while (--line > 0 && text)
		text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
	if (!text)
		return false;
	end = text + strcspn(text, "\n");
	from = key_find(text, end, key);
	if (!from)
		return false;
	to = strchr(from, '=') + 1;
	to += strspn(to, " \t");
	to = *to == '"' ? strchr(to + 1, '"') : to + strcspn(to, " \t\n{}\"'");
	if (!to || to > end || *to == '{')
		return false;
	memset(from, ' ', (size_t)(to - from) + (*to == '"'));
	return true;
}

bool rack_file_parse(const char *text, const char *path, struct rack_file *out, struct rack_mistakes *all)
{
	char *copy = strdup(text);
	bool whole;

	memset(all, 0, sizeof(*all));
	the.all = all;
	the.out = out;
	if (!copy)
		mistake(all, 0, "out of memory");
	else
		comments_blank(copy);
	do {
		memset(out, 0, sizeof(*out));
		whole = copy && pass(copy, path);
	} while (!whole && all->n < RACK_MISTAKES_MAX && the.unknown_line &&
		 key_blank(copy, the.unknown_line, the.unknown_key));
	free(copy);
	if (whole)
		rack_check(out, path, all);
	mistakes_sort(all);
	return all->n == 0;
}

/* The whole file as text. Its size is bounded, and nothing is waited for (a pipe is no rack file). */
static int text_read(const char *path, char *text, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return cli_error("cannot read the rack file %s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return cli_error("the rack file %s is not a file", path);
	}
	while ((got = read(fd, text + n, bytes - n)) > 0)
		n += (size_t)got;
	close(fd);
	if (got < 0)
		return cli_error("cannot read the rack file %s: %s", path, strerror(errno));
	if (n == bytes)
		return cli_error("the rack file %s is longer than %zu bytes", path, bytes - 1);
	text[n] = 0;
	return strlen(text) == n ? 0 : cli_error("the rack file %s is not text", path);
}

int rack_file_read(const char *path, struct rack_file *out)
{
	static char text[RACK_FILE_BYTES_MAX + 1];
	struct rack_mistakes all;
	int err = text_read(path, text, sizeof(text));

	if (err || rack_file_parse(text, path, out, &all))
		return err;
	for (unsigned i = 0; i < all.n; i++)
		if (all.at[i].line)
			cli_error("%s:%d: %s", path, all.at[i].line, all.at[i].text);
		else
			cli_error("%s: %s", path, all.at[i].text);
	return all.more ? cli_error("%s: and %u more", path, all.more) : EXIT_ASHLAR;
}

/*
 * The rack file: where the gmm of a standing rack listens.
 *
 *	# comment
 *	gmm = "local:@name"
 *	fabric = "local"        # the default
 *	node = "local:@name"    # the node daemon of this machine, needed where the fabric is another
 */
#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "cli/run.h"

/* libconfuse's own messages, made into one line of ours with file and line. */
static void complain(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (cfg && cfg->filename && cfg->line)
		cli_error("%s:%d: %s", cfg->filename, cfg->line, text);
	else
		cli_error("rack file: %s", text);
}

static int take(cfg_t *cfg, const char *path, const char *key, char *to, size_t bytes)
{
	const char *value = cfg_getstr(cfg, key);

	if (!value || !*value)
		return cli_error("%s: lacks a line %s = \"...\"", path, key);
	if (strlen(value) >= bytes)
		return cli_error("%s: the value of %s is too long", path, key);
	strcpy(to, value);
	return 0;
}

static int read_open(FILE *f, const char *path, struct rack_file *out)
{
	cfg_opt_t options[] = {
		CFG_STR("gmm", NULL, CFGF_NONE),
		CFG_STR("fabric", "local", CFGF_NONE),
		CFG_STR("node", "", CFGF_NONE),
		CFG_END(),
	};
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	int err = EXIT_ASHLAR;

	out->node[0] = 0;
	if (!cfg)
		return cli_error("%s: out of memory", path);
	cfg_set_error_function(cfg, complain);
	cfg->filename = strdup(path); /* cfg_free frees it */
	if (cfg_parse_fp(cfg, f) == CFG_SUCCESS)
		err = take(cfg, path, "gmm", out->gmm, sizeof(out->gmm));
	if (!err)
		err = take(cfg, path, "fabric", out->fabric, sizeof(out->fabric));
	if (!err && *cfg_getstr(cfg, "node"))
		err = take(cfg, path, "node", out->node, sizeof(out->node));
	cfg_free(cfg);
	return err;
}

int rack_file_read(const char *path, struct rack_file *out)
{
	FILE *f = fopen(path, "re");
	int err;

	if (!f)
		return cli_error("cannot read the rack file %s: %s", path, strerror(errno));
	err = read_open(f, path, out);
	fclose(f);
	return err;
}

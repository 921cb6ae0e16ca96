/*
 * The command line of a component: options that all have, and those of its own. One table, from which getopt's and the
 * text of --help come, so that they cannot differ.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "component/internal.h"
#include "net/hook/hook.h"

#define OPTIONS_MAX 24
#define JOIN_MS 15000u /* a component whose gmm does not answer at all gives up after this */

static int text_set(char *to, size_t bytes, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len >= bytes)
		return -EINVAL;
	memcpy(to, value, len + 1);
	return 0;
}

static int fd_set_option(int *fd, const char *value)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || *end || end == value || n < 0 || n > 1 << 20)
		return -EINVAL;
	*fd = (int)n;
	return 0;
}

static int log_set(struct component_args *a, const char *value)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (int i = LOG_ERROR; i <= LOG_DEBUG; i++)
		if (strcmp(value, names[i]) == 0) {
			a->log_level = i;
			return 0;
		}
	return -EINVAL;
}

static int set_gmm(void *ctx, const char *v)
{
	return text_set(((struct component_args *)ctx)->config.gmm, ADDR_BYTES, v);
}
static int set_name(void *ctx, const char *v)
{
	return text_set(((struct component_args *)ctx)->config.name, NAME_BYTES, v);
}
static int set_domain(void *ctx, const char *v)
{
	return text_set(((struct component_args *)ctx)->config.domain, NAME_BYTES, v);
}
static int set_listen(void *ctx, const char *v)
{
	return text_set(((struct component_args *)ctx)->config.listen, ADDR_BYTES, v);
}
static int set_fabric(void *ctx, const char *v)
{
	return text_set(((struct component_args *)ctx)->fabric, NAME_BYTES, v);
}
static int set_hook(void *ctx, const char *v)
{
	return text_set(((struct component_args *)ctx)->hook, HOOK_BYTES, v);
}
static int set_key(void *ctx, const char *v)
{
	struct component_args *a = ctx;
	int err = secret_read(v, &a->secret);

	a->has_secret = !err;
	if (err)
		fprintf(stderr, "key file %s: %s\n", v, err == -EINVAL ? "this is no key" : strerror(-err));
	return err;
}
static int set_log(void *ctx, const char *v)
{
	return log_set(ctx, v);
}
static int set_log_file(void *ctx, const char *v)
{
	((struct component_args *)ctx)->log_file = v;
	return *v ? 0 : -EINVAL;
}
static int set_lifeline(void *ctx, const char *v)
{
	return fd_set_option(&((struct component_args *)ctx)->lifeline_fd, v);
}
static int set_ready(void *ctx, const char *v)
{
	return fd_set_option(&((struct component_args *)ctx)->ready_fd, v);
}

static const struct component_option options_joining[] = {
	{ "gmm", "ADDR", "join the gmm that listens at ADDR", set_gmm },
	{ "name", "NAME", "name of this component, unique in the rack", set_name },
	{ "domain", "NAME", "failure domain that this component belongs to", set_domain },
	{ NULL, NULL, NULL, NULL },
};

static const struct component_option options_listen[] = {
	{ "listen", "ADDR", "listen at ADDR (default: FABRIC:auto)", set_listen },
	{ NULL, NULL, NULL, NULL },
};

static const struct component_option options_node[] = {
	{ "node", "ADDR", "serve this machine at ADDR, of the fabric local (default: local:auto)", set_listen },
	{ NULL, NULL, NULL, NULL },
};

static const struct component_option options_all[] = {
	{ "fabric", "NAME", "fabric of the rack: local (default), ofi:tcp or another of ofi", set_fabric },
	{ "hook", "WRAPPERS", "put wrappers in front of the fabric: trace, emulate, error", set_hook },
	{ "key", "FILE", "the rack's key, for fabrics that do not tell who a peer is (`ashlar rack key`)", set_key },
	{ "log", "LEVEL", "error, warn (default), info or debug", set_log },
	{ "log-file", "FILE", "tell it there instead of on stderr; 1 MB, and FILE.1 with the 1 MB before",
	  set_log_file },
	{ "lifeline", "FD", "end when the other end of this descriptor closes", set_lifeline },
	{ "ready-fd", "FD", "write the line \"ready ADDR\" there once at work", set_ready },
	{ NULL, NULL, NULL, NULL },
};

/* An option and whom its value is for. */
struct bound_option {
	const struct component_option *option;
	void *ctx;
};

struct option_list {
	struct bound_option bound[OPTIONS_MAX];
	struct option getopt[OPTIONS_MAX + 1];
	int n;
};

static void list_add(struct option_list *l, const struct component_option *o, void *ctx)
{
	for (; o && o->name; o++) {
		BUG_ON(l->n >= OPTIONS_MAX - 1);
		l->bound[l->n].option = o;
		l->bound[l->n].ctx = ctx;
		l->getopt[l->n].name = o->name;
		l->getopt[l->n].has_arg = o->arg ? required_argument : no_argument;
		l->getopt[l->n].val = l->n + 256;
		l->n++;
	}
}

static void list_help(const struct option_list *l, const struct component_program *p)
{
	char left[64];

	printf("Usage: %s [options]\n%s\n\nOptions:\n", p->name, p->summary);
	for (int i = 0; i < l->n; i++) {
		const struct component_option *o = l->bound[i].option;

		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-18s %s\n", left, o->help);
	}
	printf("  %-18s %s\n", "--help", "print this and exit");
}

static int complain(const struct component_program *p, const char *what, const char *about)
{
	fprintf(stderr, "%s: %s%s (try --help)\n", p->name, what, about);
	return -EINVAL;
}

static int list_parse(struct option_list *l, int argc, char **argv, const struct component_program *p)
{
	int help = l->n + 256;
	int c;

	l->getopt[l->n].name = "help";
	l->getopt[l->n].val = help;
	opterr = 0;
	optind = 0; /* GNU: start afresh */
	while ((c = getopt_long(argc, argv, ":", l->getopt, NULL)) != -1) {
		const struct component_option *o;

		if (c == help) {
			list_help(l, p);
			return 1;
		}
		if (c == ':')
			return complain(p, "a value is missing for ", argv[optind - 1]);
		if (c < 256)
			return complain(p, "unknown option ", argv[optind - 1]);
		o = l->bound[c - 256].option;
		if (o->set(l->bound[c - 256].ctx, optarg)) {
			fprintf(stderr, "%s: bad value for --%s: %s (try --help)\n", p->name, o->name,
				optarg ? optarg : "");
			return -EINVAL;
		}
	}
	if (optind < argc)
		return complain(p, "takes no arguments, got ", argv[optind]);
	return 0;
}

/* Where it listens: by default at an address of its fabric. */
static int listen_settle(const struct component_program *p, struct component_args *a)
{
	const char *fabric = p->node ? "local" : a->fabric;
	char text[ADDR_BYTES + NAME_BYTES + 64];

	if (!a->config.listen[0])
		snprintf(a->config.listen, sizeof(a->config.listen), "%s:auto", fabric);
	if (!net_address_fits(fabric, a->config.listen)) {
		snprintf(text, sizeof(text), "--%s %s is not an address of the fabric ", p->node ? "node" : "listen",
			 a->config.listen);
		return complain(p, text, fabric);
	}
	if (a->config.gmm[0] && !net_address_fits(a->fabric, a->config.gmm)) {
		snprintf(text, sizeof(text), "--gmm %s is not an address of the fabric ", a->config.gmm);
		return complain(p, text, a->fabric);
	}
	return 0;
}

int component_options(int argc, char **argv, const struct component_program *p, void *ctx, struct component_args *a)
{
	struct option_list list = { 0 };
	bool joins = p->kind != KIND_GMM;
	char why[HOOK_WHY_BYTES];
	int ret;

	memset(a, 0, sizeof(*a));
	a->config.kind = p->kind;
	a->config.join_ms = JOIN_MS;
	a->log_level = LOG_WARN;
	a->lifeline_fd = a->ready_fd = -1;
	strcpy(a->fabric, "local");

	if (joins)
		list_add(&list, options_joining, a);
	list_add(&list, p->options, ctx);
	list_add(&list, p->node ? options_node : options_listen, a);
	list_add(&list, options_all, a);
	ret = list_parse(&list, argc, argv, p);
	if (ret)
		return ret;
	if (joins && !a->config.gmm[0])
		return complain(p, "which rack? --gmm ADDR is needed", "");
	if (joins && !a->config.name[0])
		return complain(p, "which component is this? --name NAME is needed", "");
	if (a->hook[0] && hook_check(a->hook, why))
		return complain(p, "bad value for --hook: ", why);
	if (!joins)
		strcpy(a->config.name, p->name);
	if (!a->config.domain[0])
		strcpy(a->config.domain, a->config.name);
	return listen_settle(p, a);
}

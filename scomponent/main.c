/* scomponent: command line of the storage monitor. */
#include <errno.h>
#include "ashlar/base/log.h"
#include "ashlar/component.h"
#include "scomponent/scomponent.h"

struct program {
	struct scomponent_config cfg;
	struct scomponent *s;
};

static void accepted(void *ctx, struct net_conn *conn)
{
	scomponent_accepted(((struct program *)ctx)->s, conn);
}

static int admit(void *ctx, const struct g2x_admit_req *req, const struct placement_part *parts, uint32_t n_parts)
{
	(void)parts;
	(void)n_parts;
	return scomponent_admit(((struct program *)ctx)->s, req);
}

static uint64_t revoke(void *ctx, uint32_t pid)
{
	scomponent_revoke(((struct program *)ctx)->s, pid);
	return 0; /* files take no memory that is promised to anyone */
}

static void load(void *ctx, struct x2g_beat_req *beat)
{
	struct program *p = ctx;
	struct scomponent_usage u;
	uint64_t bytes;

	scomponent_usage(p->s, &u);
	scomponent_space(p->s, &bytes, &beat->used_bytes);
	beat->processes = (uint32_t)u.processes;
}

static void gmm_lost(void *ctx)
{
	scomponent_gmm_lost(((struct program *)ctx)->s);
}

static int set_root(void *ctx, const char *value)
{
	((struct program *)ctx)->cfg.root = value;
	return 0;
}

static int set_readonly(void *ctx, const char *value)
{
	(void)value;
	((struct program *)ctx)->cfg.readonly = true;
	return 0;
}

static int start(void *ctx, const struct component_env *env, uint64_t *bytes)
{
	struct program *p = ctx;
	uint64_t used;
	int err;

	if (!p->cfg.root) {
		log_error("--root DIR is missing: which directory is to be exported?");
		return -EINVAL;
	}
	err = scomponent_open(env->loop, env->net, component_counters(env->component), &p->cfg, &p->s);
	if (!err)
		scomponent_space(p->s, bytes, &used);
	return err;
}

static void stop(void *ctx)
{
	scomponent_close(((struct program *)ctx)->s);
}

int main(int argc, char **argv)
{
	static const struct component_option options[] = {
		{ "root", "DIR", "directory to export as the root of all files", set_root },
		{ "readonly", NULL, "refuse every change", set_readonly },
		{ NULL, NULL, NULL, NULL },
	};
	static const struct component_ops ops = {
		.accepted = accepted,
		.admit = admit,
		.revoke = revoke,
		.load = load,
		.gmm_lost = gmm_lost,
	};
	static const struct component_program program = {
		.name = "scomponent",
		.summary = "storage monitor: serves the files below a directory to the processes of a rack",
		.kind = KIND_STORAGE,
		.options = options,
		.ops = &ops,
		.start = start,
		.stop = stop,
	};
	struct program p = { .s = NULL };

	return component_main(argc, argv, &program, &p);
}

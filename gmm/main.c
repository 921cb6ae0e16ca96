/* gmm: the process of the global resource manager. */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "gmm/gmm.h"
#include "gmm/place.h"

struct gmm_main {
	const char *placement;
	struct gmm *g;
};

static struct gmm_main self;

static int set_place(void *ctx, const char *value)
{
	if (!place_policy(value))
		return -ENOENT;
	((struct gmm_main *)ctx)->placement = value;
	return 0;
}

static int start(void *ctx, const struct component_env *env, uint64_t *bytes)
{
	struct gmm_main *s = ctx;
	struct gmm_config config = {
		.loop = env->loop,
		.net = env->net,
		.placement = s->placement,
		.counters = component_counters(env->component),
	};
	int err = gmm_open(&config, &s->g);

	*bytes = 0;
	if (err)
		log_error("cannot start: %s", strerror(-err));
	component_set_ctx(env->component, s->g);
	return err;
}

static void stop(void *ctx)
{
	gmm_close(((struct gmm_main *)ctx)->g);
}

int main(int argc, char **argv)
{
	static const struct component_option options[] = {
		{ "place", "POLICY", "placement policy (default and only one yet: balance)", set_place },
		{ NULL, NULL, NULL, NULL },
	};
	static const struct component_ops ops = { .accepted = gmm_accepted };
	static const struct component_program program = {
		.name = "gmm",
		.summary = "Global resource manager of an ashlar rack: who is in it, and which process gets what.",
		.kind = KIND_GMM,
		.options = options,
		.ops = &ops,
		.start = start,
		.stop = stop,
	};

	return component_main(argc, argv, &program, &self);
}

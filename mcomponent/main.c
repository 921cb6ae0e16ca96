/* mcomponent: the process of the memory monitor. */
#include <errno.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "mcomponent/mcomponent.h"

struct memory_main {
	uint64_t bytes;
	struct mcomponent *m;
	struct component *component;
};

static struct memory_main self;

static int set_size(void *ctx, const char *value)
{
	struct memory_main *s = ctx;
	uint64_t bytes;
	int err = size_parse(value, &bytes);

	if (err)
		return err;
	s->bytes = bytes / PAGE_BYTES * PAGE_BYTES;
	return s->bytes ? 0 : -EINVAL;
}

static void changed(void *arg)
{
	const struct memory_main *s = arg;

	component_beat(s->component);
}

static int start(void *ctx, const struct component_env *env, uint64_t *bytes)
{
	struct memory_main *s = ctx;
	struct mcomponent_config config = {
		.loop = env->loop,
		.net = env->net,
		.bytes = s->bytes,
		.counters = component_counters(env->component),
		.changed = changed,
		.changed_arg = s,
	};
	int err;

	if (!s->bytes) {
		log_error("how much memory? --size SIZE is needed");
		return -EINVAL;
	}
	s->component = env->component;
	*bytes = s->bytes;
	err = mcomponent_open(&config, &s->m);
	if (err)
		log_error("cannot start: %s", strerror(-err));
	component_set_ctx(env->component, s->m);
	return err;
}

static void stop(void *ctx)
{
	mcomponent_close(((struct memory_main *)ctx)->m);
}

int main(int argc, char **argv)
{
	static const struct component_option options[] = {
		{ "size", "SIZE", "memory to lend, e.g. 256M", set_size },
		{ NULL, NULL, NULL, NULL },
	};
	static const struct component_ops ops = {
		.accepted = mcomponent_accepted,
		.admit = mcomponent_admit,
		.revoke = mcomponent_revoke,
		.load = mcomponent_load,
		.usage = mcomponent_usage,
		.gmm_lost = mcomponent_gmm_lost,
	};
	static const struct component_program program = {
		.name = "mcomponent",
		.summary = "Memory monitor of an ashlar rack: lends memory, to be reached one-sided.",
		.kind = KIND_MEMORY,
		.options = options,
		.ops = &ops,
		.start = start,
		.stop = stop,
	};

	return component_main(argc, argv, &program, &self);
}

/* Wrappers are put in front of a fabric from the last to the first, so that the first is the user's. */
#include <errno.h>
#include "ashlar/base/log.h"
#include "net/hook/wrap.h"

static int stage_open(const struct hook_stage *s, struct net *inner, struct net **out)
{
	switch (s->kind) {
	case STAGE_TRACE:
		return trace_open(&s->trace, inner, out);
	case STAGE_EMULATE:
		return emulate_open(&s->emulate, inner, out);
	case STAGE_ERROR:
		return error_open(&s->error, inner, out);
	}
	return -EINVAL;
}

/* Take wrappers off again without closing what they stand in front of. */
static void stages_undo(struct net *outer, const struct net *inner)
{
	while (outer != inner) {
		struct wrap_net *w = wrap_net(outer);

		outer = w->inner;
		w->inner = NULL;
		w->base.ops->close(&w->base);
	}
}

int hook_open(const char *hook, struct net *inner, struct net **out)
{
	struct net *outer = inner;
	struct hook_stages stages;
	char why[HOOK_WHY_BYTES];
	int err = hook_parse(hook, &stages, why);

	if (err) {
		log_error("wrappers of the fabric: %s", why);
		return err;
	}
	for (unsigned i = stages.n; i-- > 0 && !err;)
		err = stage_open(&stages.stage[i], outer, &outer);
	if (err)
		stages_undo(outer, inner);
	else
		*out = outer;
	return err;
}

/* The names of wrappers (hook.h states the grammar), parsed strictly: every mistake is told in words. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ashlar/base/size.h"
#include "net/hook/wrap.h"

#define TIME_MAX_NS (60ULL * 1000000000) /* a link slower than this is a mistake */

/*
 * A number with decimals, in billionths, at *s, which moves behind it. -EINVAL: there is none, or it is too long (more
 * than nine digits on either side of the point).
 */
static int decimal_parse(const char **s, uint64_t *billionths)
{
	uint64_t v = 0, unit = WRAP_ONE;
	const char *p = *s, *begin = p;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (p - begin >= 9)
			return -EINVAL;
		v = v * 10 + (uint64_t)(*p - '0') * WRAP_ONE;
	}
	if (p == begin)
		return -EINVAL;
	if (*p == '.') {
		begin = ++p;
		for (; *p >= '0' && *p <= '9'; p++) {
			unit /= 10;
			v += (uint64_t)(*p - '0') * unit;
		}
		if (p == begin || p - begin > 9)
			return -EINVAL;
	}
	*s = p;
	*billionths = v;
	return 0;
}

static const char *time_set(uint64_t *ns, const char *value)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
	uint64_t v;

	if (!decimal_parse(&value, &v))
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (strcmp(value, units[i].name) == 0) {
				*ns = (uint64_t)((unsigned __int128)v * units[i].ns / WRAP_ONE);
				return *ns <= TIME_MAX_NS ? NULL : "at most 60s";
			}
	return "a time such as 5us is meant";
}

static const char *bandwidth_set(uint64_t *bits, const char *value)
{
	uint64_t v, unit = 1;

	if (decimal_parse(&value, &v))
		return "bits a second such as 10G are meant";
	if (*value == 'K' || *value == 'M' || *value == 'G') {
		unit = *value == 'K' ? 1000 : *value == 'M' ? 1000000 : 1000000000;
		value++;
	}
	*bits = (uint64_t)((unsigned __int128)v * unit / WRAP_ONE);
	if (*value)
		return "bits a second such as 10G are meant";
	return *bits >= 1000 && *bits <= 1000000000000ULL ? NULL : "from 1K to 1000G";
}

static const char *chance_set(uint32_t *billionths, const char *value)
{
	uint64_t v;

	if (decimal_parse(&value, &v) || *value || v > WRAP_ONE)
		return "a probability from 0 to 1 is meant";
	*billionths = (uint32_t)v;
	return NULL;
}

static const char *count_set(uint64_t *n, const char *value)
{
	uint64_t v;

	if (decimal_parse(&value, &v) || *value || v % WRAP_ONE)
		return "a whole number is meant";
	*n = v / WRAP_ONE;
	return NULL;
}

static const char *count_from_1(uint64_t *n, const char *value)
{
	const char *wrong = count_set(n, value);

	return wrong ? wrong : *n ? NULL : "a number from 1 is meant";
}

#define NO_SUCH_KEY "no such key"

static const char *trace_key(struct trace_config *c, const char *key, const char *value)
{
	if (strcmp(key, "file") == 0) {
		c->file = value;
		return *value ? NULL : "a file or - is meant";
	}
	if (strcmp(key, "rate") == 0)
		return count_from_1(&c->rate, value);
	if (strcmp(key, "size") == 0)
		return size_parse(value, &c->bytes) || !c->bytes ? "a size such as 64M is meant" : NULL;
	return NO_SUCH_KEY;
}

static const char *emulate_key(struct emulate_config *c, const char *key, const char *value)
{
	if (strcmp(key, "latency") == 0)
		return time_set(&c->latency_ns, value);
	if (strcmp(key, "jitter") == 0)
		return time_set(&c->jitter_ns, value);
	if (strcmp(key, "retransmit") == 0)
		return time_set(&c->retransmit_ns, value);
	if (strcmp(key, "bandwidth") == 0)
		return bandwidth_set(&c->bandwidth, value);
	if (strcmp(key, "loss") == 0) {
		const char *wrong = chance_set(&c->loss, value);

		return wrong ? wrong : c->loss <= WRAP_ONE / 2 ? NULL : "at most 0.5";
	}
	if (strcmp(key, "seed") == 0)
		return count_set(&c->seed, value);
	return NO_SUCH_KEY;
}

static const char *error_op_set(struct error_config *c, const char *value)
{
	static const char *const ops[] = { "", "read", "write", "send", "connect" };

	for (int i = ERROR_READ; i <= ERROR_CONNECT; i++)
		if (strcmp(value, ops[i]) == 0) {
			c->op = (enum error_op)i;
			return NULL;
		}
	return "read, write, send or connect is meant";
}

static const char *error_do_set(struct error_config *c, const char *value)
{
	static const struct {
		const char *name;
		int err;
	} names[] = { { "EIO", EIO },	    { "EPIPE", EPIPE },
		      { "EACCES", EACCES }, { "ERANGE", ERANGE },
		      { "ENOMEM", ENOMEM }, { "ETIMEDOUT", ETIMEDOUT },
		      { "cut", 0 },	    { "ECONNREFUSED", ECONNREFUSED } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(value, names[i].name) == 0) {
			c->err = -names[i].err;
			c->cut = !names[i].err;
			return NULL;
		}
	return "cut or one of EIO EPIPE EACCES ERANGE ENOMEM ETIMEDOUT ECONNREFUSED is meant";
}

static const char *error_key(struct error_config *c, const char *key, const char *value)
{
	if (strcmp(key, "op") == 0)
		return error_op_set(c, value);
	if (strcmp(key, "do") == 0)
		return error_do_set(c, value);
	if (strcmp(key, "nth") == 0)
		return count_from_1(&c->nth, value);
	if (strcmp(key, "every") == 0)
		return count_from_1(&c->every, value);
	if (strcmp(key, "seed") == 0)
		return count_set(&c->seed, value);
	if (strcmp(key, "p") == 0) {
		c->by_chance = true;
		return chance_set(&c->p, value);
	}
	return NO_SUCH_KEY;
}

static const char *stage_key(struct hook_stage *s, const char *key, const char *value)
{
	switch (s->kind) {
	case STAGE_TRACE:
		return trace_key(&s->trace, key, value);
	case STAGE_EMULATE:
		return emulate_key(&s->emulate, key, value);
	case STAGE_ERROR:
		return error_key(&s->error, key, value);
	}
	return NO_SUCH_KEY;
}

/* All keys are there: do they fit each other? */
static const char *stage_check(const struct hook_stage *s)
{
	const struct error_config *e = &s->error;

	switch (s->kind) {
	case STAGE_TRACE:
		return s->trace.file ? NULL : "file= is needed";
	case STAGE_EMULATE:
		return s->emulate.jitter_ns <= s->emulate.latency_ns ? NULL : "jitter is more than latency";
	case STAGE_ERROR:
		if (!e->op)
			return "op= is needed";
		if (!e->err && !e->cut)
			return "do= is needed";
		if (!!e->nth + !!e->every + e->by_chance != 1)
			return "one of nth=, every= and p= is needed";
		if (e->cut && e->op == ERROR_CONNECT)
			return "a connection that is not made cannot be cut";
	}
	return NULL;
}

static bool stage_begin(struct hook_stage *s, const char *name)
{
	static const char *const names[] = {
		[STAGE_TRACE] = "trace",
		[STAGE_EMULATE] = "emulate",
		[STAGE_ERROR] = "error",
	};

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		s->kind = (enum stage_kind)i;
		if (s->kind == STAGE_TRACE)
			s->trace = (struct trace_config){ .rate = 10000, .bytes = 64u << 20 };
		if (s->kind == STAGE_EMULATE)
			s->emulate = (struct emulate_config){ .retransmit_ns = 1000000, .seed = 1 };
		if (s->kind == STAGE_ERROR)
			s->error.seed = 1;
		return true;
	}
	return false;
}

static int complain(char *why, const char *stage, const char *about, const char *words)
{
	snprintf(why, HOOK_WHY_BYTES, "%.20s: %s%s%s", stage, about, *about ? ": " : "", words);
	return -EINVAL;
}

/* One wrapper, its text ended by 0: NAME[:KEY=VALUE,...]. */
static int stage_parse(struct hook_stage *s, char *text, char *why)
{
	char *keys = strchr(text, ':'), *key, *next, *value, about[80];
	const char *wrong;

	if (keys)
		*keys++ = 0;
	if (!stage_begin(s, text))
		return complain(why, text, "", "no such wrapper (trace, emulate or error)");
	for (key = keys; key; key = next) {
		next = strchr(key, ',');
		if (next)
			*next++ = 0;
		value = strchr(key, '=');
		snprintf(about, sizeof(about), "%s", key);
		if (!value)
			return complain(why, text, about, "KEY=VALUE is meant");
		*value++ = 0;
		wrong = stage_key(s, key, value);
		if (wrong)
			return complain(why, text, about, wrong);
	}
	wrong = stage_check(s);
	return wrong ? complain(why, text, "", wrong) : 0;
}

int hook_parse(const char *hook, struct hook_stages *out, char *why)
{
	size_t len = strlen(hook);
	char *text, *next;
	int err;

	out->n = 0;
	if (len == 0 || len >= HOOK_BYTES) {
		snprintf(why, HOOK_WHY_BYTES, "names of wrappers have 1 to %u characters, these have %zu",
			 HOOK_BYTES - 1, len);
		return -EINVAL;
	}
	memcpy(out->text, hook, len + 1);
	for (text = out->text; text; text = next) {
		next = strchr(text, ';');
		if (next)
			*next++ = 0;
		if (out->n == HOOK_STAGES_MAX) {
			snprintf(why, HOOK_WHY_BYTES, "more than %u wrappers", HOOK_STAGES_MAX);
			return -EINVAL;
		}
		err = stage_parse(&out->stage[out->n], text, why);
		if (err)
			return err;
		out->n++;
	}
	return 0;
}

int hook_check(const char *hook, char *why)
{
	struct hook_stages stages;

	return hook_parse(hook, &stages, why);
}

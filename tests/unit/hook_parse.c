/* Names of wrappers: what is right is taken, every mistake is named. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "ashlar/base/log.h"
#include "net/hook/wrap.h"

static void right(void **state)
{
	static const char *const good[] = {
		"emulate",
		"emulate:latency=5us",
		"emulate:latency=0.5us,jitter=500ns,bandwidth=2.5G,loss=0.001,retransmit=2ms,seed=7",
		"trace:file=-",
		"trace:file=/tmp/x,rate=5,size=1M;emulate:latency=1s",
		"error:op=read,nth=3,do=EIO",
		"error:op=write,every=2,do=EPIPE;error:op=send,p=0.5,do=cut,seed=3",
		"error:op=connect,p=1,do=ECONNREFUSED",
	};
	char why[HOOK_WHY_BYTES];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(hook_check(good[i], why), 0);
}

static void values(void **state)
{
	struct hook_stages s;
	char why[HOOK_WHY_BYTES];

	assert_int_equal(
		hook_parse("error:op=send,p=0.25,do=cut;emulate:latency=1.5us,bandwidth=40G,loss=0.5", &s, why), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.stage[0].kind, STAGE_ERROR);
	assert_int_equal(s.stage[0].error.p, WRAP_ONE / 4);
	assert_true(s.stage[0].error.cut);
	assert_int_equal(s.stage[0].error.seed, 1);
	assert_int_equal(s.stage[1].kind, STAGE_EMULATE);
	assert_int_equal(s.stage[1].emulate.latency_ns, 1500);
	assert_int_equal(s.stage[1].emulate.bandwidth, 40000000000);
	assert_int_equal(s.stage[1].emulate.loss, WRAP_ONE / 2);
	assert_int_equal(s.stage[1].emulate.retransmit_ns, 1000000);
	assert_int_equal(hook_parse("trace:file=/a b/c=d", &s, why), 0);
	assert_string_equal(s.stage[0].trace.file, "/a b/c=d");
	assert_int_equal(s.stage[0].trace.rate, 10000);
}

static void wrong(void **state)
{
	static const struct {
		const char *hook, *words;
	} bad[] = {
		{ "", "1 to 127 characters" },
		{ "delay", "delay: no such wrapper" },
		{ "emulate;", "no such wrapper" },
		{ "emulate:", "KEY=VALUE" },
		{ "emulate:latency", "latency: KEY=VALUE" },
		{ "emulate:latency=5", "latency=5: a time" },
		{ "emulate:latency=us", "a time" },
		{ "emulate:latency=-1us", "a time" },
		{ "emulate:latency=1.us", "a time" },
		{ "emulate:latency=1us ", "a time" },
		{ "emulate:latency=61s", "at most 60s" },
		{ "emulate:latency=99999999999s", "a time" },
		{ "emulate:lag=5us", "lag=5us: no such key" },
		{ "emulate:jitter=1us", "jitter is more than latency" },
		{ "emulate:bandwidth=0", "from 1K" },
		{ "emulate:bandwidth=10X", "bits a second" },
		{ "emulate:bandwidth=10GG", "bits a second" },
		{ "emulate:loss=1.1", "probability" },
		{ "emulate:loss=0.6", "at most 0.5" },
		{ "emulate:seed=1.5", "whole number" },
		{ "emulate:latency=1us,,", "KEY=VALUE" },
		{ "trace", "file= is needed" },
		{ "trace:file=", "a file or -" },
		{ "trace:file=-,rate=0", "from 1" },
		{ "trace:file=-,size=big", "a size" },
		{ "error:nth=1,do=EIO", "op= is needed" },
		{ "error:op=read,nth=1", "do= is needed" },
		{ "error:op=read,do=EIO", "one of nth=" },
		{ "error:op=read,do=EIO,nth=1,every=2", "one of nth=" },
		{ "error:op=read,do=EAGAIN,nth=1", "cut or one of" },
		{ "error:op=peek,do=EIO,nth=1", "read, write, send or connect" },
		{ "error:op=connect,do=cut,nth=1", "cannot be cut" },
		{ "emulate;emulate;emulate;emulate;emulate", "more than 4" },
	};
	char why[HOOK_WHY_BYTES], longest[HOOK_BYTES + 1];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(why, "");
		if (hook_check(bad[i].hook, why) != -EINVAL || !strstr(why, bad[i].words))
			fail_msg("%s: %s", bad[i].hook, why);
	}
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "trace:file=", 11);
	longest[HOOK_BYTES] = 0;
	assert_int_equal(hook_check(longest, why), -EINVAL);
	longest[HOOK_BYTES - 1] = 0;
	assert_int_equal(hook_check(longest, why), 0);
}

static void net_open_refuses(void **state)
{
	struct net_options opt = { .hook = "emulate:latency=5" };
	struct net *net;

	log_set_fd(-1);
	assert_int_equal(net_open("local", &opt, &net), -EINVAL);
	opt.hook = "emulate;trace:file=/nowhere/at/all";
	assert_int_equal(net_open("local", &opt, &net), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right),
		cmocka_unit_test(values),
		cmocka_unit_test(wrong),
		cmocka_unit_test(net_open_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

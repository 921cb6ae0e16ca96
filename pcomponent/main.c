/* pcomponent: the process of the node daemon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "ashlar/base/size.h"
#include "pcomponent/daemon/daemon.h"

#define DISPATCHER "../libexec/ashlar/dispatcher"

struct processor_main {
	uint64_t excache_bytes;
	bool relay;
	uint32_t direct_max;
	struct daemon *d;
};

static struct processor_main self = { .direct_max = 64 };

static int set_excache(void *ctx, const char *value)
{
	struct processor_main *s = ctx;
	uint64_t bytes;
	int err = size_parse(value, &bytes);

	if (err)
		return err;
	s->excache_bytes = bytes / PAGE_BYTES * PAGE_BYTES;
	return s->excache_bytes ? 0 : -EINVAL;
}

static int set_relay(void *ctx, const char *value)
{
	(void)value;
	((struct processor_main *)ctx)->relay = true;
	return 0;
}

static int set_direct(void *ctx, const char *value)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n > PROCESSES_MAX)
		return -EINVAL;
	((struct processor_main *)ctx)->direct_max = (uint32_t)n;
	return 0;
}

/* Half of the machine: the other half is the host's, and the programs' files and stacks that are never remote. */
static uint64_t excache_default(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		return 64UL << 20;
	return (uint64_t)info.totalram * info.mem_unit / 2 / PAGE_BYTES * PAGE_BYTES;
}

/* The dispatcher lies beside us, as it is installed. NULL: it does not, and no program is started from here. */
static const char *dispatcher_find(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(DISPATCHER) - 1);
	char *slash;

	if (n <= 0)
		return NULL;
	path[n] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	strcpy(slash + 1, DISPATCHER);
	return access(path, X_OK) ? NULL : path;
}

static int start(void *ctx, const struct component_env *env, uint64_t *bytes)
{
	struct processor_main *s = ctx;
	struct daemon_config config = {
		.loop = env->loop,
		.net = env->net,
		.host = &daemon_host_linux,
		.component = env->component,
		.counters = component_counters(env->component),
	};
	int err;

	if (!s->excache_bytes)
		s->excache_bytes = excache_default();
	if (s->relay || env->node != env->net)
		config.relay = env->node;
	if (!s->relay && strcmp(net_fabric_name(env->net), "verbs") == 0)
		config.direct_max = s->direct_max;
	config.hook = env->hook;
	config.dispatcher = dispatcher_find();
	config.excache_bytes = *bytes = s->excache_bytes;
	err = daemon_open(&config, &s->d);
	if (err)
		log_error("cannot start: %s", strerror(-err));
	component_set_ctx(env->component, s->d);
	return err;
}

static bool own_child(void *ctx, pid_t pid)
{
	return start_is_child(((struct processor_main *)ctx)->d, pid);
}

static void stop(void *ctx)
{
	daemon_close(((struct processor_main *)ctx)->d);
}

int main(int argc, char **argv)
{
	static const struct component_option options[] = {
		{ "excache", "SIZE", "local memory to divide among processes (default: half of the machine)",
		  set_excache },
		{ "relay", NULL,
		  "serve all programs by a relay, at ADDR-relay, also where they could use the fabric themselves",
		  set_relay },
		{ "direct", "N",
		  "on verbs: so many programs at once use the fabric themselves, others by the relay (64)",
		  set_direct },
		{ NULL, NULL, NULL, NULL },
	};
	static const struct component_ops ops = {
		.listening = daemon_listening,
		.accepted = daemon_accepted,
		.admit = daemon_admit,
		.revoke = daemon_revoke,
		.load = daemon_load,
		.usage = daemon_usage,
		.tree = daemon_tree,
		.signal = daemon_signal,
		.gmm_lost = daemon_gmm_lost,
		.joined = daemon_joined,
	};
	static const struct component_program program = {
		.name = "pcomponent",
		.summary =
			"Node daemon of a processor component of an ashlar rack: stands by the processes of this machine.",
		.kind = KIND_PROCESSOR,
		.node = true,
		.options = options,
		.ops = &ops,
		.start = start,
		.own_child = own_child,
		.stop = stop,
	};

	return component_main(argc, argv, &program, &self);
}

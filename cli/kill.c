/* ashlar kill: signals to processes of a standing rack, by their pids there. Options and exit status as kill(1) has. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "ashlar/rpc.h"
#include "cli/standing.h"

void kill_usage(void)
{
	printf("Usage: ashlar kill [--rack NAME|FILE] [-SIGNAL | -s SIGNAL] PID...\n"
	       "Send a signal (a name or a number; default: TERM) to programs of a rack, by their pids there. KILL ends\n"
	       "all processes that the program made as well; others are the program's own, or, when it has ended, all\n"
	       "its processes'. 0 only looks whether it could be sent. Each PID that gets none is named.\n"
	       "\n"
	       "Options:\n"
	       "  --rack NAME|FILE  which rack (default: the one that ASHLAR_RACK names, or the only one of ours)\n"
	       "  --help            print this and exit\n"
	       "\n"
	       "Exit status: 0 when all got it, 1 when one did not; 125 when ashlar itself failed.\n");
}

static int number_parse(const char *s, long max, long *out)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*out = strtol(s, &end, 10);
	return errno || *end || *out > max ? -EINVAL : 0;
}

static int signal_parse(const char *s, int *out)
{
	long n;

	if (number_parse(s, SIGRTMAX, &n) == 0) {
		*out = (int)n;
		return 0;
	}
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	for (int i = 1; i < SIGRTMIN; i++)
		if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), s) == 0) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

struct killing {
	const char *rack;
	int signal;
	char **pids;
};

/* 0; 1: help was printed; EXIT_ASHLAR. By hand: -9 is no option that getopt knows. */
static int words_parse(int argc, char **argv, struct killing *k)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		const char *word = argv[i], *signal = word + 1;

		if (strcmp(word, "--") == 0) {
			i++;
			break;
		}
		if (strcmp(word, "--help") == 0) {
			kill_usage();
			return 1;
		}
		if (strncmp(word, "--rack=", 7) == 0) {
			k->rack = word + 7;
			continue;
		}
		if (strcmp(word, "--rack") == 0 || strcmp(word, "-s") == 0) {
			if (++i == argc)
				return cli_error("%s needs a value (try ashlar kill --help)", word);
			signal = argv[i];
			if (word[1] == '-') {
				k->rack = argv[i];
				continue;
			}
		} else if (word[1] == '-') {
			return cli_error("unknown option %s (try ashlar kill --help)", word);
		}
		if (signal_parse(signal, &k->signal))
			return cli_error("there is no signal %s", signal);
	}
	k->pids = argv + i;
	return i < argc ? 0 : cli_error("which process? ashlar kill takes one or more PIDs");
}

static int kill_one(struct rpc *gmm, const char *word, int signal)
{
	struct x2g_signal_req req = { .signal = signal, .uid = geteuid() };
	long pid;
	int err;

	if (number_parse(word, INT32_MAX, &pid) || pid == 0) {
		cli_error("%s is no pid of a rack", word);
		return 1;
	}
	req.pid = (uint32_t)pid;
	err = rpc_call_sync(gmm, X2G_SIGNAL, req.pid, 0, &req, NULL, 0, RPC_DEADLINE_MS, NULL, NULL, NULL);
	if (err == -ESRCH)
		cli_error("there is no process %s", word);
	else if (err == -EPERM)
		cli_error("process %s belongs to another user", word);
	else if (err == -EAGAIN)
		cli_error("the program of process %s has not come yet", word);
	else if (err == -EHOSTDOWN)
		cli_error("the processor component of process %s does not answer", word);
	else if (err)
		cli_error("process %s gets no signal: %s", word, strerror(-err));
	return err ? 1 : 0;
}

int cmd_kill(int argc, char **argv)
{
	static struct rack_file file;
	struct killing k = { .signal = SIGTERM };
	struct place place = { 0 };
	int err = words_parse(argc, argv, &k);

	if (err)
		return err == 1 ? 0 : err;
	err = rack_open(k.rack, &file, &place);
	for (char **pid = k.pids; err <= 1 && *pid; pid++)
		err |= kill_one(place.gmm, *pid, k.signal);
	place_close(&place);
	return err;
}

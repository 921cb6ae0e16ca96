/*
 * memwatch [-r [-l BYTES]] [-i MS] [-o FILE] COMMAND ARGS...
 *
 * Runs the command and looks at its anonymous memory every MS milliseconds (default 5), then writes what it saw to FILE,
 * one "name value" a line. The exit status is the command's, 128+N after signal N.
 *
 *   without -r: the command itself, by RssAnon                         -> anon_peak
 *   with -r:    the command is `ashlar run`; its program, by smaps:    -> program_peak (below the window's end),
 *               own_peak (the dispatcher's, above it), own_mapped_peak, torn (samples looked at again)
 *   always:     samples, wall_ns, cpu_ns
 *   with -l:    the first smaps that shows more than BYTES of the program goes to FILE.over
 *
 * The program of `ashlar run` is that child of it that is in its session: the components have sessions of their own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pcomponent/vm/window.h"
#include "tests/programs/say.h"

struct seen {
	uint64_t samples, torn, anon_peak, program_peak, own_peak, own_mapped_peak;
};

static void peak(uint64_t *p, uint64_t v)
{
	if (v > *p)
		*p = v;
}

/* Anonymous memory of a process now; 0: it has none any more */
static uint64_t anon_of(pid_t pid)
{
	char path[64], line[256];
	unsigned long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %lu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return (uint64_t)kb << 10;
}

static void look_status(pid_t pid, struct seen *s)
{
	uint64_t anon = anon_of(pid);

	if (!anon)
		return;
	peak(&s->anon_peak, anon);
	s->samples++;
}

static uint64_t limit = UINT64_MAX;
static const char *out_name = "memwatch";

static void keep(const char *from)
{
	char to[4200], line[4400];
	FILE *in = fopen(from, "re"), *out;

	snprintf(to, sizeof(to), "%s.over", out_name);
	out = fopen(to, "we");
	while (in && out && fgets(line, sizeof(line), in))
		fputs(line, out);
	if (in)
		fclose(in);
	if (out)
		fclose(out);
}

/* What smaps says: program's and dispatcher's anonymous memory, and all that is resident of the dispatcher's. */
struct sums {
	uint64_t program, own, own_mapped;
};

static bool smaps_sum(const char *path, struct sums *sum)
{
	unsigned long from = 0, to, kb;
	char line[4400];
	FILE *f = fopen(path, "re");

	memset(sum, 0, sizeof(*sum));
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Anonymous: %lu kB", &kb) == 1) {
			if (from < WINDOW_END)
				sum->program += kb << 10;
			else
				sum->own += kb << 10;
		} else if (sscanf(line, "Rss: %lu kB", &kb) == 1) {
			sum->own_mapped += from < WINDOW_END ? 0 : kb << 10;
		} else if (line[0] < 'A' || line[0] > 'Z') {
			sscanf(line, "%lx-%lx ", &from, &to);
		}
	}
	fclose(f);
	return sum->program || sum->own; /* else it is ending */
}

/*
 * The host walks the mappings one after another while the program runs on, so a page may be counted at its old address
 * and another, which took its room, at a later one. RssAnon is one number at one time: a sum above what it was before and
 * after is torn, and looked at again; the last look counts as no more than RssAnon allows.
 */
static void look_smaps(pid_t pid, struct seen *s)
{
	uint64_t before, after = anon_of(pid), most;
	struct sums sum;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	for (int tries = 0;; tries++) {
		before = after;
		if (!smaps_sum(path, &sum))
			return;
		after = anon_of(pid);
		most = before > after ? before : after;
		if (sum.program + sum.own <= most || !after)
			break;
		s->torn++;
		if (tries < 5)
			continue;
		sum.program = most > sum.own ? most - sum.own : 0;
		break;
	}
	if (sum.program > limit && s->program_peak <= limit)
		keep(path);
	peak(&s->program_peak, sum.program);
	peak(&s->own_peak, sum.own);
	peak(&s->own_mapped_peak, sum.own_mapped);
	s->samples++;
}

/* Parent, session and name of a process. */
static bool stat_read(pid_t pid, pid_t *parent, pid_t *session, char name[32])
{
	char path[64], text[512], *end;
	int fd, group;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	end = strrchr(text, ')');
	if (!end || sscanf(end + 2, "%*c %d %d %d", parent, &group, session) != 3)
		return false;
	*end = 0;
	end = strchr(text, '(');
	snprintf(name, 32, "%.31s", end ? end + 1 : "");
	return true;
}

static pid_t program_find(pid_t command)
{
	pid_t pid, parent, session, found = 0;
	struct dirent *e;
	char name[32];
	DIR *d = opendir("/proc");

	while (d && !found && (e = readdir(d))) {
		pid = atoi(e->d_name);
		if (pid > 0 && stat_read(pid, &parent, &session, name) && parent == command && session == getsid(0) &&
		    strcmp(name, "ashlar") != 0)
			found = pid;
	}
	if (d)
		closedir(d);
	return found;
}

static int watch(pid_t child, bool rack, unsigned ms, struct seen *s, struct rusage *use)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
	pid_t program = 0, parent, session;
	char name[32];
	int status;

	while (wait4(child, &status, WNOHANG, use) != child) {
		if (!rack) {
			look_status(child, s);
		} else if (program && stat_read(program, &parent, &session, name) && parent == child) {
			look_smaps(program, s);
		} else {
			program = program_find(child);
		}
		nanosleep(&pause, NULL);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void report(FILE *out, bool rack, const struct seen *s, uint64_t wall, const struct rusage *u)
{
	uint64_t cpu = (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000u +
		       (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000u;

	fprintf(out, "samples %lu\n", s->samples);
	if (rack)
		fprintf(out, "torn %lu\nprogram_peak %lu\nown_peak %lu\nown_mapped_peak %lu\n", s->torn,
			s->program_peak, s->own_peak, s->own_mapped_peak);
	else
		fprintf(out, "anon_peak %lu\n", s->anon_peak);
	fprintf(out, "wall_ns %lu\ncpu_ns %lu\n", wall, cpu);
	fclose(out);
}

int main(int argc, char **argv)
{
	struct seen seen = { 0 };
	struct rusage use = { 0 };
	FILE *out = stderr;
	unsigned ms = 5;
	bool rack = false;
	uint64_t begin;
	pid_t child;
	int c, status;

	while ((c = getopt(argc, argv, "+ri:l:o:")) != -1) {
		if (c == 'r')
			rack = true;
		else if (c == 'i')
			ms = (unsigned)atoi(optarg);
		else if (c == 'l')
			limit = strtoull(optarg, NULL, 0);
		else if (c == 'o' && (out = fopen(optarg, "we")))
			out_name = optarg;
		else
			return 125;
	}
	if (optind >= argc)
		return 125;
	signal(SIGINT, SIG_IGN); /* the command gets it as well; we tell of its end */
	begin = now_ns();
	child = fork();
	if (child == 0) {
		signal(SIGINT, SIG_DFL);
		execvp(argv[optind], argv + optind);
		_exit(errno == ENOENT ? 127 : 126);
	}
	status = watch(child, rack, ms, &seen, &use);
	report(out, rack, &seen, now_ns() - begin, &use);
	return status;
}

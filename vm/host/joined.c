/* Waiting for a VM rack to come up: how far each machine is its console tells, and who has joined the gmm does. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ashlar/base/clock.h"
#include "vm/host/host.h"

#define UP_SECONDS 240u /* a host that is busy with other things is slow */
#define LOOK_MS 250
#define ASK_MS 4000 /* one look at the gmm's table */

struct watched {
	const struct vm_node *node;
	off_t read;	       /* of its console */
	bool starting, joined; /* joined: or not waited for */
	uint64_t starting_ns;
};

static struct joining {
	const struct standing *s;
	const struct plan *plan;
	uint64_t begin_ns;
	struct watched w[VM_NODES_MAX];
} j;

static double seconds(void)
{
	return (double)(clock_ns() - j.begin_ns) / (double)NS_PER_S;
}

static void tell(const struct vm_node *node, const char *what)
{
	printf("  %-10s %6.1f s  %s\n", node->name, seconds(), what);
	fflush(stdout);
}

/* Lines of its init: "ashlar: UPTIME WORDS". */
static void console_line(struct watched *w, const char *line)
{
	char words[80];
	float uptime;

	if (sscanf(line, "ashlar: %f %79[^\r\n]", &uptime, words) != 2)
		return;
	if (strncmp(words, "starting ", 9) != 0) {
		tell(w->node, words);
		return;
	}
	w->starting = true;
	w->starting_ns = clock_ns();
}

static void console_look(struct watched *w)
{
	char path[NAME_BYTES + 16], text[4097], *line, *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s.console", w->node->name);
	fd = openat(j.s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	while ((n = pread(fd, text, sizeof(text) - 1, w->read)) > 0) {
		text[n] = 0;
		for (line = text; (end = memchr(line, '\n', (size_t)(text + n - line))); line = end + 1) {
			*end = 0;
			console_line(w, line);
		}
		if (line == text && n < (ssize_t)sizeof(text) - 1)
			break; /* the beginning of a line */
		w->read += line == text ? n : line - text;
	}
	close(fd);
}

/* The gmm may still take one that was killed for alive: what it heard must be younger than the new one. */
static void name_up(const char *name, uint64_t beat_ms)
{
	for (unsigned i = 0; i < j.plan->n; i++) {
		struct watched *w = &j.w[i];

		if (w->joined || strcmp(name, w->node->name) != 0 || clock_ns() < w->starting_ns + beat_ms * NS_PER_MS)
			continue;
		w->joined = true;
		tell(w->node, "joined");
	}
}

/* The gmm's table, as the processor's machine sees it. */
static void table_look(void)
{
	static char *argv[] = { (char *)"/ashlar/bin/ashlar", (char *)"rack",	(char *)"status",
				(char *)"/run/rack.rack",     (char *)"--json", NULL };
	static char text[65536];
	json_t *all, *row;
	size_t i;

	if (session_capture(j.s, plan_first(j.plan, VM_PROCESSOR)->name, argv, text, sizeof(text), ASK_MS))
		return;
	all = json_loads(text, 0, NULL);
	json_array_foreach(json_object_get(all, "components"), i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		const char *state = json_string_value(json_object_get(row, "state"));
		uint64_t beat_ms = (uint64_t)json_integer_value(json_object_get(row, "beat_age_ms"));

		if (name && state && strcmp(state, "up") == 0)
			name_up(name, beat_ms);
	}
	json_decref(all);
}

/* 0: all have; 1: not yet; EXIT_ASHLAR. */
static int look(void)
{
	bool all_start = true, all = true;

	for (unsigned i = 0; i < j.plan->n; i++) {
		struct watched *w = &j.w[i];

		console_look(w);
		if (!w->joined && !part_alive(j.s, w->node->name)) {
			cli_error("the machine of %s (%s) has ended; its console ends:", w->node->name,
				  vm_kind_names[w->node->kind]);
			console_tail(j.s, w->node->name);
			return EXIT_ASHLAR;
		}
		all_start &= w->starting || w->joined;
	}
	if (all_start)
		table_look();
	for (unsigned i = 0; i < j.plan->n; i++)
		all &= j.w[i].joined || (j.w[i].starting && j.plan->node[i].kind == VM_GMM);
	return !all;
}

static int late(void)
{
	for (unsigned i = 0; i < j.plan->n; i++)
		if (!j.w[i].joined && j.plan->node[i].kind != VM_GMM) {
			cli_error("%s has not joined within %u s; its console ends:", j.w[i].node->name, UP_SECONDS);
			console_tail(j.s, j.w[i].node->name);
		}
	return EXIT_ASHLAR;
}

static off_t console_size(const struct standing *s, const struct vm_node *node)
{
	char path[PATH_MAX];
	struct stat st;

	return stat(standing_path(s, node->name, ".console", path, sizeof(path)), &st) ? 0 : st.st_size;
}

void joined_begin(const struct standing *s, const struct plan *p)
{
	j = (struct joining){ .s = s, .plan = p, .begin_ns = clock_ns() };
	for (unsigned i = 0; i < p->n; i++) {
		j.w[i].node = &p->node[i];
		j.w[i].starting = part_alive(s, p->node[i].name);
		j.w[i].read = console_size(s, &p->node[i]);
	}
}

int joined_wait(const struct vm_node *only, struct signals *signals)
{
	int ret = 1;

	for (unsigned i = 0; i < j.plan->n; i++)
		j.w[i].joined = only ? j.w[i].node != only : false;
	while (ret == 1) {
		struct pollfd fd = { .fd = signals->fd, .events = POLLIN };
		int ending;

		poll(&fd, 1, LOOK_MS);
		ending = signals_ending(signals);
		if (ending)
			return 128 + ending;
		ret = look();
		if (ret == 1 && clock_ns() - j.begin_ns > UP_SECONDS * NS_PER_S)
			ret = late();
	}
	if (!ret)
		printf("VM rack %s is up after %.1f s\n", j.plan->name, seconds());
	return ret;
}

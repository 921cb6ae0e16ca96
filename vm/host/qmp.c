/* Commands to a machine's QEMU: lines of JSON over a socket, after a greeting. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "vm/host/host.h"

#define ANSWER_MS 10000
#define LINE_MAX_BYTES 65536

struct wire {
	int fd;
	size_t n;
	char line[LINE_MAX_BYTES];
};

/* The next line as JSON; NULL: none comes. */
static json_t *line_take(struct wire *w)
{
	for (;;) {
		char *end = memchr(w->line, '\n', w->n);
		struct pollfd fd = { .fd = w->fd, .events = POLLIN };
		ssize_t n;

		if (end) {
			json_t *o = json_loadb(w->line, (size_t)(end - w->line), 0, NULL);

			w->n -= (size_t)(end + 1 - w->line);
			memmove(w->line, end + 1, w->n);
			return o;
		}
		if (w->n == sizeof(w->line) || poll(&fd, 1, ANSWER_MS) <= 0)
			return NULL;
		n = read(w->fd, w->line + w->n, sizeof(w->line) - w->n);
		if (n <= 0)
			return NULL;
		w->n += (size_t)n;
	}
}

/* The answer, events left out. NULL: none. */
static json_t *ask(struct wire *w, const char *command)
{
	json_t *o;

	if (write(w->fd, command, strlen(command)) != (ssize_t)strlen(command))
		return NULL;
	while ((o = line_take(w))) {
		if (json_object_get(o, "return") || json_object_get(o, "error"))
			return o;
		json_decref(o);
	}
	return NULL;
}

int qmp(const struct standing *s, const char *node, const char *command, json_t **reply)
{
	static struct wire w;
	json_t *o = NULL, *error;
	int err = 0;

	w.n = 0;
	w.fd = rack_connect(s, node, ".qmp");
	if (w.fd < 0)
		return cli_error("the machine of %s does not answer: %s", node, strerror(-w.fd));
	json_decref(line_take(&w)); /* the greeting */
	json_decref(ask(&w, "{\"execute\":\"qmp_capabilities\"}\n"));
	o = ask(&w, command);
	close(w.fd);
	error = json_object_get(o, "error");
	if (!o)
		err = cli_error("the machine of %s does not answer", node);
	else if (error)
		err = cli_error("the machine of %s refuses: %s", node,
				json_string_value(json_object_get(error, "desc")));
	else if (reply)
		*reply = json_incref(json_object_get(o, "return"));
	json_decref(o);
	return err;
}

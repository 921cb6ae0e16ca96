/* ashlar vm status: the machines of a rack as this host sees them. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cli/json_print.h"
#include "vm/host/host.h"
#include "vm/switch/switch.h"

struct machine {
	const struct vm_node *node;
	const char *state;
	long pid, uptime_s;
	struct switch_count count;
};

static void pid_take(const struct standing *s, struct machine *m)
{
	char name[NAME_BYTES + 8], text[64] = "";
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "%s.pid", m->node->name);
	fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0 && fstat(fd, &st) == 0) {
		sscanf(text, "%ld", &m->pid);
		m->uptime_s = (long)(time(NULL) - st.st_mtime);
	}
	close(fd);
}

static void machine_look(const struct standing *s, struct machine *m)
{
	json_t *reply = NULL;
	const char *status;

	m->state = "ended";
	if (!part_alive(s, m->node->name))
		return;
	pid_take(s, m);
	m->state = "running";
	if (qmp(s, m->node->name, "{\"execute\":\"query-status\"}\n", &reply))
		m->state = "silent";
	status = json_string_value(json_object_get(reply, "status"));
	if (status && strcmp(status, "running") != 0)
		m->state = strcmp(status, "paused") == 0 ? "paused" : "stopped";
	json_decref(reply);
}

static void counts_take(const struct standing *s, struct machine *m, unsigned n)
{
	int fd = openat(s->fd, SWITCH_COUNT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	for (unsigned i = 0; fd >= 0 && i < n; i++)
		if (pread(fd, &m[i].count, sizeof(m[i].count), (off_t)(i * sizeof(m[i].count))) != sizeof(m[i].count))
			m[i].count = (struct switch_count){ 0 };
	if (fd >= 0)
		close(fd);
}

static int print_json(const struct plan *p, const struct machine *m)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->n; i++) {
		const struct switch_count *c = &m[i].count;
		char address[32];

		snprintf(address, sizeof(address), VM_NETWORK "%u", m[i].node->number);
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:I}", "name",
				  m[i].node->name, "kind", vm_kind_names[m[i].node->kind], "address", address, "state",
				  m[i].state, "pid", (json_int_t)m[i].pid, "uptime_s", (json_int_t)m[i].uptime_s,
				  "memory_bytes", (json_int_t)m[i].node->mem_bytes, "cpus", (int)m[i].node->cpus,
				  "frames_sent", (json_int_t)c->frames_in, "bytes_sent", (json_int_t)c->bytes_in,
				  "frames_received", (json_int_t)c->frames_out, "bytes_received",
				  (json_int_t)c->bytes_out, "frames_lost", (json_int_t)c->lost));
	}
	return json_print(json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "name", p->name, "fabric", p->fabric, "accel",
				    p->kvm ? "kvm" : "tcg", "emulate", p->emulate, "root", p->root, "nodes", list));
}

static int print_table(const struct standing *s, const struct plan *p, const struct machine *m)
{
	printf("%-10s %-10s %8s %-12s %-8s %8s\n", "NAME", "KIND", "PID", "ADDRESS", "STATE", "UPTIME");
	for (unsigned i = 0; i < p->n; i++) {
		char address[32], pid[16] = "-", up[16] = "-";

		snprintf(address, sizeof(address), VM_NETWORK "%u", m[i].node->number);
		if (m[i].pid) {
			snprintf(pid, sizeof(pid), "%ld", m[i].pid);
			snprintf(up, sizeof(up), "%ld s", m[i].uptime_s);
		}
		printf("%-10s %-10s %8s %-12s %-8s %8s\n", m[i].node->name, vm_kind_names[m[i].node->kind], pid,
		       address, m[i].state, up);
	}
	fflush(stdout);
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(m[i].state, "ended") == 0) {
			cli_error("the machine of %s (%s) has ended; its console ends:", m[i].node->name,
				  vm_kind_names[m[i].node->kind]);
			console_tail(s, m[i].node->name);
		}
	return 0;
}

int vm_status(const char *name, bool json)
{
	struct machine m[VM_NODES_MAX] = { 0 };
	static struct plan plan;
	struct standing s;
	int err = rack_look(name, &s, &plan);

	if (err)
		return err;
	for (unsigned i = 0; i < plan.n; i++) {
		m[i].node = &plan.node[i];
		machine_look(&s, &m[i]);
	}
	counts_take(&s, m, plan.n);
	return json ? print_json(&plan, m) : print_table(&s, &plan, m);
}

/* What a VM rack is, kept in its folder as JSON. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "vm/host/host.h"

#define PLAN_FILE "rack.json"
#define PLAN_BYTES_MAX 65536

const char *const vm_kind_names[VM_KINDS] = { "gmm", "processor", "memory", "storage" };

static json_t *node_json(const struct vm_node *n)
{
	return json_pack("{s:s, s:i, s:i, s:I, s:i}", "name", n->name, "kind", (int)n->kind, "number", (int)n->number,
			 "mem", (json_int_t)n->mem_bytes, "cpus", (int)n->cpus);
}

int plan_write(const struct standing *s, const struct plan *p)
{
	json_t *nodes = json_array(), *all;
	int fd, err = 0;

	for (unsigned i = 0; i < p->n; i++)
		json_array_append_new(nodes, node_json(&p->node[i]));
	all = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:o}", "name", p->name, "fabric", p->fabric,
			"emulate", p->emulate, "root", p->root, "root_type", p->root_type, "kernel", p->kernel,
			"initramfs", p->initramfs, "kvm", (int)p->kvm, "disk", (json_int_t)p->disk_bytes, "nodes",
			nodes);
	fd = openat(s->fd, PLAN_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (!all || fd < 0 || json_dumpfd(all, fd, JSON_INDENT(1)))
		err = cli_error("cannot write %s/" PLAN_FILE, s->dir);
	if (fd >= 0)
		close(fd);
	json_decref(all);
	return err;
}

static bool text_take(const json_t *o, const char *key, char *to, size_t bytes)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text && snprintf(to, bytes, "%s", text) < (int)bytes;
}

static bool node_take(const json_t *o, struct vm_node *n)
{
	json_int_t kind = json_integer_value(json_object_get(o, "kind"));

	n->kind = (enum vm_kind)kind;
	n->number = (unsigned)json_integer_value(json_object_get(o, "number"));
	n->mem_bytes = (uint64_t)json_integer_value(json_object_get(o, "mem"));
	n->cpus = (unsigned)json_integer_value(json_object_get(o, "cpus"));
	return kind >= 0 && kind < VM_KINDS && text_take(o, "name", n->name, sizeof(n->name)) &&
	       rack_name_fits(n->name);
}

static bool plan_take(const json_t *o, struct plan *p)
{
	const json_t *nodes = json_object_get(o, "nodes");

	p->n = (unsigned)json_array_size(nodes);
	p->kvm = json_is_true(json_object_get(o, "kvm"));
	p->disk_bytes = (uint64_t)json_integer_value(json_object_get(o, "disk"));
	if (!p->n || p->n > VM_NODES_MAX)
		return false;
	for (unsigned i = 0; i < p->n; i++)
		if (!node_take(json_array_get(nodes, i), &p->node[i]))
			return false;
	return text_take(o, "name", p->name, sizeof(p->name)) && text_take(o, "fabric", p->fabric, sizeof(p->fabric)) &&
	       text_take(o, "emulate", p->emulate, sizeof(p->emulate)) &&
	       text_take(o, "root", p->root, sizeof(p->root)) &&
	       text_take(o, "root_type", p->root_type, sizeof(p->root_type)) &&
	       text_take(o, "kernel", p->kernel, sizeof(p->kernel)) &&
	       text_take(o, "initramfs", p->initramfs, sizeof(p->initramfs));
}

int plan_read(const struct standing *s, struct plan *p)
{
	static char text[PLAN_BYTES_MAX];
	int fd = openat(s->fd, PLAN_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	json_t *o = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
	bool good = o && plan_take(o, p);

	if (fd >= 0)
		close(fd);
	json_decref(o);
	return good ? 0 : cli_error("%s/" PLAN_FILE " cannot be read (ashlar vm down cleans up)", s->dir);
}

const struct vm_node *plan_node(const struct plan *p, const char *name)
{
	for (unsigned i = 0; i < p->n; i++)
		if (strcmp(p->node[i].name, name) == 0)
			return &p->node[i];
	cli_error("the VM rack %s has no node %s (ashlar vm status lists them)", p->name, name);
	return NULL;
}

const struct vm_node *plan_first(const struct plan *p, enum vm_kind kind)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->node[i].kind == kind)
			return &p->node[i];
	return NULL;
}

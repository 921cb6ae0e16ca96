/*
 * Counters of the process. They are kept in a memfd that the dispatcher maps as well, so that they are there even if the
 * program was killed. The page comes from a process that the program may have broken: it is only printed.
 *
 * The names under process, excache, memory, fabric and syscalls are stable; those under detail may change.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cli/run.h"

int stats_open(struct stats *s, const struct run_options *o)
{
	s->out_fd = -1;
	if (o->stats && strcmp(o->stats, "-") == 0)
		s->out_fd = fd_high(dup(STDERR_FILENO));
	else if (o->stats)
		s->out_fd = fd_high(open(o->stats, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
	if (o->stats && s->out_fd < 0)
		return cli_error("cannot write the counters to %s: %s", o->stats, strerror(errno));
	s->page_fd = fd_high(memfd_create("ashlar-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (s->page_fd < 0 || ftruncate(s->page_fd, STATS_BYTES) ||
	    fcntl(s->page_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return cli_error("cannot make the page of counters: %s",
				 errno == EFBIG ? "the hard limit on the size of files is too low (ulimit -H -f)"
						: cli_why(errno));
	s->tree = mmap(NULL, STATS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->page_fd, 0);
	if (s->tree == MAP_FAILED)
		return cli_error("cannot make the page of counters: %s", cli_why(errno));
	s->tree->first.magic = STATS_MAGIC;
	return 0;
}

void stats_close(struct stats *s)
{
	munmap(s->tree, STATS_BYTES);
	close(s->page_fd);
	if (s->out_fd >= 0)
		close(s->out_fd);
}

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)(v & INT64_MAX));
}

static void put(json_t *object, const char *name, uint64_t v)
{
	json_object_set_new(object, name, number(v));
}

static json_t *process_json(const struct ending *e)
{
	json_t *o = json_object();

	put(o, "exit_status", (uint64_t)e->exit_status);
	put(o, "wall_ns", e->wall_ns);
	put(o, "cpu_ns", e->cpu_ns);
	return o;
}

static json_t *excache_json(const struct stats_page *p)
{
	json_t *o = json_object();
	json_t *miss = json_object();

	put(o, "budget_bytes", p->budget_bytes);
	put(o, "budget_changes", p->budget_changes);
	put(o, "resident_peak_bytes", p->resident_peak_bytes);
	put(o, "misses", p->misses);
	put(o, "zero_fills", p->zero_fills);
	put(o, "victim_hits", p->victim_hits);
	put(o, "prefetched", p->prefetched);
	put(o, "prefetch_used", p->prefetch_used);
	put(o, "evictions", p->evictions);
	put(o, "writebacks", p->writebacks);
	put(o, "writeback_bytes", p->writeback_bytes);
	put(miss, "p50", hist_quantile(&p->miss, 0.50));
	put(miss, "p90", hist_quantile(&p->miss, 0.90));
	put(miss, "p99", hist_quantile(&p->miss, 0.99));
	put(miss, "max", p->miss.max_ns);
	json_object_set_new(o, "miss_ns", miss);
	return o;
}

static json_t *memory_json(const struct stats_page *p)
{
	json_t *o = json_object();

	put(o, "remote_peak_bytes", p->remote_peak_bytes);
	put(o, "components", p->components);
	return o;
}

static json_t *fabric_json(const struct stats_page *p, const char *provider)
{
	json_t *o = json_object();

	json_object_set_new(o, "provider", json_string(provider));
	put(o, "reads", p->reads);
	put(o, "read_bytes", p->read_bytes);
	put(o, "writes", p->writes);
	put(o, "write_bytes", p->write_bytes);
	put(o, "messages", p->messages);
	return o;
}

static json_t *syscalls_json(const struct stats_page *p)
{
	json_t *o = json_object();
	char unnamed[24];

	for (unsigned nr = 0; nr < STATS_SYSCALLS; nr++) {
		const char *name = syscall_name(nr);
		json_t *call;

		if (!p->call[nr].count)
			continue;
		if (!name) {
			snprintf(unnamed, sizeof(unnamed), "syscall_%u", nr);
			name = unnamed;
		}
		call = json_object();
		put(call, "count", p->call[nr].count);
		put(call, "total_ns", p->call[nr].total_ns);
		json_object_set_new(o, name, call);
	}
	return o;
}

static json_t *detail_json(const struct stats_page *p, uint64_t begin_ns)
{
	uint32_t components = p->components < PROCESS_MEMORY_MAX ? p->components : PROCESS_MEMORY_MAX;
	json_t *o = json_object();
	json_t *bytes = json_array();

	/* From the command's own start to the program's first instruction. */
	put(o, "start_ns", p->first_insn_ns > begin_ns ? p->first_insn_ns - begin_ns : 0);
	put(o, "dispatcher_start_ns", p->first_insn_ns > p->start_ns ? p->first_insn_ns - p->start_ns : 0);
	put(o, "told_end", p->end_ns != 0);
	put(o, "registered", p->registered_ns != 0);
	put(o, "wp_faults", p->wp_faults);
	put(o, "zero_evictions", p->zero_evictions);
	put(o, "waits", p->waits);
	put(o, "inline_reclaims", p->inline_reclaims);
	put(o, "protect_calls", p->protect_calls);
	put(o, "drop_calls", p->drop_calls);
	json_object_set_new(o, "kernel_drop_vector", json_boolean(p->kernel_used & STATS_KERNEL_DROP));
	json_object_set_new(o, "kernel_pagemap_scan", json_boolean(p->kernel_used & STATS_KERNEL_SCAN));
	put(o, "slabs", p->slabs);
	put(o, "unknown_calls", p->unknown_calls);
	put(o, "local_bytes_max", p->local_bytes_max);
	put(o, "threads_peak", p->threads_peak);
	put(o, "processes", p->processes + 1); /* that told their counters, programs that became others among them */
	for (uint32_t i = 0; i < components; i++)
		json_array_append_new(bytes, number(p->component_bytes[i]));
	json_object_set_new(o, "component_bytes", bytes);
	return o;
}

static int text_write(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return cli_error("cannot write the counters: %s", strerror(errno));
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int stats_write(const struct stats *s, const struct ending *e, const char *fabric)
{
	struct stats_page sum;
	json_t *all;
	char *text;
	int err;

	if (s->out_fd < 0)
		return 0;
	stats_sum(s->tree, &sum);
	all = json_object();
	json_object_set_new(all, "process", process_json(e));
	json_object_set_new(all, "excache", excache_json(&sum));
	json_object_set_new(all, "memory", memory_json(&sum));
	json_object_set_new(all, "fabric", fabric_json(&sum, fabric));
	json_object_set_new(all, "syscalls", syscalls_json(&sum));
	json_object_set_new(all, "detail", detail_json(&sum, s->begin_ns));
	text = json_dumps(all, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	err = text ? text_write(s->out_fd, text) : cli_error("cannot write the counters: out of memory");
	if (!err)
		err = text_write(s->out_fd, "\n");
	free(text);
	json_decref(all);
	return err;
}

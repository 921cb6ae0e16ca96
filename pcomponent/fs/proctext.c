/* Texts of /proc/self: see procself.h. Each open writes one into memory of its own, which then is a host object. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/procself.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/sys/sys.h"

/*
 * The program's words, each with its 0. The host kernel reads them at any time (procargs.c), and who writes a core file; so those
 * of the program before stay until the next one comes.
 */
static struct {
	char *text, *before;
	size_t len; /* of the arguments; the environment follows them */
} words;

void fs_proc_args(char *to, size_t bytes)
{
	size_t n = words.len < bytes ? words.len : bytes;

	for (size_t i = 0; i < n; i++)
		to[i] = words.text[i] ? words.text[i] : ' ';
	to[n ? n - 1 : 0] = 0;
}

static char *cmdline_text(size_t *len)
{
	char *text = malloc(words.len + 1);

	*len = text ? words.len : 0;
	if (*len)
		memcpy(text, words.text, *len);
	return text;
}

static size_t list_bytes(char *const list[])
{
	size_t n = 0;

	for (int i = 0; list && list[i]; i++)
		n += strlen(list[i]) + 1;
	return n;
}

/* Each with its 0; the first byte behind them. */
static char *list_copy(char *to, char *const list[])
{
	for (int i = 0; list && list[i]; i++)
		to = stpcpy(to, list[i]) + 1;
	return to;
}

void proctext_words(char *const argv[], char *const envp[])
{
	size_t args = list_bytes(argv), env = list_bytes(envp);
	char *text = args ? malloc(args + env) : NULL;

	if (!text)
		return;
	list_copy(list_copy(text, argv), envp);
	procargs_publish(text, args, env);
	free(words.before);
	words.before = words.text;
	words.text = text;
	words.len = args;
}

static void size_line(FILE *out, const char *name, uint64_t bytes)
{
	fprintf(out, "%s\t%8llu kB\n", name, (unsigned long long)bytes / 1024);
}

/* A line of status that tells of memory: told of the program's. False: it is another. */
static bool status_memory(FILE *out, const char *line, const struct vm_totals *m)
{
	const struct {
		const char *name;
		uint64_t bytes;
	} told[] = { { "VmPeak:", m->size_peak }, { "VmSize:", m->size },
		     { "VmLck:", m->locked },	  { "VmHWM:", m->resident_peak },
		     { "VmRSS:", m->resident },	  { "RssAnon:", m->resident - m->resident_shared },
		     { "RssFile:", 0 },		  { "RssShmem:", m->resident_shared },
		     { "VmData:", m->data },	  { "VmStk:", m->stack },
		     { "VmSwap:", m->away } };

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (!strncmp(line, told[i].name, strlen(told[i].name))) {
			size_line(out, told[i].name, told[i].bytes);
			return true;
		}
	return false;
}

/* The host's text, but for the sizes: the dispatcher's own memory is not the program's. */
static char *status_text(size_t *len)
{
	FILE *in = fopen("/proc/thread-self/status", "re"), *out;
	uint64_t blocked = 0, ignored = 0, caught = 0;
	char line[512], *text = NULL;
	struct vm_totals m;

	if (!in)
		return NULL;
	out = open_memstream(&text, len);
	if (out) {
		vm_totals(&m);
		signal_status(&blocked, &ignored, &caught);
		while (fgets(line, sizeof(line), in)) {
			if (status_memory(out, line, &m))
				continue;
			if (!strncmp(line, "SigBlk:", 7))
				fprintf(out, "SigBlk:\t%016lx\n", blocked);
			else if (!strncmp(line, "SigIgn:", 7))
				fprintf(out, "SigIgn:\t%016lx\n", ignored);
			else if (!strncmp(line, "SigCgt:", 7))
				fprintf(out, "SigCgt:\t%016lx\n", caught);
			else if (!strncmp(line, "Threads:", 8))
				fprintf(out, "Threads:\t%u\n", threads_count());
			else
				fputs(line, out);
		}
		if (fclose(out)) {
			free(text);
			text = NULL;
		}
	}
	fclose(in);
	return text;
}

static char *statm_text(size_t *len)
{
	struct vm_totals m;
	char *text = malloc(160);

	vm_totals(&m);
	if (text)
		*len = (size_t)sprintf(text, "%lu %lu %lu 0 0 %lu 0\n", m.size / PAGE_BYTES, m.resident / PAGE_BYTES,
				       m.resident_shared / PAGE_BYTES, (m.data + m.stack) / PAGE_BYTES);
	return text;
}

/* What field n of stat says of memory, counted from 1. False: that field is another's. */
static bool stat_memory(unsigned n, const struct vm_totals *m, unsigned long *told)
{
	switch (n) {
	case 20:
		*told = threads_count();
		return true;
	case 23:
		*told = m->size;
		return true;
	case 24:
		*told = m->resident / PAGE_BYTES;
		return true;
	case 28:
		*told = m->start_stack;
		return true;
	case 47:
		*told = m->start_brk;
		return true;
	default:
		*told = 0; /* the dispatcher's code, data and arguments */
		return n == 26 || n == 27 || (n >= 45 && n <= 51);
	}
}

/* The host's text of the process or thread at path, with the program's memory in it. */
static char *stat_text(const char *path, size_t *len)
{
	FILE *in = fopen(path, "re"), *out;
	char line[1024], *text = NULL, *at, *field;
	struct vm_totals m;
	unsigned n = 3;
	unsigned long told;

	if (!in)
		return NULL;
	at = fgets(line, sizeof(line), in) ? strrchr(line, ')') : NULL; /* behind the name, which may hold anything */
	out = at ? open_memstream(&text, len) : NULL;
	if (out) {
		vm_totals(&m);
		*at++ = '\0';
		fprintf(out, "%s)", line);
		for (field = strtok_r(at, " \n", &at); field; field = strtok_r(NULL, " \n", &at), n++)
			if (stat_memory(n, &m, &told))
				fprintf(out, " %lu", told);
			else
				fprintf(out, " %s", field);
		fputc('\n', out);
		if (fclose(out)) {
			free(text);
			text = NULL;
		}
	}
	fclose(in);
	return text;
}

static int fill(int fd, const char *text, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, text + done, len - done);
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

struct text_open {
	int memfd; /* above the floor */
	unsigned flags;
};

static long text_make(void *arg)
{
	const struct text_open *o = arg;
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", o->memfd);
	return host4(SYS_openat, AT_FDCWD, link, O_RDONLY | (o->flags & O_CLOEXEC), 0);
}

/* A memfd above the floor that holds the text: the program's descriptor is a second, read-only opening of it. */
static long text_memfd(const char *name, const char *text, size_t len)
{
	int low = memfd_create(name, MFD_CLOEXEC), fd, err;

	if (low < 0)
		return -errno;
	fd = fcntl(low, F_DUPFD_CLOEXEC, fd_floor());
	err = fd < 0 ? -errno : 0;
	close(low);
	if (!err)
		err = fill(fd, text, len);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static char *text_of(const struct path *p, size_t *len)
{
	switch (p->virt) {
	case VIRT_MAPS:
	case VIRT_SMAPS:
		return vm_maps_text(p->virt == VIRT_SMAPS, len);
	case VIRT_CMDLINE:
		return cmdline_text(len);
	case VIRT_STATM:
		return statm_text(len);
	case VIRT_STAT:
		return stat_text(p->str, len);
	default:
		return status_text(len);
	}
}

long proctext_open(const struct path *p, unsigned flags)
{
	struct text_open o = { .flags = flags };
	size_t len = 0;
	struct file *f;
	char *text;
	long fd;

	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	text = text_of(p, &len);
	if (!text)
		return -ENOMEM;
	fd = text_memfd(strrchr(p->str, '/') + 1, text, len);
	free(text);
	if (fd < 0)
		return fd;
	o.memfd = (int)fd;
	f = file_new(FILE_TEXT, 0, O_RDONLY, S_IFREG, p->str);
	fd = f ? fd_install_host(f, text_make, &o) : -ENOMEM;
	file_put(f);
	close(o.memfd);
	return fd;
}

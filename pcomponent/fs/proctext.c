/* Texts of /proc/self: see procself.h. Each open writes one into memory of its own, which then is a host object. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/procself.h"
#include "pcomponent/proc/threads.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/sys/sys.h"

static char *const *argv_told;

void proctext_argv(char *const argv[])
{
	argv_told = argv;
}

void fs_proc_args(char *to, size_t bytes)
{
	size_t n = 0, one;
	int i;

	for (i = 0; argv_told && argv_told[i] && n + 1 < bytes; i++) {
		one = strlen(argv_told[i]);
		if (one > bytes - n - 1)
			one = bytes - n - 1;
		memcpy(to + n, argv_told[i], one);
		n += one;
		to[n++] = ' ';
	}
	to[n ? n - 1 : 0] = 0;
}

static char *cmdline_text(size_t *len)
{
	size_t n = 0, one;
	char *text;
	int i;

	for (i = 0; argv_told && argv_told[i]; i++)
		n += strlen(argv_told[i]) + 1;
	text = malloc(n + 1);
	if (!text)
		return NULL;
	for (*len = 0, i = 0; argv_told && argv_told[i]; i++, *len += one) {
		one = strlen(argv_told[i]) + 1;
		memcpy(text + *len, argv_told[i], one);
	}
	return text;
}

/* The host's text, but for the sizes: the dispatcher's own memory is not the program's. */
static char *status_text(size_t *len)
{
	FILE *in = fopen("/proc/thread-self/status", "re"), *out;
	uint64_t size = 0, resident = 0, blocked = 0, ignored = 0, caught = 0;
	char line[512], *text = NULL;

	if (!in)
		return NULL;
	out = open_memstream(&text, len);
	if (out) {
		vm_totals(&size, &resident);
		signal_status(&blocked, &ignored, &caught);
		while (fgets(line, sizeof(line), in)) {
			if (!strncmp(line, "VmSize:", 7))
				fprintf(out, "VmSize:\t%8llu kB\n", (unsigned long long)size / 1024);
			else if (!strncmp(line, "VmRSS:", 6))
				fprintf(out, "VmRSS:\t%8llu kB\n", (unsigned long long)resident / 1024);
			else if (!strncmp(line, "SigBlk:", 7))
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
	text = p->virt == VIRT_MAPS	 ? vm_maps_text(&len)
	       : p->virt == VIRT_CMDLINE ? cmdline_text(&len)
					 : status_text(&len);
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

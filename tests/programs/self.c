/* self: what a program can learn about itself from /proc/self, getauxval and the like. argv[1]: its own path. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "tests/programs/say.h"

static int in_data = 5;

/* The mapping that an address lies in: its rights and name, from /proc/self/maps. */
static void tell_mapping(const char *what, const volatile void *at)
{
	char line[4500], rights[8], *name;
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	bool found = false;

	MUST(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && (unsigned long)at >= from &&
		    (unsigned long)at < to) {
			line[strcspn(line, "\n")] = 0;
			name = strchr(line, '/');
			if (!name)
				name = strchr(line, '[');
			name = name && strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
			printf("%s: %s %s\n", what, rights, name ? name : "-");
			found = true;
		}
	fclose(f);
	if (!found)
		printf("%s: not in maps\n", what);
}

static void maps_are_tidy(void)
{
	unsigned long from, to, last = 0, n = 0, bad = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[4500];

	MUST(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) != 2 || from >= to || (from < last && from < 1UL << 47))
			bad++;
		if (strstr(line, "dispatcher") || strstr(line, "ashlar"))
			bad++;
		last = to;
		n++;
	}
	fclose(f);
	printf("maps: some %d, %lu bad lines\n", n > 5, bad);
}

static void status(void)
{
	static const char *const wanted[] = { "Name:", "Tgid:", "Pid:", "PPid:", "Threads:", "Uid:", "SigIgn:" };
	FILE *f = fopen("/proc/self/status", "r");
	char line[400];
	long v;

	MUST(f);
	while (fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
			size_t n = strlen(wanted[i]);

			if (strncmp(line, wanted[i], n) != 0)
				continue;
			if (i == 0 || i == 4)
				printf("%s", line);
			else if (i <= 2)
				printf("%s right %d\n", wanted[i], atoi(line + n) == getpid());
			else if (i == 3)
				printf("%s right %d\n", wanted[i], atoi(line + n) == getppid());
			else if (i == 5)
				printf("%s right %d\n", wanted[i], atoi(line + n) == (int)getuid());
		}
	rewind(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld kB", &v) == 1)
			printf("resident: some %d\n", v > 0);
	fclose(f);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void descriptors(const char *path)
{
	int fd = open("/dev/null", O_RDONLY), file = open(path, O_RDONLY), n = 0, fds[64];
	char name[64], to[4096];
	struct dirent *e;
	ssize_t len;
	DIR *d = opendir("/proc/self/fd");

	MUST(d && fd >= 0 && file >= 0);
	while ((e = readdir(d)) && n < 64)
		if (e->d_name[0] != '.' && atoi(e->d_name) > 2 && atoi(e->d_name) != dirfd(d))
			fds[n++] = atoi(e->d_name);
	closedir(d);
	qsort(fds, (size_t)n, sizeof(*fds), by_number);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[i]);
		len = readlink(name, to, sizeof(to) - 1);
		to[len < 0 ? 0 : len] = 0;
		printf("descriptor %d: %s\n", fds[i], strrchr(to, '/') ? strrchr(to, '/') + 1 : to);
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	fd = open(name, O_RDONLY);
	len = fd < 0 ? -1 : read(fd, to, 4);
	printf("opened by /proc/self/fd: %d\n", len == 4 && memcmp(to, "\177ELF", 4) == 0);
}

int main(int argc, char **argv)
{
	char path[4096], text[4096], *base, on_stack = 0;
	char *heap = malloc(100), *real;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int fd;

	MUST(n > 0 && heap);
	path[n] = 0;
	real = realpath(argc > 1 ? argv[1] : argv[0], NULL);
	base = strrchr(path, '/') + 1;
	printf("exe: %s, right %d\n", base, real && strcmp(real, path) == 0);
	fd = open("/proc/self/exe", O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, 4);
	printf("opened: %d\n", n == 4 && memcmp(text, "\177ELF", 4) == 0);
	close(fd);
	fd = open("/proc/self/cmdline", O_RDONLY);
	n = read(fd, text, sizeof(text));
	close(fd);
	printf("cmdline: %d words:", argc);
	for (char *p = text; p < text + n; p += strlen(p) + 1)
		printf(" %s", strrchr(p, '/') ? strrchr(p, '/') + 1 : p);
	printf("\n");
	n = readlink("/proc/self", text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	printf("self: right %d\n", atoi(text) == getpid());
	n = readlink("/proc/self/cwd", text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	printf("cwd: right %d\n", getcwd(path, sizeof(path)) && strcmp(path, text) == 0);
	prctl(PR_GET_NAME, text);
	printf("name: %s\n", text);
	status();
	maps_are_tidy();
	tell_mapping("code", (void *)(uintptr_t)main);
	tell_mapping("data", &in_data);
	tell_mapping("heap", heap);
	tell_mapping("stack", &on_stack);
	tell_mapping("libc's code", (void *)(uintptr_t)strtol);
	tell_mapping("anonymous", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	descriptors(real);
	printf("auxv: page %lu, uid right %d, secure %lu, random %d, exec name right %d, header %d\n",
	       getauxval(AT_PAGESZ), getauxval(AT_UID) == getuid(), getauxval(AT_SECURE), getauxval(AT_RANDOM) != 0,
	       strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0, getauxval(AT_PHDR) != 0);
	printf("platform: %s, tick %lu, interpreter %d\n", (char *)getauxval(AT_PLATFORM), getauxval(AT_CLKTCK),
	       getauxval(AT_BASE) != 0);
	return 0;
}

/* What the machines boot is made by a script beside the programs, and kept below the folder that holds them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "vm/host/host.h"

#define SCRIPT "libexec/ashlar/vm/image"

/* Where the programs were built, or where they are installed and we may not write: below the user's own cache. */
static int folder_find(const char *prefix, char *folder, size_t bytes)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (access(prefix, W_OK) == 0 && strcmp(prefix, "/usr") != 0 && strcmp(prefix, "/usr/local") != 0)
		n = snprintf(folder, bytes, "%s/vm", prefix);
	else if (cache && *cache == '/')
		n = snprintf(folder, bytes, "%s/ashlar/vm", cache);
	else if (home && *home == '/')
		n = snprintf(folder, bytes, "%s/.cache/ashlar/vm", home);
	else
		return cli_error("no place for the image of the machines: neither XDG_CACHE_HOME nor HOME is a folder");
	return n < (int)bytes ? 0 : cli_error("the path of the image is too long");
}

static int script_run(const char *script, const char *prefix, const char *folder)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL); /* Ctrl-C ends it, and then us */
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execl(script, script, prefix, folder, (char *)NULL);
		_exit(cli_error("cannot run %s: %s", script, strerror(errno)));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return cli_error("cannot run %s: %s", script, strerror(errno));
	return status ? cli_error("there is no image for the machines") : 0;
}

/* What the script found out. */
static bool kvm_works(const char *folder)
{
	char path[PATH_MAX + 8], word[8] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/accel", folder);
	f = fopen(path, "re");
	if (f && fscanf(f, "%7s", word) != 1)
		word[0] = 0;
	if (f)
		fclose(f);
	return strcmp(word, "kvm") == 0;
}

int image_make(struct plan *p)
{
	char prefix[PATH_MAX], script[PATH_MAX + sizeof(SCRIPT)], folder[PATH_MAX];
	static struct private_rack programs;
	int err = programs_find(&programs);
	char *slash;

	if (err)
		return err;
	snprintf(prefix, sizeof(prefix), "%s", programs.bin);
	slash = strrchr(prefix, '/');
	if (slash)
		*slash = 0;
	snprintf(script, sizeof(script), "%s/" SCRIPT, prefix);
	err = folder_find(prefix, folder, sizeof(folder));
	if (!err)
		err = script_run(script, prefix, folder);
	if (!err && (snprintf(p->kernel, sizeof(p->kernel), "%s/kernel", folder) >= (int)sizeof(p->kernel) ||
		     snprintf(p->initramfs, sizeof(p->initramfs), "%s/initramfs", folder) >= (int)sizeof(p->initramfs)))
		err = cli_error("the path of the image is too long");
	p->kvm = !err && kvm_works(folder);
	return err;
}

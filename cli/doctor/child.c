/* Small helpers of the checks: children, files, texts. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/doctor/doctor.h"

#define CHILD_SECONDS 10u

int doctor_in_child(int (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0); /* where it dies on purpose, no core is left */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGALRM, SIG_DFL);
		alarm(CHILD_SECONDS);
		_exit(fn(arg) & 0xff);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

bool doctor_read(const char *path, char *text, size_t max)
{
	FILE *f = fopen(path, "re");
	bool read = f && fgets(text, (int)max, f);

	if (f)
		fclose(f);
	if (read)
		text[strcspn(text, "\n")] = 0;
	return read;
}

bool doctor_read_number(const char *path, long *n)
{
	char text[64], *end;

	if (!doctor_read(path, text, sizeof(text)))
		return false;
	errno = 0;
	*n = strtol(text, &end, 10);
	return end != text && !errno;
}

bool doctor_filtered(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	int mode = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	if (f)
		fclose(f);
	return mode != 0;
}

void doctor_found(struct doctor_finding *f, enum doctor_state state, const char *fmt, ...)
{
	va_list ap;

	f->state = state;
	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
}

void doctor_means(struct doctor_finding *f, const char *text)
{
	snprintf(f->means, sizeof(f->means), "%s", text);
}

void doctor_fix(struct doctor_finding *f, const char *text)
{
	snprintf(f->fix, sizeof(f->fix), "%s", text);
}

void doctor_denied(struct doctor_finding *f, enum doctor_state state, const char *call, int err, const char *since)
{
	bool filtered = doctor_filtered();

	if (err == -SIGALRM)
		doctor_found(f, state, "%s does not come back", call);
	else if (err < 0)
		doctor_found(f, state, "%s ends the process by signal %d%s", call, -err,
			     err == -SIGSYS && filtered ? ": a seccomp filter" : "");
	else if (filtered && (err == EPERM || err == EACCES || err == ENOSYS))
		doctor_found(f, state, "%s: %s; a seccomp filter is in force", call, strerror(err));
	else
		doctor_found(f, state, "%s: %s", call, strerror(err));
	if (filtered)
		doctor_fix(
			f,
			"docker|podman run --security-opt seccomp=ashlar.json (docs/containers.md makes that file), or "
			"seccomp=unconfined");
	else if (err == ENOSYS || err == EINVAL)
		snprintf(f->fix, sizeof(f->fix), "a kernel from %s on: apt-get install linux-image-amd64, then reboot",
			 since);
}

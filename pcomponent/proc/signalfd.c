/* See signalfd.h. */
#include "pcomponent/proc/signalfd.h"
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "pcomponent/sys/thread.h"
#include "pcomponent/trap/sent.h"
#include "pcomponent/trap/trap.h"

static bool is_signalfd(int fd)
{
	char link[32], name[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	return !strcmp(name, "anon_inode:[signalfd]");
}

static bool is_kick(const struct signalfd_siginfo *s)
{
	return s->ssi_code == SENT_KICK && s->ssi_signo < 64 && SIG_BIT(s->ssi_signo) & SIGS_OURS;
}

/* As the host kernel fills it in. */
static void fill(struct signalfd_siginfo *s, const siginfo_t *info)
{
	*s = (struct signalfd_siginfo){ .ssi_signo = (uint32_t)info->si_signo,
					.ssi_errno = info->si_errno,
					.ssi_code = info->si_code };
	if (info->si_code == SI_TIMER) {
		s->ssi_tid = (uint32_t)info->si_timerid;
		s->ssi_overrun = (uint32_t)info->si_overrun;
	} else {
		s->ssi_pid = (uint32_t)info->si_pid;
		s->ssi_uid = info->si_uid;
	}
	if (info->si_code != SI_USER && info->si_code != SI_TKILL) {
		s->ssi_int = info->si_int;
		s->ssi_ptr = (uint64_t)info->si_ptr;
	}
}

uint64_t signalfd_meant(struct thread *t, int fd, void *buf, uint64_t bytes)
{
	struct signalfd_siginfo *in = buf, *out = buf, *end = in + bytes / sizeof(*in);
	siginfo_t info;

	if (bytes % sizeof(*in))
		return bytes;
	while (in < end && !is_kick(in))
		in++;
	if (in == end || !is_signalfd(fd))
		return bytes;
	for (in = buf; in < end; in++) {
		if (!is_kick(in)) {
			*out++ = *in;
			continue;
		}
		info = (siginfo_t){ .si_signo = (int)in->ssi_signo, .si_code = SENT_KICK };
		if (sent_meant(t, &info))
			fill(out++, &info);
	}
	return (uint64_t)((char *)out - (char *)buf);
}

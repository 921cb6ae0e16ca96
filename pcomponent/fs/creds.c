/* See creds.h. Raw calls: the library's change all threads. */
#include <linux/capability.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/limits.h"
#include "pcomponent/fs/creds.h"

struct process_creds {
	uint32_t uid[CREDS_WHICH], gid[CREDS_WHICH];
	uint32_t caps, n_groups;
	uint32_t groups[CREDS_GROUPS_MAX];
};

static struct process_creds own;

/* More than there is room for are an error, and none then. */
static uint32_t groups_look(uint32_t groups[CREDS_GROUPS_MAX])
{
	int n = getgroups((int)CREDS_GROUPS_MAX, groups);

	return n > 0 ? (uint32_t)n : 0;
}

/* caps: struct __user_cap_data_struct, twice. */
static long caps_call(long nr, void *caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(nr, &head, caps);
}

/* What it may do, if perhaps not at this very moment. */
static uint32_t caps_look(void)
{
	struct __user_cap_data_struct caps[2] = { { 0 } };

	if (caps_call(SYS_capget, caps))
		return 0;
	return (caps[0].permitted & 1u << CAP_SETUID ? CREDS_SETUID : 0) |
	       (caps[0].permitted & 1u << CAP_SETGID ? CREDS_SETGID : 0);
}

bool creds_look(void)
{
	struct process_creds now = { 0 };
	bool same;

	getresuid(&now.uid[CREDS_REAL], &now.uid[CREDS_EFFECTIVE], &now.uid[CREDS_SAVED]);
	getresgid(&now.gid[CREDS_REAL], &now.gid[CREDS_EFFECTIVE], &now.gid[CREDS_SAVED]);
	now.uid[CREDS_FS] = (uint32_t)setfsuid((uid_t)-1);
	now.gid[CREDS_FS] = (uint32_t)setfsgid((gid_t)-1);
	now.caps = caps_look();
	now.n_groups = groups_look(now.groups);
	same = !memcmp(&now, &own, sizeof(own));
	own = now;
	return !same;
}

bool creds_plain(uint32_t uid, uint32_t gid)
{
	unsigned i;

	for (i = 0; i < CREDS_WHICH; i++)
		if (own.uid[i] != uid || own.gid[i] != gid)
			return false;
	return true;
}

uint32_t creds_message(struct p2s_creds_req *req, const uint32_t **groups)
{
	*req = (struct p2s_creds_req){ .groups = own.n_groups, .caps = own.caps };
	memcpy(req->uid, own.uid, sizeof(req->uid));
	memcpy(req->gid, own.gid, sizeof(req->gid));
	*groups = own.groups;
	return own.n_groups * (uint32_t)sizeof(own.groups[0]);
}

void creds_raise(struct creds_raised *r)
{
	uid_t real, effective, saved;

	*r = (struct creds_raised){ 0 };
	getresuid(&real, &effective, &saved);
	if (!effective || (real && saved))
		return;
	r->euid = effective;
	r->fsuid = (uint32_t)setfsuid((uid_t)-1);
	r->dumpable = prctl(PR_GET_DUMPABLE);
	if (prctl(PR_GET_PDEATHSIG, &r->death_signal) || caps_call(SYS_capget, r->caps))
		return;
	r->raised = syscall(SYS_setresuid, -1, 0, -1) == 0;
}

/* What the changes took with them comes back too. */
void creds_lower(const struct creds_raised *r)
{
	if (!r->raised)
		return;
	syscall(SYS_setresuid, -1, r->euid, -1);
	setfsuid(r->fsuid);
	caps_call(SYS_capset, (void *)(uintptr_t)r->caps);
	prctl(PR_SET_PDEATHSIG, r->death_signal);
	prctl(PR_SET_DUMPABLE, r->dumpable);
}

/*
 * In whose name files are touched. A storage component that runs as root serves every user: before it does anything for
 * a process its file-system identity becomes that of the process's user, so that the host's kernel decides what may be
 * done, and new files belong to that user. Supplementary groups are not known here: nobody has any. As anyone but root
 * it can be nobody else, and serves its own user only.
 *
 * The identity stays until another is taken; nothing that the monitor does on its own account depends on it.
 */
#include <errno.h>
#include <limits.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "scomponent/identity.h"

static uint32_t now_uid, now_gid; /* meaningful once `taken` */
static bool taken;
static gid_t own_groups[NGROUPS_MAX];
static int n_own_groups;

bool identity_can(uint32_t uid)
{
	return geteuid() == 0 || uid == geteuid();
}

/* Root keeps its groups; of others none is known. The raw call: this thread only, as the identity is. */
static int groups_take(bool own)
{
	return (int)syscall(SYS_setgroups, own ? (size_t)n_own_groups : 0, own ? own_groups : NULL);
}

int identity_take(uint32_t uid, uint32_t gid)
{
	if (geteuid() != 0 || (taken && uid == now_uid && gid == now_gid))
		return 0;
	if (!taken && uid == 0 && gid == getegid())
		return 0; /* nobody else was served yet */
	if (!taken) {
		n_own_groups = getgroups(NGROUPS_MAX, own_groups);
		if (n_own_groups < 0)
			return -errno;
	}
	taken = true;
	now_uid = now_gid = UINT32_MAX; /* half-way */
	setfsuid(0);
	if (groups_take(uid == 0))
		return -errno;
	setfsgid(gid);
	setfsuid(uid);
	if ((uint32_t)setfsuid((uid_t)-1) != uid || (uint32_t)setfsgid((gid_t)-1) != gid) {
		log_error("cannot act for user %u, group %u", uid, gid);
		return -EPERM;
	}
	now_uid = uid;
	now_gid = gid;
	return 0;
}

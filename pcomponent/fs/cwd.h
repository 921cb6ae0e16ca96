/* Working directory and umask of the process. */
#ifndef PCOMPONENT_FS_CWD_H
#define PCOMPONENT_FS_CWD_H
#include <stdint.h>

struct file;

/* A directory to start from: a remote one (dir), or one of the host's (dir NULL). Counted. */
struct cwd {
	uint32_t refs;
	struct file *dir;
	char *path; /* canonical when it was entered */
};

struct cwd *cwd_get(void);
void cwd_put(struct cwd *);
/* Enter a directory. dir is taken over (NULL: host); path is copied. 0 or -ENOMEM (dir put). */
int cwd_set(struct file *dir, const char *path);
/*
 * Make it the host kernel's own too, by its path on this machine, for a call that resolves a relative path there. 0 or
 * -errno.
 */
long cwd_enter_here(void);

uint32_t umask_get(void);
void umask_set(uint32_t);

/* fork: what it is stays so between lock and unlock; child: no other thread uses it. */
void cwd_lock(void);
void cwd_unlock(void);
void cwd_child(void);

#endif

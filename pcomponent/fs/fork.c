/*
 * fork: see fs.h. Locks are taken in this order, and in this order they nest: the client's, behind which calls wait for a
 * storage component that is gone; the descriptor table's; the others, under which nobody waits for anything.
 */
#include <errno.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/fs.h"

int fs_fork_prepare(uint32_t member)
{
	int err;

	client_lock();
	err = client_set_aside(member, NULL, 0);
	if (!err)
		err = fdtable_fork();
	if (err) {
		client_unlock();
		return err;
	}
	cwd_lock();
	slots_lock();
	files_lock();
	return 0;
}

void fs_fork_parent(void)
{
	files_unlock();
	slots_unlock();
	cwd_unlock();
	fdtable_parent();
	client_unlock();
}

int fs_fork_child(const struct fs_config *c)
{
	int err = fdtable_child();

	if (err)
		return err;
	client_child(c);
	slots_child();
	cwd_child();
	files_child();
	return 0;
}

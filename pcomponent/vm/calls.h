/* System calls on memory (sys/syscalls.def). */
#ifndef PCOMPONENT_VM_CALLS_H
#define PCOMPONENT_VM_CALLS_H
#include "pcomponent/sys/sys.h"

sys_fn sys_mmap, sys_munmap, sys_mprotect, sys_mremap, sys_brk, sys_madvise, sys_mincore, sys_msync;
sys_fn sys_mlock, sys_mlock2, sys_munlock, sys_mlockall, sys_munlockall;
sys_fn sys_shmat, sys_shmdt, sys_shmctl;

#endif

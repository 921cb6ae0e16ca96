/* System calls on files and descriptors (sys/syscalls.def). One handler may serve several numbers: t->call_nr tells. */
#ifndef PCOMPONENT_FS_CALLS_H
#define PCOMPONENT_FS_CALLS_H
#include "pcomponent/sys/sys.h"

/* calls_rw.c */
sys_fn sys_read, sys_write, sys_readv, sys_writev, sys_pread64, sys_pwrite64;
sys_fn sys_preadv, sys_pwritev, sys_preadv2, sys_pwritev2;

/* calls_open.c */
sys_fn sys_open, sys_openat, sys_openat2, sys_creat, sys_close, sys_close_range;

/* calls_fd.c */
sys_fn sys_dup, sys_dup2, sys_dup3, sys_fcntl;

/* calls_file.c */
sys_fn sys_lseek, sys_flock;
sys_fn sys_fsync, sys_fdatasync, sys_syncfs, sys_sync_file_range, sys_fadvise64, sys_readahead, sys_fallocate;

/* calls_stat.c */
sys_fn sys_stat, sys_fstat, sys_lstat, sys_newfstatat, sys_statx, sys_statfs, sys_fstatfs;
sys_fn sys_access, sys_faccessat, sys_faccessat2;

/* calls_dir.c */
sys_fn sys_getdents, sys_getdents64, sys_getcwd, sys_chdir, sys_fchdir, sys_umask;

/* calls_names.c */
sys_fn sys_rename, sys_renameat, sys_renameat2, sys_mkdir, sys_mkdirat, sys_rmdir, sys_link, sys_linkat;
sys_fn sys_unlink, sys_unlinkat, sys_symlink, sys_symlinkat, sys_readlink, sys_readlinkat, sys_mknod, sys_mknodat;

/* calls_attr.c */
sys_fn sys_truncate, sys_ftruncate, sys_chmod, sys_fchmod, sys_fchmodat, sys_fchmodat2;
sys_fn sys_chown, sys_fchown, sys_lchown, sys_fchownat;
sys_fn sys_utime, sys_utimes, sys_futimesat, sys_utimensat;

/* calls_xattr.c: setxattr serves setxattr, lsetxattr, removexattr, lremovexattr; the others accordingly */
sys_fn sys_setxattr, sys_fsetxattr, sys_getxattr, sys_fgetxattr, sys_listxattr, sys_flistxattr;

/* calls_ioctl.c, calls_copy.c, calls_process_vm.c */
sys_fn sys_ioctl, sys_sendfile, sys_copy_file_range, sys_splice, sys_process_vm;

#endif

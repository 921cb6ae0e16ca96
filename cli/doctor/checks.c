/* The table of checks, in the order in which they are told. */
#include "cli/doctor/doctor.h"

#define ALL (DOCTOR_LOCAL | DOCTOR_OFI | DOCTOR_VERBS)

const struct doctor_check doctor_checks[] = {
	{ "kernel", "user dispatch of calls, faults of user space", ALL, check_kernel },
	{ "platform", "a Linux kernel of its own, or one that stands for it", ALL, check_platform },
	{ "seccomp", "filters of a container may deny what is needed", 0, check_seccomp },
	{ "security-modules", "AppArmor and SELinux may deny what is needed", 0, check_lsm },
	{ "userfaultfd", "remote pages come when they are touched", ALL, check_userfaultfd },
	{ "syscall-dispatch", "the program's system calls are caught", ALL, check_sud },
	{ "fsgsbase", "the dispatcher has a thread block of its own", ALL, check_fsgsbase },
	{ "memfd", "regions of the local fabric, sealed", ALL, check_memfd },
	{ "pidfd", "processes are watched and ended", ALL, check_pidfd },
	{ "process_vm_readv", "pages are read before they are written back", 0, check_vm_readv },
	{ "process_madvise", "many pages are dropped by one call", 0, check_process_madvise },
	{ "pagemap-scan", "present pages are found when memory becomes remote", 0, check_pagemap_scan },
	{ "overcommit", "large mappings that are hardly written", 0, check_overcommit },
	{ "map-count", "mappings of a process", 0, check_maps },
	{ "low-addresses", "programs that are linked to low addresses", 0, check_min_addr },
	{ "shm", "programs with POSIX shared memory", 0, check_shm },
	{ "memory", "private racks take half of it by default", ALL, check_memory },
	{ "cores", "programs and monitors share them", 0, check_cores },
	{ "limit-nofile", "descriptors of program, dispatcher and monitors", ALL, check_nofile },
	{ "limit-nproc", "threads and the processes of a private rack", ALL, check_nproc },
	{ "limit-as", "the dispatcher reserves addresses for its tables", 0, check_as },
	{ "limit-memlock", "memory registered with an RDMA device", 0, check_memlock },
	{ "libfabric", "fabrics over TCP and others", DOCTOR_OFI, check_libfabric },
	{ "rdma-device", "one-sided transfers in hardware, or by rxe", DOCTOR_VERBS, check_rdma },
	{ "rxe", "an RDMA device in software", 0, check_rxe },
	{ "qemu", "racks of virtual machines", DOCTOR_VM, check_qemu },
	{ "kvm", "virtual machines at full speed", 0, check_kvm },
};
const unsigned doctor_checks_n = sizeof(doctor_checks) / sizeof(doctor_checks[0]);

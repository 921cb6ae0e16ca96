/* System calls on host objects whose arguments are too deep for a table row (sys/syscalls.def). */
#ifndef PCOMPONENT_SYS_CALLS_H
#define PCOMPONENT_SYS_CALLS_H
#include "pcomponent/sys/sys.h"

sys_fn sys_poll, sys_select, sys_pselect6, sys_ppoll, sys_epoll_pwait, sys_epoll_pwait2, sys_signalfd;
sys_fn sys_name_socket, sys_sendto, sys_recvfrom, sys_setsockopt;
sys_fn sys_semctl, sys_msgctl, sys_msgsnd, sys_msgrcv, sys_mq_notify;
sys_fn sys_sendmsg, sys_recvmsg, sys_sendmmsg, sys_recvmmsg;

#endif

/* Set-up of sys_message: keep the standard error of the start above fd_floor, whatever the program does to its own. */
#ifndef PCOMPONENT_SYS_MESSAGE_H
#define PCOMPONENT_SYS_MESSAGE_H

void message_open(int fd_floor);
int message_fd(void); /* the descriptor that is kept */

#endif

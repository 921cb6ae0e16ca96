/* A signalfd tells of a signal what the host kernel knows: of one that was kicked (trap/sent.h) that is not who sent it. */
#ifndef PCOMPONENT_PROC_SIGNALFD_H
#define PCOMPONENT_PROC_SIGNALFD_H
#include <stdint.h>

struct thread;

/*
 * The thread has read these bytes from a host object: if it is a signalfd, kicks become what is meant by them. How many bytes are
 * left: 0, where nothing was meant.
 */
uint64_t signalfd_meant(struct thread *t, int fd, void *buf, uint64_t bytes);

#endif

/*
 * Where `ashlar core` asks a process for a core file: an abstract socket "ashlar-core-PID-N" (PID: of the host, N: of the
 * rack). A request is one byte with a descriptor of the file to write; only the process's own user and root are served.
 * The answer is a struct core_answer. Part of the service thread.
 */
#ifndef PCOMPONENT_PROC_CORE_DOOR_H
#define PCOMPONENT_PROC_CORE_DOOR_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/launch.h"

/* The socket. pid: the rack's. Or -errno. */
int core_door_open(uint32_t pid);
/* A request is being carried out: the socket need not be looked at. */
bool core_door_busy(void);
/* It has polled readable: take a request up. */
void core_door_look(void);
/* The resizer may be through with one: then answer. */
void core_door_done(void);

#endif

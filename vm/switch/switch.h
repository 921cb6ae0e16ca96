/*
 * The switch of a VM rack: carries Ethernet frames between the machines, in user space and without privileges. Each port
 * is two Unix datagram sockets in the rack's folder: PORT.sw takes what the machine sends, PORT.net is the machine's own.
 * It learns which address is at which port; frames to an unknown address, or to several, go to all others. What a machine
 * does not take at once waits in a queue, what does not fit there is lost, as on any network.
 */
#ifndef VM_SWITCH_SWITCH_H
#define VM_SWITCH_SWITCH_H
#include <stdint.h>
#include "ashlar/base/limits.h"

#define SWITCH_PORTS_MAX (RACK_COMPONENTS_MAX + 1)
#define SWITCH_FRAME_MAX 9216u	 /* bytes: a jumbo frame */
#define SWITCH_QUEUE_FRAMES 512u /* waiting for one port */
#define SWITCH_COUNT_FILE "switch.count"

/* In a file of the rack's folder, mapped by the switch, for whoever wants to read them. */
struct switch_count {
	uint64_t frames_in, bytes_in;	/* from the machine */
	uint64_t frames_out, bytes_out; /* to it */
	uint64_t lost;			/* not taken by it */
};

/*
 * Serve the ports by these names (n at most SWITCH_PORTS_MAX) in the current folder. Returns 0 when the other end of
 * `lifeline` closes before a byte has come from there; afterwards it runs until it is killed. -errno: it cannot go on.
 */
int switch_run(const char (*names)[NAME_BYTES], unsigned n, int lifeline);

#endif

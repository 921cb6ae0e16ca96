/*
 * The service thread: the one thread of the dispatcher that is not the program's. It sleeps in poll(2) on the fabric's
 * connections and acts when one hangs up: a memory component's transfers fail from then on, the node daemon's end is the
 * end of the process. It never touches program memory and takes no signal.
 */
#ifndef PCOMPONENT_PROC_SERVICE_H
#define PCOMPONENT_PROC_SERVICE_H

struct net;

/* daemon_fd: of the connection to the node daemon; name: of the processor component, for the message. 0 or -errno. */
int service_open(struct net *net, int daemon_fd, const char *daemon_name);
/* For the ExCache: tell the user of a lost memory component, unless the node daemon's end is what lies behind it. */
void service_memory_message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Bring the counters that others keep (fabric, files) into the statistics page. */
void service_stats(void);

#endif

/*
 * The clock, sleeping and locks of the host as seen by code that was written for threads: linked in front of libc's by
 * -Wl,--wrap. Inside a coroutine time is virtual and waiting lets the world go on; outside of one they are libc's own.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#include "net/sim/world.h"

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_nanosleep(const struct timespec *ts, struct timespec *rest);
int __wrap_usleep(useconds_t us);
int __wrap_sched_yield(void);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __real_nanosleep(const struct timespec *ts, struct timespec *rest);
int __real_usleep(useconds_t us);
int __real_sched_yield(void);
int __real_pthread_mutex_lock(pthread_mutex_t *m);

const bool sim_wrapped = true;

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	if (!sim.co)
		return __real_clock_gettime(id, ts);
	ts->tv_sec = (time_t)(sim.now / NS_PER_S);
	ts->tv_nsec = (long)(sim.now % NS_PER_S);
	return 0;
}

int __wrap_nanosleep(const struct timespec *ts, struct timespec *rest)
{
	if (!sim.co)
		return __real_nanosleep(ts, rest);
	sim_sleep((uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec);
	return 0;
}

int __wrap_usleep(useconds_t us)
{
	if (!sim.co)
		return __real_usleep(us);
	sim_sleep(us * 1000ULL);
	return 0;
}

int __wrap_sched_yield(void)
{
	if (!sim.co)
		return __real_sched_yield();
	sim_yield();
	return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	if (!sim.co)
		return __real_pthread_mutex_lock(m);
	while (pthread_mutex_trylock(m) == EBUSY)
		sim_yield();
	return 0;
}

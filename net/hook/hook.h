/*
 * Wrappers in front of any provider of net: they see every operation and pass it on, changed or not. net_options.hook
 * names them, joined by ';', the first one nearest to the user:
 *
 *   WRAPPER[:KEY=VALUE[,KEY=VALUE...]][;WRAPPER...]       at most HOOK_BYTES - 1 characters, at most HOOK_STAGES_MAX
 *
 * trace      one line per operation to a file: time, connection, message by name, transfers with bytes and latency
 *   file=PATH        appended to, "-" is stderr; required
 *   rate=N           lines a second (10000); what is left out is counted and told
 *   size=N           bytes of this process (64M; K, M, G are powers of 1024); then one last line
 *
 * emulate    a slower link to each peer (net/hook/emulate.h says exactly what is added where)
 *   latency=TIME     what a round trip takes longer: a transfer all of it, a message half of it each way
 *   jitter=TIME      each latency is drawn from latency-jitter to latency+jitter; at most latency
 *   bandwidth=N      bits a second in each direction of each link; K, M, G are powers of 1000
 *   loss=P           probability that a message or transfer is lost; the fabric stays reliable, so it is late, not gone:
 *   retransmit=TIME  later by this for each time that it is lost (1ms)
 *   seed=N           of jitter and loss (1)
 *
 * error      one rule: the operations of one kind that match it fail
 *   op=WHAT          read, write, send or connect; required
 *   nth=N | every=N | p=P   which of them, counted in this process from 1: the Nth, each Nth, each with probability P;
 *                    one of the three is required
 *   do=ERRNO | cut   EIO, EPIPE, EACCES, ERANGE, ENOMEM, ETIMEDOUT, ECONNREFUSED; cut: the connection ends. Required.
 *   seed=N           of p (1)
 *
 * TIME is a number with ns, us, ms or s behind it, P a number from 0 to 1; both may have decimals ("0.5us").
 */
#ifndef ASHLAR_NET_HOOK_HOOK_H
#define ASHLAR_NET_HOOK_HOOK_H
#include "ashlar/net.h"

#define HOOK_STAGES_MAX 4u
#define HOOK_WHY_BYTES 160u

/* Is it right as a whole? 0, or -EINVAL with the mistake in words in why (HOOK_WHY_BYTES). Opens nothing. */
int hook_check(const char *hook, char *why);

/*
 * Put the wrappers in front of inner; net_close(*out) closes inner too. -EINVAL (the mistake is logged), -ENOMEM, or
 * what opening a trace gave; inner is the caller's then. Called by net_open.
 */
int hook_open(const char *hook, struct net *inner, struct net **out);

#endif

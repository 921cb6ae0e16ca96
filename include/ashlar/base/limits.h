/* Every limit of ashlar, one line each. Queues, tables and loops are bounded by these. */
#ifndef ASHLAR_BASE_LIMITS_H
#define ASHLAR_BASE_LIMITS_H

#define PAGE_SHIFT 12
#define PAGE_BYTES 4096UL     /* a line and a frame */
#define EXCACHE_LINES_MIN 64u /* least ExCache: one instruction may touch 16 pages and more, threads as many each */
#define EXCACHE_LEAST_BYTES (EXCACHE_LINES_MIN * PAGE_BYTES)
#define SLAB_FRAMES_MAX 16384u	     /* frames of the largest slab (64 MB) */
#define SLAB_FRAMES_DEFAULT 1024u    /* frames of a slab when nothing else is asked (4 MB) */
#define MSG_BYTES_MAX 12288u	     /* one message, header included: two paths and a struct fit */
#define MSG_TAIL_MAX 8704u	     /* variable part of a message */
#define RPC_CREDITS 64u		     /* requests a peer may have outstanding on one connection */
#define RPC_CREDITS_KEPT 16u	     /* of these, kept from each less urgent class for the more urgent ones */
#define RPC_CREDITS_EARLY 4u	     /* of these, before the peer's hello has said how many they are */
#define RPC_DEADLINE_MS 10000u	     /* default time until a request is given up */
#define RPC_RETRY_MS 2000u	     /* a request without a reply is sent again, same id, after this */
#define RPC_HELLO_MS 3000u	     /* a connection whose peer has not said hello is closed after this */
#define RPC_LOBBY_MAX 512u	     /* connections of one monitor whose peers have proved nothing yet */
#define RPC_REFUSALS_MAX 8u	     /* wrong capabilities on one connection, then it is closed */
#define NAME_BYTES 32u		     /* component name, terminator included */
#define ADDR_BYTES 108u		     /* fabric address, terminator included */
#define HOOK_BYTES 128u		     /* names of wrappers in front of a fabric, terminator included */
#define RACK_COMPONENTS_MAX 64u	     /* components of one rack */
#define PROCESS_MEMORY_MAX 16u	     /* memory components of one process */
#define PROCESSES_MAX 1024u	     /* processes of one rack */
#define MEMBERS_MAX 512u	     /* processes of one tree: more get EAGAIN from fork */
#define DMEMBER_MS 10000u	     /* a process that was forked and does not say hello within this is over */
#define WEIGHT_MAX 100u		     /* share of a process where processes wait for each other; at least 1, */
#define WEIGHT_DEFAULT 10u	     /* and this where nothing is said */
#define PS_BATCH_MAX 64u	     /* processes of one answer about their state */
#define HEARTBEAT_MS 500u	     /* component to gmm */
#define HEARTBEAT_MISSES 6u	     /* silent for so many periods: suspect, nothing new is placed there */
#define IO_SLOTS 16u		     /* file transfers a process may have in flight */
#define IO_SLOT_BYTES (256u << 10)   /* bytes of one file transfer */
#define MAP_BATCH_MAX 64u	     /* page map entries of one message: who waits behind it waits for so many */
#define START_WORDS_MAX (2u << 20)   /* bytes of arguments and environment of a program that a daemon starts */
#define STREAM_PIECE 8192u	     /* bytes of its stdin, stdout or stderr in one message */
#define STREAM_PIECES 8u	     /* messages outstanding for one of them */
#define CONNECTIONS_MAX 4096u	     /* connections one monitor accepts */
#define CONNECTIONS_USER_MAX 512u    /* of those, of one user who is neither root nor the monitor's own */
#define FILES_PER_PROCESS_MAX 65536u /* open handles of one process at a storage component */
#define CREDS_GROUPS_MAX 1024u	     /* supplementary groups of a process, as a storage component knows them */
#define LOCKS_PER_TREE_MAX 16384u    /* ranges that its processes have locked at a storage component */
#define PASSED_PER_TREE_MAX 1024u    /* files on their way from one of its processes to another in a message */
#define PASSED_MS 60000u	     /* one that nobody has taken for so long makes room for another */
#define FILES_PER_TREE_MAX 262144u   /* of a tree's processes, those set aside for a fork counted too */

_Static_assert(MSG_TAIL_MAX + 512 <= MSG_BYTES_MAX, "a tail and its fixed part fit one message");
_Static_assert(MAP_BATCH_MAX * 16 <= MSG_TAIL_MAX, "a page map batch fits the tail");
_Static_assert(MSG_TAIL_MAX >= 2 * 4096 + 2, "rename carries two paths");

#endif

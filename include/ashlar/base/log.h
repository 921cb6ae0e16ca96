/*
 * Log: one line on stderr per event, "name: level: text". Control characters in it (names come from peers and programs)
 * are written as '?', so that nobody can forge a second line or speak to the terminal. Async-signal use: allowed (one write(2), no locks, no malloc).
 */
#ifndef ASHLAR_BASE_LOG_H
#define ASHLAR_BASE_LOG_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Name printed before each line (kept by reference) and the most verbose level that is printed. Default: "ashlar", WARN. */
void log_open(const char *name, enum log_level level);

/* Send lines to descriptor fd instead of 2. */
void log_set_fd(int fd);

/*
 * Into the file from here on (base/log_file.c says how a line looks there); it becomes descriptor 2 and grows to at
 * most max bytes, twice. 0 or -errno.
 */
int log_file(const char *path, uint64_t max);

/*
 * Lines of one format that come too often are counted, and told in one line later (base/log_limit.c). log_flush tells
 * what is due; to be called now and then by whoever turned it on.
 */
void log_limit(bool on);
void log_flush(void);

void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* A broken invariant of ours (never an error of a peer or a program): print and abort. */
void log_bug(const char *file, int line, const char *what) __attribute__((noreturn));
#define BUG_ON(cond)                                        \
	do {                                                \
		if (__builtin_expect(!!(cond), 0))          \
			log_bug(__FILE__, __LINE__, #cond); \
	} while (0)

#endif

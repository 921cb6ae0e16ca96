/* Insides of the log: what base/log.c uses of its neighbours. */
#ifndef BASE_LOG_IMPL_H
#define BASE_LOG_IMPL_H
#include <stdbool.h>
#include <stddef.h>
#include "ashlar/base/log.h"

#define LOG_LINE_BYTES 1024

extern const char *const log_level_names[];

/* log_limit.c: may a line of this format be written now? Writes what it has to say about earlier ones. */
bool log_limit_take(enum log_level, const char *fmt);

/* log_file.c */
bool log_file_is_open(void);
/* text, a whole line of the terminal's form without its end, as one line of the file's form into buf; its length. */
size_t log_file_line(char *buf, size_t bytes, enum log_level, const char *name, const char *text);
void log_file_wrote(size_t bytes); /* rotates when it is time */

/* log.c: write a line regardless of limits. */
void log_write(enum log_level, const char *text);

#endif

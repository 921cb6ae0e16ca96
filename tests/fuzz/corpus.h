/*
 * The corpus: messages of real runs, as the monitors of a rack got and sent them. tests/fuzz/corpus.bin is a row of
 * struct corpus_entry, each followed by its message (header, body, tail); record.sh makes it anew.
 */
#ifndef ASHLAR_TESTS_FUZZ_CORPUS_H
#define ASHLAR_TESTS_FUZZ_CORPUS_H
#include <stdint.h>

enum corpus_monitor { CORPUS_GMM, CORPUS_MEMORY, CORPUS_STORAGE, CORPUS_DAEMON, CORPUS_MONITOR_COUNT };
#define CORPUS_MONITORS                                         \
	{                                                       \
		"gmm", "mcomponent", "scomponent", "pcomponent" \
	}

struct corpus_entry {
	uint8_t monitor; /* enum corpus_monitor */
	uint8_t sent;	 /* 1: by the monitor, 0: to it */
	uint16_t bytes;
} __attribute__((packed)); /* they lie at any address */

#endif

/*
 * The key of a rack: 32 random bytes that its monitors share, and nobody else. By it they prove to each other, on a
 * fabric that does not tell who is at the other end, that they are of the same rack. libsodium does the cryptography.
 * A key's file holds 64 hexadecimal digits and a newline, and is its owner's alone.
 */
#ifndef ASHLAR_BASE_SECRET_H
#define ASHLAR_BASE_SECRET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_BYTES 32u
#define SECRET_MAC_BYTES 16u

struct secret {
	uint8_t b[SECRET_BYTES];
};

/* Draw a key into a new file of mode 0600. 0; -EEXIST: there is one (it is left alone); -errno. */
int secret_make(const char *path);
/* 0; -EPERM: others than its owner may read or write the file; -EINVAL: this is no key; -errno. */
int secret_read(const char *path, struct secret *out);

/*
 * What only a holder of the key can say about these bytes (keyed BLAKE2b). The purpose, a short word, keeps what was said
 * for one purpose from being used for another; it is not to be a prefix of another one.
 */
void secret_mac(const struct secret *, const char *purpose, const void *bytes, size_t n, uint8_t mac[SECRET_MAC_BYTES]);
bool secret_mac_equal(const uint8_t a[SECRET_MAC_BYTES], const uint8_t b[SECRET_MAC_BYTES]); /* in constant time */

#endif

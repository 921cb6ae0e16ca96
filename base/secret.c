/* The key of a rack; see secret.h. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ashlar/base/secret.h"

#define HEX_BYTES (2 * SECRET_BYTES + 1) /* with a 0, or with the newline of the file */

int secret_make(const char *path)
{
	uint8_t b[SECRET_BYTES];
	char hex[HEX_BYTES];
	int fd, err = 0;

	if (sodium_init() < 0)
		return -EIO;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	randombytes_buf(b, sizeof(b));
	sodium_bin2hex(hex, sizeof(hex), b, sizeof(b));
	hex[HEX_BYTES - 1] = '\n';
	if (write(fd, hex, sizeof(hex)) != (ssize_t)sizeof(hex) || fsync(fd))
		err = errno ? -errno : -EIO;
	close(fd);
	sodium_memzero(b, sizeof(b));
	sodium_memzero(hex, sizeof(hex));
	if (err)
		unlink(path);
	return err;
}

int secret_read(const char *path, struct secret *out)
{
	char hex[HEX_BYTES + 1]; /* one more than there should be */
	size_t bytes = 0;
	struct stat st;
	ssize_t n;
	int fd, err = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	n = read(fd, hex, sizeof(hex));
	if (n < 0 || fstat(fd, &st))
		err = -errno;
	else if (st.st_mode & 077)
		err = -EPERM;
	else if (n < (ssize_t)HEX_BYTES - 1 || n > (ssize_t)HEX_BYTES ||
		 (n == (ssize_t)HEX_BYTES && hex[HEX_BYTES - 1] != '\n') ||
		 sodium_hex2bin(out->b, sizeof(out->b), hex, HEX_BYTES - 1, NULL, &bytes, NULL) ||
		 bytes != sizeof(out->b))
		err = -EINVAL;
	close(fd);
	sodium_memzero(hex, sizeof(hex));
	return err;
}

void secret_mac(const struct secret *s, const char *purpose, const void *bytes, size_t n, uint8_t mac[SECRET_MAC_BYTES])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, s->b, sizeof(s->b), SECRET_MAC_BYTES);
	crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose) + 1);
	crypto_generichash_update(&state, bytes, n);
	crypto_generichash_final(&state, mac, SECRET_MAC_BYTES);
}

bool secret_mac_equal(const uint8_t a[SECRET_MAC_BYTES], const uint8_t b[SECRET_MAC_BYTES])
{
	return sodium_memcmp(a, b, SECRET_MAC_BYTES) == 0;
}

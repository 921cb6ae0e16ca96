/* The only ways to touch program memory (sys/uaccess.h): bounded to the program's window, faults become -EFAULT. */
#include <errno.h>
#include "pcomponent/sys/uaccess.h"
#include "pcomponent/trap/trap.h"
#include "pcomponent/vm/window.h"

static bool outside(uint64_t addr, uint64_t n)
{
	return addr >= WINDOW_END || n > WINDOW_END - addr;
}

int uaccess_in(void *dst, uint64_t src, size_t n)
{
	return outside(src, n) ? -EFAULT : entry_copy(dst, (const void *)src, n);
}

int uaccess_out(uint64_t dst, const void *src, size_t n)
{
	return outside(dst, n) ? -EFAULT : entry_copy((void *)dst, src, n);
}

int uaccess_load32(uint32_t *v, uint64_t src)
{
	return outside(src, 4) ? -EFAULT : entry_load32(v, src);
}

int uaccess_store32(uint64_t dst, uint32_t v)
{
	return outside(dst, 4) ? -EFAULT : entry_store32(dst, v);
}

int uaccess_cas32(uint64_t dst, uint32_t *expected, uint32_t v)
{
	return outside(dst, 4) ? -EFAULT : entry_cas32(dst, expected, v);
}

int uaccess_touch(uint64_t addr, int write)
{
	char byte;

	if (outside(addr, 1))
		return -EFAULT;
	return write ? entry_touch(addr) : entry_copy(&byte, (const void *)addr, 1);
}

/* Piece by piece up to page ends, so that a string that ends before an unmapped page is read. */
long uaccess_str(char *dst, uint64_t src, size_t max)
{
	size_t done = 0, n, i;

	while (done < max) {
		n = 64 - (src + done) % 64;
		if (n > max - done)
			n = max - done;
		if (uaccess_in(dst + done, src + done, n))
			return -EFAULT;
		for (i = done; i < done + n; i++)
			if (!dst[i])
				return (long)i;
		done += n;
	}
	return -ENAMETOOLONG;
}

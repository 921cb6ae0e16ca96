/* Paths as text: joining, making normal, and whose they are. */
#include <errno.h>
#include <string.h>
#include "pcomponent/fs/path.h"

/* Append the names of s to out, which is normal without its slash at the end ("" is the root). */
static int names_add(char *out, size_t *len, const char *s)
{
	size_t n;

	for (;;) {
		s += strspn(s, "/");
		n = strcspn(s, "/");
		if (!n)
			return 0;
		if (n == 2 && s[0] == '.' && s[1] == '.') {
			while (*len && out[--*len] != '/')
				;
			out[*len] = '\0';
		} else if (n != 1 || s[0] != '.') {
			if (*len + 1 + n >= PATH_MAX)
				return -ENAMETOOLONG;
			out[(*len)++] = '/';
			memcpy(out + *len, s, n);
			*len += n;
			out[*len] = '\0';
		}
		s += n;
	}
}

int path_normal(const char *base, const char *rest, char *out)
{
	size_t len = 0;
	int err = 0;

	out[0] = '\0';
	if (*rest != '/')
		err = names_add(out, &len, base);
	if (!err)
		err = names_add(out, &len, rest);
	if (!err && !len)
		strcpy(out, "/");
	return err;
}

bool path_leaves(const char *s)
{
	size_t n, depth = 0;

	for (; *(s += strspn(s, "/")); s += n) {
		n = strcspn(s, "/");
		if (n == 2 && s[0] == '.' && s[1] == '.') {
			if (!depth--)
				return true;
		} else if (n != 1 || s[0] != '.') {
			depth++;
		}
	}
	return false;
}

bool path_is_host(const char *normal)
{
	static const char *const tops[] = { "/proc", "/sys", "/dev" };
	size_t i, n;

	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		n = strlen(tops[i]);
		if (!strncmp(normal, tops[i], n) && (!normal[n] || normal[n] == '/'))
			return true;
	}
	return false;
}

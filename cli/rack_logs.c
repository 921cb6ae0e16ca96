/* ashlar rack logs: what the parts of a standing rack have told. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/standing.h"

static void file_print(const char *path)
{
	char buf[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	if (fd >= 0)
		close(fd);
}

static bool log_print(const char *dir, const char *part)
{
	char path[PATH_MAX + 2 * NAME_BYTES];

	snprintf(path, sizeof(path), "%s/%s.log", dir, part);
	if (access(path, R_OK))
		return false;
	snprintf(path, sizeof(path), "%s/%s.log.1", dir, part);
	file_print(path);
	snprintf(path, sizeof(path), "%s/%s.log", dir, part);
	file_print(path);
	return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_log(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 4 && len < NAME_BYTES + 4 && strcmp(e->d_name + len - 4, ".log") == 0;
}

/* Each line says by itself which part it is from. */
static int all_print(const char *dir)
{
	struct dirent **list;
	int n = scandir(dir, &list, is_log, by_name);

	if (n < 0)
		return cli_error("cannot read the logs in %s", dir);
	for (int i = 0; i < n; i++) {
		char part[NAME_BYTES];

		snprintf(part, sizeof(part), "%.*s", (int)strlen(list[i]->d_name) - 4, list[i]->d_name);
		log_print(dir, part);
		free(list[i]);
	}
	free(list);
	return 0;
}

int rack_logs(const char *typed, const char *component)
{
	static struct rack_file file;
	char path[PATH_MAX], dir[PATH_MAX];
	int err = rack_find(typed, path, sizeof(path));

	if (!err)
		err = rack_file_read(path, &file);
	if (!err)
		err = standing_folder(file.name, dir, sizeof(dir));
	if (err)
		return err;
	if (!component)
		return all_print(dir);
	if (!rack_name_fits(component) || !log_print(dir, component))
		return cli_error("the rack %s has no log of %s", file.name, component);
	return 0;
}

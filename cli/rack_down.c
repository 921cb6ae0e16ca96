/*
 * ashlar rack down: all that runs of a rack on this machine ends, and nothing of it is left. It goes by the folder, not
 * by the rack file, so that it works whatever state a crash has left: first the processor components, with which the
 * programs end, then those that the programs used, the gmm last.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/standing.h"

struct parts {
	char name[STANDING_PARTS_MAX][NAME_BYTES];
	int rank[STANDING_PARTS_MAX];
	unsigned n;
};

#define RANK_GMM 2

static int rank_of(const struct rack_file *f, const char *name)
{
	if (strcmp(name, "gmm") == 0)
		return RANK_GMM;
	for (unsigned i = 0; i < f->n_components; i++)
		if (strcmp(f->component[i].name, name) == 0)
			return strcmp(f->component[i].kind, "processor") != 0;
	return 1;
}

static void parts_find(const struct standing *s, const struct rack_file *f, struct parts *parts)
{
	DIR *d = opendir(s->dir);
	struct dirent *e;

	parts->n = 0;
	while (d && (e = readdir(d)) && parts->n < STANDING_PARTS_MAX) {
		size_t len = strlen(e->d_name);
		char *name = parts->name[parts->n];

		if (len < 5 || len - 4 >= NAME_BYTES || strcmp(e->d_name + len - 4, ".pid") != 0)
			continue;
		memcpy(name, e->d_name, len - 4);
		name[len - 4] = 0;
		parts->rank[parts->n++] = rank_of(f, name);
	}
	if (d)
		closedir(d);
}

/* Socket files of parts that had no time to remove them. */
static void socket_remove(const char *addr)
{
	struct stat st;

	if (strncmp(addr, "local:/", 7) == 0 && lstat(addr + 6, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(addr + 6);
}

static void down_all(struct standing *s, const struct rack_file *f)
{
	struct parts parts;

	parts_find(s, f, &parts);
	for (int rank = 0; rank <= RANK_GMM; rank++) {
		const char *names[STANDING_PARTS_MAX];
		unsigned n = 0;

		for (unsigned i = 0; i < parts.n; i++)
			if (parts.rank[i] == rank)
				names[n++] = parts.name[i];
		parts_stop(s, names, NULL, n);
	}
	socket_remove(f->gmm);
	for (unsigned i = 0; i < f->n_components; i++) {
		socket_remove(f->component[i].listen);
		socket_remove(f->component[i].node);
	}
	standing_remove(s);
}

int rack_down(const char *typed)
{
	static struct rack_file file, kept;
	char path[PATH_MAX], name[NAME_BYTES];
	struct standing s;
	int err;

	/* A name needs no file: what is left of a rack may lack it. */
	if (typed && rack_name_fits(typed) && access(typed, F_OK) != 0) {
		strcpy(name, typed);
	} else {
		err = rack_find(typed, path, sizeof(path));
		if (!err)
			err = rack_file_read(path, &file);
		if (err)
			return err;
		strcpy(name, file.name);
	}
	err = standing_open(&s, name, false);
	if (err == 1)
		printf("rack %s is not up\n", name);
	if (err)
		return err == 1 ? 0 : err;
	standing_path(&s, name, ".rack", path, sizeof(path));
	if (access(path, R_OK) || rack_file_read(path, &kept))
		memset(&kept, 0, sizeof(kept));
	down_all(&s, &kept);
	printf("rack %s is down\n", name);
	return 0;
}

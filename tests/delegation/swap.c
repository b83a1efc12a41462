/* Puts a link in a file's place while a program opens it, as somebody else could in a directory that he can write.
 *
 * SWAP_PATH   the file
 * SWAP_TO     where the link leads
 * SWAP_WHEN   open: the link is there while the file is opened, and gone afterwards
 *             gone: the same, but then nothing has the name
 *             lock: the link is put there for good when a lock is taken on the file that was opened
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int done;

static int is_when(const char *when)
{
	const char *chosen = getenv("SWAP_WHEN");
	return chosen && strcmp(chosen, when) == 0;
}

static void aside(char *name)
{
	snprintf(name, PATH_MAX, "%s.aside", getenv("SWAP_PATH"));
}

static void put_link(void)
{
	char away[PATH_MAX];
	const char *path = getenv("SWAP_PATH");
	aside(away);
	if (rename(path, away) != 0 || symlink(getenv("SWAP_TO"), path) != 0 || lchown(path, 65534, 65534) != 0)
		abort();
}

static int open_as(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
	const char *chosen = getenv("SWAP_PATH");
	if (done || !chosen || strcmp(path, chosen) != 0 || is_when("lock"))
		return real(path, flags, mode);
	char away[PATH_MAX];
	aside(away);
	done = 1;
	put_link();
	int fd = real(path, flags, mode);
	unlink(path);
	if (is_when("open"))
		rename(away, path);
	return fd;
}

int open(const char *path, int flags, ...)
{
	va_list rest;
	va_start(rest, flags);
	mode_t mode = va_arg(rest, mode_t);
	va_end(rest);
	return open_as(REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list rest;
	va_start(rest, flags);
	mode_t mode = va_arg(rest, mode_t);
	va_end(rest);
	return open_as(REAL(open64), path, flags, mode);
}

int flock(int fd, int operation)
{
	char link[64], path[PATH_MAX];
	const char *chosen = getenv("SWAP_PATH");
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	path[length < 0 ? 0 : length] = 0;
	if (!done && chosen && is_when("lock") && strcmp(path, chosen) == 0) {
		done = 1;
		put_link();
	}
	return REAL(flock)(fd, operation);
}

/* Stands between a program and its state folder: counts what is done there, ends the program at a chosen step, lets
 * the disk be full from a chosen step on, and writes down what a power cut would have left.
 *
 * CRASH_ROOT    the folder that counts
 * CRASH_KEEP    a folder for the journal (steps) and for the contents of files at the moment they were synced
 * CRASH_AT      the step, from 1; 0 for none
 * CRASH_HOW     kill, or full
 * CRASH_NAMED   if set, the file system knows no files without a name
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t alone = PTHREAD_MUTEX_INITIALIZER;
static long steps;

static int ours(const char *path)
{
	const char *root = getenv("CRASH_ROOT");
	return root && path && strncmp(path, root, strlen(root)) == 0;
}

static int path_of(int fd, char *path)
{
	char link[64];
	ssize_t length;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, PATH_MAX - 1);
	if (length < 0)
		return 0;
	path[length] = 0;
	return ours(path);
}

/* Not through the functions below. */
static void raw_write(const char *path, const char *text, size_t length)
{
	int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0) {
		syscall(SYS_write, fd, text, length);
		close(fd);
	}
}

static void note(const char *what, const char *one, const char *two)
{
	char path[PATH_MAX], line[2 * PATH_MAX + 64];
	snprintf(path, sizeof path, "%s/steps", getenv("CRASH_KEEP"));
	int length = snprintf(line, sizeof line, "%s\t%s\t%s\n", what, one, two ? two : "");
	raw_write(path, line, length);
}

/* What is in the file now, under the number of the step. */
static void keep(const char *from, long step)
{
	char to[PATH_MAX], buffer[65536];
	snprintf(to, sizeof to, "%s/%ld", getenv("CRASH_KEEP"), step);
	int fd = syscall(SYS_openat, AT_FDCWD, from, O_RDONLY, 0);
	ssize_t length;
	if (fd < 0)
		return;
	raw_write(to, "", 0);
	while ((length = syscall(SYS_read, fd, buffer, sizeof buffer)) > 0)
		raw_write(to, buffer, length);
	close(fd);
}

/* Before a step: 0 to go on, -1 where the disk is full. */
static int step(int needs_room)
{
	const char *at = getenv("CRASH_AT"), *how = getenv("CRASH_HOW");
	long chosen = at ? atol(at) : 0;
	steps++;
	if (chosen && how && steps == chosen && strcmp(how, "kill") == 0) {
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
	if (chosen && how && steps >= chosen && needs_room && strcmp(how, "full") == 0) {
		errno = ENOSPC;
		return -1;
	}
	return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int open_as(const char *name, int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
	(void)name;
	if ((flags & O_TMPFILE) == O_TMPFILE && ours(path)) {
		/* Gone with its process, so there is nothing to write down yet. */
		int unnamed = -1;
		if (getenv("CRASH_NAMED")) {
			errno = EOPNOTSUPP;
			return -1;
		}
		pthread_mutex_lock(&alone);
		if (step(1) == 0)
			unnamed = real(path, flags, mode);
		pthread_mutex_unlock(&alone);
		return unnamed;
	}
	if (!(flags & O_CREAT) || !ours(path))
		return real(path, flags, mode);
	pthread_mutex_lock(&alone);
	int fd = -1;
	int was_there = access(path, F_OK) == 0;
	if (was_there || step(1) == 0) {
		fd = real(path, flags, mode);
		if (fd >= 0 && !was_there)
			note("create", path, NULL);
	}
	pthread_mutex_unlock(&alone);
	return fd;
}

int open(const char *path, int flags, ...)
{
	va_list rest;
	va_start(rest, flags);
	mode_t mode = va_arg(rest, mode_t);
	va_end(rest);
	return open_as("open", REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list rest;
	va_start(rest, flags);
	mode_t mode = va_arg(rest, mode_t);
	va_end(rest);
	return open_as("open64", REAL(open64), path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	char path[PATH_MAX];
	if (fd < 3 || !path_of(fd, path))
		return REAL(write)(fd, bytes, length);
	pthread_mutex_lock(&alone);
	ssize_t written = step(1) == 0 ? REAL(write)(fd, bytes, length) : -1;
	pthread_mutex_unlock(&alone);
	return written;
}

int fsync(int fd)
{
	char path[PATH_MAX];
	if (!path_of(fd, path))
		return REAL(fsync)(fd);
	pthread_mutex_lock(&alone);
	int done = step(0) == 0 ? REAL(fsync)(fd) : -1;
	if (done == 0) {
		char number[32], open_file[64];
		struct stat found;
		snprintf(number, sizeof number, "%ld", steps);
		if (fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) {
			note("sync-folder", path, NULL);
		} else {
			/* Not by its path: it may have none. */
			snprintf(open_file, sizeof open_file, "/proc/self/fd/%d", fd);
			keep(open_file, steps);
			note("sync", path, number);
		}
	}
	pthread_mutex_unlock(&alone);
	return done;
}

int rename(const char *from, const char *to)
{
	if (!ours(to))
		return REAL(rename)(from, to);
	pthread_mutex_lock(&alone);
	int done = step(0) == 0 ? REAL(rename)(from, to) : -1;
	if (done == 0)
		note("rename", from, to);
	pthread_mutex_unlock(&alone);
	return done;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
	char path[PATH_MAX];
	ssize_t length;
	if (!ours(to))
		return REAL(linkat)(from_folder, from, to_folder, to, flags);
	length = readlink(from, path, PATH_MAX - 1);
	path[length < 0 ? 0 : length] = 0;
	pthread_mutex_lock(&alone);
	int done = step(1) == 0 ? REAL(linkat)(from_folder, from, to_folder, to, flags) : -1;
	if (done == 0)
		note("link", path, to);
	pthread_mutex_unlock(&alone);
	return done;
}

int mkdir(const char *path, mode_t mode)
{
	if (!ours(path))
		return REAL(mkdir)(path, mode);
	pthread_mutex_lock(&alone);
	int done = step(1) == 0 ? REAL(mkdir)(path, mode) : -1;
	if (done == 0)
		note("mkdir", path, NULL);
	pthread_mutex_unlock(&alone);
	return done;
}

int unlink(const char *path)
{
	if (!ours(path))
		return REAL(unlink)(path);
	pthread_mutex_lock(&alone);
	int done = step(0) == 0 ? REAL(unlink)(path) : -1;
	if (done == 0)
		note("unlink", path, NULL);
	pthread_mutex_unlock(&alone);
	return done;
}

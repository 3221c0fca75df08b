/*
 * What all processes of a job take together, which resource limits cannot bound: those count one process, or all of an account.
 * The job's first process looks every WATCH_EVERY_MS, 20 to 60 µs each time, and ends the job that takes too much.
 *
 *   memory    what its processes have to themselves (resident, not shared: a child that was just forked counts again)
 *   processes how many there are
 *   written   the blocks of FOLDER/upper and FOLDER/work, and of files that were removed and are still open; more than 20,000
 *             files are too many. Looked at when the file system lost 64 MiB or 5,000 files since the last time. Where less is
 *             left in it than `min_free_bytes`, a job that has 64 MiB of its own is over: the others may end in peace
 *
 * Between two looks a job may take more: some hundred megabytes of each.
 */
#define _GNU_SOURCE
#include "watch.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { MAX_PROCESSES = 16384, MAX_ENTRIES = 20000, MAX_DEPTH = 64 };
static const uint64_t notable_bytes = 64ull << 20, notable_files = 5000;

static int written[] = {-1, -1}, proc = -1, whole;
static uint64_t free_then = UINT64_MAX, files_then = UINT64_MAX;
static pid_t found[MAX_PROCESSES];

/* Before the job's root hides them. */
void watch_folder(const char *folder) {
  static const char *const names[] = {"upper", "work"};
  char path[4200];
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    written[i] = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
}

/* `all_of_proc`: in /proc there is nobody but us and the job. Else its processes are our descendants. */
void watch_processes(int all_of_proc) {
  whole = all_of_proc;
  proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static size_t read_text(const char *path, char *text, size_t size) {
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = 0;
  return n > 0 ? n : 0;
}

static DIR *open_folder(int parent, const char *path) {
  int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  if (fd >= 0 && !folder) close(fd);
  return folder;
}

static size_t add_children(pid_t parent, size_t count) {
  char path[64], list[8192], *next;
  snprintf(path, sizeof path, "%d/task", parent);
  DIR *tasks = open_folder(proc, path);
  for (struct dirent *task; tasks && (task = readdir(tasks));) {
    if (!isdigit((unsigned char)task->d_name[0])) continue;
    snprintf(path, sizeof path, "%d/task/%.20s/children", parent, task->d_name);
    read_text(path, list, sizeof list);
    char *at = list;
    for (long pid; count < MAX_PROCESSES && (pid = strtol(at, &next, 10), next != at); at = next) found[count++] = pid;
  }
  if (tasks) closedir(tasks);
  return count;
}

/* Fills `found`. */
static size_t find_processes(void) {
  size_t count = 0;
  if (!whole) {
    count = add_children(getpid(), 0);
    for (size_t i = 0; i < count; i++) count = add_children(found[i], count);
    return count;
  }
  DIR *folder = open_folder(proc, ".");
  for (struct dirent *entry; folder && count < MAX_PROCESSES && (entry = readdir(folder));) {
    long pid = strtol(entry->d_name, NULL, 10);
    if (pid > 1) found[count++] = pid;
  }
  if (folder) closedir(folder);
  return count;
}

static uint64_t memory_of(pid_t pid) {
  char path[64], text[128];
  unsigned long size, resident, shared;
  snprintf(path, sizeof path, "%d/statm", pid);
  read_text(path, text, sizeof text);
  if (sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3 || resident < shared) return 0;
  return (uint64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
}

static uint64_t blocks_below(int parent, const char *name, int depth, long *left) {
  struct stat status;
  uint64_t bytes = 0;
  DIR *folder = depth > MAX_DEPTH ? NULL : open_folder(parent, name);
  for (struct dirent *entry; folder && *left > 0 && (entry = readdir(folder));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    --*left;
    if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
    bytes += 512ull * status.st_blocks;
    if (S_ISDIR(status.st_mode)) bytes += blocks_below(dirfd(folder), entry->d_name, depth + 1, left);
  }
  if (folder) closedir(folder);
  return bytes;
}

static uint64_t removed_but_open(pid_t pid) {
  struct stat status;
  char path[64];
  uint64_t bytes = 0;
  snprintf(path, sizeof path, "%d/fd", pid);
  DIR *folder = open_folder(proc, path);
  for (struct dirent *entry; folder && (entry = readdir(folder));)
    if (fstatat(dirfd(folder), entry->d_name, &status, 0) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 0)
      bytes += 512ull * status.st_blocks;
  if (folder) closedir(folder);
  return bytes;
}

static int wrote_too_much(const struct bounds *bounds, size_t count) {
  struct statfs status;
  if (written[0] < 0 || fstatfs(written[0], &status) < 0) return 0;
  uint64_t now = (uint64_t)status.f_bavail * status.f_bsize, bytes = 0;
  int is_scarce = now < bounds->min_free_bytes;
  if (free_then == UINT64_MAX || now > free_then) free_then = now;
  if (files_then == UINT64_MAX || status.f_ffree > files_then) files_then = status.f_ffree;
  if (!is_scarce && free_then - now < notable_bytes && files_then - status.f_ffree < notable_files) return 0;
  free_then = now;
  files_then = status.f_ffree;
  long left = MAX_ENTRIES;
  for (int i = 0; i < 2; i++)
    if (written[i] >= 0) bytes += blocks_below(written[i], ".", 0, &left);
  for (size_t i = 0; i < count; i++) bytes += removed_but_open(found[i]);
  return (bounds->written_bytes && bytes > bounds->written_bytes) || (is_scarce && bytes > notable_bytes) || left <= 0;
}

/* The name of a limit that the job has passed, else NULL. */
const char *passed_limit(const struct bounds *bounds) {
  uint64_t memory = 0;
  size_t count = find_processes();
  if (bounds->processes && count > bounds->processes) return "processes";
  for (size_t i = 0; i < count && bounds->memory_bytes; i++) memory += memory_of(found[i]);
  if (bounds->memory_bytes && memory > bounds->memory_bytes) return "memory";
  return wrote_too_much(bounds, count) ? "disk" : NULL;
}

/* So that none can fork while they are killed one after the other; in a pid namespace one call kills all. */
void stop_processes(void) {
  for (size_t before = 0, count = 1; !whole && proc >= 0 && count > before;) {
    before = count;
    count = find_processes();
    for (size_t i = 0; i < count; i++) kill(found[i], SIGSTOP);
  }
}

#define _GNU_SOURCE
#include "Faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char directory[4096];
static atomic_long counted, at;
static atomic_int fault, failure;

void faults_arm(const char *path, enum fault kind, long n, int error) {
  snprintf(directory, sizeof directory, "%s", path);
  counted = 0, at = n, failure = error, fault = kind;
}

void faults_disarm(void) { fault = FAULT_NONE; }

long faults_count(void) { return counted; }

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// A trace is a row of entries, each a header, then a path, then `length` bytes: what is written, or
// the new path of a rename.
struct entry {
  // 'w' write, 'd' write through to the disk, 's' sync, 'r' rename, 'm' mkdir, 't' truncate to
  // `offset`, 'a' answer of event `offset`.
  char kind;
  char zero[3];
  uint32_t path_length;
  uint64_t offset, length;
};
static int trace = -1;
static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;

void faults_record(const char *path, const char *file) {
  trace = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  faults_arm(path, FAULT_NONE, 0, 0);
}

// Before the call is made: two threads may write, and then the first to be written down is the
// first that the disk may see.
static void record(char kind, const char *path, size_t path_length, uint64_t offset,
                   const struct iovec *parts, int part_count) {
  if (trace < 0) return;
  struct entry whole = {kind, {0}, (uint32_t)path_length, offset, 0};
  for (int i = 0; i < part_count; i++) whole.length += parts[i].iov_len;
  pthread_mutex_lock(&trace_lock);
  NEXT(write)(trace, &whole, sizeof whole);
  NEXT(write)(trace, path, path_length);
  for (int i = 0; i < part_count; i++) NEXT(write)(trace, parts[i].iov_base, parts[i].iov_len);
  pthread_mutex_unlock(&trace_lock);
}

static void record_open(char kind, int descriptor, uint64_t offset, const struct iovec *parts,
                        int part_count) {
  char link[64], path[4096];
  if (trace < 0) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path);
  if (length < 0) return;
  if (kind == 'w' && fcntl(descriptor, F_GETFL) & O_DSYNC) kind = 'd';
  record(kind, path, (size_t)length, offset, parts, part_count);
}

void faults_answered(long number) { record('a', "", 0, (uint64_t)number, NULL, 0); }

static bool is_ours(const char *path) {
  return directory[0] != 0 && strncmp(path, directory, strlen(directory)) == 0;
}

static bool is_ours_open(int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = 0;
  return is_ours(path);
}

enum verdict { PASS, HALF, FAIL };

// What becomes of the next counted call.
static enum verdict judge(bool may_tear) {
  const long n = atomic_fetch_add(&counted, 1) + 1;
  const int kind = fault;
  if (kind == FAULT_SLOW && n >= at) {
    // A sync that takes so long: what a slow disk does.
    if (!may_tear) usleep((useconds_t)failure * 1000);
    return PASS;
  }
  if (kind == FAULT_NONE || n < at || (n > at && kind != FAULT_ERROR_FOR_GOOD)) return PASS;
  if (kind == FAULT_EXIT || (kind == FAULT_TORN && !may_tear)) _exit(137);
  if (kind == FAULT_TORN) return HALF;
  errno = failure;
  return FAIL;
}

#define POSITIONED(name, offset_type)                                                       \
  ssize_t name(int fd, const void *bytes, size_t count, offset_type offset) {               \
    if (!is_ours_open(fd)) return NEXT(name)(fd, bytes, count, offset);                     \
    const enum verdict verdict = judge(true);                                               \
    if (verdict == FAIL) return -1;                                                         \
    const struct iovec part = {(void *)bytes, count};                                       \
    record_open('w', fd, (uint64_t)offset, &part, 1);                                       \
    const ssize_t put = NEXT(name)(fd, bytes, verdict == HALF ? count / 2 : count, offset); \
    if (verdict == HALF) _exit(137);                                                        \
    return put;                                                                             \
  }
POSITIONED(pwrite, off_t)
POSITIONED(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!is_ours_open(fd)) return NEXT(writev)(fd, parts, count);
  const enum verdict verdict = judge(true);
  if (verdict == FAIL) return -1;
  record_open('w', fd, (uint64_t)lseek(fd, 0, SEEK_CUR), parts, count);
  const ssize_t put = NEXT(writev)(fd, parts, verdict == HALF ? (count + 1) / 2 : count);
  if (verdict == HALF) _exit(137);
  return put;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (fd == trace || !is_ours_open(fd)) return NEXT(write)(fd, bytes, count);
  const enum verdict verdict = judge(true);
  if (verdict == FAIL) return -1;
  const struct iovec part = {(void *)bytes, count};
  record_open('w', fd, (uint64_t)lseek(fd, 0, SEEK_CUR), &part, 1);
  const ssize_t put = NEXT(write)(fd, bytes, verdict == HALF ? count / 2 : count);
  if (verdict == HALF) _exit(137);
  return put;
}

#define SYNCING(name)                             \
  int name(int fd) {                              \
    if (!is_ours_open(fd)) return NEXT(name)(fd); \
    if (judge(false) == FAIL) return -1;          \
    record_open('s', fd, 0, NULL, 0);             \
    return NEXT(name)(fd);                        \
  }
SYNCING(fdatasync)
SYNCING(fsync)

int rename(const char *from, const char *to) {
  if (!is_ours(to)) return NEXT(rename)(from, to);
  if (judge(false) == FAIL) return -1;
  const struct iovec part = {(void *)to, strlen(to)};
  record('r', from, strlen(from), 0, &part, 1);
  return NEXT(rename)(from, to);
}

int mkdir(const char *path, mode_t mode) {
  if (!is_ours(path)) return NEXT(mkdir)(path, mode);
  if (judge(false) == FAIL) return -1;
  record('m', path, strlen(path), 0, NULL, 0);
  return NEXT(mkdir)(path, mode);
}

int ftruncate(int fd, off_t length) {
  if (!is_ours_open(fd)) return NEXT(ftruncate)(fd, length);
  if (judge(false) == FAIL) return -1;
  record_open('t', fd, (uint64_t)length, NULL, 0);
  return NEXT(ftruncate)(fd, length);
}

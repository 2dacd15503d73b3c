#define _GNU_SOURCE
#include "Faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
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
  if (kind == FAULT_NONE || n < at || (n > at && kind != FAULT_ERROR_FOR_GOOD)) return PASS;
  if (kind == FAULT_EXIT || (kind == FAULT_TORN && !may_tear)) _exit(137);
  if (kind == FAULT_TORN) return HALF;
  errno = failure;
  return FAIL;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define POSITIONED(name, offset_type)                                                     \
  ssize_t name(int fd, const void *bytes, size_t count, offset_type offset) {             \
    const enum verdict verdict = is_ours_open(fd) ? judge(true) : PASS;                   \
    if (verdict == FAIL) return -1;                                                       \
    const ssize_t put = NEXT(name)(fd, bytes, verdict == HALF ? count / 2 : count, offset); \
    if (verdict == HALF) _exit(137);                                                      \
    return put;                                                                           \
  }
POSITIONED(pwrite, off_t)
POSITIONED(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
  const enum verdict verdict = is_ours_open(fd) ? judge(true) : PASS;
  if (verdict == FAIL) return -1;
  const ssize_t put = NEXT(writev)(fd, parts, verdict == HALF ? (count + 1) / 2 : count);
  if (verdict == HALF) _exit(137);
  return put;
}

#define SYNCING(name)                                          \
  int name(int fd) {                                           \
    if (is_ours_open(fd) && judge(false) == FAIL) return -1;   \
    return NEXT(name)(fd);                                     \
  }
SYNCING(fdatasync)
SYNCING(fsync)

int rename(const char *from, const char *to) {
  if (is_ours(to) && judge(false) == FAIL) return -1;
  return NEXT(rename)(from, to);
}

int mkdir(const char *path, mode_t mode) {
  if (is_ours(path) && judge(false) == FAIL) return -1;
  return NEXT(mkdir)(path, mode);
}

int ftruncate(int fd, off_t length) {
  if (is_ours_open(fd) && judge(false) == FAIL) return -1;
  return NEXT(ftruncate)(fd, length);
}

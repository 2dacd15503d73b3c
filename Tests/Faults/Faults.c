#define _GNU_SOURCE
#include "Faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// Held while a call is judged, so that it is by all of what was armed or by nothing of it.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char ours[4096];
static enum fault fault;
static long counted, at;
static int failure;
static bool joins;
// The file that the call counted last wrote to, if it wrote.
static char written[4096];

static void arm(const char *paths, enum fault kind, long n, int error, bool joins_writes) {
  pthread_mutex_lock(&lock);
  snprintf(ours, sizeof ours, "%s", paths);
  fault = kind, counted = 0, at = n, failure = error, joins = joins_writes, written[0] = 0;
  pthread_mutex_unlock(&lock);
}

void faults_arm(const char *paths, enum fault kind, long n, int error) {
  arm(paths, kind, n, error, false);
}

void faults_arm_joined(const char *paths, enum fault kind, long n, int error) {
  arm(paths, kind, n, error, true);
}

void faults_disarm(void) {
  pthread_mutex_lock(&lock);
  fault = FAULT_NONE;
  pthread_mutex_unlock(&lock);
}

long faults_count(void) {
  pthread_mutex_lock(&lock);
  const long count = counted;
  pthread_mutex_unlock(&lock);
  return count;
}

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

void faults_record(const char *paths, const char *file) {
  trace = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  faults_arm(paths, FAULT_NONE, 0, 0);
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

// The path of an open file; empty where it has none.
static void find_path(int descriptor, char path[4096]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, 4095);
  path[length < 0 ? 0 : length] = 0;
}

static void record_open(char kind, int descriptor, uint64_t offset, const struct iovec *parts,
                        int part_count) {
  char path[4096];
  if (trace < 0) return;
  find_path(descriptor, path);
  if (path[0] == 0) return;
  if (kind == 'w' && fcntl(descriptor, F_GETFL) & O_DSYNC) kind = 'd';
  record(kind, path, strlen(path), offset, parts, part_count);
}

void faults_answered(long number) { record('a', "", 0, (uint64_t)number, NULL, 0); }

static bool is_ours(const char *path) {
  for (const char *next = ours; *next != 0; next += strspn(next, ":")) {
    const size_t length = strcspn(next, ":");
    if (length > 0 && strncmp(path, next, length) == 0) return true;
    next += length;
  }
  return false;
}

// STRANGER is a call on a file that is not ours.
enum verdict { STRANGER, PASS, HALF, FAIL };

// The verdict where a call is ours; `is_write` where it can be torn.
static enum verdict judge_ours(const char *path, bool is_write) {
  const bool is_joined = joins && is_write && strcmp(path, written) == 0;
  snprintf(written, sizeof written, "%s", is_write ? path : "");
  if (!is_joined) counted += 1;
  if (fault == FAULT_NONE || fault == FAULT_SLOW || counted < at) return PASS;
  if (fault != FAULT_ERROR_FOR_GOOD && (counted > at || is_joined)) return PASS;
  if (fault == FAULT_EXIT || (fault == FAULT_TORN && !is_write)) _exit(137);
  return fault == FAULT_TORN ? HALF : FAIL;
}

// What becomes of the next call.
static enum verdict judge(const char *path, bool is_write) {
  pthread_mutex_lock(&lock);
  const enum verdict verdict = is_ours(path) ? judge_ours(path, is_write) : STRANGER;
  const bool is_slow = verdict == PASS && fault == FAULT_SLOW && counted >= at;
  const int error = failure;
  pthread_mutex_unlock(&lock);
  // A sync that takes so long: what a slow disk does.
  if (is_slow && !is_write) usleep((useconds_t)error * 1000);
  if (verdict == FAIL) errno = error;
  return verdict;
}

static enum verdict judge_open(int descriptor, bool is_write) {
  char path[4096];
  find_path(descriptor, path);
  return judge(path, is_write);
}

#define POSITIONED(name, offset_type)                                                       \
  ssize_t name(int fd, const void *bytes, size_t count, offset_type offset) {               \
    const enum verdict verdict = judge_open(fd, true);                                      \
    if (verdict == STRANGER) return NEXT(name)(fd, bytes, count, offset);                   \
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
  const enum verdict verdict = judge_open(fd, true);
  if (verdict == STRANGER) return NEXT(writev)(fd, parts, count);
  if (verdict == FAIL) return -1;
  record_open('w', fd, (uint64_t)lseek(fd, 0, SEEK_CUR), parts, count);
  const ssize_t put = NEXT(writev)(fd, parts, verdict == HALF ? (count + 1) / 2 : count);
  if (verdict == HALF) _exit(137);
  return put;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  const enum verdict verdict = fd == trace ? STRANGER : judge_open(fd, true);
  if (verdict == STRANGER) return NEXT(write)(fd, bytes, count);
  if (verdict == FAIL) return -1;
  const struct iovec part = {(void *)bytes, count};
  record_open('w', fd, (uint64_t)lseek(fd, 0, SEEK_CUR), &part, 1);
  const ssize_t put = NEXT(write)(fd, bytes, verdict == HALF ? count / 2 : count);
  if (verdict == HALF) _exit(137);
  return put;
}

#define SYNCING(name)                                      \
  int name(int fd) {                                       \
    const enum verdict verdict = judge_open(fd, false);    \
    if (verdict == FAIL) return -1;                        \
    if (verdict == PASS) record_open('s', fd, 0, NULL, 0); \
    return NEXT(name)(fd);                                 \
  }
SYNCING(fdatasync)
SYNCING(fsync)

int rename(const char *from, const char *to) {
  const enum verdict verdict = judge(to, false);
  if (verdict == FAIL) return -1;
  const struct iovec part = {(void *)to, strlen(to)};
  if (verdict == PASS) record('r', from, strlen(from), 0, &part, 1);
  return NEXT(rename)(from, to);
}

int mkdir(const char *path, mode_t mode) {
  const enum verdict verdict = judge(path, false);
  if (verdict == FAIL) return -1;
  if (verdict == PASS) record('m', path, strlen(path), 0, NULL, 0);
  return NEXT(mkdir)(path, mode);
}

int ftruncate(int fd, off_t length) {
  const enum verdict verdict = judge_open(fd, false);
  if (verdict == FAIL) return -1;
  if (verdict == PASS) record_open('t', fd, (uint64_t)length, NULL, 0);
  return NEXT(ftruncate)(fd, length);
}

// The system calls by which a ledger reaches its disk, with a fault at the n-th of them.
//
// A program that links this has its own pwrite, writev and so on, which LMDB then calls too. They
// count calls on some files, whichever thread makes them, and pass them on, until the armed one.
#pragma once

enum fault {
  FAULT_NONE,
  // The process ends before the call is made.
  FAULT_EXIT,
  // Half of what a write has is written, then the process ends.
  FAULT_TORN,
  // The call fails with an error, once or from then on, and does nothing.
  FAULT_ERROR,
  FAULT_ERROR_FOR_GOOD,
  // From then on every sync takes `error` milliseconds longer.
  FAULT_SLOW,
};

// Counts from 1 again, on files whose path begins with one of `paths`, which have ':' in between.
// `error` is an errno, unless the fault says otherwise.
void faults_arm(const char *paths, enum fault fault, long at, int error);

// The same, but writes to one file in a row count as one call: LMDB writes a commit's pages in as
// many as they lie apart, which differs from run to run.
void faults_arm_joined(const char *paths, enum fault fault, long at, int error);

// Writes down every counted call, with what it writes, in the file `trace`: see Faults.c.
void faults_record(const char *paths, const char *trace);

// Writes down that event `number` was answered.
void faults_answered(long number);

// Lets every call through from now on.
void faults_disarm(void);

// How many calls were counted.
long faults_count(void);

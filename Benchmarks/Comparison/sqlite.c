// Pays between random wallets of a SQLite file for some seconds, BATCH payments a transaction.
// Prints: payments, payments/s, p50 ms and p99 ms of a transaction; then per payment CPU us, and
// bytes by which the files grew, with the WAL and without.
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static sqlite3 *db;

static void check(int ok) {
  if (ok) return;
  fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
  exit(1);
}

static void execute(const char *sql) { check(sqlite3_exec(db, sql, 0, 0, 0) == SQLITE_OK); }

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *statement;
  check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, 0) == SQLITE_OK);
  return statement;
}

// Runs a statement with `count` integers from ?1 on.
static void run(sqlite3_stmt *statement, int count, const int64_t *values) {
  for (int i = 0; i < count; i++) sqlite3_bind_int64(statement, i + 1, values[i]);
  check(sqlite3_step(statement) == SQLITE_DONE);
  sqlite3_reset(statement);
}
#define RUN(statement, ...) \
  run(statement, sizeof (int64_t[]){__VA_ARGS__} / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static uint64_t seed;

static uint64_t next_random(void) {  // splitmix64
  uint64_t z = seed += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static int64_t microseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static int64_t cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static int64_t size(const char *path, const char *suffix) {
  char name[4096];
  struct stat status;
  snprintf(name, sizeof name, "%s%s", path, suffix);
  return stat(name, &status) == 0 ? status.st_size : 0;
}

static int ascending(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

int main(int count, char **arguments) {
  if (count != 5) return fprintf(stderr, "usage: sqlite FILE WALLETS SECONDS BATCH\n"), 2;
  const char *path = arguments[1];
  const int64_t wallets = atoll(arguments[2]), seconds = atoll(arguments[3]);
  const int64_t batch = atoll(arguments[4]);

  check(sqlite3_open(path, &db) == SQLITE_OK);
  execute("PRAGMA synchronous = FULL");
  execute("PRAGMA cache_size = -131072");  // As much as PostgreSQL's by default.
  // A batch dirties more than the default of 1,000 pages: every commit would end in a checkpoint.
  execute("PRAGMA wal_autocheckpoint = 10000");
  sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
  sqlite3_stmt *debit =
      prepare("UPDATE wallets SET balance = balance - ?2 WHERE id = ?1 AND balance >= ?2");
  sqlite3_stmt *credit = prepare("UPDATE wallets SET balance = balance + ?2 WHERE id = ?1");
  sqlite3_stmt *insert = prepare(
      "INSERT INTO payments (payer, payee, amount, fee, time, key)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
  sqlite3_stmt *enter = prepare("INSERT INTO entries VALUES (?1, ?2, ?3)");
  check(getentropy(&seed, sizeof seed) == 0);  // Else a second run would repeat the first's keys.

  size_t transactions = 0, room = 1 << 16;
  int64_t *latencies = malloc(room * sizeof *latencies), payments = 0;
  const int64_t data_before = size(path, ""), all_before = data_before + size(path, "-wal");
  const int64_t cpu_before = cpu();
  const int64_t start = microseconds(CLOCK_MONOTONIC);
  int64_t now = start;

  while (now < start + seconds * 1000000) {
    run(begin, 0, NULL);
    for (int64_t i = 0; i < batch; i++) {
      const int64_t payer = 1 + next_random() % wallets;
      const int64_t payee = (payer + next_random() % (wallets - 1)) % wallets + 1;
      const int64_t amount = 1 + next_random() % 1000000000;
      const int64_t fee = (amount * 40 + 9999) / 10000;  // 40 basis points, rounded up
      const uint64_t key[2] = {next_random(), next_random()};

      RUN(debit, payer, amount + fee);
      if (sqlite3_changes(db) == 0) continue;  // Short: refused, with nothing done.
      RUN(credit, payee, amount);
      RUN(credit, 0, fee);
      sqlite3_bind_blob(insert, 6, key, sizeof key, SQLITE_STATIC);
      RUN(insert, payer, payee, amount, fee, microseconds(CLOCK_REALTIME));
      const int64_t payment = sqlite3_last_insert_rowid(db);
      RUN(enter, payment, payer, -amount - fee);
      RUN(enter, payment, payee, amount);
      payments++;
    }
    run(commit, 0, NULL);
    if (transactions == room) latencies = realloc(latencies, (room *= 2) * sizeof *latencies);
    const int64_t end = microseconds(CLOCK_MONOTONIC);
    latencies[transactions++] = end - now;
    now = end;
  }

  const double cpu_used = cpu() - cpu_before;
  const double all_grown = size(path, "") + size(path, "-wal") - all_before;
  execute("PRAGMA wal_checkpoint(TRUNCATE)");
  const double data_grown = size(path, "") - data_before;
  qsort(latencies, transactions, sizeof *latencies, ascending);
  printf("%" PRId64 " %.1f %.3f %.3f %.2f %.0f %.0f\n", payments,
         payments * 1e6 / (now - start), latencies[transactions / 2] / 1e3,
         latencies[transactions * 99 / 100] / 1e3, cpu_used / payments, all_grown / payments,
         data_grown / payments);
  return 0;
}

#include "CLedger.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

void cledger_forbid_core_dumps(void) {
#if defined(__linux__)
  (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
#endif
}

static const char *crash_sentence;
static size_t crash_sentence_length;
static int crash_code;

// Only what a signal handler may call.
static void tell(int signal) {
  (void)signal;
  (void)!write(STDERR_FILENO, crash_sentence, crash_sentence_length);
  _exit(crash_code);
}

void cledger_explain_crashes(const char *sentence, int code) {
  crash_sentence = sentence;
  crash_sentence_length = strlen(sentence);
  crash_code = code;
  const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    struct sigaction action = {.sa_handler = tell};
    (void)sigaction(signals[i], &action, NULL);
  }
}

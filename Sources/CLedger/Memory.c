// mremap is Linux's; the macro must come before the first system header.
#define _GNU_SOURCE

#include "CLedger.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t HUGE_PAGE = (size_t)2 << 20, HUGE_FROM = (size_t)8 << 20;

static size_t round_to_page(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page;
}

// Huge pages can only back aligned memory, so a large block is cut out of a larger reservation.
static void *map_block(size_t bytes, int protection) {
  const size_t slack = bytes >= HUGE_FROM ? HUGE_PAGE : 0;
  uint8_t *const start = mmap(NULL, bytes + slack, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if ((void *)start == MAP_FAILED) return NULL;
  const size_t head = slack > 0 ? (0 - (uintptr_t)start) % HUGE_PAGE : 0;
  if (head > 0) munmap(start, head);
  if (slack > head) munmap(start + head + bytes, slack - head);
  return start + head;
}

void cledger_memory_free(void *memory, size_t bytes) {
  if (memory != NULL) munmap(memory, round_to_page(bytes));
}

static void *resize_block(void *old, size_t old_bytes, size_t new_bytes) {
  const bool large = new_bytes >= HUGE_FROM, aligned = (uintptr_t)old % HUGE_PAGE == 0;
  void *moved = MAP_FAILED;
  if (!large || aligned) moved = mremap(old, old_bytes, new_bytes, large ? 0 : MREMAP_MAYMOVE);
  if (large && moved == MAP_FAILED) {
    void *const target = map_block(new_bytes, PROT_NONE);
    if (target == NULL) return NULL;
    // After a failure the target may be anyone's: mremap may have unmapped it. Not ours to free.
    moved = mremap(old, old_bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target);
  }
  return moved == MAP_FAILED ? NULL : moved;
}

void *cledger_memory_grow(void *old, size_t old_bytes, size_t new_bytes) {
  if (new_bytes == 0 || new_bytes < old_bytes || new_bytes > SIZE_MAX / 2) return NULL;
  old_bytes = round_to_page(old_bytes);
  new_bytes = round_to_page(new_bytes);
  if (old != NULL && old_bytes == new_bytes) return old;
  void *const block = old == NULL ? map_block(new_bytes, PROT_READ | PROT_WRITE)
                                  : resize_block(old, old_bytes, new_bytes);
  // Always the whole block: mremap refuses a range of mappings that differ in their advice.
  if (block != NULL && new_bytes >= HUGE_FROM) (void)madvise(block, new_bytes, MADV_HUGEPAGE);
  return block;
}

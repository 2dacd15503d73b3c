#pragma once

// statfs, which the Swift overlay of the C library leaves out.
#if defined(__linux__)
#include <sys/vfs.h>
#endif
#include <stddef.h>
#include <stdint.h>

/// Hints that the cache line at `address` is about to be written. Any address is safe.
static inline void cledger_prefetch(const void *_Nullable address) {
  __builtin_prefetch(address, 1, 3);
}

/// Has the system write no image of this process's memory. Here because Swift cannot call prctl,
/// which takes any number of arguments.
void cledger_forbid_core_dumps(void);

/// Has the process end with `code` and `sentence` on stderr where it touches memory that it may
/// not, or a C library aborts it. The sentence must live as long as the process.
void cledger_explain_crashes(const char *_Nonnull sentence, int code);

/// Returns `new_bytes` of page-backed memory that keeps the first `old_bytes` of `old`; what is
/// added reads as zero. A null `old` (with `old_bytes` 0) makes a new mapping. The block may move:
/// after success only the returned address is valid. Returns null on failure, when `new_bytes`
/// is 0 and when it is below `old_bytes`; `old` is then untouched and still owned by the caller.
/// `old_bytes` must be the exact size last asked for.
void *_Nullable cledger_memory_grow(void *_Nullable old, size_t old_bytes, size_t new_bytes);

/// Gives back a block from `cledger_memory_grow`; `bytes` is the size last asked for.
void cledger_memory_free(void *_Nullable memory, size_t bytes);

/// CRC-32C (Castagnoli). Start with seed 0; a result is the seed that continues the same message:
/// crc32c(crc32c(0, a), b) == crc32c(0, a + b).
uint32_t cledger_crc32c(uint32_t seed, const void *_Nullable bytes, size_t count);

/// RFC 6962 leaf hashes: SHA-256(0x00 || frame). Frame i is frames[offsets[i] ..< offsets[i + 1]],
/// so `offsets` holds `count + 1` ascending entries. Writes `count * 32` bytes to `out`, which
/// must not overlap the frames. Neighbours of equal block count are hashed together, so runs of
/// similar frame sizes are fastest. Pointers may be null only when `count` is 0.
void cledger_leaf_hashes(const uint8_t *_Nullable frames, const uint32_t *_Nullable offsets,
                         size_t count, uint8_t *_Nullable out);

/// RFC 6962 node hashes: SHA-256(0x01 || left || right). Pair i is 64 bytes. Writes `count * 32`
/// bytes to `out`. `out` may be the very pointer `pairs`: hash i lands at byte 32 * i only after
/// every pair up to it was read, so a whole tree level can be folded in place. Any other overlap
/// is not allowed. Pointers may be null only when `count` is 0.
void cledger_node_hashes(const uint8_t *_Nullable pairs, size_t count, uint8_t *_Nullable out);

/// Takes a key of at most 64 bytes into 16 words of state, for `cledger_hmac`.
void cledger_hmac_key(const uint8_t *_Nonnull key, size_t count, uint32_t *_Nonnull states);

/// HMAC-SHA256 of at least one byte, by the states of a key. Writes 32 bytes to `out`, which must
/// not overlap the message.
void cledger_hmac(const uint32_t *_Nonnull states, const uint8_t *_Nonnull bytes, size_t count,
                  uint8_t *_Nonnull out);

/// For tests: non-zero makes checksums and hashes take their portable path. Returns the old one.
/// Process-wide; results never depend on it.
int cledger_force_portable(int on);

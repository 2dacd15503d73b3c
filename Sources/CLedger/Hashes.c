#include "CLedger.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#define SHA_TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define CRC_TARGET __attribute__((target("sse4.2")))
#endif

enum { SHA_ACCELERATED = 1, CRC_ACCELERATED = 2 };

static int features;
static _Atomic int portable_forced;

int cledger_force_portable(int on) {
  return atomic_exchange_explicit(&portable_forced, on != 0, memory_order_relaxed);
}

static inline bool accelerated(int feature) {
  return features & feature && !atomic_load_explicit(&portable_forced, memory_order_relaxed);
}

// Three streams of this length are in flight at once, which hides the instruction's latency of
// three cycles; short enough that a batch of a few frames already profits.
enum { CRC_STRIDE = 256 };

static uint32_t crc_table[256];
static uint32_t crc_skip[4][256];

static uint32_t crc_portable(uint32_t crc, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) crc = crc >> 8 ^ crc_table[(crc ^ bytes[i]) & 255];
  return crc;
}

// Runs before main, so that no call has to check or lock: everything it writes is constant later.
__attribute__((constructor)) static void prepare_tables(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    crc_table[i] = crc;
  }
  // Skipping zero bytes is linear in the register, so the entries of the eight single bits of a
  // byte give all 256 by exclusive or.
  static const uint8_t zeros[CRC_STRIDE];
  for (int byte = 0; byte < 4; byte++) {
    for (uint32_t i = 1; i < 256; i++) {
      const uint32_t low = i & (0u - i);
      crc_skip[byte][i] = low == i ? crc_portable(i << 8 * byte, zeros, CRC_STRIDE)
                                   : crc_skip[byte][low] ^ crc_skip[byte][i ^ low];
    }
  }
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return;
  const bool ssse3 = c >> 9 & 1, sse41 = c >> 19 & 1, sse42 = c >> 20 & 1;
  if (sse42) features |= CRC_ACCELERATED;
  if (ssse3 && sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1)) {
    features |= SHA_ACCELERATED;
  }
#endif
}

#if defined(__x86_64__)
static uint32_t crc_skip_stride(uint32_t crc) {
  return crc_skip[0][crc & 255] ^ crc_skip[1][crc >> 8 & 255] ^ crc_skip[2][crc >> 16 & 255] ^
         crc_skip[3][crc >> 24];
}

static inline uint64_t load64(const uint8_t *bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}

CRC_TARGET static uint32_t crc_sse42(uint32_t crc, const uint8_t *bytes, size_t count) {
  for (; count >= 3 * CRC_STRIDE; bytes += 3 * CRC_STRIDE, count -= 3 * CRC_STRIDE) {
    uint64_t first = crc, second = 0, third = 0;
    for (size_t at = 0; at < CRC_STRIDE; at += 8) {
      first = _mm_crc32_u64(first, load64(bytes + at));
      second = _mm_crc32_u64(second, load64(bytes + CRC_STRIDE + at));
      third = _mm_crc32_u64(third, load64(bytes + 2 * CRC_STRIDE + at));
    }
    crc = crc_skip_stride((uint32_t)first) ^ (uint32_t)second;
    crc = crc_skip_stride(crc) ^ (uint32_t)third;
  }
  for (; count >= 8; bytes += 8, count -= 8) crc = (uint32_t)_mm_crc32_u64(crc, load64(bytes));
  for (; count > 0; bytes++, count--) crc = _mm_crc32_u8(crc, *bytes);
  return crc;
}
#endif

uint32_t cledger_crc32c(uint32_t seed, const void *bytes, size_t count) {
#if defined(__x86_64__)
  if (accelerated(CRC_ACCELERATED)) return ~crc_sse42(~seed, bytes, count);
#endif
  return ~crc_portable(~seed, bytes, count);
}

static const uint32_t sha_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static const uint32_t sha_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// One prefixed message: the blocks it fills are read where they lie (shifted by the prefix byte),
// only the padded rest is copied. Built before hashing starts, so that its stores have landed by
// the time the last block is loaded. `start` is the state before it.
typedef struct {
  const uint32_t *start;
  const uint8_t *bytes;
  size_t whole_blocks, blocks;
  uint8_t prefix, tail[128];
} message;

static inline size_t block_count(size_t count) { return (count + 9) / 64 + 1; }

static inline void message_init(message *m, uint8_t prefix, const uint8_t *bytes, size_t count) {
  const size_t total = count + 1, rest = total % 64;
  m->start = sha_start;
  m->bytes = bytes;
  m->prefix = prefix;
  m->whole_blocks = total / 64;
  m->blocks = block_count(count);
  memset(m->tail, 0, sizeof m->tail);
  if (m->whole_blocks > 0) {
    memcpy(m->tail, bytes + (count - rest), rest);
  } else {
    m->tail[0] = prefix;
    memcpy(m->tail + 1, bytes, count);
  }
  m->tail[rest] = 0x80;
  uint8_t *const end = m->tail + 64 * (m->blocks - m->whole_blocks);
  for (int i = 0; i < 8; i++) end[-1 - i] = (uint8_t)((uint64_t)total * 8 >> 8 * i);
}

static inline uint8_t message_byte(const message *m, size_t at) {
  const size_t whole = 64 * m->whole_blocks;
  return at >= whole ? m->tail[at - whole] : at > 0 ? m->bytes[at - 1] : m->prefix;
}

static inline uint32_t rotate(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void digest_portable(const message *m, uint8_t *out) {
  uint32_t state[8];
  memcpy(state, m->start, sizeof state);
  for (size_t j = 0; j < m->blocks; j++) {
    uint32_t w[64] = {0};
    for (size_t k = 0; k < 64; k++) w[k / 4] = w[k / 4] << 8 | message_byte(m, 64 * j + k);
    for (int t = 16; t < 64; t++) {
      const uint32_t x = w[t - 15], y = w[t - 2];
      w[t] = w[t - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[t - 7] +
             (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 64; t++) {
      const uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                          (g ^ (e & (f ^ g))) + sha_constants[t] + w[t];
      const uint32_t sum = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a;
      a = t1 + sum + ((b & c) | (d & (b | c)));
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
  for (int i = 0; i < 32; i++) out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

#if defined(__x86_64__)
// `lanes` is a constant in each caller: inlined and unrolled, the lanes interleave and one lane's
// round latency is spent on the other lane's rounds. All lanes must have the same block count.
SHA_TARGET __attribute__((always_inline)) static inline void digest_lanes(
    const message *m, const int lanes, uint8_t *out) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  // The round instruction wants the eight words as ABEF and CDGH, high word first.
  __m128i abef[2], cdgh[2];
  for (int l = 0; l < lanes; l++) {
    const uint32_t *const s = m[l].start;
    abef[l] = _mm_set_epi32((int)s[0], (int)s[1], (int)s[4], (int)s[5]);
    cdgh[l] = _mm_set_epi32((int)s[2], (int)s[3], (int)s[6], (int)s[7]);
  }
  for (size_t j = 0; j < m->blocks; j++) {
    __m128i w[2][4], abef_before[2], cdgh_before[2];
    for (int l = 0; l < lanes; l++) {
      const bool tail = j >= m[l].whole_blocks;
      const uint8_t *const block =
          tail ? m[l].tail + 64 * (j - m[l].whole_blocks) : m[l].bytes + 64 * j;
      for (int k = 0; k < 4; k++) {
        // The prefix byte moves the first block's bytes by one; nothing lies before them to load.
        const bool first = !tail && j == 0 && k == 0;
        const uint8_t *const from = tail || first ? block + 16 * k : block + 16 * k - 1;
        __m128i x = _mm_loadu_si128((const __m128i *)from);
        if (first) x = _mm_or_si128(_mm_slli_si128(x, 1), _mm_cvtsi32_si128(m[l].prefix));
        w[l][k] = _mm_shuffle_epi8(x, swap);
      }
      abef_before[l] = abef[l];
      cdgh_before[l] = cdgh[l];
    }
#pragma clang loop unroll(full)
    for (int g = 0; g < 16; g++) {
      const __m128i constants = _mm_load_si128((const __m128i *)&sha_constants[4 * g]);
      __m128i x[2];
      for (int l = 0; l < lanes; l++) {
        x[l] = _mm_add_epi32(w[l][g % 4], constants);
        cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], x[l]);
      }
      for (int l = 0; l < lanes; l++) {
        abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(x[l], 0x0e));
        if (g < 12) {
          const __m128i last = w[l][(g + 3) % 4];
          const __m128i seven_back = _mm_alignr_epi8(last, w[l][(g + 2) % 4], 4);
          const __m128i sum = _mm_sha256msg1_epu32(w[l][g % 4], w[l][(g + 1) % 4]);
          w[l][g % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(sum, seven_back), last);
        }
      }
    }
    for (int l = 0; l < lanes; l++) {
      abef[l] = _mm_add_epi32(abef[l], abef_before[l]);
      cdgh[l] = _mm_add_epi32(cdgh[l], cdgh_before[l]);
    }
  }
  for (int l = 0; l < lanes; l++) {
    const __m128i feba = _mm_shuffle_epi32(abef[l], 0x1b), dchg = _mm_shuffle_epi32(cdgh[l], 0xb1);
    const __m128i abcd = _mm_blend_epi16(feba, dchg, 0xf0);
    const __m128i efgh = _mm_alignr_epi8(dchg, feba, 8);
    _mm_storeu_si128((__m128i *)(out + 32 * l), _mm_shuffle_epi8(abcd, swap));
    _mm_storeu_si128((__m128i *)(out + 32 * l + 16), _mm_shuffle_epi8(efgh, swap));
  }
}

SHA_TARGET static void digest_one(const message *m, uint8_t *out) { digest_lanes(m, 1, out); }

SHA_TARGET static void digest_two(const message *m, uint8_t *out) { digest_lanes(m, 2, out); }
#else
#define digest_one digest_portable
#define digest_two digest_portable
#endif

// Without offsets the messages are pairs. Inlined into both callers to fix the pair's length.
__attribute__((always_inline)) static inline void hash_all(uint8_t prefix, const uint8_t *bytes,
                                                           const uint32_t *offsets, size_t count,
                                                           uint8_t *out) {
  const bool fast = accelerated(SHA_ACCELERATED);
  for (size_t i = 0, lanes; i < count; i += lanes) {
    message m[2];
    for (lanes = 0; lanes < 2 && i + lanes < count; lanes++) {
      const size_t at = i + lanes, from = offsets ? offsets[at] : 64 * at;
      const size_t length = offsets ? offsets[at + 1] - offsets[at] : 64;
      if (lanes == 1 && (!fast || block_count(length) != m[0].blocks)) break;
      message_init(&m[lanes], prefix, bytes + from, length);
    }
    // All lanes are read before any hash is stored: folding pairs in place relies on it.
    (!fast ? digest_portable : lanes == 1 ? digest_one : digest_two)(m, out + 32 * i);
  }
}

void cledger_leaf_hashes(const uint8_t *frames, const uint32_t *offsets, size_t count,
                         uint8_t *out) {
  hash_all(0, frames, offsets, count, out);
}

void cledger_node_hashes(const uint8_t *pairs, size_t count, uint8_t *out) {
  hash_all(1, pairs, NULL, count, out);
}

// HMAC: each half of the key fills one block, from which both of its messages go on.

static void digest(const message *m, uint8_t *out) {
  (accelerated(SHA_ACCELERATED) ? digest_one : digest_portable)(m, out);
}

static void state_after(const uint8_t block[64], uint32_t state[8]) {
  const message m = {
      .start = sha_start, .bytes = block + 1, .whole_blocks = 1, .blocks = 1, .prefix = block[0]};
  uint8_t out[32];
  digest(&m, out);
  for (int i = 0; i < 8; i++) {
    const uint8_t *const word = out + 4 * i;
    state[i] = (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | word[3];
  }
}

static void digest_after(const uint32_t state[8], const uint8_t *bytes, size_t count,
                         uint8_t *out) {
  message m;
  message_init(&m, bytes[0], bytes + 1, count - 1);
  m.start = state;
  const uint64_t bits = ((uint64_t)count + 64) * 8;
  uint8_t *const end = m.tail + 64 * (m.blocks - m.whole_blocks);
  for (int i = 0; i < 8; i++) end[-1 - i] = (uint8_t)(bits >> 8 * i);
  digest(&m, out);
}

void cledger_hmac_key(const uint8_t *key, size_t count, uint32_t *states) {
  uint8_t block[64];
  for (size_t i = 0; i < 64; i++) block[i] = 0x36 ^ (i < count ? key[i] : 0);
  state_after(block, states);
  for (size_t i = 0; i < 64; i++) block[i] ^= 0x36 ^ 0x5c;
  state_after(block, states + 8);
  memset(block, 0, sizeof block);
}

void cledger_hmac(const uint32_t *states, const uint8_t *bytes, size_t count, uint8_t *out) {
  digest_after(states, bytes, count, out);
  digest_after(states + 8, out, 32, out);
}

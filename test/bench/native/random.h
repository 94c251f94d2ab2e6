/* Philox4x64-10 (Salmon et al. 2011) in NumPy's arrangement, by position. The baseline's own generator. */
#include <stdint.h>

/* Writes the grid integers of positions 0 ... count-1 of the stream with key [seed, stream]; count is a multiple of 8. */
static void grid_integers(uint64_t seed, uint64_t stream, int bits, int count, int32_t *out) {
  for (int block = 0; block < count / 8; block++) {
    uint64_t x[4] = {(uint64_t)block + 1, 0, 0, 0}, key0 = seed, key1 = stream;
    for (int round = 0; round < 10; round++) {
      unsigned __int128 p0 = (unsigned __int128)x[0] * 0xD2E7470EE14C6C93u;
      unsigned __int128 p1 = (unsigned __int128)x[2] * 0xCA5A826395121157u;
      x[0] = (uint64_t)(p1 >> 64) ^ x[1] ^ key0;
      x[1] = (uint64_t)p1;
      x[2] = (uint64_t)(p0 >> 64) ^ x[3] ^ key1;
      x[3] = (uint64_t)p0;
      key0 += 0x9E3779B97F4A7C15u;
      key1 += 0xBB67AE8584CAA73Bu;
    }
    for (int word = 0; word < 4; word++) {
      *out++ = (int32_t)((uint32_t)x[word] >> (32 - bits)) - (1 << (bits - 1));
      *out++ = (int32_t)((uint32_t)(x[word] >> 32) >> (32 - bits)) - (1 << (bits - 1));
    }
  }
}

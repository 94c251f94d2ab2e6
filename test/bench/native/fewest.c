/*
 * Rule `fewest` by plain enumeration: all subsets of 1, 2, ... samples, the topmost index outermost, the lowest innermost and
 * vectorised. A first pass over a size finds the least |residual|; if it is within tolerance a second one, in ascending order of
 * masks, finds the first subset that attains it. The only shortcut is that a target out of reach is not enumerated.
 */
#include "solve.h"
#include <limits.h>
#include <stdlib.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

/* Samples with room for a whole vector behind the last one. */
static int32_t padded[largest + lanes] __attribute__((aligned(32)));

#ifdef __AVX2__
typedef __m256i least_t;

/* Row k: lanes from k on are INT_MAX, so that they never are the least. */
static const int32_t past_end[lanes][lanes] __attribute__((aligned(32))) = {
#define X INT_MAX
    {0, 0, 0, 0, 0, 0, 0, 0}, {0, X, X, X, X, X, X, X}, {0, 0, X, X, X, X, X, X}, {0, 0, 0, X, X, X, X, X},
    {0, 0, 0, 0, X, X, X, X}, {0, 0, 0, 0, 0, X, X, X}, {0, 0, 0, 0, 0, 0, X, X}, {0, 0, 0, 0, 0, 0, 0, X},
#undef X
};

static inline least_t nothing(void) { return _mm256_set1_epi32(INT_MAX); }

static inline least_t least_of(least_t least, int end, int32_t rest) {
  __m256i wanted = _mm256_set1_epi32(rest);
  int k = 0;
  for (; k + lanes < end; k += lanes) {
    __m256i distance = _mm256_abs_epi32(_mm256_sub_epi32(_mm256_load_si256((const __m256i *)(padded + k)), wanted));
    least = _mm256_min_epi32(least, distance);
  }
  __m256i distance = _mm256_abs_epi32(_mm256_sub_epi32(_mm256_load_si256((const __m256i *)(padded + k)), wanted));
  __m256i past = _mm256_load_si256((const __m256i *)past_end[end & (lanes - 1)]);
  return _mm256_min_epi32(least, _mm256_or_si256(distance, past));
}

static inline int32_t least_lane(least_t least) {
  int32_t values[lanes];
  _mm256_storeu_si256((__m256i *)values, least);
  int32_t result = values[0];
  for (int k = 1; k < lanes; k++) result = values[k] < result ? values[k] : result;
  return result;
}
#else
typedef int32_t least_t;
static inline least_t nothing(void) { return INT_MAX; }
static inline least_t least_of(least_t least, int end, int32_t rest) {
  for (int k = 0; k < end; k++) {
    int32_t distance = abs(padded[k] - rest);
    least = distance < least ? distance : least;
  }
  return least;
}
static inline int32_t least_lane(least_t least) { return least; }
#endif

/* The least |residual| of the subsets of `size` of the first `end` samples, against what is left of the target. */
#define LOOP(name, inner, size)                                                                                     \
  static inline __attribute__((always_inline)) least_t name(least_t least, int end, int32_t rest) {                 \
    for (int top = size - 1; top < end; top++) least = inner(least, top, rest - padded[top]);                       \
    return least;                                                                                                   \
  }
LOOP(pairs, least_of, 2)
LOOP(triples, pairs, 3)
LOOP(quadruples, triples, 4)

static least_t of_size(least_t least, int size, int end, int32_t rest) {
  if (size == 1) return least_of(least, end, rest);
  if (size == 2) return pairs(least, end, rest);
  if (size == 3) return triples(least, end, rest);
  if (size == 4) return quadruples(least, end, rest);
  for (int top = size - 1; top < end; top++) least = of_size(least, size - 1, top, rest - padded[top]);
  return least;
}

/* The smallest mask of `size` of the first `end` samples with this |residual|, or NO_MASK. */
static uint64_t first_mask(int size, int end, int32_t rest, int32_t wanted) {
  if (size == 1) {
    for (int k = 0; k < end; k++)
      if (abs(padded[k] - rest) == wanted) return (uint64_t)1 << k;
    return NO_MASK;
  }
  for (int top = size - 1; top < end; top++) {
    /* Whole sizes of one less are asked for their least before they are searched. */
    if (least_lane(of_size(nothing(), size - 1, top, rest - padded[top])) > wanted) continue;
    uint64_t mask = first_mask(size - 1, top, rest - padded[top], wanted);
    if (mask != NO_MASK) return mask | (uint64_t)1 << top;
  }
  return NO_MASK;
}

uint64_t solve_fewest(const int32_t *samples, int count, int32_t target, int32_t tolerance) {
  if (abs(target) <= tolerance) return 0;
  int64_t reach = 0;
  for (int k = 0; k < count; k++) {
    padded[k] = samples[k];
    reach += (samples[k] > 0) == (target > 0) ? samples[k] : 0;
  }
  if (llabs(target) - llabs(reach) > tolerance) return NO_MASK;
  for (int size = 1; size <= count; size++) {
    int32_t least = least_lane(of_size(nothing(), size, count, target));
    if (least <= tolerance) return first_mask(size, count, target, least);
  }
  return NO_MASK;
}

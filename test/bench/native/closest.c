/*
 * Rule `closest` by meeting in the middle (Horowitz and Sahni 1974): the sums of each half, sorted as they grow by merging, walked
 * against each other; then the masks of the few pairs of sums that attain the least |residual|.
 */
#include "solve.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { half_max = 1 << (largest / 2), ties_max = 64 };

static int32_t buffers[2][2][half_max];
static int32_t natural[2][half_max];

/* Sums of all subsets of `count` samples, ascending. */
static const int32_t *sorted_sums(int side, const int32_t *samples, int count) {
  int32_t *from = buffers[side][0], *to = buffers[side][1];
  from[0] = 0;
  for (int k = 0, length = 1; k < count; k++, length *= 2) {
    /* Sums without sample k and sums with it are both ascending. */
    int32_t step = samples[k];
    int a = 0, b = 0;
    for (int at = 0; at < 2 * length; at++) {
      int takes_a = b == length || (a < length && from[a] <= from[b] + step);
      to[at] = takes_a ? from[a] : from[b] + step;
      a += takes_a;
      b += !takes_a;
    }
    int32_t *swap = from;
    from = to;
    to = swap;
  }
  return from;
}

static void natural_sums(int32_t *out, const int32_t *samples, int count) {
  out[0] = 0;
  for (int k = 0; k < count; k++)
    for (int mask = 0; mask < 1 << k; mask++) out[(1 << k) + mask] = out[mask] + samples[k];
}

/* The smallest of the masks with the fewest samples and this sum. */
static uint64_t mask_of_sum(const int32_t *sums, int count, int32_t sum) {
  uint64_t best = NO_MASK;
  int fewest = INT_MAX;
  for (int mask = 0; mask < 1 << count; mask++)
    if (sums[mask] == sum && __builtin_popcount(mask) < fewest) {
      fewest = __builtin_popcount(mask);
      best = mask;
    }
  return best;
}

uint64_t solve_closest(const int32_t *samples, int count, int32_t target, int32_t tolerance) {
  int low_count = count / 2, high_count = count - low_count;
  const int32_t *low = sorted_sums(0, samples, low_count);
  const int32_t *high = sorted_sums(1, samples + low_count, high_count);
  int32_t ties[ties_max][2];
  int tie_count = 0;
  int32_t least = INT_MAX;
  int a = 0, b = (1 << high_count) - 1;
  while (a < 1 << low_count && b >= 0) {
    int32_t residual = low[a] + high[b] - target;
    int32_t distance = abs(residual);
    if (distance <= least) {
      if (distance < least) tie_count = 0;
      least = distance;
      if (tie_count < ties_max) {
        ties[tie_count][0] = low[a];
        ties[tie_count][1] = high[b];
      }
      tie_count++;
    }
    if (residual < 0) a++;
    else b--;
  }
  if (least > tolerance) return NO_MASK;
  /* All subsets within the least |residual| attain it, so the fewest of them is what remains to be found. */
  if (tie_count > ties_max) return solve_fewest(samples, count, target, least);
  natural_sums(natural[0], samples, low_count);
  natural_sums(natural[1], samples + low_count, high_count);
  uint64_t best = NO_MASK;
  int fewest = INT_MAX;
  for (int tie = 0; tie < tie_count; tie++) {
    uint64_t mask = mask_of_sum(natural[0], low_count, ties[tie][0]) |
                    mask_of_sum(natural[1], high_count, ties[tie][1]) << low_count;
    int size = __builtin_popcountll(mask);
    if (size < fewest || (size == fewest && mask < best)) {
      fewest = size;
      best = mask;
    }
  }
  return best;
}

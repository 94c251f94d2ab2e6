/* What the baseline's solvers take and give. */
#include <stdint.h>

enum { largest = 40, lanes = 8 };

/* No subset within tolerance. */
#define NO_MASK UINT64_MAX

/* Both return the mask that their rule prefers (src/core/subset-sum/problem.ts), or NO_MASK. */
uint64_t solve_fewest(const int32_t *samples, int count, int32_t target, int32_t tolerance);
uint64_t solve_closest(const int32_t *samples, int count, int32_t target, int32_t tolerance);

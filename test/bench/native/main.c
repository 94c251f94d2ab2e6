/*
 * The native baseline as a process: one command a line on stdin, one line of answer each on stdout.
 *
 *     set RULE BITS PRODUCTS COUNT INSTANCES TOLERANCE   makes the instances; answers ok
 *     time MILLISECONDS                                  solves them over and over; answers nanoseconds of processor time a block
 *     masks                                              answers the mask of each instance in hexadecimal, - where there is none
 *     numbers MILLISECONDS                               answers random numbers per second of processor time
 *
 * RULE is 0 for `fewest`, 1 for `closest`. Which numbers an instance has is written in test/bench/instances.mjs.
 */
#include "random.h"
#include "solve.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { instances_max = 1 << 13 };

static int32_t samples[instances_max * largest + 8], factors[instances_max * largest + 8], targets[instances_max + 8];
static int rule, bits, products, count, instances;
static int32_t tolerance;

static double processor_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void set(void) {
  int numbers = (instances * count + 7) & ~7;
  grid_integers(99, 2, bits, numbers, samples);
  grid_integers(7, 3, bits, (instances + 7) & ~7, targets);
  if (!products) return;
  grid_integers(99, 0, bits, numbers, factors);
  int shift = bits <= 12 ? 0 : bits - 1;
  for (int k = 0; k < numbers; k++) {
    int64_t product = (int64_t)samples[k] * factors[k];
    samples[k] = (int32_t)(shift == 0 ? product : (product + ((int64_t)1 << (shift - 1))) >> shift);
  }
}

static uint64_t solve(int instance) {
  const int32_t *block = samples + instance * count;
  return rule == 0 ? solve_fewest(block, count, targets[instance], tolerance)
                   : solve_closest(block, count, targets[instance], tolerance);
}

/* Over whole passes, as the kernel is measured. */
static double nanoseconds_per_block(double milliseconds) {
  volatile uint64_t sink = 0;
  double start = processor_seconds(), spent = 0, done = 0;
  for (; spent < 1e-3 * milliseconds; spent = processor_seconds() - start) {
    for (int k = 0; k < instances; k++) sink = sink + solve(k);
    done += instances;
  }
  return 1e9 * spent / done;
}

static double numbers_per_second(double milliseconds) {
  double start = processor_seconds(), spent = 0, done = 0;
  for (uint64_t seed = 0; spent < 1e-3 * milliseconds; spent = processor_seconds() - start) {
    for (int k = 0; k < 16; k++) grid_integers(seed++, 2, 24, 1 << 14, samples);
    done += 16 << 14;
  }
  return done / spent;
}

int main(void) {
  char line[256];
  double milliseconds;
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "set %d %d %d %d %d %" SCNd32, &rule, &bits, &products, &count, &instances, &tolerance) == 6) {
      if (count < 1 || count > largest || instances < 1 || instances > instances_max) return 2;
      set();
      printf("ok\n");
    } else if (sscanf(line, "time %lf", &milliseconds) == 1) {
      printf("%.3f\n", nanoseconds_per_block(milliseconds));
    } else if (sscanf(line, "numbers %lf", &milliseconds) == 1) {
      printf("%.0f\n", numbers_per_second(milliseconds));
    } else if (strncmp(line, "masks", 5) == 0) {
      for (int instance = 0; instance < instances; instance++) {
        uint64_t mask = solve(instance);
        if (mask == NO_MASK) printf("- ");
        else printf("%" PRIx64 " ", mask);
      }
      printf("\n");
    } else {
      return 2;
    }
    fflush(stdout);
  }
  return 0;
}

// meter.h: the clock, a histogram of times, and what the kernel says of a process.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

// 64 sub-buckets for each power of two of nanoseconds: an error of at most 1.6 per cent.
#define SUB 64
static uint64_t hist[64 * SUB];
static uint64_t hist_count, hist_max;

static inline void hist_clear(void) {
  hist_count = hist_max = 0;
  memset(hist, 0, sizeof hist);
}
static inline void hist_add(uint64_t ns) {
  if (ns > hist_max) hist_max = ns;
  int e = 63 - __builtin_clzll(ns | 1);
  unsigned i = e < 6 ? (unsigned)ns : (unsigned)((e - 5) * SUB + ((ns >> (e - 6)) & (SUB - 1)));
  if (i >= 64 * SUB) i = 64 * SUB - 1;
  hist[i]++;
  hist_count++;
}
static inline double hist_us(double q) {
  uint64_t want = (uint64_t)(q * (double)hist_count), seen = 0;
  for (unsigned i = 0; i < 64 * SUB; i++) {
    seen += hist[i];
    if (seen <= want) continue;
    if (i < SUB) return i / 1000.0;
    int e = (int)(i / SUB) + 5;
    return (double)((((uint64_t)1 << 6) | (i % SUB)) << (e - 6)) / 1000.0;
  }
  return (double)hist_max / 1000.0;
}

static pid_t pids[16];
static int pid_count;

static inline double cpu_seconds_of(pid_t pid) {
  char path[64], buf[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  size_t n = fread(buf, 1, sizeof buf - 1, f);
  fclose(f);
  buf[n] = 0;
  char *p = strrchr(buf, ')');
  unsigned long u = 0, s = 0;
  if (!p) return 0;
  sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s);
  return (double)(u + s) / (double)sysconf(_SC_CLK_TCK);
}
// Of all the processes that -p names.
static inline double cpu_seconds(void) {
  double sum = 0;
  for (int i = 0; i < pid_count; i++) sum += cpu_seconds_of(pids[i]);
  return sum;
}
// The sum of a line of /proc/PID/status, such as VmRSS, in MiB.
static inline double memory_mb(const char *key) {
  long sum = 0;
  for (int i = 0; i < pid_count; i++) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pids[i]);
    FILE *f = fopen(path, "r");
    if (!f) continue;
    while (fgets(line, sizeof line, f))
      if (!strncmp(line, key, strlen(key))) sum += atol(line + strlen(key) + 1);
    fclose(f);
  }
  return (double)sum / 1024.0;
}

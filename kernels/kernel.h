// The calling convention of every kernel: a block of 32-bit words and the range of work one thread takes.
//   void name_f32(const name_params *p, uint32_t begin, uint32_t end)
// The words are buffer addresses followed by parameters; build/kernels.h holds the struct of every kernel, generated from
// the declarations in ts/ops. A kernel neither allocates nor blocks, and gives the same bits however its range is split.
#ifndef ISOTORCH_KERNEL_H
#define ISOTORCH_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd.h"
#include "simd_math.h"

// A 64-bit float in two words of the block; the block is only 4-byte aligned.
typedef struct {
  uint32_t low, high;
} f64w;

static inline double F64(f64w words) {
  double value;
  memcpy(&value, &words, sizeof value);
  return value;
}

#ifdef __wasm__
#define EXPORTED __attribute__((used, visibility("default")))
static inline void *address(uint32_t word) { return (void *)(uintptr_t)word; }
#else
// Native builds (sanitizers) place the buffers of a launch in one arena; words are offsets into it.
#define EXPORTED __attribute__((used))
extern unsigned char *arena;
static inline void *address(uint32_t word) { return arena + word; }
#endif

// Reads a buffer word of the parameter block `p` as a typed pointer.
#define IN(type, field) ((const type *)address(p->field))
#define OUT(type, field) ((type *)address(p->field))

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

// KERNEL(softmax) { ... } defines softmax_<SUFFIX>, e.g. softmax_f32, with parameters p, begin, end.
#define KERNEL(name) \
  EXPORTED void JOIN(name, SUFFIX)(const name##_params *p, uint32_t begin, uint32_t end)
// NAME(helper) gives a static helper its own name in each instantiation.
#define NAME(name) JOIN(name, SUFFIX)
#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

// V8 optimises a function when it is next entered: the loop over a tile must be a call of its own.
#define NOINLINE __attribute__((noinline))
// What runs once for many tiles, or per plane, which compilers would repeat for each condition.
#define SMALL __attribute__((minsize))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ABS(a) ((a) < 0 ? -(a) : (a))

#include "kernels.h"

#endif

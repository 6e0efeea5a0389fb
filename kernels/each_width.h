// Instantiates SOURCE once per element size: S is the unsigned integer of 1, 2, 4 and 8 bytes. For
// kernels that move elements without computing on them, whatever their dtype.
#define S uint8_t
#define SUFFIX b1
#include SOURCE
#undef S
#undef SUFFIX
#define S uint16_t
#define SUFFIX b2
#include SOURCE
#undef S
#undef SUFFIX
#define S uint32_t
#define SUFFIX b4
#include SOURCE
#undef S
#undef SUFFIX
#define S uint64_t
#define SUFFIX b8
#include SOURCE

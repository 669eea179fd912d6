// Markers every numeric header uses.
//   RHEO_HD       compiles the function for host and device
//   RHEO_INLINE   always inlined: what a time loop calls must leave no symbol behind
//   RHEO_ISA      inline namespace of the instruction set this object is compiled for, so that the same template
//                 compiled twice is two symbols and the linker cannot mix them up
#pragma once

#if defined(__CUDACC__)
#define RHEO_HD __host__ __device__
#else
#define RHEO_HD
#endif

#define RHEO_INLINE RHEO_HD __attribute__((always_inline)) inline
// The same for a lambda, where it stands after the parameter list. On the GPU a lambda is what its function is.
#define RHEO_LAMBDA __attribute__((always_inline))

#ifndef RHEO_ISA
#define RHEO_ISA portable
#endif

// RHEO_EACH(M, a, b, c)  ->  M(a) M(b) M(c)          RHEO_LIST(M, a, b, c)  ->  M(a), M(b), M(c)
#define RHEO_PARENS ()
#define RHEO_EXPAND(...) RHEO_EXPAND3(RHEO_EXPAND3(RHEO_EXPAND3(RHEO_EXPAND3(__VA_ARGS__))))
#define RHEO_EXPAND3(...) RHEO_EXPAND2(RHEO_EXPAND2(RHEO_EXPAND2(RHEO_EXPAND2(__VA_ARGS__))))
#define RHEO_EXPAND2(...) RHEO_EXPAND1(RHEO_EXPAND1(RHEO_EXPAND1(RHEO_EXPAND1(__VA_ARGS__))))
#define RHEO_EXPAND1(...) __VA_ARGS__
#define RHEO_EACH(M, ...) __VA_OPT__(RHEO_EXPAND(RHEO_EACH_STEP(M, __VA_ARGS__)))
#define RHEO_EACH_STEP(M, a, ...) M(a) __VA_OPT__(RHEO_EACH_AGAIN RHEO_PARENS(M, __VA_ARGS__))
#define RHEO_EACH_AGAIN() RHEO_EACH_STEP
#define RHEO_LIST(M, ...) __VA_OPT__(RHEO_EXPAND(RHEO_LIST_STEP(M, __VA_ARGS__)))
#define RHEO_LIST_STEP(M, a, ...) M(a) __VA_OPT__(, RHEO_LIST_AGAIN RHEO_PARENS(M, __VA_ARGS__))
#define RHEO_LIST_AGAIN() RHEO_LIST_STEP

const sourceOf = (spins: readonly number[]): string => `constexpr unsigned long spin(unsigned long n) {
  unsigned long x = n;
  for (unsigned long i = 0; i < n; ++i) x = x * 6364136223846793005ul + 1442695040888963407ul;
  return x;
}
constexpr unsigned long table[] = {${spins.map((spin) => `spin(${spin})`).join(", ")}};
unsigned long value(int i) { return table[i & 7]; }
`;

/**
 * C++ source that keeps a compiler busy for some seconds at the front end (3.7 s with gcc 12, 2.5 s with clang 14) and
 * then compiles: long enough to interfere, without a clock.
 */
export const slowSource: string = sourceOf(Array.from({ length: 8 }, (_, index) => 200_000 + index));

/** Half a second of a front end: long enough to be found. */
export const briefSource: string = sourceOf([200_000]);

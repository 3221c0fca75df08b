/** Tries of one reproducer: those that start compilers take 10 ms each. */
const maxTries = 4000;

/**
 * A shorter input for which `fails` still says true: parts are left out, halves first and single bytes last, until
 * nothing can be, or the time is over.
 */
export async function minimise(
  input: Buffer,
  fails: (candidate: Buffer) => Promise<boolean>,
  budgetMs = 15_000,
): Promise<Buffer> {
  const endsAt = performance.now() + budgetMs;
  let best = input;
  let tries = 0;
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < best.length;) {
      if (++tries > maxTries || performance.now() > endsAt) return best;
      const candidate = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (await fails(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}

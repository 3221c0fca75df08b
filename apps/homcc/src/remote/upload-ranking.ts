import type { Digest } from "@homcc/cas/digest";

export interface RankedUpload {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** By how many jobs. */
  readonly wanted: number;
}

/** A heap: the most wanted first, of those the smallest. Adding and taking costs the logarithm of what is in it. */
export class UploadRanking {
  readonly #heap: RankedUpload[] = [];

  add(upload: RankedUpload): void {
    const heap = this.#heap;
    let at = heap.push(upload) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above];
      if (other === undefined || !isBefore(upload, other)) break;
      heap[at] = other;
      at = above;
    }
    heap[at] = upload;
  }

  take(): RankedUpload | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const next = isRight ? right : left;
      if (!isBefore(next, last)) break;
      heap[at] = next;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: RankedUpload, other: RankedUpload): boolean {
  return one.wanted === other.wanted ? one.sizeBytes < other.sizeBytes : one.wanted > other.wanted;
}

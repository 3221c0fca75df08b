#include "almanac/base.h"

static void sift_down(int32_t *values, size_t start, size_t end) {
  for (size_t parent = start, child; (child = 2 * parent + 1) < end; parent = child) {
    if (child + 1 < end && values[child] < values[child + 1]) ++child;
    if (values[parent] >= values[child]) return;
    int32_t kept = values[parent];
    values[parent] = values[child];
    values[child] = kept;
  }
}

void al_heap_sort(int32_t *values, size_t count) {
  for (size_t i = count / 2; i-- > 0;) sift_down(values, i, count);
  for (size_t end = count; end-- > 1;) {
    int32_t largest = values[0];
    values[0] = values[end];
    values[end] = largest;
    sift_down(values, 0, end);
  }
}

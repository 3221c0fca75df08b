#include "almanac/base.h"
#include <ctype.h>
#include <stdlib.h>

/* Compares runs of digits by value and everything else byte by byte: "3.9" is before "3.14". */
int al_compare_versions(const char *left, const char *right) {
  while (*left != '\0' && *right != '\0') {
    if (isdigit((unsigned char)*left) && isdigit((unsigned char)*right)) {
      char *left_end, *right_end;
      unsigned long a = strtoul(left, &left_end, 10), b = strtoul(right, &right_end, 10);
      if (a != b) return a < b ? -1 : 1;
      left = left_end;
      right = right_end;
    } else {
      if (*left != *right) return *left < *right ? -1 : 1;
      ++left;
      ++right;
    }
  }
  return (*left != '\0') - (*right != '\0');
}

/* See watch.c. */
#include <stdint.h>

/* What a whole job may take; 0 is no limit. */
struct bounds {
  uint64_t memory_bytes, processes, written_bytes;
  uint64_t min_free_bytes; /* of the file system it writes to */
};

enum { WATCH_EVERY_MS = 100 };

void watch_folder(const char *folder);
void watch_processes(int all_of_proc);
const char *passed_limit(const struct bounds *bounds);
void stop_processes(void);

/*
 * The compiler of other tools' servers in the benchmark: what homccd's executor `replay` is for homcc. It finds out from
 * its preprocessed input which source that was, waits as long as the recorded compile took, and copies the object.
 *
 * Built with RECORDING (the folder of KEY.o and KEY.ms) and ROOT (what is cut off a source's path).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what, const char *name) {
  fprintf(stderr, "replay-compiler: %s: %s\n", what, name);
  exit(1);
}

/* The name in the first line, `# 0 "/project/src/a.cpp"`, as the path below ROOT with `@` for each `/`. */
static void read_key(const char *input, char *key, size_t size) {
  char line[4096];
  FILE *file = fopen(input, "r");
  if (!file || !fgets(line, sizeof line, file)) fail("cannot read", input);
  fclose(file);
  char *begin = strchr(line, '"');
  char *end = begin ? strchr(begin + 1, '"') : NULL;
  size_t root = strlen(ROOT "/");
  if (!end || strncmp(begin + 1, ROOT "/", root) != 0) fail("no source of " ROOT " in the first line of", input);
  *end = 0;
  snprintf(key, size, "%s", begin + 1 + root);
  for (char *at = key; *at; at++)
    if (*at == '/') *at = '@';
}

static void wait_recorded(const char *key) {
  char path[8192];
  long ms = 0;
  snprintf(path, sizeof path, "%s/%s.ms", RECORDING, key);
  FILE *file = fopen(path, "r");
  if (!file || fscanf(file, "%ld", &ms) != 1) fail("no recorded time", path);
  fclose(file);
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

static void copy_object(const char *key, const char *output) {
  char path[8192];
  struct stat status;
  snprintf(path, sizeof path, "%s/%s.o", RECORDING, key);
  int from = open(path, O_RDONLY);
  if (from < 0 || fstat(from, &status) != 0) fail("no recorded object", path);
  int to = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (to < 0) fail("cannot write", output);
  for (off_t left = status.st_size; left > 0;) {
    ssize_t count = sendfile(to, from, NULL, (size_t)left);
    if (count <= 0) fail("cannot copy to", output);
    left -= count;
  }
}

static int is_preprocessed(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot && (strcmp(dot, ".i") == 0 || strcmp(dot, ".ii") == 0);
}

int main(int argc, char **argv) {
  const char *input = NULL, *output = NULL;
  char key[4096];
  for (int at = 1; at < argc; at++) {
    if (strcmp(argv[at], "-o") == 0 && at + 1 < argc) output = argv[++at];
    else if (argv[at][0] != '-' && is_preprocessed(argv[at])) input = argv[at];
  }
  if (!input || !output) fail("no preprocessed input or no output in the command of", argv[0]);
  read_key(input, key, sizeof key);
  wait_recorded(key);
  copy_object(key, output);
  return 0;
}

/*
 * The compiler of other tools' servers in the benchmark: what homccd's executor `replay` is for homcc. It finds out from
 * its preprocessed input, a file or standard input, which source that was, waits as long as the recorded compile took, and
 * copies the object.
 *
 * Built with ROOT (what is cut off a source's path) and RECORDING (the folder of KEY.o and KEY.ms). Where that folder is
 * out of reach, in icecream's chroot, it is the descriptor RECORDING_FD that the server was started with.
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

static int recording_folder(void) {
  struct stat status;
  if (fstat(RECORDING_FD, &status) == 0 && S_ISDIR(status.st_mode)) return RECORDING_FD;
  int folder = open(RECORDING, O_RDONLY | O_DIRECTORY);
  if (folder < 0) fail("cannot open", RECORDING);
  return folder;
}

static int open_recorded(int folder, const char *key, const char *suffix) {
  char name[8192];
  snprintf(name, sizeof name, "%s.%s", key, suffix);
  int file = openat(folder, name, O_RDONLY);
  if (file < 0) fail("not recorded", name);
  return file;
}

/*
 * The name in the first line, `# 0 "/project/src/a.cpp"`, as the path below ROOT with `@` for each `/`. Reads all of the
 * input: what writes a pipe waits for that.
 */
static void read_key(const char *input, char *key, size_t size) {
  char line[65536];
  FILE *file = input ? fopen(input, "r") : stdin;
  if (!file || !fgets(line, sizeof line, file)) fail("cannot read", input ? input : "standard input");
  char *begin = strchr(line, '"');
  char *end = begin ? strchr(begin + 1, '"') : NULL;
  size_t root = strlen(ROOT "/");
  if (!end || strncmp(begin + 1, ROOT "/", root) != 0) fail("no source of " ROOT " in the first line", line);
  *end = 0;
  snprintf(key, size, "%s", begin + 1 + root);
  for (char *at = key; *at; at++)
    if (*at == '/') *at = '@';
  while (fread(line, 1, sizeof line, file) > 0)
    ;
}

static void wait_recorded(int folder, const char *key) {
  long ms = 0;
  FILE *file = fdopen(open_recorded(folder, key, "ms"), "r");
  if (!file || fscanf(file, "%ld", &ms) != 1) fail("no recorded time", key);
  fclose(file);
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

static void copy_object(int folder, const char *key, const char *output) {
  struct stat status;
  int from = open_recorded(folder, key, "o");
  if (fstat(from, &status) != 0) fail("cannot look at the object of", key);
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
  int has_input = 0;
  char key[4096];
  for (int at = 1; at < argc; at++) {
    if (strcmp(argv[at], "-o") == 0 && at + 1 < argc) output = argv[++at];
    else if (strcmp(argv[at], "-") == 0) has_input = 1;
    else if (argv[at][0] != '-' && is_preprocessed(argv[at])) input = argv[at], has_input = 1;
  }
  if (!has_input || !output) fail("no preprocessed input or no output in the command of", argv[0]);
  int folder = recording_folder();
  read_key(input, key, sizeof key);
  wait_recorded(folder, key);
  copy_object(folder, key, output);
  return 0;
}

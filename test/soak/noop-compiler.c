/*
 * In place of gcc's cc1 and as: what they are asked to compile they copy, with what it includes by "NAME" once, so that the
 * object says from which bytes it was made. Questions (-E and its kin) go to the real cc1, whose path is REAL_CC1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void copy(FILE *out, const char *path, int includes, FILE *report) {
  char line[4096], name[4096], header[8192];
  FILE *in = fopen(path, "r");
  if (!in) {
    fprintf(stderr, "%s: fatal error: cannot be read\n", path);
    exit(1);
  }
  if (report) fprintf(report, " %s", path);
  while (fgets(line, sizeof line, in)) {
    const char *slash = strrchr(path, '/');
    if (!includes || sscanf(line, "#include \"%4095[^\"]\"", name) != 1) {
      fputs(line, out);
      continue;
    }
    snprintf(header, sizeof header, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
    copy(out, header, 1, report);
  }
  fclose(in);
}

int main(int argc, char **argv) {
  const char *output = NULL, *input = NULL, *wanted = getenv("SUNPRO_DEPENDENCIES");
  int assembles = strstr(argv[0], "cc1") == NULL;
  FILE *report = NULL;
  for (int i = 1; i < argc; i++) {
    if (!assembles && (!strcmp(argv[i], "-E") || !strcmp(argv[i], "-M") || !strcmp(argv[i], "--help"))) {
      execv(REAL_CC1, argv);
      return 1;
    }
    if (!strcmp(argv[i], "-o") && i + 1 < argc)
      output = argv[++i];
    else if (assembles ? argv[i][0] != '-' : !strcmp(argv[i], "-quiet"))
      input = argv[assembles ? i : i - 1]; /* the source stands before the second -quiet */
  }
  if (!output || !input) return execv(REAL_CC1, argv);
  FILE *out = fopen(output, "w");
  if (!out) return 1;
  if (!assembles && wanted) {
    char file[4096] = "", target[4096] = "";
    sscanf(wanted, "%4095s %4095s", file, target);
    if ((report = fopen(file, "a"))) fprintf(report, "%s:", target);
  }
  copy(out, input, !assembles, report);
  if (report) fputc('\n', report), fclose(report);
  return fclose(out) != 0;
}

/*
 * The launcher: the program that a build starts once per compile, so it is native and small (about 1 ms, 1 MB).
 *
 * It finds the compiler, hands the call to the user's agent over a Unix socket (docs/launcher-protocol.md), starts
 * that agent when none runs, relays what it says, and ends as the compiler did. Whenever that cannot be done it
 * becomes the compiler itself, unless the user forbids that: a build never breaks because of homcc. apps/homcc/src/launcher.ts is its twin.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST = 0x01, ENDED = 0x02, ACCEPTED = 0x81, STDOUT, STDERR, EXIT, SIGNAL, EXECUTE, RETIRED, SUPERVISE };
enum { NOTICE = 0x8a };
enum { REQUEST_VERSION = 1, MAX_PAYLOAD_BYTES = 8 << 20, MAX_SOCKET_PATH_BYTES = 100, MAX_LOG_BYTES = 4 << 20 };
/* An agent that is alive accepts at once; one that starts on a loaded machine takes a second. */
enum { AGENT_TIMEOUT_S = 10, ATTEMPTS = 3 };
/* How long a reader of our own words may be busy; then it does without them. */
enum { NOTICE_TIMEOUT_MS = 1000 };
/* sysexits.h, and what shells use. */
enum { EX_RECURSION = 64, EX_NO_PROGRAM = 69, EX_CANNOT_EXECUTE = 126, EX_NOT_FOUND = 127 };

static const char safeguard_name[] = "_HOMCC_SAFEGUARD";
/* Tells the command line that its first argument is the name of a masquerade link. */
static const char through_link_name[] = "_HOMCC_THROUGH_LINK";
/* ccache tells in it what it had as stderr: the compiler's own goes into the cache. */
static const char notice_fd_name[] = "UNCACHED_ERR_FD";
extern char **environ;

static char *self_path;      /* without symlinks; NULL when unknown, then there is no agent either */
static struct stat self_stat;
static char *node_path, *agent_path, *command_line_path;
static char *folder, *socket_folder, *socket_path, *log_folder;
static int notice_fd = 2;

/* ---- small things -------------------------------------------------------------------------------------------- */

static void *checked(void *memory) {
  if (memory != NULL) return memory;
  static const char text[] = "homcc: out of memory\n";
  if (write(notice_fd, text, sizeof text - 1) < 0) { /* nowhere to say it */ }
  _exit(EX_CANNOT_EXECUTE);
}

static char *format_list(const char *pattern, va_list arguments) {
  char *text;
  int length = vasprintf(&text, pattern, arguments);
  return checked(length < 0 ? NULL : text);
}

__attribute__((format(printf, 1, 2))) static char *format(const char *pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  char *text = format_list(pattern, arguments);
  va_end(arguments);
  return text;
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value != NULL && *value != '\0' ? value : NULL;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

/* A descriptor above those that the build may have left closed (0, 1, 2) or given a meaning. */
static int moved_up(int fd) {
  if (fd < 0) return fd;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
  int error = errno;
  close(fd);
  errno = error;
  return high;
}

/* ---- our own words ------------------------------------------------------------------------------------------- */

/* Before anything is opened: a number that is closed now could be a descriptor of ours later. */
static void choose_notice_fd(void) {
  const char *value = variable(notice_fd_name);
  if (value == NULL || strlen(value) > 9 || value[strspn(value, "0123456789")] != '\0') return;
  int fd = atoi(value), mode = fcntl(fd, F_GETFL);
  if (fd > 2 && mode >= 0 && (mode & O_ACCMODE) != O_RDONLY) notice_fd = fd;
}

/*
 * Not like what the compiler says: a compile that says nothing itself must not end by a signal, or never, because nobody
 * reads what we say. What does not fit is dropped, and all that would follow. After POLLOUT a pipe has room for PIPE_BUF
 * bytes.
 */
static void notify(const char *bytes, size_t count) {
  void (*build_handler)(int) = signal(SIGPIPE, SIG_IGN);
  while (count > 0 && notice_fd >= 0) {
    struct pollfd room = {.fd = notice_fd, .events = POLLOUT};
    bool has_room = poll(&room, 1, NOTICE_TIMEOUT_MS) > 0 && (room.revents & POLLOUT) != 0;
    ssize_t written = has_room ? write(notice_fd, bytes, count < PIPE_BUF ? count : PIPE_BUF) : -1;
    if (written <= 0) notice_fd = -1; /* waiting once is enough */
    else bytes += written, count -= (size_t)written;
  }
  signal(SIGPIPE, build_handler);
}

__attribute__((format(printf, 1, 2))) static void complain(const char *pattern, ...) {
  va_list arguments;
  va_start(arguments, pattern);
  char *text = format_list(pattern, arguments);
  va_end(arguments);
  notify(text, strlen(text));
  free(text);
}

/* ---- where things are ---------------------------------------------------------------------------------------- */

static void locate_self(void) {
  self_path = realpath("/proc/self/exe", NULL);
  const char *executed = (const char *)getauxval(AT_EXECFN);
  if (self_path == NULL && executed != NULL) self_path = realpath(executed, NULL);
  if (self_path == NULL || stat(self_path, &self_stat) != 0) {
    self_path = NULL;
    return;
  }
  /* bin/homcc and dist/ are neighbours. */
  char *root = checked(strdup(self_path));
  for (int level = 0; level < 2; level++) *strrchr(root, '/') = '\0';
  node_path = format("%s/dist/node", root);
  agent_path = format("%s/dist/agent.mjs", root);
  command_line_path = format("%s/dist/homcc.mjs", root);
}

static char *absolute(const char *path) {
  if (*path == '/') return checked(strdup(path));
  char *cwd = getcwd(NULL, 0);
  char *result = cwd == NULL ? checked(strdup(path)) : format("%s/%s", cwd, path);
  free(cwd);
  return result;
}

static bool is_own_folder(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == getuid();
}

/*
 * Only in a folder of the user's own: kept by `sudo -E`, the variables name another user's, where root would leave a
 * folder that this user can never write to.
 */
static char *state_folder(void) {
  const char *state = variable("XDG_STATE_HOME"), *home = variable("HOME");
  if (state != NULL && *state == '/')
    return is_own_folder(state) || access(state, F_OK) != 0 ? format("%s/homcc", state) : NULL;
  return home != NULL && *home == '/' && is_own_folder(home) ? format("%s/.local/state/homcc", home) : NULL;
}

/* The rules of packages/launch/src/paths.ts. */
static void set_paths(void) {
  const char *given = variable("HOMCC_DIR"), *runtime = variable("XDG_RUNTIME_DIR");
  char *fallback = format("/tmp/homcc-%u", (unsigned)getuid());
  bool usable = runtime != NULL && *runtime == '/' && is_own_folder(runtime);
  char *runtime_folder = usable ? format("%s/homcc", runtime) : fallback;
  folder = socket_folder = given != NULL ? format("%s/run", absolute(given)) : runtime_folder;
  log_folder = given != NULL ? NULL : state_folder();
  if (log_folder == NULL) log_folder = folder;
  socket_path = format("%s/agent.sock", folder);
  if (strlen(socket_path) <= MAX_SOCKET_PATH_BYTES) return;
  uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
  for (const char *c = folder; *c != '\0'; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
  socket_folder = runtime_folder;
  socket_path = format("%s/%016llx.sock", socket_folder, (unsigned long long)hash);
  if (strlen(socket_path) <= MAX_SOCKET_PATH_BYTES) return;
  socket_folder = fallback;
  socket_path = format("%s/%016llx.sock", socket_folder, (unsigned long long)hash);
}

/* Nobody else can put a socket or a log there. Not through a symbolic link: in /tmp somebody else could have made it. */
static bool is_private(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == getuid() &&
         (status.st_mode & 077) == 0;
}

static bool prepare_private(const char *path) {
  if (is_private(path)) return true;
  char *part = checked(strdup(path));
  for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(part, 0700);
    *slash = '/';
  }
  mkdir(part, 0700);
  free(part);
  struct stat status;
  if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != getuid()) return false;
  return (status.st_mode & 077) == 0 || chmod(path, 0700) == 0;
}

/* ---- which compiler ------------------------------------------------------------------------------------------ */

struct compiler {
  char *path;  /* absolute */
  char *name;  /* its argv[0] */
};

/* Real path of a program as it stands in _HOMCC_SAFEGUARD, where ':' separates. */
static char *safeguard_entry(const char *program) {
  char *entry = realpath(program, NULL);
  if (entry == NULL) entry = checked(strdup(program));
  for (char *c = entry; *c != '\0'; c++)
    if (*c == ':') *c = '?';
  return entry;
}

static bool is_self(const char *program) {
  struct stat status;
  return self_path != NULL && stat(program, &status) == 0 && status.st_dev == self_stat.st_dev &&
         status.st_ino == self_stat.st_ino;
}

/* True for homcc and for a program that homcc has started further up: to start it again would be a circle. */
static bool is_circular(const char *program) {
  if (is_self(program)) return true;
  const char *list = variable(safeguard_name);
  if (list == NULL) return false;
  char *entry = safeguard_entry(program);
  size_t length = strlen(entry);
  bool found = false;
  while (list != NULL && !found) {
    size_t span = strcspn(list, ":");
    found = span == length && memcmp(list, entry, span) == 0;
    list = list[span] == ':' ? list + span + 1 : NULL;
  }
  free(entry);
  return found;
}

static bool is_program(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* The program `name` in the first folder of `path`, which moves behind that folder; NULL at the end. */
static char *next_program(const char *name, const char **path) {
  while (*path != NULL) {
    size_t span = strcspn(*path, ":");
    char *program = span == 0 ? format("./%s", name) : format("%.*s/%s", (int)span, *path, name);
    *path = (*path)[span] == ':' ? *path + span + 1 : NULL;
    if (is_program(program)) return program;
    free(program);
  }
  return NULL;
}

static _Noreturn void refuse_recursion(const char *name) {
  complain("[HOMCC-ERROR] Specified compiler '%s' has been invoked recursively!\n", name);
  exit(EX_RECURSION);
}

/*
 * A link whose name is a compiler's, or a program's that PATH has too, stands for that program; any other name is just
 * another name of homcc.
 */
static bool is_masquerade(const char *name) {
  if (strncmp(name, "homcc", 5) == 0) return false;
  if (strstr(name, "cc") != NULL || strstr(name, "++") != NULL || strstr(name, "clang") != NULL) return true;
  const char *path = getenv("PATH");
  for (char *program; (program = next_program(name, &path)) != NULL; free(program))
    if (!is_self(program)) return true;
  return false;
}

/*
 * A masquerade link stands for the next program of its name behind the folder of the link, so that what the user put
 * before it (ccache, a wrapper) is not started a second time; only if there is none, for any other of that name.
 */
static struct compiler find_compiler(const char *word, bool through_link) {
  if (strchr(word, '/') != NULL) {
    if (is_circular(word)) refuse_recursion(word);
    return (struct compiler){absolute(word), checked(strdup(word))};
  }
  const char *path = getenv("PATH");
  if (path == NULL) path = "/bin:/usr/bin";
  char *first = NULL, *chosen = NULL, *behind = NULL, *program;
  bool link_seen = false;
  while (*word != '\0' && (program = next_program(word, &path)) != NULL) {
    if (first == NULL) first = program;
    bool circular = is_circular(program);
    if (!circular && chosen == NULL) chosen = program;
    if (!circular && link_seen && behind == NULL) behind = program;
    if (through_link ? behind != NULL : chosen != NULL) break;
    link_seen = link_seen || is_self(program);
  }
  if (through_link && behind != NULL) chosen = behind;
  if (chosen == NULL && first != NULL) refuse_recursion(word);
  if (chosen == NULL && through_link) refuse_recursion(word);
  if (chosen == NULL) {
    complain("homcc: %s: command not found\n", word);
    exit(EX_NOT_FOUND);
  }
  char *compiler = absolute(chosen);
  /* gcc looks for its parts beside the first program of its argv[0] in PATH: that must be gcc, not the link. */
  return (struct compiler){compiler, checked(strdup(chosen == first ? word : compiler))};
}

/* ---- ends ---------------------------------------------------------------------------------------------------- */

static _Noreturn void become(const char *program, char **argv) {
  char *entry = safeguard_entry(program);
  const char *list = variable(safeguard_name);
  if (!is_circular(program)) setenv(safeguard_name, list == NULL ? entry : format("%s:%s", list, entry), 1);
  execv(program, argv);
  if (errno == ENOEXEC) {
    /* A script without a first line that names its interpreter: shells run it themselves. */
    size_t count = 0;
    while (argv[count] != NULL) count++;
    char **script = checked(calloc(count + 2, sizeof *script));
    script[0] = "sh";
    script[1] = (char *)program;
    for (size_t i = 1; i < count; i++) script[i + 1] = argv[i];
    execv("/bin/sh", script);
  }
  int error = errno;
  complain("homcc: %s: %s\n", program, strerror(error));
  exit(error == ENOENT || error == ENOTDIR ? EX_NOT_FOUND : EX_CANNOT_EXECUTE);
}

static _Noreturn void die_by(int number) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0); /* a core_pattern that is a pipe does not ask for the limit */
  signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  /* One that only stops would leave a build waiting for ever. */
  if (number != SIGSTOP && number != SIGTSTP && number != SIGTTIN && number != SIGTTOU) raise(number);
  _exit(128 + number);
}

/* Our own options, and work without an agent, are the TypeScript command line's. Returns when it cannot be started. */
static void become_command_line(char **arguments, const char *link) {
  if (self_path == NULL || access(command_line_path, R_OK) != 0) return;
  size_t count = 0, next = 0;
  while (arguments[count] != NULL) count++;
  char **argv = checked(calloc(count + 4, sizeof *argv));
  argv[next++] = node_path;
  argv[next++] = command_line_path;
  if (link != NULL) argv[next++] = (char *)link;
  memcpy(argv + next, arguments, count * sizeof *argv);
  if (link != NULL) setenv(through_link_name, "1", 1);
  if (notice_fd <= 2) unsetenv(notice_fd_name); /* it means nothing, but Node may have that number open */
  execv(node_path, argv);
  unsetenv(through_link_name);
  free(argv);
}

/* ---- when compiling here may be forbidden -------------------------------------------------------------------- */

static const char *const forbidding_keys[] = {"no_local_compilation", "strict_sandbox"};
static const char *const forbidding_variables[] = {"HOMCC_NO_LOCAL_COMPILATION", "HOMCC_STRICT_SANDBOX"};
enum { MAX_CONFIGURATION_BYTES = 1 << 20 };

/* Whether homcc.conf in that folder names one of the keys, with whatever value. */
static bool mentions_forbidding(const char *folder_name) {
  int fd = open(format("%s/homcc.conf", folder_name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  char *text = checked(malloc(MAX_CONFIGURATION_BYTES + 1));
  size_t length = 0;
  for (ssize_t count = 1; count > 0 && length < MAX_CONFIGURATION_BYTES; length += count > 0 ? (size_t)count : 0)
    count = read(fd, text + length, MAX_CONFIGURATION_BYTES - length);
  close(fd);
  for (size_t i = 0; i < length; i++)
    if (text[i] == '\0') text[i] = ' ';
  text[length] = '\0';
  bool found = false;
  for (size_t i = 0; i < sizeof forbidding_keys / sizeof *forbidding_keys; i++)
    found = found || strcasestr(text, forbidding_keys[i]) != NULL;
  free(text);
  return found;
}

/*
 * Only a guess, and never a no where it is forbidden: what the variables and files come to the command line finds out, which reads
 * them. packages/config/src/files.ts has the folders.
 */
static bool may_forbid_local(void) {
  for (size_t i = 0; i < sizeof forbidding_variables / sizeof *forbidding_variables; i++)
    if (variable(forbidding_variables[i]) != NULL) return true;
  const char *given = variable("HOMCC_DIR"), *home = variable("HOME");
  if (given != NULL && mentions_forbidding(given)) return true;
  if (home == NULL) return true; /* the account's, which costs a look into its database */
  return mentions_forbidding(format("%s/.homcc", home)) || mentions_forbidding(format("%s/.config/homcc", home)) ||
         mentions_forbidding("/etc/homcc");
}

/* As packages/config/src/values.ts reads a variable. */
static bool is_forbidden_by_variable(void) {
  const char *value = variable(forbidding_variables[0]);
  return value != NULL && (*value == '1' || strncasecmp(value, "yes", 3) == 0 || strncasecmp(value, "true", 4) == 0 ||
                           strcasecmp(value, "on") == 0);
}

/* ---- the request --------------------------------------------------------------------------------------------- */

struct buffer {
  char *bytes;
  size_t length, capacity;
};

static void put(struct buffer *buffer, const void *bytes, size_t count) {
  if (buffer->length + count > buffer->capacity) {
    buffer->capacity = 2 * (buffer->length + count);
    buffer->bytes = checked(realloc(buffer->bytes, buffer->capacity));
  }
  memcpy(buffer->bytes + buffer->length, bytes, count);
  buffer->length += count;
}

static void put_number(struct buffer *buffer, uint32_t value, int count) {
  unsigned char bytes[4] = {value, value >> 8, value >> 16, value >> 24};
  put(buffer, bytes, count);
}

static uint32_t number_at(const void *position) {
  const unsigned char *byte = position;
  return byte[0] | byte[1] << 8 | byte[2] << 16 | (uint32_t)byte[3] << 24;
}

static void put_string(struct buffer *buffer, const char *text) {
  put_number(buffer, strlen(text), 4);
  put(buffer, text, strlen(text));
}

static void put_strings(struct buffer *buffer, char **texts) {
  uint32_t count = 0;
  while (texts[count] != NULL) count++;
  put_number(buffer, count, 4);
  for (uint32_t i = 0; i < count; i++) put_string(buffer, texts[i]);
}

static void put_terminals(struct buffer *buffer) {
  struct winsize sizes[3] = {0};
  uint32_t present = 0;
  for (int fd = 0; fd < 3; fd++) {
    if (!isatty(fd)) continue;
    present |= 1u << fd;
    ioctl(fd, TIOCGWINSZ, &sizes[fd]);
  }
  if (isatty(notice_fd)) present |= 1u << 3;
  put_number(buffer, present, 1);
  for (int fd = 0; fd < 3; fd++) {
    put_number(buffer, sizes[fd].ws_col, 2);
    put_number(buffer, sizes[fd].ws_row, 2);
  }
}

static char *agent_identity(void) {
  struct stat status;
  if (stat(agent_path, &status) != 0) return NULL;
  return format("%llu:%llu:%llu:%lld", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino,
                (unsigned long long)status.st_size,
                (long long)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec);
}

static char *root_identity(void) {
  struct stat root = {0};
  char namespace[64];
  stat("/", &root);
  ssize_t length = readlink("/proc/self/ns/mnt", namespace, sizeof namespace);
  return format("%llu:%llu:%.*s", (unsigned long long)root.st_dev, (unsigned long long)root.st_ino,
                (int)(length < 0 ? 0 : length), namespace);
}

/* False when the call cannot be described: no working folder, or more than a frame holds. */
static bool build_request(struct buffer *buffer, const char *identity, struct compiler compiler, char **argv) {
  char *cwd = getcwd(NULL, 0);
  if (cwd == NULL || *cwd != '/') return false; /* "(unreachable)…" */
  mode_t mask = umask(0);
  umask(mask);
  put_number(buffer, 0, 4);
  put_number(buffer, REQUEST, 1);
  put_number(buffer, REQUEST_VERSION, 1);
  put_string(buffer, identity);
  put_string(buffer, root_identity());
  put_number(buffer, getpid(), 4);
  put_number(buffer, mask, 4);
  put_terminals(buffer);
  put_string(buffer, compiler.path);
  put_string(buffer, cwd);
  put_strings(buffer, argv);
  put_strings(buffer, environ);
  put_number(buffer, 0, 4); /* options: a command line that has any is run by the twin */
  pid_t session = getsid(0);
  put_number(buffer, session < 0 ? 0 : (uint32_t)session, 4);
  size_t payload = buffer->length - 5;
  for (int i = 0; i < 4; i++) buffer->bytes[i] = (char)(payload >> 8 * i);
  return payload <= MAX_PAYLOAD_BYTES;
}

/* ---- the agent ----------------------------------------------------------------------------------------------- */

static void socket_address(struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, socket_path, strlen(socket_path));
}

static void limit_waiting(int fd, int seconds) {
  struct timeval limit = {seconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit); /* connect(2) keeps to it too */
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static int connect_agent(void) {
  if (!is_private(socket_folder)) return -1;
  int fd = moved_up(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd < 0) return -1;
  struct sockaddr_un address;
  socket_address(&address);
  limit_waiting(fd, AGENT_TIMEOUT_S);
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == getuid())
    return fd;
  close(fd);
  return -1;
}

static void interrupt(int number) { (void)number; }

/* The lock's descriptor, or -1. The holder needs milliseconds, but it may be stopped (Ctrl-Z). */
static int lock_start(void) {
  char *path = format("%s/agent.lock", folder);
  int fd = moved_up(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  free(path);
  if (fd < 0) return -1;
  struct sigaction action = {.sa_handler = interrupt}, previous_action;
  sigaction(SIGALRM, &action, &previous_action);
  unsigned previous_alarm = alarm(AGENT_TIMEOUT_S);
  int result = flock(fd, LOCK_EX);
  alarm(previous_alarm);
  sigaction(SIGALRM, &previous_action, NULL);
  if (result == 0) return fd;
  close(fd);
  return -1;
}

/* Nobody else can write there: what lies in it is run and shown. */
static const char *own_log_folder(void) { return prepare_private(log_folder) ? log_folder : folder; }

/* The agent goes on with that: it keeps the log short while it lives. */
static int open_log(void) {
  char *path = format("%s/agent.log", own_log_folder());
  struct stat status;
  if (stat(path, &status) == 0 && status.st_size > MAX_LOG_BYTES) rename(path, format("%s.1", path));
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  return moved_up(fd >= 0 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC));
}

/* What decides about folders and nothing else: everything about a job comes with the job. */
static char **agent_environment(void) {
  static const char *const kept[] = {"HOME",           "USER",          "HOMCC_DIR",
                                     "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
                                     "XDG_STATE_HOME"};
  char **result = checked(calloc(sizeof kept / sizeof *kept + 8, sizeof *result));
  size_t count = 0;
  result[count++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  result[count++] = "LANG=C";
  result[count++] = "UV_THREADPOOL_SIZE=16"; /* half of them may hang in look-ups of names (decision 0023) */
  /* An idle agent is small: apps/homcc/src/idle-memory.ts. */
  result[count++] = "MALLOC_ARENA_MAX=1";
  result[count++] = "MALLOC_MMAP_THRESHOLD_=65536";
  result[count++] = "MALLOC_TRIM_THRESHOLD_=65536";
  result[count++] = format("NODE_COMPILE_CACHE=%s/agent.code", own_log_folder()); /* start-agent.ts */
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    const char *value = variable(kept[i]);
    if (value == NULL) continue;
    bool relative = strcmp(kept[i], "HOMCC_DIR") == 0;
    result[count++] = format("%s=%s", kept[i], relative ? absolute(value) : value);
  }
  return result;
}

/* The build's limits are not the agent's: `ulimit -t 60` would end it in the middle of somebody else's job. */
static void raise_limits(void) {
  static const int kinds[] = {RLIMIT_AS,  RLIMIT_CPU,    RLIMIT_DATA,  RLIMIT_FSIZE,
                              RLIMIT_RSS, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_MEMLOCK};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    struct rlimit limit;
    if (getrlimit(kinds[i], &limit) != 0) continue;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(kinds[i], &limit);
  }
}

static void close_from(unsigned first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
#endif
  long count = sysconf(_SC_OPEN_MAX);
  for (long fd = first; fd < (count > 0 ? count : 1024); fd++) close((int)fd);
}

/* In a child of init with its own session: nothing of the build is left but the listening socket. */
static _Noreturn void become_agent(int listener, const char *identity) {
  int log = open_log(), null = moved_up(open("/dev/null", O_RDONLY | O_CLOEXEC));
  char **environment = agent_environment(); /* while the working folder is the launcher's */
  if (dup2(listener, 3) < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || chdir("/") != 0)
    _exit(EX_CANNOT_EXECUTE);
  close_from(4);
  raise_limits();
  umask(077);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  char *argv[] = {node_path, "--max-semi-space-size=4", agent_path,   "--listen-fd",    "3",
                  "--socket", socket_path,          "--identity", (char *)identity, NULL};
  execve(node_path, argv, environment);
  dprintf(2, "homcc: %s: %s\n", node_path, strerror(errno));
  _exit(EX_CANNOT_EXECUTE);
}

/*
 * The launcher listens and the agent inherits the socket, so that the socket is there before the agent is: whoever
 * connects meanwhile waits in its backlog. Only under the lock.
 */
static bool start_agent(const char *identity) {
  if (access(node_path, X_OK) != 0) return false;
  int listener = moved_up(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (listener < 0) return false;
  struct sockaddr_un address;
  socket_address(&address);
  unlink(socket_path); /* nobody listens there any more */
  mode_t mask = umask(077);
  bool listens = bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 4096) == 0;
  umask(mask);
  pid_t child = listens ? fork() : -1;
  if (child == 0) {
    setsid();
    pid_t grandchild = fork();
    if (grandchild == 0) become_agent(listener, identity);
    _exit(grandchild < 0);
  }
  int status = 0;
  if (child > 0)
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  close(listener);
  return child > 0 && status == 0;
}

/* A connection to the agent, or -1; `started` tells whether this call started it. */
static int reach_agent(const char *identity, bool *started) {
  *started = false;
  int fd = connect_agent();
  if (fd >= 0 || !prepare_private(folder) || !prepare_private(socket_folder)) return fd;
  int lock = lock_start();
  if (lock < 0) return -1;
  fd = connect_agent();
  if (fd < 0 && start_agent(identity)) {
    *started = true;
    fd = connect_agent();
  }
  flock(lock, LOCK_UN);
  close(lock);
  return fd;
}

/* ---- the conversation ---------------------------------------------------------------------------------------- */

static bool read_fully(int fd, void *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t got = read(fd, (char *)bytes + done, count - done);
    if (got == 0 || (got < 0 && errno != EINTR)) return false;
    if (got > 0) done += (size_t)got;
  }
  return true;
}

/* SIGPIPE stays as the build set it: a compiler would die of it too. */
static bool send_fully(int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return false;
    if (sent > 0) bytes += sent, count -= (size_t)sent;
  }
  return true;
}

/* What cannot be written (a closed descriptor, a full disk) is lost, as it is for a compiler. */
static void emit(int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(fd, bytes, count);
    if (written > 0) {
      bytes += written, count -= (size_t)written;
    } else if (written < 0 && errno == EAGAIN) {
      struct pollfd writable = {.fd = fd, .events = POLLOUT};
      poll(&writable, 1, -1);
    } else if (written == 0 || errno != EINTR) {
      return;
    }
  }
}

static bool relay(int fd, int target, size_t count) {
  static char bytes[65536];
  while (count > 0) {
    size_t part = count < sizeof bytes ? count : sizeof bytes;
    if (!read_fully(fd, bytes, part)) return false;
    emit(target, bytes, part);
    count -= part;
  }
  return true;
}

/* Cuts the next string out of the payload; NULL when it is cut off or holds a NUL. */
static char *take_string(const char **position, const char *end) {
  if (end - *position < 4) return NULL;
  uint32_t length = number_at(*position);
  const char *start = *position + 4;
  if (length > (size_t)(end - start) || memchr(start, 0, length) != NULL) return NULL;
  *position = start + length;
  return checked(strndup(start, length));
}

struct command {
  char *program; /* NULL when the payload was malformed */
  char **argv;
};

/* Without words it stands for the launcher's own command, byte for byte. */
static struct command take_command(const char *payload, size_t length, struct compiler own, char **own_argv) {
  const struct command malformed = {NULL, NULL};
  const char *position = payload, *end = payload + length;
  char *program = take_string(&position, end);
  if (program == NULL || end - position < 4) return malformed;
  uint32_t count = number_at(position);
  position += 4;
  if (count > (size_t)(end - position) / 4) return malformed;
  if (count == 0) return (struct command){own.path, own_argv};
  char **argv = checked(calloc(count + 1, sizeof *argv));
  for (uint32_t i = 0; i < count; i++)
    if ((argv[i] = take_string(&position, end)) == NULL) return malformed;
  return (struct command){program, argv};
}

/* Returns when the payload is malformed. The connection stays open: its end tells the agent of the compiler's. */
static void execute(int fd, struct command command) {
  if (command.program == NULL) return;
  fcntl(fd, F_SETFD, 0);
  become(command.program, command.argv);
}

/* Runs the command as a child and tells the agent how it ended. The child does not outlive us. */
static bool supervise(int fd, struct command command) {
  if (command.program == NULL) return false;
  pid_t launcher = getpid();
  void (*build_handler)(int) = signal(SIGCHLD, SIG_DFL); /* ignored, it would take the child's end from us */
  pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    signal(SIGCHLD, build_handler);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != launcher) _exit(EX_CANNOT_EXECUTE);
    become(command.program, command.argv);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return false;
  struct buffer frame = {0};
  put_number(&frame, 4, 4);
  put_number(&frame, ENDED, 1);
  put_number(&frame, WIFSIGNALED(status) ? 256 + (uint32_t)WTERMSIG(status) : (uint32_t)WEXITSTATUS(status), 4);
  bool sent = send_fully(fd, frame.bytes, frame.length);
  free(frame.bytes);
  return sent;
}

enum ending { BEFORE_ACCEPTED, TIMED_OUT, AFTER_ACCEPTED, SENT_AWAY };

/* Ends the process as the agent says; returns how the conversation ended when it ended without a verdict. */
static enum ending converse(int fd, const struct buffer *request, struct compiler compiler, char **argv) {
  bool accepted = false;
  errno = 0;
  if (!send_fully(fd, request->bytes, request->length)) return errno == EAGAIN ? TIMED_OUT : BEFORE_ACCEPTED;
  for (;;) {
    unsigned char header[5], number[4];
    errno = 0;
    if (!read_fully(fd, header, sizeof header))
      return accepted ? AFTER_ACCEPTED : errno == EAGAIN ? TIMED_OUT : BEFORE_ACCEPTED;
    size_t length = number_at(header);
    int type = header[4];
    if (length > MAX_PAYLOAD_BYTES) return AFTER_ACCEPTED;
    if (type == ACCEPTED) {
      accepted = true;
      limit_waiting(fd, 0);
    }
    if (type == STDOUT || type == STDERR) {
      if (!relay(fd, type == STDOUT ? 1 : 2, length)) return AFTER_ACCEPTED;
      continue;
    }
    char *payload = checked(malloc(length + 1));
    if (!read_fully(fd, payload, length)) return AFTER_ACCEPTED;
    memcpy(number, payload, length < 4 ? 0 : 4);
    uint32_t value = length < 4 ? UINT32_MAX : number_at(number);
    if (type == EXIT && value <= 255) exit((int)value);
    if (type == SIGNAL && value >= 1 && value <= 64) die_by((int)value);
    if (type == NOTICE) notify(payload, length);
    if (type == EXECUTE) execute(fd, take_command(payload, length, compiler, argv));
    bool goes_on = type == SUPERVISE && supervise(fd, take_command(payload, length, compiler, argv));
    free(payload);
    if (type == RETIRED) return SENT_AWAY;
    if (type != ACCEPTED && type != NOTICE && !goes_on) return AFTER_ACCEPTED;
  }
}

/* Returns when no agent served the call. */
static void ask_agent(struct compiler compiler, char **argv) {
  if (self_path == NULL) return;
  set_paths();
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    struct buffer request = {0};
    bool started;
    char *identity = agent_identity(); /* again each time: an upgrade may be under way */
    if (identity == NULL || !build_request(&request, identity, compiler, argv)) return;
    int fd = reach_agent(identity, &started);
    if (fd < 0) return;
    enum ending ending = converse(fd, &request, compiler, argv);
    close(fd);
    free(request.bytes);
    /* An agent may end between our connect and its accept; one that we started and that ends at once is broken. */
    if (ending != SENT_AWAY && (ending != BEFORE_ACCEPTED || started)) return;
  }
}

/* The words of homcc's own that are no options; a compiler of that name is called by its path, as in `./status`. */
static bool is_own_word(const char *word) {
  return strcmp(word, "status") == 0 || strcmp(word, "stats") == 0 || strcmp(word, "doctor") == 0 ||
         strcmp(word, "audit") == 0 || strcmp(word, "pair") == 0;
}

int main(int argc, char **argv) {
  static char *no_arguments[] = {NULL};
  const char *name = argc > 0 ? base_name(argv[0]) : "homcc";
  choose_notice_fd();
  locate_self();
  bool through_link = is_masquerade(name);
  bool without_agent = variable("HOMCC_NO_AGENT") != NULL;
  char **arguments = argc > 0 ? argv + 1 : no_arguments;
  if (!through_link && (arguments[0] == NULL || arguments[0][0] == '-' || is_own_word(arguments[0]))) {
    become_command_line(arguments, NULL);
    complain("[HOMCC-ERROR] %s %s cannot be started\n", node_path == NULL ? "node" : node_path,
             command_line_path == NULL ? "homcc.mjs" : command_line_path);
    return EX_NO_PROGRAM;
  }
  if (without_agent) become_command_line(arguments, through_link ? name : NULL);
  char **command = through_link ? argv : arguments;
  char *word = command[0];
  struct compiler compiler = find_compiler(through_link ? name : command[0], through_link);
  command[0] = compiler.name;
  if (!without_agent) ask_agent(compiler, command);
  if (may_forbid_local()) {
    /* It does the agent's work itself, and refuses as the agent would have. */
    setenv("HOMCC_NO_AGENT", "1", 1);
    command[0] = word;
    if (!without_agent) become_command_line(arguments, through_link ? name : NULL);
    command[0] = compiler.name;
    if (is_forbidden_by_variable()) {
      complain("[HOMCC-ERROR] no agent, and %s cannot be started. Local compilation is forbidden.\n",
               command_line_path == NULL ? "homcc.mjs" : command_line_path);
      return EX_NO_PROGRAM;
    }
  }
  become(compiler.path, command);
}

/*
 * The job runner of homccd: namespaces, mounts, terminals, limits and kills, which Node cannot do.
 *
 *     runner namespace SESSION TOOLCHAINS [SHARE...]     jobs see a root made of layers, and nothing else
 *     runner plain                                       jobs see the server's own root (fork, exec and limits only)
 *     runner inside                                      the same, started through schroot or docker: what starts it there is
 *                                                        not homccd and may end before it, so that only the end of stdin counts
 *     runner door …, runner through …                    see door.c
 *     runner walls                                       prints the version of Landlock here, 0 where there is none
 *     runner --version
 *
 * One per client session, started by homccd as an ordinary user (root works too). SESSION is the folder that holds the
 * session's layers and job folders, TOOLCHAINS the one that holds toolchain layers, SHARE a folder that every job sees
 * read-only at the same path. At start it enters a user namespace (its own uid and gid only) with its own mount, pid,
 * network, ipc and uts namespaces, and makes itself a root that holds only: /s (SESSION), /t (TOOLCHAINS), devices,
 * shares, a pty file system, /proc. It is pid 1 there, so the kernel ends all jobs when it ends, and it ends with homccd.
 *
 * Per job: clone into new mount and pid namespaces. Pid 1 of those is `job_init`, which mounts a fresh overlay
 *     lowerdir = layers, newest first, relative to /s, or below /t      upperdir = FOLDER/upper      workdir = FOLDER/work
 * makes it the root, runs the steps without capabilities and behind the walls of confine.c, watches what they take (watch.c),
 * kills what they left, reports and exits.
 * Measured with 4 layers on 2 cores, Linux 6.18: 1.3 ms of CPU per job with the session on tmpfs, 1.9 ms on ext4 (where the
 * overlay prepares its work folder), fork and exec alone 0.8 ms; 28 more layers take 1 ms:
 *     node packages/execution/src/runner.bench.ts
 *
 * Control channel: frames on stdin and stdout, `u32 length` and that many bytes; numbers are little-endian; a string is
 * `u32 length` (its NUL included) and its bytes with the NUL; a list is `u32 count` and its members.
 * packages/execution/src/runner-codec.ts is the other side. Malformed input ends the runner.
 *
 *   to the runner    run     u8 'R', u32 id, string folder, string layers, list of string absent, string cwd, u32 umask,
 *                            u8 terminals (bit n: descriptor n is one), u16 columns, u16 rows, u64 limit of each text,
 *                            list of (u32 resource, u64 limit),
 *                            u64 each of all its processes' memory, their number, bytes written, bytes kept free (watch.h),
 *                            list of string readable (without namespaces: all that it may read besides its folder; confine.c),
 *                            list of string environment,
 *                            list of (string program, list of string argv) steps
 *                    cancel  u8 'C', u32 id (an unknown one is ignored: the job may just have ended)
 *   from the runner  ready   u8 'S', u32 process number where it was started: /proc/NUMBER/root has the root made below
 *                    done    u8 'D', u32 id, u32 outcome, u32 value, u64 CPU microseconds, u32 maximum RSS in KiB, string text
 *                            outcome 0: steps ended, value is the wait status of the last one that ran
 *                                    1: could not be run, value is errno, text the failing call
 *                                    2: killed (cancelled, or by the kernel for lack of memory)
 *                                    3: took more than the job as a whole may, text says of what
 *
 * A job's stdout and stderr are FOLDER/stdout and FOLDER/stderr; FOLDER and its upper/ and work/ exist beforehand.
 * Descriptors that are terminals share one pty in raw mode: its output is FOLDER/stderr, or FOLDER/stdout if 2 is none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "door.h"
#include "watch.h"

enum { MAX_FRAME_BYTES = 16 << 20, MAX_STEPS = 64, MAX_SHARES = 16, RESERVED_TEXT_BYTES = 16384 };
enum outcome { ENDED, FAILED, KILLED, LIMITED };

struct step {
  char *program, **argv;
};

struct request {
  uint32_t id, umask, step_count, limit_count;
  char *folder, *layers, *cwd, **absent, **readable, **environment;
  uint8_t terminals;
  struct winsize size;
  uint64_t terminal_output_limit;
  struct { uint32_t resource; uint64_t limit; } limits[RLIM_NLIMITS];
  struct bounds bounds;
  struct step steps[MAX_STEPS];
};

/* What a job tells the runner through its pipe, in one write; the first one counts. */
struct report {
  uint32_t outcome, value;
  char text[248];
};

struct job {
  uint32_t id;
  pid_t pid;
  int pidfd, report;
};

static int plain, inside;
static char **shares;
static int share_count;
static struct job *jobs;
static struct pollfd *polled; /* [0] is stdin, [n + 1] the pidfd of jobs[n] */
static size_t job_count, job_capacity;
static int report_pipe; /* in a job */
static uint32_t own_number;

static void serve(void);
static void make_room(void);
static void take_frames(char *buffer, size_t *filled);
static void start_job(const struct request *request);
static void finish_job(size_t index);
static void stop(void);
static void job_init(const struct request *request);

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(1);
}

/* ---- start ---- */

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die(path);
  close(fd);
}

static void enter_namespaces(void) {
  char map[64];
  unsigned uid = getuid(), gid = getgid();
  if (unshare(CLONE_NEWUSER) < 0) die("unshare(CLONE_NEWUSER)");
  write_file("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "%u %u 1", uid, uid);
  write_file("/proc/self/uid_map", map);
  snprintf(map, sizeof map, "%u %u 1", gid, gid);
  write_file("/proc/self/gid_map", map);
  if (unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
    die("unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)");
}

/* Goes on as pid 1 of the new pid namespace; the calling process only waits for it and dies with homccd. */
static void become_pid_1(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a parent that died just before this has closed our stdin: `serve` ends */
    return;
  }
  int status;
  close(0), close(1);
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) _exit(1);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void bind_mount(const char *source, const char *target, int read_only) {
  struct statvfs status;
  char what[512];
  snprintf(what, sizeof what, "mount %s", source);
  if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0) die(what);
  if (!read_only) return;
  /* Flags of the original mount are locked in a user namespace: repeat them. ST_* and MS_* have equal values here. */
  if (statvfs(target, &status) < 0) die(what);
  unsigned long locked = status.f_flag & (ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME | ST_NODIRATIME | ST_RELATIME);
  if (mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | locked, NULL) < 0) die(what);
}

static void make_folder(const char *path) {
  if (mkdir(path, 0755) < 0 && errno != EEXIST) die(path);
}

static const char *const devices[] = {"dev/null", "dev/zero", "dev/full", "dev/random", "dev/urandom", "dev/tty", NULL};

/* The root described above, built on a small tmpfs over SESSION/root. Few mounts: each job's namespace copies them. */
static void make_runner_root(const char *session, const char *toolchains) {
  char path[4200];
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) die("mount --make-rprivate /");
  if (chdir(session) < 0) die(session);
  make_folder("root");
  if (mount("tmpfs", "root", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m,nr_inodes=128") < 0) die("mount tmpfs");
  if (chdir("root") < 0) die("root");
  const char *const folders[] = {"s", "t", "m", "proc", "pts", "dev", "share", NULL};
  for (int i = 0; folders[i]; i++) make_folder(folders[i]);
  bind_mount(session, "s", 0);
  bind_mount(toolchains, "t", 0);
  bind_mount("/proc", "proc", 0); /* without a visible /proc the kernel lets no job mount its own */
  if (mount("devpts", "pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0600,mode=0600") < 0) die("mount devpts");
  for (int i = 0; devices[i]; i++) {
    snprintf(path, sizeof path, "/%s", devices[i]);
    if (mknod(devices[i], S_IFREG | 0600, 0) < 0) die(devices[i]);
    bind_mount(path, devices[i], 1);
  }
  for (int i = 0; i < share_count; i++) {
    snprintf(path, sizeof path, "share/%d", i);
    make_folder(path);
    bind_mount(shares[i], path, 1);
  }
  int limit = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC); /* jobs make none: less kernel to attack */
  if (limit >= 0 && write(limit, "0", 1) >= 0) close(limit);
  if (syscall(SYS_pivot_root, ".", ".") < 0) die("pivot_root");
  if (umount2(".", MNT_DETACH) < 0) die("umount of the old root");
  if (chdir("/s") < 0) die("/s");
  if (sethostname("homcc", 5) < 0) die("sethostname");
}

int main(int argc, char **argv) {
  struct rlimit files;
  fcntl(3, F_SETFD, FD_CLOEXEC); /* of the door: no job's business */
  if (argc == 5 && !strcmp(argv[1], "door")) return door(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), argv[4]);
  if (argc == 5 && !strcmp(argv[1], "through")) return through(argv[2], argv[3], argv[4]);
  if (argc == 2 && !strcmp(argv[1], "--version")) return puts("homcc runner 2.0.0") < 0;
  if (argc == 2 && !strcmp(argv[1], "walls")) return printf("%d\n", files_can_be_confined()) < 0;
  inside = argc == 2 && !strcmp(argv[1], "inside");
  plain = inside || (argc == 2 && !strcmp(argv[1], "plain"));
  if (!plain && (argc < 4 || argc > 4 + MAX_SHARES || strcmp(argv[1], "namespace"))) {
    fputs("usage: runner namespace SESSION TOOLCHAINS [SHARE...] | plain | inside | door … | through … | walls | --version\n", stderr);
    return 64;
  }
  own_number = getpid();
  setsid(); /* signals from homccd's terminal are homccd's */
  if (!plain) {
    shares = argv + 4;
    share_count = argc - 4;
    enter_namespaces();
    become_pid_1();
    make_runner_root(argv[2], argv[3]);
  } else if (!inside)
    prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* two descriptors a job */
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  umask(0);
  prepare_filter();
  serve();
}

/* ---- control channel ---- */

/* homccd always reads, and a pipe holds a thousand of these: a blocking write is no wait. */
static void send_frame(const char *body, uint32_t length) {
  char frame[512];
  memcpy(frame, &length, 4);
  memcpy(frame + 4, body, length);
  for (size_t sent = 0; sent < length + 4;) {
    ssize_t n = write(1, frame + sent, length + 4 - sent);
    if (n < 0 && errno != EINTR) stop();
    if (n > 0) sent += n;
  }
}

static void serve(void) {
  char *buffer = NULL;
  size_t filled = 0, capacity = 0;
  make_room();
  char ready[5] = {'S'};
  memcpy(ready + 1, &own_number, 4);
  send_frame(ready, sizeof ready);
  for (;;) {
    polled[0] = (struct pollfd){.fd = 0, .events = POLLIN};
    for (size_t i = 0; i < job_count; i++) polled[i + 1] = (struct pollfd){.fd = jobs[i].pidfd, .events = POLLIN};
    if (poll(polled, job_count + 1, -1) < 0 && errno != EINTR) die("poll");
    for (size_t i = job_count; i-- > 0;)
      if (polled[i + 1].revents) finish_job(i);
    if (!polled[0].revents) continue;
    if (capacity - filled < 65536 && !(buffer = realloc(buffer, capacity = 2 * capacity + 131072))) die("realloc");
    ssize_t n = read(0, buffer + filled, capacity - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) stop();
    filled += n;
    take_frames(buffer, &filled);
  }
}

/* The control channel is closed: nothing may outlive it. */
static void stop(void) {
  for (size_t i = 0; i < job_count; i++) kill(jobs[i].pid, plain ? SIGTERM : SIGKILL);
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
  _exit(0);
}

static void malformed(const char *what) {
  fprintf(stderr, "malformed control message: %s\n", what);
  _exit(2);
}

struct reader {
  char *at, *end;
  char **pointers; /* arena for the lists of one message */
};

static uint64_t take_number(struct reader *reader, size_t bytes) {
  uint64_t value = 0;
  if ((size_t)(reader->end - reader->at) < bytes) malformed("truncated number");
  memcpy(&value, reader->at, bytes);
  reader->at += bytes;
  return value;
}

static char *take_string(struct reader *reader) {
  uint32_t length = take_number(reader, 4);
  char *string = reader->at;
  if (length == 0 || length > (size_t)(reader->end - reader->at)) malformed("truncated string");
  if (strnlen(string, length) != length - 1) malformed("string with a NUL inside or none at its end");
  reader->at += length;
  return string;
}

static char **take_list(struct reader *reader) {
  uint32_t count = take_number(reader, 4);
  if (count > (size_t)(reader->end - reader->at) / 5) malformed("truncated list"); /* a string takes 5 bytes or more */
  char **list = reader->pointers;
  for (uint32_t i = 0; i < count; i++) *reader->pointers++ = take_string(reader);
  *reader->pointers++ = NULL;
  return list;
}

static void take_run(struct reader *reader) {
  struct request request = {.id = take_number(reader, 4)};
  request.folder = take_string(reader);
  request.layers = take_string(reader);
  request.absent = take_list(reader);
  request.cwd = take_string(reader);
  request.umask = take_number(reader, 4);
  request.terminals = take_number(reader, 1);
  request.size.ws_col = take_number(reader, 2);
  request.size.ws_row = take_number(reader, 2);
  request.terminal_output_limit = take_number(reader, 8);
  request.limit_count = take_number(reader, 4);
  if (request.limit_count > RLIM_NLIMITS) malformed("too many limits");
  for (uint32_t i = 0; i < request.limit_count; i++) {
    request.limits[i].resource = take_number(reader, 4);
    request.limits[i].limit = take_number(reader, 8);
    if (request.limits[i].resource >= RLIM_NLIMITS) malformed("unknown limit");
  }
  request.bounds.memory_bytes = take_number(reader, 8);
  request.bounds.processes = take_number(reader, 8);
  request.bounds.written_bytes = take_number(reader, 8);
  request.bounds.min_free_bytes = take_number(reader, 8);
  request.readable = take_list(reader);
  request.environment = take_list(reader);
  request.step_count = take_number(reader, 4);
  if (request.step_count == 0 || request.step_count > MAX_STEPS) malformed("number of steps");
  for (uint32_t i = 0; i < request.step_count; i++) {
    request.steps[i].program = take_string(reader);
    request.steps[i].argv = take_list(reader);
  }
  if (reader->at != reader->end) malformed("bytes after the end");
  start_job(&request);
}

static void take_message(char *body, uint32_t length) {
  /* Every list costs its message 4 bytes for its count and 5 for each string, so this is room enough. */
  char **pointers = malloc((length / 4 + 1) * sizeof *pointers);
  if (!pointers) die("malloc");
  struct reader reader = {body, body + length, pointers};
  switch (take_number(&reader, 1)) {
  case 'R':
    take_run(&reader);
    break;
  case 'C': {
    uint32_t id = take_number(&reader, 4);
    for (size_t i = 0; i < job_count; i++)
      if (jobs[i].id == id) kill(jobs[i].pid, plain ? SIGTERM : SIGKILL);
    break;
  }
  default:
    malformed("unknown type");
  }
  free(pointers);
}

static void take_frames(char *buffer, size_t *filled) {
  size_t at = 0;
  uint32_t length;
  while (*filled - at >= 4) {
    memcpy(&length, buffer + at, 4);
    if (length == 0 || length > MAX_FRAME_BYTES) malformed("frame length");
    if (*filled - at - 4 < length) break;
    take_message(buffer + at + 4, length);
    at += 4 + length;
  }
  memmove(buffer, buffer + at, *filled -= at);
}

static void send_done(uint32_t id, const struct report *report, const struct rusage *usage) {
  char body[320], *at = body;
  uint64_t cpu = (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000ull + usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
  uint32_t rss = usage->ru_maxrss, text_length = strlen(report->text) + 1;
  *at++ = 'D';
  at = mempcpy(at, &id, 4);
  at = mempcpy(at, &report->outcome, 4);
  at = mempcpy(at, &report->value, 4);
  at = mempcpy(at, &cpu, 8);
  at = mempcpy(at, &rss, 4);
  at = mempcpy(at, &text_length, 4);
  at = mempcpy(at, report->text, text_length);
  send_frame(body, at - body);
}

static void make_room(void) {
  if (job_count + 2 <= job_capacity) return;
  job_capacity = 2 * job_capacity + 16;
  jobs = realloc(jobs, job_capacity * sizeof *jobs);
  polled = realloc(polled, job_capacity * sizeof *polled);
  if (!jobs || !polled) die("realloc");
}

static void start_job(const struct request *request) {
  int report[2], pidfd = -1;
  struct report failure = {.outcome = FAILED};
  pid_t pid = -1;
  const char *call = "pipe2";
  if (pipe2(report, O_CLOEXEC) == 0) {
    call = "clone(CLONE_NEWNS | CLONE_NEWPID)";
    unsigned long flags = CLONE_PIDFD | SIGCHLD | (plain ? 0 : CLONE_NEWNS | CLONE_NEWPID);
    pid = syscall(SYS_clone, flags, NULL, &pidfd, NULL, NULL);
    failure.value = errno;
    if (pid == 0) {
      for (size_t i = 0; i < job_count; i++) close(jobs[i].pidfd), close(jobs[i].report);
      close(report[0]);
      report_pipe = report[1];
      job_init(request);
    }
    close(report[1]);
    if (pid < 0) close(report[0]);
  } else
    failure.value = errno;
  if (pid < 0) {
    snprintf(failure.text, sizeof failure.text, "%s", call);
    send_done(request->id, &failure, &(struct rusage){0});
    return;
  }
  make_room();
  jobs[job_count++] = (struct job){request->id, pid, pidfd, report[0]};
}

/* Its pid 1 is gone, and with it every process of the job. */
static void finish_job(size_t index) {
  struct job job = jobs[index];
  struct rusage usage = {0};
  struct report report = {0};
  int status = 0;
  if (wait4(job.pid, &status, WNOHANG, &usage) == 0) return;
  if (read(job.report, &report, sizeof report) != sizeof report) report = (struct report){.outcome = KILLED, .value = status};
  close(job.report);
  close(job.pidfd);
  jobs[index] = jobs[--job_count];
  send_done(job.id, &report, &usage);
}

/* ---- inside a job ---- */

static volatile sig_atomic_t step_group, cancelled;

static void send_report(enum outcome outcome, uint32_t value, const char *text) {
  struct report report = {outcome, value, ""};
  snprintf(report.text, sizeof report.text, "%s", text);
  if (write(report_pipe, &report, sizeof report) < 0) _exit(1);
}

static void fail(const char *what) {
  send_report(FAILED, errno, what);
  _exit(1);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)walk;
  return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void remove_absent(const char *path) {
  if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return;
  if (errno != EISDIR || nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0) fail(path);
}

/*
 * Since Linux 6.14 each pid namespace has a bound of its own, which stops a fork bomb at once; before, that is RLIMIT_NPROC for
 * the whole session, and the watch for the job. 301 is the least that the kernel takes.
 */
static void bound_process_numbers(uint64_t processes) {
  struct utsname system;
  int major = 0, minor = 0, file;
  if (processes == 0 || uname(&system) < 0 || sscanf(system.release, "%d.%d", &major, &minor) != 2) return;
  if (major < 6 || (major == 6 && minor < 14)) return; /* there it is the machine's */
  if ((file = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC)) < 0) return;
  dprintf(file, "%llu", 400 + 2ull * processes);
  close(file);
}

static void mount_job_root(const struct request *request) {
  char options[4096], source[32];
  int size = snprintf(options, sizeof options,
    /* volatile: without it the unmount of every job syncs the whole file system below the store */
    "userxattr,volatile,index=off,lowerdir=%s,upperdir=%s/upper,workdir=%s/work", request->layers, request->folder, request->folder);
  if (size >= (int)sizeof options) errno = E2BIG, fail("overlay options");
  if (mount("overlay", "/m", "overlay", MS_NOSUID | MS_NODEV, options) < 0) fail("mount overlay");
  int runner_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (runner_root < 0 || chdir("/m") < 0 || syscall(SYS_pivot_root, ".", ".") < 0) fail("pivot_root");
  /* From here on absolute paths are the job's own, links in them too; relative ones are the runner's. */
  for (char **path = request->absent; *path; path++) remove_absent(*path);
  if (fchdir(runner_root) < 0) fail("fchdir");
  close(runner_root);
  for (int i = 0; devices[i]; i++) {
    snprintf(source, sizeof source, "/%s", devices[i]);
    if (mount(devices[i], source, NULL, MS_BIND, NULL) < 0) fail(source);
  }
  for (int i = 0; i < share_count; i++) {
    snprintf(source, sizeof source, "share/%d", i);
    if (mount(source, shares[i], NULL, MS_BIND | MS_REC, NULL) < 0) fail(shares[i]);
  }
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) fail("mount proc");
  bound_process_numbers(request->bounds.processes);
  if (mount(NULL, "/proc", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) fail("remount proc");
  if (umount2(".", MNT_DETACH) < 0) fail("umount of the runner's root");
}

static void open_terminal(const struct request *request, int *master, int *slave) {
  struct termios mode;
  int unlocked = 0;
  *master = open(plain ? "/dev/ptmx" : "/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlocked) < 0) fail("open of a terminal");
  *slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*slave < 0 || tcgetattr(*slave, &mode) < 0) fail("open of a terminal's other end");
  cfmakeraw(&mode); /* a line end stays one byte */
  if (tcsetattr(*slave, TCSANOW, &mode) < 0 || ioctl(*slave, TIOCSWINSZ, &request->size) < 0) fail("terminal mode");
}

static void exec_step(const struct request *request, const struct step *step, const int descriptors[3]) {
  struct rlimit limit;
  sigset_t none;
  if (plain) setpgid(0, 0), prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < 3; i++)
    if (dup2(descriptors[i], i) < 0) fail("dup2");
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (give_up_capabilities(0) < 0) fail("capset");
  close_descriptors_at_exec();
  for (uint32_t i = 0; i < request->limit_count; i++) {
    rlim_t wanted = request->limits[i].limit;
    rlim_t grace = request->limits[i].resource == RLIMIT_CPU ? 2 : 0; /* SIGXCPU, which says why, before SIGKILL */
    if (getrlimit(request->limits[i].resource, &limit) < 0) fail("getrlimit");
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    limit.rlim_max = wanted + grace < limit.rlim_max ? wanted + grace : limit.rlim_max;
    if (setrlimit(request->limits[i].resource, &limit) < 0) fail("setrlimit");
  }
  if (plain && confine_files(request->folder, request->readable, inside ? step->program : NULL) < 0) fail("landlock");
  if (filter_calls() < 0) fail("seccomp");
  umask(request->umask);
  execve(step->program, step->argv, request->environment);
  fail(step->program);
}

/* Everything the steps started, also what left their process group. */
static void kill_leftovers(void) {
  stop_processes();
  do {
    while (waitpid(-1, NULL, WNOHANG) > 0); /* of a fork bomb thousands */
    if (!plain) {
      kill(-1, SIGKILL);
      continue;
    }
    char list[4096] = "";
    if (step_group) kill(-step_group, SIGKILL);
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, list, sizeof list - 1);
    close(fd);
    char *at = list, *next;
    for (long pid; n > 0 && (pid = strtol(at, &next, 10), next != at); at = next) kill(pid, SIGKILL);
  } while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
}

/* What the terminal shows goes to `file`, up to the limit and one byte (the sign that there was more). */
static int relay(int master, int file, uint64_t *left) {
  char buffer[16384];
  ssize_t n = read(master, buffer, sizeof buffer);
  if (n < 0 && errno == EINTR) return 1;
  if (n <= 0) return 0; /* EIO: nobody has the other end open, and all was read */
  size_t kept = (uint64_t)n < *left ? (size_t)n : *left;
  *left -= kept;
  if (kept && write(file, buffer, kept) != (ssize_t)kept) fail("write of the terminal's output");
  return 1;
}

/* What goes to a terminal is cut at the limit; here it ends the job, which could fill the disk with it. */
static int says_too_much(const struct request *request, const int files[2]) {
  struct stat status;
  for (int i = 0; i < 2 && request->terminal_output_limit; i++)
    if (fstat(files[i], &status) == 0 && (uint64_t)status.st_size > request->terminal_output_limit + 1) return 1;
  return 0;
}

/* Waits for `step`, reaps what its death left to us, keeps its terminal flowing. `limit` becomes the one that was passed. */
static int await_step(const struct request *request, pid_t step, int master, const int files[2], uint64_t *left, const char **limit) {
  int status, pidfd = syscall(SYS_pidfd_open, step, 0);
  if (pidfd < 0) fail("pidfd_open");
  struct pollfd sources[] = {{.fd = pidfd, .events = POLLIN}, {.fd = master, .events = POLLIN}};
  struct timespec now;
  int64_t next_ms = 0;
  while (!sources[0].revents && !*limit) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = now.tv_sec * 1000ll + now.tv_nsec / 1000000;
    if (next_ms == 0) next_ms = now_ms + WATCH_EVERY_MS;
    if (now_ms >= next_ms) {
      *limit = says_too_much(request, files) ? "size of the messages" : passed_limit(&request->bounds);
      next_ms = now_ms + WATCH_EVERY_MS;
      continue;
    }
    if (poll(sources, master >= 0 ? 2 : 1, next_ms - now_ms) < 0 && errno != EINTR) fail("poll");
    if (sources[1].revents) relay(master, files[request->terminals & 4 ? 1 : 0], left);
  }
  close(pidfd);
  if (*limit) return 0;
  for (pid_t pid; (pid = waitpid(-1, &status, 0)) != step;)
    if (pid < 0 && errno != EINTR) fail("waitpid");
  return status;
}

static void cancel(int number) {
  (void)number;
  cancelled = 1;
  if (step_group) kill(-step_group, SIGKILL);
}

static void job_init(const struct request *request) {
  char path[4200];
  int status = 0, files[2], master = -1, slave = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);
  uint64_t left = request->terminal_output_limit + 1;
  const char *const names[] = {"stdout", "stderr"}, *limit = NULL;
  prctl(PR_SET_PDEATHSIG, plain ? SIGTERM : SIGKILL);
  /* When memory runs out the kernel shall take the job and not homccd. While /proc is still writable. */
  int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0 && write(score, "1000", 4) >= 0) close(score);
  if (plain) {
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = cancel, .sa_flags = SA_RESTART}, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  for (int i = 0; i < 3; i++)
    if (dup2(null, i) < 0) fail("/dev/null"); /* the control channel is not the job's */
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", request->folder, names[i]);
    if ((files[i] = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)) < 0) fail(path);
    /* Room for what the compiler says when the disk is full: its message is how that is noticed. */
    if (fallocate(files[i], FALLOC_FL_KEEP_SIZE, 0, RESERVED_TEXT_BYTES) < 0 && errno == ENOSPC) fail(path);
  }
  if (request->terminals) open_terminal(request, &master, &slave);
  watch_folder(request->folder);
  if (!plain) mount_job_root(request);
  if (chdir(request->cwd) < 0) fail(request->cwd);
  watch_processes(!plain);
  /* The watch looks at what a job hid from its own account. */
  if (!plain && give_up_capabilities(1 << CAP_DAC_READ_SEARCH | 1 << CAP_SYS_PTRACE) < 0) fail("capset");
  prctl(PR_SET_DUMPABLE, 0); /* steps must not trace their init */
  const int descriptors[3] = {
    request->terminals & 1 ? slave : null,
    request->terminals & 2 ? slave : files[0],
    request->terminals & 4 ? slave : files[1],
  };
  int relayed = files[request->terminals & 4 ? 1 : 0];
  for (uint32_t i = 0; i < request->step_count && status == 0 && !cancelled && !limit; i++) {
    pid_t step = fork();
    if (step < 0) fail("fork");
    if (step == 0) exec_step(request, &request->steps[i], descriptors);
    if (plain) setpgid(step, step);
    step_group = step;
    if (cancelled) kill(step, SIGKILL);
    status = await_step(request, step, master, files, &left, &limit);
  }
  kill_leftovers();
  if (master >= 0) {
    close(slave);
    while (relay(master, relayed, &left));
  }
  if (cancelled) _exit(1);
  if (limit) send_report(LIMITED, 0, limit), _exit(0);
  send_report(ENDED, status, "");
  _exit(0);
}

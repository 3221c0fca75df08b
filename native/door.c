/*
 * The door of homccd into containers: what needs privileges that homccd gives up when it starts.
 *
 *     runner door UID GID FOLDER         listens on FOLDER/door, as root or with CAP_SYS_ADMIN, CAP_SYS_CHROOT and CAP_SYS_PTRACE
 *     runner through FOLDER PID SESSION  asks the door, as UID, for a job runner whose jobs lie over the root of process PID
 *
 * `through` hands its standard streams over and waits. The door takes a copy of that root (its own file system alone, nothing
 * that is mounted below it), mounts it read-only on SESSION/sandbox in a mount namespace of its own, becomes UID for good and
 * executes `runner namespace SESSION SESSION/sandbox`: from there on it is a runner like any other. It never runs anything of
 * the container, and writes nothing. The door ends with homccd, and its runners with their streams.
 *
 * request := PID, SESSION as strings with their NULs, and three descriptors (SCM_RIGHTS)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "door.h"

enum { MAX_REQUEST_BYTES = 4200, STREAMS = 3 };

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(1);
}

static int unix_socket(void) {
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  return fd;
}

/* Relative: the folder's own path may be longer than an address can be. */
static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "door"};

/* In the end this process is in a mount namespace of its own, in which `target` is the root that process `pid` sees. */
static void open_root_of(const char *pid, const char *target) {
  char path[64];
  int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", atoi(pid));
  int theirs = open(path, O_RDONLY | O_CLOEXEC);
  if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWNS) < 0) die(path);
  int tree = syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) die("open_tree");
  if (setns(own, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0) die("mount namespace");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) die("mount --make-rprivate /");
  int place = open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (place < 0) die(target);
  if (syscall(SYS_move_mount, tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) die("move_mount");
  if (mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0) die("mount read-only");
}

static void give_up_privileges(unsigned uid, unsigned gid) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {0};
  if (geteuid() == 0 && (syscall(SYS_setgroups, 0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)) die("setuid");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &header, none) < 0) die("capset");
  if (getuid() != uid || geteuid() != uid) errno = EPERM, die("setuid");
}


/* In a child of the door. `connection` stays open as long as the runner lives, which is how `through` knows. */
static void become_runner(unsigned uid, unsigned gid, const char *pid, const char *session, const int streams[STREAMS], int connection) {
  char target[MAX_REQUEST_BYTES + 16];
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  snprintf(target, sizeof target, "%s/sandbox", session);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < STREAMS; i++)
    if (dup2(streams[i], i) < 0) die("dup2");
  if (self < 0) die("/proc/self/exe");
  signal(SIGCHLD, SIG_DFL);
  open_root_of(pid, target);
  give_up_privileges(uid, gid);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* becoming somebody else took it back */
  if (dup2(connection, 3) < 0 || fcntl(3, F_SETFD, 0) < 0) die("dup2"); /* where `main` takes care of it */
  char *argv[] = {"runner", "namespace", (char *)session, target, NULL}, *environment[] = {NULL};
  syscall(SYS_execveat, self, "", argv, environment, AT_EMPTY_PATH);
  die("execveat");
}

static void answer(int connection, unsigned uid, unsigned gid) {
  char request[MAX_REQUEST_BYTES + 1] = "", control[CMSG_SPACE(STREAMS * sizeof(int))];
  struct ucred peer;
  socklen_t length = sizeof peer;
  struct iovec part = {request, MAX_REQUEST_BYTES};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int streams[STREAMS];
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.uid != uid) return;
  ssize_t size = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (size <= 0 || !header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof streams)) return;
  memcpy(streams, CMSG_DATA(header), sizeof streams);
  const char *session = request + strlen(request) + 1;
  if (session < request + size && *session == '/') become_runner(uid, gid, request, session, streams, connection);
}

int door(unsigned uid, unsigned gid, const char *folder) {
  int listening = unix_socket();
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGCHLD, SIG_IGN); /* the kernel reaps the runners */
  if (chdir(folder) < 0) die(folder);
  unlink(address.sun_path);
  umask(0177);
  if (bind(listening, (const struct sockaddr *)&address, sizeof address) < 0) die("bind");
  if (geteuid() == 0 && lchown(address.sun_path, uid, gid) < 0) die("chown");
  if (listen(listening, 64) < 0) die("listen");
  umask(0);
  if (write(1, "S", 1) < 0) return 1;
  for (;;) {
    struct pollfd sources[] = {{.fd = 0, .events = POLLIN}, {.fd = listening, .events = POLLIN}};
    if (poll(sources, 2, -1) < 0 && errno != EINTR) die("poll");
    if (sources[0].revents) return 0; /* homccd is gone: nothing is ever written to it */
    if (!sources[1].revents) continue;
    int connection = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) continue;
    if (fork() == 0) answer(connection, uid, gid), _exit(1);
    close(connection);
  }
}

int through(const char *folder, const char *pid, const char *session) {
  char request[MAX_REQUEST_BYTES], control[CMSG_SPACE(STREAMS * sizeof(int))] = "", nothing;
  const int streams[STREAMS] = {0, 1, 2};
  int connection = unix_socket(), size = snprintf(request, sizeof request, "%s%c%s", pid, 0, session) + 1;
  struct iovec part = {request, size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (size > MAX_REQUEST_BYTES) errno = ENAMETOOLONG, die(session);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof streams);
  memcpy(CMSG_DATA(header), streams, sizeof streams);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (chdir(folder) < 0 || connect(connection, (const struct sockaddr *)&address, sizeof address) < 0) die("the door");
  if (sendmsg(connection, &message, MSG_NOSIGNAL) < 0) die("the door");
  for (int i = 0; i < STREAMS; i++) close(i);
  while (read(connection, &nothing, 1) < 0 && errno == EINTR);
  return 0;
}

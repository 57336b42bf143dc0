/* System calls that Python has no function for: NAME VICTIM OUTSIDE.
   Exits with 0 if the call did what it was to do, or failed for another reason than being refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t victim;
static const char *outside;
static char memory[4096];
static int succeeded_only;

static long own_mounts(void) {
    if (unshare(CLONE_NEWNS) == 0) mount("none", "/", 0, MS_REC | MS_PRIVATE, 0);
    return 0;
}

static long attempt(const char *name) {
    struct iovec here = {memory, 1}, there = {memory, 1};
#define IS(text) (strcmp(name, text) == 0)
    if (IS("ptrace")) { succeeded_only = 1; long r = ptrace(PTRACE_ATTACH, victim, 0, 0); if (r == 0) waitpid(victim, 0, 0); return r; }
    if (IS("process_vm_readv")) return syscall(SYS_process_vm_readv, victim, &here, 1, &there, 1, 0);
    if (IS("process_vm_writev")) return syscall(SYS_process_vm_writev, victim, &here, 1, &there, 1, 0);
    if (IS("pidfd_getfd")) { succeeded_only = 1; return syscall(438, syscall(434, victim, 0), 0, 0); }
    if (IS("kcmp")) return syscall(SYS_kcmp, getpid(), victim, 0, 0, 0);
    if (IS("ioprio_set")) { succeeded_only = 1; return syscall(SYS_ioprio_set, 1, victim, 2 << 13 | 7); }
    if (IS("migrate_pages")) { unsigned long nodes = 1; succeeded_only = 1; return syscall(SYS_migrate_pages, victim, 8, &nodes, &nodes); }
    if (IS("move_pages")) { succeeded_only = 1; return syscall(SYS_move_pages, victim, 0, 0, 0, 0, 0); }
    if (IS("process_madvise")) { succeeded_only = 1; return syscall(440, syscall(434, victim, 0), &there, 1, 20, 0); }
    if (IS("process_mrelease")) { int fd = syscall(434, victim, 0); if (fd < 0) { errno = EPERM; return -1; } return syscall(448, fd, 0); }
    if (IS("sched_setattr")) { unsigned long attr[6] = {48, 0, 0, 0, 0, 0}; ((int *)attr)[1] = 3; ((int *)attr)[4] = getpriority(PRIO_PROCESS, victim); succeeded_only = 1; return syscall(SYS_sched_setattr, victim, attr, 0); }
    if (IS("shmget")) { long id = syscall(SYS_shmget, IPC_PRIVATE, 4096, 0600); if (id >= 0) shmctl(id, IPC_RMID, 0); return id; }
    if (IS("semget")) { long id = syscall(SYS_semget, IPC_PRIVATE, 1, 0600); if (id >= 0) syscall(SYS_semctl, id, 0, IPC_RMID, 0); return id; }
    if (IS("msgget")) { long id = syscall(SYS_msgget, IPC_PRIVATE, 0600); if (id >= 0) syscall(SYS_msgctl, id, IPC_RMID, 0); return id; }
    if (IS("mq_open")) { long fd = syscall(SYS_mq_open, "code-attack", O_CREAT | O_RDWR, 0600, 0); if (fd >= 0) syscall(SYS_mq_unlink, "code-attack"); return fd; }
    if (IS("io_uring")) return syscall(425, 4, memory);
    if (IS("add_key")) return syscall(SYS_add_key, "user", "code", "x", 1, -2);
    if (IS("keyctl")) return syscall(SYS_keyctl, 0, -3, 0);
    if (IS("mount")) { own_mounts(); return mount("none", outside, "tmpfs", 0, 0); }
    if (IS("mount_bind")) { own_mounts(); return mount(outside, outside, 0, MS_BIND, 0); }
    if (IS("remount")) { own_mounts(); return mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0); }
    if (IS("umount")) { own_mounts(); return umount2("/proc", MNT_DETACH); }
    if (IS("pivot_root")) return syscall(SYS_pivot_root, "/", "/");
    if (IS("chroot")) { succeeded_only = 1; return chroot(outside); }
    if (IS("fsopen")) return syscall(430, "tmpfs", 0);
    if (IS("open_tree")) return syscall(428, AT_FDCWD, "/", 0);
    if (IS("open_tree_attr")) return syscall(467, AT_FDCWD, "/", 0, 0, 0);
    if (IS("move_mount")) return syscall(429, -1, "", -1, "", 0);
    if (IS("mount_setattr")) { unsigned long attr[4] = {0, 1, 0, 0}; own_mounts(); return syscall(442, AT_FDCWD, "/", 0, attr, sizeof attr); }
    if (IS("unshare_user")) { succeeded_only = 1; return unshare(CLONE_NEWUSER); }
    if (IS("clone_user")) { succeeded_only = 1; long r = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); if (r == 0) _exit(0); return r; }
    if (IS("clone3_user")) { unsigned long arg[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD}; succeeded_only = 1; long r = syscall(435, arg, 64); if (r == 0) _exit(0); return r; }
    if (IS("unshare_mount")) { succeeded_only = 1; return unshare(CLONE_NEWNS); }
    if (IS("unshare_network")) { succeeded_only = 1; return unshare(CLONE_NEWNET); }
    if (IS("setns")) { succeeded_only = 1; return setns(syscall(434, victim, 0), CLONE_NEWUTS); }
    if (IS("bpf")) return syscall(SYS_bpf, 0, memory, 72);
    if (IS("perf_event_open")) { unsigned long attr[16] = {0x8000000001UL - 0x8000000000UL, 9}; ((unsigned *)attr)[1] = 128; succeeded_only = 1; return syscall(SYS_perf_event_open, attr, 0, -1, -1, 0); }
    if (IS("userfaultfd")) return syscall(SYS_userfaultfd, 1);
    if (IS("open_by_handle_at")) return syscall(SYS_open_by_handle_at, AT_FDCWD, memory, 0);
    if (IS("name_to_handle_at")) { int id; *(unsigned *)memory = 128; return syscall(SYS_name_to_handle_at, AT_FDCWD, outside, memory, &id, 0); }
    if (IS("init_module")) return syscall(SYS_init_module, 0, 0, "");
    if (IS("delete_module")) return syscall(SYS_delete_module, "code_no_such_module", O_NONBLOCK);
    if (IS("kexec_load")) return syscall(SYS_kexec_load, 0, 1000, 0, ~0UL);
    if (IS("fanotify_init")) return syscall(SYS_fanotify_init, 0x200, 0);
    if (IS("sethostname")) { char host[256]; gethostname(host, sizeof host); return sethostname(host, strlen(host)); }
    if (IS("acct")) return syscall(SYS_acct, 0);
    if (IS("swapon")) return syscall(SYS_swapon, "/no/such/file", 0);
    if (IS("clock_settime")) { struct timespec never = {0, -1}; return syscall(SYS_clock_settime, CLOCK_REALTIME, &never); }
    if (IS("setxattrat")) { unsigned long arg[2] = {(unsigned long)"x", 1}; succeeded_only = 1; return syscall(463, AT_FDCWD, outside, 0, "user.x", arg, 16); }
    if (IS("file_setattr")) { unsigned long attr[3] = {0x80, 0, 0}; succeeded_only = 1; return syscall(469, AT_FDCWD, outside, attr, 24, 0); }
#if defined(__x86_64__)
    if (IS("int80")) { long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L)); return r > 0 ? 0 : -1; }
    if (IS("x32")) { succeeded_only = 1; return syscall(0x40000000 + SYS_getpid); }
#endif
    errno = EPERM;
    return -1;
}

int main(int count, char **arguments) {
    if (count < 4) return 2;
    victim = atoi(arguments[2]);
    outside = arguments[3];
    long result = attempt(arguments[1]);
    if (result < 0) perror(arguments[1]);
    if (result >= 0) return 0;
    if (succeeded_only) return 1;
    return errno == EPERM || errno == EACCES || errno == ENOSYS || errno == EROFS || errno == EOPNOTSUPP;
}

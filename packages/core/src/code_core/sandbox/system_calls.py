"""System call numbers, and the calls that the filter refuses."""

from typing import Literal

Machine = Literal["x86_64", "aarch64"]

# From each architecture's `unistd.h`; numbers above 423 are the same on both.
NUMBERS: dict[Machine, dict[str, int]] = {
    "x86_64": {
        "accept": 43, "accept4": 288, "acct": 163, "add_key": 248, "bind": 49, "bpf": 321, "chroot": 161,
        "clock_settime": 227, "clone": 56, "clone3": 435, "connect": 42, "delete_module": 176, "fanotify_init": 300, "fcntl": 72, "file_setattr": 469, "finit_module": 313, "fremovexattr": 199, "fsconfig": 431, "fsetxattr": 190,
        "fsmount": 432, "fsopen": 430, "fspick": 433, "init_module": 175, "io_uring_enter": 426,
        "io_uring_register": 427, "io_uring_setup": 425, "ioctl": 16, "ioprio_set": 251, "kcmp": 312,
        "kexec_file_load": 320, "kexec_load": 246, "keyctl": 250, "listen": 50, "lremovexattr": 198,
        "lsetxattr": 189, "migrate_pages": 256, "mount": 165, "mount_setattr": 442, "move_mount": 429,
        "move_pages": 279, "mq_open": 240, "mq_unlink": 241, "msgctl": 71, "msgget": 68, "msgrcv": 70, "msgsnd": 69, "name_to_handle_at": 303, "open_by_handle_at": 304, "open_tree": 428, "open_tree_attr": 467,
        "perf_event_open": 298, "pidfd_getfd": 438, "pivot_root": 155, "prlimit64": 302, "process_madvise": 440,
        "process_mrelease": 448, "process_vm_readv": 310, "process_vm_writev": 311, "ptrace": 101, "quotactl": 179, "quotactl_fd": 443, "reboot": 169, "removexattr": 197, "removexattrat": 466, "request_key": 249,
        "sched_setaffinity": 203, "sched_setattr": 314, "sched_setparam": 142, "sched_setscheduler": 144,
        "semctl": 66, "semget": 64, "semop": 65, "semtimedop": 220, "setdomainname": 171, "sethostname": 170,
        "setns": 308, "setpriority": 141, "settimeofday": 164, "setxattr": 188, "setxattrat": 463, "shmat": 30,
        "shmctl": 31, "shmget": 29, "socket": 41, "socketpair": 53, "swapoff": 168, "swapon": 167, "umount2": 166, "unshare": 272, "userfaultfd": 323, "vhangup": 153,
    },
    "aarch64": {
        "accept": 202, "accept4": 242, "acct": 89, "add_key": 217, "bind": 200, "bpf": 280, "chroot": 51,
        "clock_settime": 112, "clone": 220, "clone3": 435, "connect": 203, "delete_module": 106,
        "fanotify_init": 262, "fcntl": 25, "file_setattr": 469, "finit_module": 273, "fremovexattr": 16, "fsconfig": 431,
        "fsetxattr": 7, "fsmount": 432, "fsopen": 430, "fspick": 433, "init_module": 105, "io_uring_enter": 426,
        "io_uring_register": 427, "io_uring_setup": 425, "ioctl": 29, "ioprio_set": 30, "kcmp": 272,
        "kexec_file_load": 294, "kexec_load": 104, "keyctl": 219, "listen": 201, "lremovexattr": 15,
        "lsetxattr": 6, "migrate_pages": 238, "mount": 40, "mount_setattr": 442, "move_mount": 429,
        "move_pages": 239, "mq_open": 180, "mq_unlink": 181, "msgctl": 187, "msgget": 186, "msgrcv": 188,
        "msgsnd": 189, "name_to_handle_at": 264, "open_by_handle_at": 265, "open_tree": 428, "open_tree_attr": 467, "perf_event_open": 241, "pidfd_getfd": 438, "pivot_root": 41, "prlimit64": 261, "process_madvise": 440, "process_mrelease": 448, "process_vm_readv": 270, "process_vm_writev": 271, "ptrace": 117,
        "quotactl": 60, "quotactl_fd": 443, "reboot": 142, "removexattr": 14, "removexattrat": 466,
        "request_key": 218, "sched_setaffinity": 122, "sched_setattr": 274, "sched_setparam": 118,
        "sched_setscheduler": 119, "semctl": 191, "semget": 190, "semop": 193, "semtimedop": 192,
        "setdomainname": 162, "sethostname": 161, "setns": 268, "setpriority": 140, "settimeofday": 170,
        "setxattr": 5, "setxattrat": 463, "shmat": 196, "shmctl": 195, "shmget": 194, "socket": 198,
        "socketpair": 199, "swapoff": 225, "swapon": 224, "umount2": 39, "unshare": 97, "userfaultfd": 282,
        "vhangup": 58,
    },
}  # fmt: skip

REFUSED = (
    "acct add_key bpf chroot clock_settime delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick "
    "init_module io_uring_enter io_uring_register io_uring_setup kcmp kexec_file_load kexec_load keyctl mount "
    "mount_setattr move_mount name_to_handle_at open_by_handle_at open_tree open_tree_attr perf_event_open "
    "pidfd_getfd pivot_root process_madvise process_mrelease process_vm_readv process_vm_writev ptrace quotactl "
    "quotactl_fd reboot request_key setdomainname sethostname setns settimeofday swapon swapoff umount2 "
    "userfaultfd vhangup".split()
)
"""Refused with any arguments."""

WITHOUT_NETWORK = ("accept", "accept4", "bind", "connect", "listen")
"""Refused without network access, because a listener could then serve only other programs."""

SHARED = (
    "file_setattr migrate_pages move_pages mq_open mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop "
    "semtimedop shmat shmctl shmget".split()
)
"""Refused if commands share namespaces: System V IPC and POSIX message queues have no paths."""

ATTRIBUTES = (
    "fremovexattr fsetxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat".split()
)
"""Reported there as unsupported, so that programs that copy files continue without attributes."""

OWN_PROCESS_ONLY = ("prlimit64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler")
"""Refused there unless the first argument is 0, the caller itself."""

OWN_PRIORITY_ONLY = {"setpriority": 0, "ioprio_set": 1}
"""Refused there unless the arguments are this value, for a process, and 0, the caller itself."""

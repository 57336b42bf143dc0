"""The kernel's own files, devices, mounts and namespaces."""

from core.sandbox.attacks.attack import Attack, table

# Opened for writing, and nothing written.
_WRITABLE_BY_ROOT = (
    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/sysrq", "/proc/sys/kernel/panic",
    "/proc/sys/kernel/hostname", "/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/poweroff_cmd",
    "/proc/sys/kernel/pid_max", "/proc/sys/kernel/yama/ptrace_scope", "/proc/sys/vm/drop_caches",
    "/proc/sys/vm/overcommit_memory", "/proc/sys/fs/suid_dumpable", "/proc/sys/fs/binfmt_misc/register",
    "/proc/sys/fs/protected_symlinks", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/core/somaxconn",
    "/proc/sys/user/max_user_namespaces", "/proc/sys/dev/tty/legacy_tiocsti", "/proc/sys/kernel/ns_last_pid",
    "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/proc/pressure/memory", "/proc/mtrr",
    "/proc/scsi/scsi", "/proc/timer_list", "/proc/bus/pci/00/00.0", "/proc/dynamic_debug/control",
    "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state",
    "/sys/module/printk/parameters/time", "/sys/kernel/profiling", "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/memory/cgroup.procs", "/sys/fs/cgroup/pids/tasks", "/sys/bus/pci/rescan",
    "/dev/mem", "/dev/kmsg", "/dev/port", "/dev/fuse", "/dev/net/tun", "/dev/kvm", "/dev/loop-control",
    "/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/console", "/dev/tty0", "/dev/ptmx.outside",
)  # fmt: skip

ATTACKS = [
    *table("kernel files", {path: f'os.close(os.open("{path}", os.O_WRONLY))' for path in _WRITABLE_BY_ROOT}),
    *table("kernel files", {
        "make a control group": 'os.mkdir("/sys/fs/cgroup/pids/" + ident); os.rmdir("/sys/fs/cgroup/pids/" + ident)',
        "a device file": 'os.mknod("disk", 0o60600, os.makedev(254, 0))',
        "a device file of a character device": 'os.mknod("memory", 0o20600, os.makedev(1, 1))',
        "settings of the kernel in another's root": 'os.close(os.open(f"/proc/{victim}/root/proc/sys/kernel/panic", os.O_WRONLY))',
    }),
    *[Attack("kernel calls", name, program, native=True) for name, program in {
        "mount": "mount", "mount a directory again": "mount_bind", "unmount": "umount", "change the root": "pivot_root",
        "chroot": "chroot", "open a file system": "fsopen", "open a tree": "open_tree", "a tree with attributes": "open_tree_attr",
        "move a mount": "move_mount", "make a mount writable": "mount_setattr", "make a mount writable the old way": "remount",
        "user namespace": "unshare_user", "user namespace by clone": "clone_user", "user namespace by clone3": "clone3_user",
        "mount namespace": "unshare_mount", "network namespace": "unshare_network", "join another's namespace": "setns",
        "a program in the kernel": "bpf", "performance events": "perf_event_open", "page faults": "userfaultfd",
        "open by a file handle": "open_by_handle_at", "a file handle": "name_to_handle_at", "load a module": "init_module",
        "unload a module": "delete_module", "load another kernel": "kexec_load", "watch a file system": "fanotify_init",
        "the host's name": "sethostname", "accounting": "acct", "swap": "swapon", "attributes by a new call": "setxattrat",
        "flags by a new call": "file_setattr", "a 32-bit call": "int80", "a call of x32": "x32",
        "release memory of another": "process_mrelease", "set the clock": "clock_settime",
    }.items()],
]  # fmt: skip

"""Other processes: signals, memory, priorities, limits and terminals."""

from core.sandbox.attacks.attack import Attack, table

ATTACKS = [
    *table("processes", {
        "signal": "os.kill(victim, signal.SIGUSR1)",
        "signal a group": "os.killpg(victim, signal.SIGUSR1)",
        "signal by descriptor": "signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGUSR1)",
        "signal through /proc": """
fd = os.open(f"/proc/{victim}", os.O_DIRECTORY)
signal.pidfd_send_signal(fd, signal.SIGUSR1)
""",
        "read its memory": 'open(f"/proc/{victim}/mem", "rb")',
        "write its memory": 'open(f"/proc/{victim}/mem", "r+b")',
        "read its environment": 'open(f"/proc/{victim}/environ").read()',
        "read its map": 'open(f"/proc/{victim}/maps").read()',
        "reach its files by its root": 'os.listdir(f"/proc/{victim}/root")',
        "reach its directory": 'os.listdir(f"/proc/{victim}/cwd/")',
        "open its descriptors": 'os.open(f"/proc/{victim}/fd/1", os.O_WRONLY)',
        "make it the first to be killed": 'open(f"/proc/{victim}/oom_score_adj", "w").write("500")',
        "rename it": 'open(f"/proc/{victim}/comm", "w").write("x")',
        "its core filter": 'open(f"/proc/{victim}/coredump_filter", "w").write("0")',
        "limit it": "import resource; resource.prlimit(victim, resource.RLIMIT_CORE, (0, 0))",
        "read its limits": "import resource; resource.prlimit(victim, resource.RLIMIT_CORE)",
        "its priority": "os.setpriority(os.PRIO_PROCESS, victim, 19)",
        "the priority of its group": "os.setpriority(os.PRIO_PGRP, victim, 19)",
        "its processors": "os.sched_setaffinity(victim, {0})",
        "its scheduler": "os.sched_setscheduler(victim, os.SCHED_BATCH, os.sched_param(0))",
        "terminal input": """
import pty
child, _ = pty.fork()
if child == 0:
    code = 1
    try:
        fcntl.ioctl(0, 0x5412, b"x"); code = 0
    finally:
        os._exit(code)
assert os.waitpid(child, 0)[1] == 0
""",
        "a line discipline": """
import pty
one, other = pty.openpty()
fcntl.ioctl(other, 0x5423, struct.pack("i", 0))
""",
        "the terminal that started the agent": 'os.open("/dev/tty", os.O_RDWR)',
    }),
    *[Attack("processes", name, program, native=True) for name, program in {
        "trace it": "ptrace", "read its memory by a call": "process_vm_readv",
        "write its memory by a call": "process_vm_writev", "take a descriptor of it": "pidfd_getfd",
        "compare with it": "kcmp", "its disk priority": "ioprio_set",
        "move its memory": "migrate_pages", "move pages of it": "move_pages", "advise its memory": "process_madvise",
        "its scheduling attributes": "sched_setattr",
    }.items()],
    *[Attack("IPC", name, program, native=True, private=("bwrap",)) for name, program in {
        "System V shared memory": "shmget", "System V semaphores": "semget", "System V messages": "msgget",
        "a POSIX message queue": "mq_open",
    }.items()],
    *[Attack("IPC", name, program, native=True) for name, program in {
        "a ring of the kernel's": "io_uring", "a key": "add_key", "the session's keys": "keyctl",
    }.items()],
]  # fmt: skip

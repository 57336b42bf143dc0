"""Attacks of a confined command on what is outside: each prints ESCAPED when it gets through.

A program gets the folder `base` (with `work`, which is writable, and `outside`, which is
not) and the process id of a victim of the same user.
"""

from dataclasses import dataclass

PREAMBLE = """
import fcntl, os, signal, socket, struct, subprocess, sys
base, victim = sys.argv[1], int(sys.argv[2])
work, outside = base + "/work", base + "/outside"
os.chdir(work)
"""


@dataclass(frozen=True)
class Attack:
    """One way out; `gap` if Landlock is known not to close it."""

    name: str
    program: str
    gap: bool = False


ATTACKS = [
    Attack("write", 'open(outside + "/new", "w"); print("ESCAPED")'),
    Attack("append", 'open(outside + "/file", "a").write("x"); print("ESCAPED")'),
    Attack("truncate", 'os.truncate(outside + "/file", 0); print("ESCAPED")'),
    Attack("remove", 'os.unlink(outside + "/file"); print("ESCAPED")'),
    Attack("make a directory", 'os.mkdir(outside + "/new"); print("ESCAPED")'),
    Attack("write through a symlink", 'os.symlink(outside + "/file", "l"); open("l", "w"); print("ESCAPED")'),
    Attack("write through a linked directory", 'os.symlink(outside, "l"); open("l/new", "w"); print("ESCAPED")'),
    Attack("write through a hardlink", 'os.link(outside + "/file", "l"); open("l", "w"); print("ESCAPED")'),
    Attack("write through /proc/self/root", 'open("/proc/self/root" + outside + "/new", "w"); print("ESCAPED")'),
    Attack("write through ..", 'open("../outside/new", "w"); print("ESCAPED")'),
    Attack("rename out", 'os.rename("file", outside + "/new"); print("ESCAPED")'),
    Attack("rename in", 'os.rename(outside + "/file", "new"); print("ESCAPED")'),
    Attack("inherited file", """
for fd in range(3, 64):
    try:
        os.write(fd, b"x")
        print("ESCAPED")
    except OSError:
        pass
"""),
    Attack("inherited directory", """
for fd in range(3, 64):
    try:
        os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
        print("ESCAPED")
    except OSError:
        pass
"""),
    Attack("mode", 'os.chmod(outside + "/file", 0o777); print("ESCAPED")', gap=True),
    Attack("times", 'os.utime(outside + "/file", (1, 1)); print("ESCAPED")', gap=True),
    Attack("attribute", 'os.setxattr(outside + "/file", "user.x", b"x"); print("ESCAPED")', gap=True),
    Attack("write in .git", 'open(".git/config", "w"); print("ESCAPED")', gap=True),
    Attack("make a hook", 'open(".git/hooks/pre-commit", "w"); print("ESCAPED")', gap=True),
    Attack("rename .git", 'os.rename(".git", "git"); print("ESCAPED")', gap=True),
    Attack("write in a nested .git", 'open("sub/.git/config", "w"); print("ESCAPED")', gap=True),
    Attack("IPv4 socket", 'socket.socket(socket.AF_INET); print("ESCAPED")'),
    Attack("IPv4 datagram socket", 'socket.socket(socket.AF_INET, socket.SOCK_DGRAM); print("ESCAPED")'),
    Attack("IPv6 socket", 'socket.socket(socket.AF_INET6); print("ESCAPED")'),
    Attack("netlink socket", 'socket.socket(socket.AF_NETLINK, socket.SOCK_RAW); print("ESCAPED")'),
    Attack("virtual machine socket", 'socket.socket(socket.AF_VSOCK); print("ESCAPED")'),
    Attack("connect to a unix socket", """
socket.socket(socket.AF_UNIX).connect(outside + "/stream")
print("ESCAPED")
"""),
    Attack("connect to an abstract unix socket", """
socket.socket(socket.AF_UNIX).connect("\\0" + base)
print("ESCAPED")
"""),
    Attack("send a unix datagram", """
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", outside + "/datagram")
print("ESCAPED")
"""),
    Attack("send a unix datagram from a pair", """
socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendmsg([b"x"], [], 0, outside + "/datagram")
print("ESCAPED")
"""),
    Attack("signal", 'os.kill(victim, signal.SIGUSR1); print("ESCAPED")'),
    Attack("signal by descriptor", """
fd = os.open(f"/proc/{victim}", os.O_DIRECTORY)
signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGUSR1)
print("ESCAPED")
"""),
    Attack("read another's memory", 'open(f"/proc/{victim}/mem", "rb"); print("ESCAPED")'),
    Attack("read another's environment", 'open(f"/proc/{victim}/environ").read(); print("ESCAPED")'),
    Attack("terminal input", """
import pty
child, _ = pty.fork()
if child == 0:
    try:
        fcntl.ioctl(0, 0x5412, b"x")
    finally:
        os._exit(sys.exc_info()[0] is not None)
print("ESCAPED" if os.waitpid(child, 0)[1] == 0 else "")
"""),
    Attack("user namespace", 'subprocess.run(["unshare", "-U", "true"], check=True, stderr=-3); print("ESCAPED")'),
    Attack("outlive the call", """
subprocess.Popen(["sleep", f"300.{victim}"], start_new_session=True, stdout=-3, stderr=-3)
print("STARTED")
""", gap=True),
]  # fmt: skip

NATIVE = {
    "32-bit system call": """
        #include <stdio.h>
        int main(void) {
            long result;
            __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L));
            if (result > 0) puts("ESCAPED");
        }""",
    "trace another": """
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/ptrace.h>
        #include <sys/wait.h>
        int main(int count, char **arguments) {
            int victim = atoi(arguments[2]);
            if (ptrace(PTRACE_ATTACH, victim, 0, 0) == 0) {
                waitpid(victim, 0, 0);
                puts("ESCAPED");
            }
        }""",
    "io_uring": """
        #include <stdio.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(void) {
            char parameters[256];
            memset(parameters, 0, sizeof parameters);
            if (syscall(425, 4, parameters) >= 0) puts("ESCAPED");
        }""",
}
"""C programs, for what Python cannot do; the first is for x86-64."""

"""Writing files outside the writable directories, and their metadata."""

from core.sandbox.attacks.attack import Attack, table

ATTACKS = [
    *table("files", {
        "create": 'open(outside + "/new", "w")',
        "append": 'open(outside + "/file", "a").write("x")',
        "open for reading and writing": 'os.open(outside + "/file", os.O_RDWR)',
        "truncate": 'os.truncate(outside + "/file", 0)',
        "truncate on opening": 'os.open(outside + "/file", os.O_TRUNC)',
        "remove": 'os.unlink(outside + "/file")',
        "remove a directory": 'os.rmdir(outside + "/empty")',
        "make a directory": 'os.mkdir(outside + "/new")',
        "make a symlink": 'os.symlink("x", outside + "/new")',
        "make a pipe": 'os.mkfifo(outside + "/new")',
        "make a nameless file": "os.open(outside, os.O_TMPFILE | os.O_WRONLY)",
        "link a file out": 'os.link("file", outside + "/new")',
        "link a file in and write it": 'os.link(outside + "/file", "l"); open("l", "w")',
        "rename out": 'os.rename("file", outside + "/new")',
        "rename in": 'os.rename(outside + "/file", "new")',
        "rename outside": 'os.rename(outside + "/file", outside + "/new")',
        "rename the parent": 'os.rename(outside, outside + ".new")',
        "through a symlink": 'os.symlink(outside + "/file", "l"); open("l", "w")',
        "through a linked directory": 'os.symlink(outside, "l"); open("l/new", "w")',
        "through a chain of links": 'os.symlink(outside, "a"); os.symlink("a", "b"); open("b/new", "w")',
        "through ..": 'open(f"../../outside/{ident}/new", "w")',
        "through the working directory's link": 'open(f"/proc/self/cwd/../../outside/{ident}/new", "w")',
        "through /proc/self/root": 'open("/proc/self/root" + outside + "/new", "w")',
        "through /proc/self/fd": """
fd = os.open(outside + "/file", os.O_RDONLY)
open(f"/proc/self/fd/{fd}", "w")
""",
        "through a descriptor of a directory": """
fd = os.open(outside, os.O_RDONLY | os.O_DIRECTORY)
os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
""",
        "through a path descriptor": """
fd = os.open(outside + "/file", os.O_PATH)
os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
""",
        "swap a link while it is opened": """
import threading
os.symlink("file", "l")
stop = []
def swap():
    while not stop:
        for target in (outside + "/file", "file"):
            os.symlink(target, "m"); os.rename("m", "l")
thread = threading.Thread(target=swap); thread.start()
try:
    for _ in range(300):
        try:
            open("l", "w").write("taken")
        except OSError:
            pass
finally:
    stop.append(1); thread.join()
assert open(outside + "/file").read() == "taken"
""",
        "copy into it": """
fd = os.open(outside + "/file", os.O_WRONLY)
os.copy_file_range(os.open("file", os.O_RDONLY), fd, 1)
""",
        "through a root that was replaced with a link": 'open("replaced/new", "w")',
        "a lease that makes other programs wait": """
fcntl.fcntl(os.open("file", os.O_RDONLY), 1024, fcntl.F_RDLCK)
""",
        "a lease on a file outside": """
fcntl.fcntl(os.open(outside + "/file", os.O_RDONLY), 1024, fcntl.F_WRLCK)
""",
        "allocate": 'os.posix_fallocate(os.open(outside + "/file", os.O_WRONLY), 0, 10)',
        "an inherited file": """
for fd in range(3, 64):
    try:
        if os.path.samestat(os.fstat(fd), os.stat(base + "/inherited")):
            os.write(fd, b"x"); break
    except OSError:
        pass
else:
    raise OSError("none")
""",
        "an inherited directory": """
for fd in range(3, 64):
    try:
        os.open(f"new-{ident}", os.O_WRONLY | os.O_CREAT, dir_fd=fd); break
    except OSError:
        pass
else:
    raise OSError("none")
""",
        "a set-uid program": 'os.chmod(outside + "/file", 0o4755); open(outside + "/file", "w")',
        "attribute": 'os.setxattr(outside + "/file", "user.x", b"x")',
        "remove an attribute": 'os.removexattr(outside + "/marked", "user.x")',
        "attribute by descriptor": 'os.setxattr(os.open(outside + "/file", os.O_RDONLY), "user.x", b"x")',
        "flags": """
fd = os.open(outside + "/file", os.O_RDONLY)
fcntl.ioctl(fd, 0x40086602, struct.pack("l", 0x40))
""",
    }),
    *table("files", {
        "change the mode": 'os.chmod(outside + "/file", 0o777)',
        "change the mode through a descriptor": 'os.fchmod(os.open(outside + "/file", os.O_RDONLY), 0o777)',
        "change the owner": 'os.chown(outside + "/file", os.getuid(), os.getgid())',
        "change the times": 'os.utime(outside + "/file", (1, 1))',
        "change the mode of a directory": "os.chmod(outside, 0o777)",
    }, gaps=("landlock",)),
    *table("files", {
        "write to a pipe that another program reads": """
fd = os.open(outside + "/pipe", os.O_RDWR | os.O_NONBLOCK)
os.write(fd, b"x")
""",
    }, gaps=("bwrap",)),
    Attack("files", "shared memory of others", 'open("/dev/shm/" + token, "w")', proof="/dev/shm/{token}"),
]  # fmt: skip

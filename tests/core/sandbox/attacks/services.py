"""Reaching other programs: sockets of every family, and helpers that act for anyone who asks."""

from core.sandbox.attacks.attack import Attack, table

_FAMILIES = {
    "IPv4 stream": "AF_INET, SOCK_STREAM", "IPv4 datagram": "AF_INET, SOCK_DGRAM", "IPv4 raw": "AF_INET, SOCK_RAW, 1",
    "IPv6 stream": "AF_INET6, SOCK_STREAM", "IPv6 datagram": "AF_INET6, SOCK_DGRAM", "packet": "17, SOCK_RAW",
    "netlink routing": "16, SOCK_RAW, 0", "netlink events": "16, SOCK_RAW, 15", "netlink audit": "16, SOCK_RAW, 9",
    "virtual machines": "40, SOCK_STREAM", "Bluetooth": "31, SOCK_RAW, 1", "CAN": "29, SOCK_RAW, 1",
    "kernel cryptography": "38, SOCK_SEQPACKET", "TIPC": "30, SOCK_STREAM", "XDP": "44, SOCK_RAW",
    "Qualcomm routing": "42, SOCK_DGRAM", "SMC": "43, SOCK_STREAM", "MPTCP": "AF_INET, SOCK_STREAM, 262",
    "unix datagram": "AF_UNIX, SOCK_DGRAM", "unix raw": "AF_UNIX, SOCK_RAW",
}  # fmt: skip

ATTACKS = [
    *table("sockets", {name: f"socket.socket({', '.join(part if part.isdigit() else 'socket.' + part for part in what.split(', '))})"
                       for name, what in _FAMILIES.items()}),
    *table("sockets", {
        "connect over TCP": 'socket.create_connection(("127.0.0.1", port), 2)',
        "send over UDP": 'socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))',
        "resolve a name over the network": """
query = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); query.connect(("127.0.0.1", 53)); query.send(b"x")
""",
        "connect to a unix socket": 'socket.socket(socket.AF_UNIX).connect(base + "/stream")',
        "connect to an abstract socket": 'socket.socket(socket.AF_UNIX).connect("\\0" + base)',
        "connect by a relative path": 'os.chdir(base); socket.socket(socket.AF_UNIX).connect("stream")',
        "connect through a link": 'os.symlink(base + "/stream", "l"); socket.socket(socket.AF_UNIX).connect("l")',
        "connect to one in a writable directory": 'socket.socket(socket.AF_UNIX).connect(base + "/work/agent.sock")',
        "send a unix datagram": """
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", base + "/datagram")
""",
        "send a datagram from a pair": """
socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendmsg([b"x"], [], 0, base + "/datagram")
""",
        "send from a stream without connecting": 'socket.socket(socket.AF_UNIX).sendto(b"x", base + "/stream")',
        "listen on a path": 'one = socket.socket(socket.AF_UNIX); one.bind("s"); one.listen()',
        "listen on an abstract name": 'one = socket.socket(socket.AF_UNIX); one.bind("\\0" + ident); one.listen()',
        "listen without a name": "socket.socket(socket.AF_UNIX).listen()",
        "take the place of a helper's socket": """
os.symlink("x", "agent.sock"); os.unlink("agent.sock")
one = socket.socket(socket.AF_UNIX); one.bind("agent.sock"); one.listen()
""",
        "listen on TCP": 'one = socket.socket(); one.bind(("127.0.0.1", 0)); one.listen()',
    }),
    *table("helpers", {
        "an agent for keys by SSH_AUTH_SOCK": """
socket.socket(socket.AF_UNIX).connect(os.environ.get("SSH_AUTH_SOCK", base + "/ssh-agent"))
""",
        "a container engine": 'socket.socket(socket.AF_UNIX).connect(base + "/docker.sock")',
        "a message bus": 'socket.socket(socket.AF_UNIX).connect(base + "/bus")',
        "a screen of X11": 'socket.socket(socket.AF_UNIX).connect(base + "/X0")',
        "a screen of X11 by its abstract name": 'socket.socket(socket.AF_UNIX).connect("\\0" + base)',
        "a screen of Wayland": 'socket.socket(socket.AF_UNIX).connect(base + "/wayland-0")',
        "a terminal multiplexer": 'socket.socket(socket.AF_UNIX).connect(base + "/work/tmux")',
        "the system's log": 'socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", base + "/log")',
    }),
    Attack("sockets", "a unix socket of another that io_uring opens", "io_uring", native=True),
]  # fmt: skip

"""Lets one-shot MCP clients talk to one server, one after another.

`bridge.py serve SOCKET COMMAND…` starts the command and passes its stdin and stdout
to the client that connects; `bridge.py connect SOCKET` is what a client runs as its server.
"""

import socket
import subprocess
import sys
import threading
from typing import IO


def copy(source: IO[bytes], target: IO[bytes]) -> None:
    while chunk := source.read1(65536):  # type: ignore[attr-defined] # buffered readers have it
        target.write(chunk)
        target.flush()


def serve(path: str, command: list[str]) -> None:
    with (
        socket.socket(socket.AF_UNIX) as listener,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        clients: list[IO[bytes]] = []

        def answer() -> None:
            for line in server.stdout or ():
                clients[-1].write(line)
                clients[-1].flush()

        listener.bind(path)
        listener.listen()
        threading.Thread(target=answer, daemon=True).start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            clients.append(connection.makefile("wb"))
            copy(connection.makefile("rb"), server.stdin)


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        outgoing = connection.makefile("wb")
        threading.Thread(target=copy, args=(sys.stdin.buffer, outgoing), daemon=True).start()
        copy(connection.makefile("rb"), sys.stdout.buffer)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", path, *command]:
            serve(path, command)
        case ["connect", path]:
            connect(path)

"""Starts processes that outlive it: in its group, in a group and in a session of their own, and a daemon."""

import os
import subprocess
import sys

from mcp_client.servers.lines import Json, serve, text

SLEEP = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
children = [
    subprocess.Popen(SLEEP, **quiet),  # type: ignore[call-overload]  # one set of options for all
    subprocess.Popen(SLEEP, process_group=0, **quiet),  # type: ignore[call-overload]
    subprocess.Popen(SLEEP, start_new_session=True, **quiet),  # type: ignore[call-overload]
    subprocess.Popen(SLEEP),  # holds the server's stdin, stdout and stderr
]
daemon = subprocess.run(
    ["sh", "-c", 'setsid "$@" </dev/null >/dev/null 2>&1 & echo $!', "sh", *SLEEP],
    stdout=subprocess.PIPE,
    check=True,
)
pids = [*(child.pid for child in children), int(daemon.stdout)]


def crash(_: Json) -> None:
    os._exit(7)


serve({"children": lambda _: text(" ".join(map(str, pids))), "crash": crash})
os._exit(0)

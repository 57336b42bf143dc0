"""Runs attacks, each in a separate process, and prints the results as JSON.

    python runner.py BASE NATIVE

`BASE/attacks.json` has a list of `[ident, program, is_native, victim, port]`. Imports nothing of the
project: it is run by other users, who cannot read it.
"""

import json
import os
import signal
import sys
import tempfile

SECONDS = 5
PREAMBLE = """
import fcntl, os, shutil, signal, socket, struct, subprocess, sys
"""


def attempt(
    base: str, native: str, ident: str, program: str, is_native: bool, victim: int, port: int
) -> None:
    """Become the attack; an exception means that it failed."""
    signal.alarm(SECONDS)
    work, outside = f"{base}/work/{ident}", f"{base}/outside/{ident}"
    os.chdir(work)
    if is_native:
        os.execv(native, [native, program, str(victim), outside])
    token = os.path.basename(base) + ident
    sleeper = ["/bin/sh", "-c", "while :; do sleep 1; done", token]
    names = {
        "token": token,
        "sleeper": sleeper,
        "base": base,
        "work": work,
        "outside": outside,
        "victim": victim,
        "ident": ident,
        "port": port,
    }
    exec(PREAMBLE, names)
    exec(program, names)


def main(base: str, native: str) -> None:
    results = {}
    with open(f"{base}/attacks.json") as file:
        attacks = json.load(file)
    for ident, *rest in attacks:
        with tempfile.TemporaryFile(dir=f"{base}/output") as output:
            pid = os.fork()
            if pid == 0:
                os.dup2(output.fileno(), 2)
                code = 1
                try:
                    attempt(base, native, ident, *rest)
                    code = 0
                except BaseException as error:
                    os.write(2, f"{type(error).__name__}: {error}".encode(errors="replace"))
                finally:
                    os._exit(code)
            _, status = os.waitpid(pid, 0)
            output.seek(0)
            results[ident] = [os.waitstatus_to_exitcode(status), output.read(300).decode(errors="replace")]
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])

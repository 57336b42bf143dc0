# ruff: noqa: INP001 - a script, not a module
"""Writes `code_process_hardening/_libc_binding.py`, the out-of-line ABI binding of libc.

uv run python packages/process-hardening/scripts/generate_binding.py

The result is checked in: loading it needs neither a compiler nor a C parser.
"""

import sys
from pathlib import Path

import cffi  # type: ignore[import-untyped]  # it ships no types

TARGET = Path(__file__).parents[1] / "src" / "code_process_hardening" / "_libc_binding.py"

# `prctl` and `syscall` are variadic in C. They are Linux's own, and every Linux calling
# convention passes integer arguments of both kinds alike.
DECLARATIONS = """
int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);
int ptrace(int, int, void *, int);
long syscall(long, unsigned long, unsigned long, unsigned long, unsigned long);
int mlock(const void *, size_t);
int minherit(void *, size_t, int);
int inotify_init1(int);
int inotify_add_watch(int, const char *, uint32_t);
"""

HEADER = "# fmt: off\n# ruff: noqa: Q000 - as the generator lays it out\n# Written by scripts/generate_binding.py.\n"


def generate(target: Path) -> None:
    """Write the binding to `target`, whatever its name."""
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS)
    ffi.set_source("code_process_hardening._libc_binding", None)
    ffi.emit_python_code(str(target))
    target.write_text(HEADER + target.read_text())


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)

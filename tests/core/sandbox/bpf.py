"""Runs a seccomp filter like the kernel."""

import struct
from collections.abc import Iterator


def run(program: bytes, arch: int, number: int, *arguments: int) -> int:
    """The filter's result for a system call."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, arch, 0, *padded)
    code = list(instructions(program))
    accumulator, at = 0, 0
    while True:
        kind, yes, no, value = code[at]
        at += 1
        match kind:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                at += yes if accumulator == value else no
            case 0x35:
                at += yes if accumulator >= value else no
            case 0x45:
                at += yes if accumulator & value else no
            case 0x06:
                return value
            case _:
                raise AssertionError(f"instruction {kind:#x} is not one of ours")


def instructions(program: bytes) -> Iterator[tuple[int, int, int, int]]:
    yield from struct.iter_unpack("=HBBI", program)

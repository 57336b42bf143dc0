import os
import subprocess
import sys

import pytest

from code_process_hardening import MemoryKind, SecretBuffer, SecretMemoryError

KINDS = [True, False]


def piped(data: bytes) -> int:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return read


@pytest.mark.parametrize("secret_memory", KINDS)
def test_a_secret_is_read_between_public_parts(secret_memory: bool) -> None:
    source = piped(b"sk-key")
    with SecretBuffer(64, secret_memory=secret_memory) as buffer:
        buffer.append(b"Bearer ")
        assert buffer.readinto(source) == 6
        assert buffer.readinto(source) == 0
        buffer.append(b"\r\n")
        with buffer.view() as view:
            assert bytes(view) == b"Bearer sk-key\r\n"
            assert view.readonly
        assert "sk-key" not in repr(buffer)
    os.close(source)


def test_reading_stops_at_the_limit_and_at_the_capacity() -> None:
    source = piped(b"0123456789")
    with SecretBuffer(8) as buffer:
        assert buffer.readinto(source, 3) == 3
        assert buffer.readinto(source) == 5
        assert buffer.readinto(source) == 0
        with pytest.raises(ValueError, match="do not fit"):
            buffer.append(b"x")
    os.close(source)


def test_truncating_zeroes_what_is_cut_off() -> None:
    with SecretBuffer(8) as buffer:
        buffer.append(b"key\n")
        buffer.truncate(3)
        assert bytes(buffer._all[:8]) == b"key\0\0\0\0\0"
        with pytest.raises(ValueError, match="truncate"):
            buffer.truncate(4)


@pytest.mark.parametrize("secret_memory", KINDS)
def test_leaving_the_buffer_zeroes_it_even_while_a_view_exists(secret_memory: bool) -> None:
    with SecretBuffer(8, secret_memory=secret_memory) as buffer:
        buffer.append(b"key")
        view = buffer.view()
    assert bytes(view) == b"\0\0\0"


def test_locked_memory_is_used_when_asked_for() -> None:
    with SecretBuffer(8, secret_memory=False) as buffer:
        assert buffer.kind is MemoryKind.LOCKED


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_buffer_needs_a_capacity(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity"):
        SecretBuffer(capacity)


def child(script: str) -> subprocess.CompletedProcess[str]:
    prefix = "import os, resource, sys\nfrom code_process_hardening import MemoryKind, SecretBuffer\n"
    return subprocess.run(
        [sys.executable, "-c", prefix + script], capture_output=True, text=True, check=False
    )


def test_a_forked_child_finds_locked_memory_empty() -> None:
    done = child(
        "buffer = SecretBuffer(8, secret_memory=False); buffer.append(b'key'); view = buffer.view()\n"
        "pid = os.fork()\n"
        "if pid == 0: os.write(1, bytes(view)); os._exit(0)\n"
        "os.waitpid(pid, 0); os.write(1, bytes(view))"
    )
    assert done.stdout == "\0\0\0key", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="memfd_secret is Linux's")
def test_a_forked_child_does_not_have_secret_memory() -> None:
    done = child(
        "buffer = SecretBuffer(8); buffer.append(b'key'); view = buffer.view()\n"
        "if buffer.kind is not MemoryKind.SECRET: print('no memfd_secret'); sys.exit()\n"
        "pid = os.fork()\n"
        "if pid == 0: os.write(1, bytes(view)); os._exit(0)\n"
        "print(os.WTERMSIG(os.waitpid(pid, 0)[1]))"
    )
    if done.stdout == "no memfd_secret\n":
        pytest.skip("this kernel has no memfd_secret")
    assert done.stdout == "11\n", done.stderr


def test_no_lockable_memory_is_a_clear_error() -> None:
    # Root can lock any amount.
    done = child(
        "if os.getuid() == 0: os.setuid(61234)\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))\n"
        "try: SecretBuffer(8)\n"
        "except OSError as error: print(type(error).__name__, error)"
    )
    assert SecretMemoryError.__name__ in done.stdout, done.stderr
    assert "ulimit -l" in done.stdout

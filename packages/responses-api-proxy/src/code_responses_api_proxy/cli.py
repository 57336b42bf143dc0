"""The command line: arguments, wiring, exit codes (0 normal end, 1 failure, 2 usage error, 5 to 7 not hardened)."""

import argparse
import asyncio
import resource
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from code_process_hardening import SecretBuffer, SecretMemoryError, confine, pre_main_hardening
from code_responses_api_proxy.dump import DumpFolder
from code_responses_api_proxy.errors import ProxyError, StartError, UsageError
from code_responses_api_proxy.gate import Policy
from code_responses_api_proxy.info import write_info
from code_responses_api_proxy.key import key_in, read_head
from code_responses_api_proxy.pool import Pool
from code_responses_api_proxy.redact import Redactor
from code_responses_api_proxy.server import SCRATCH_BYTES, Proxy
from code_responses_api_proxy.target import DEFAULT, Target, parse_target
from code_responses_api_proxy.tunnel import find_tunnel

NAME = "responses-api-proxy"
MODULE = "code_responses_api_proxy"
CONNECT_SECONDS = 10.0
RESERVED_DESCRIPTORS = 32
DNS_PORT = 53

TYPE_CHECKING = False  # type checkers treat it as true
if TYPE_CHECKING:
    import ssl


def main() -> NoReturn:
    """Harden, serve, exit."""
    pre_main_hardening(MODULE)
    try:
        run(sys.argv[1:])
    except UsageError as error:
        _say(str(error))
        sys.exit(2)
    except (ProxyError, SecretMemoryError) as error:
        _say(str(error))
        sys.exit(1)
    sys.exit(0)


def run(arguments: list[str]) -> None:
    """Serve with the options in `arguments`.

    Raises:
        UsageError: an argument or the key on standard input is invalid.
        StartError: the system refuses something that was requested.
        SecretMemoryError: no memory could be locked for the key.
    """
    options = parser().parse_args(arguments)
    target = parse_target(options.upstream_url)
    secret_memory = options.secret_memory
    with read_head(target, secret_memory=secret_memory) as head:
        redactor = Redactor(key_in(head, target), secret_memory=secret_memory)
        try:
            _serve(options, target, head, redactor)
        finally:
            redactor.close()


def parser() -> argparse.ArgumentParser:
    """Return the argument parser."""
    parser = argparse.ArgumentParser(
        prog=f"code-{NAME}",
        description="Hold an API key, read from standard input, and forward POST /v1/responses with it.",
        epilog="printenv OPENAI_API_KEY | env -u OPENAI_API_KEY code-responses-api-proxy --port 8080",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--port", type=_number(0, 65535), default=0, help="port on 127.0.0.1 (default: any free port)")
    add(
        "--server-info",
        metavar="FILE",
        help='once listening, write {"port": N, "pid": N} to this file, readable only by you; - is stdout',
    )
    add(
        "--exit-on-eof",
        action="store_true",
        help="exit when standard input closes, for example because the parent process has ended",
    )
    add(
        "--http-shutdown",
        action="store_true",
        help="let GET /shutdown end the proxy; running streams get 5 s",
    )
    add("--upstream-url", metavar="URL", default=DEFAULT, help="forward to this URL (default: %(default)s)")
    add(
        "--dump-dir",
        metavar="DIR",
        help="write each request and response to this directory, without credentials",
    )
    add(
        "--max-body-mib",
        metavar="N",
        type=_number(1, 4096),
        default=64,
        help="largest request body (default: 64)",
    )
    add(
        "--max-connections",
        metavar="N",
        type=_number(1, 100_000),
        default=1024,
        help="maximum number of concurrent clients (default: 1024)",
    )
    add(
        "--require-token",
        action="store_true",
        help="require the bearer token that is written to --server-info",
    )
    add("--ca-file", metavar="FILE", help="trust the certificates in this PEM file instead of the system's")
    add(
        "--use-env-proxy",
        action="store_true",
        help="connect through HTTPS_PROXY, HTTP_PROXY or ALL_PROXY (CONNECT)",
    )
    add(
        "--no-secret-memory",
        dest="secret_memory",
        action="store_false",
        help="lock the key with mlock instead of memfd_secret, which prevents hibernation",
    )
    add(
        "--no-self-sandbox",
        dest="self_sandbox",
        action="store_false",
        help="keep the right to write files, run programs and connect anywhere",
    )
    return parser


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return number


def _serve(options: argparse.Namespace, target: Target, head: SecretBuffer, redactor: Redactor) -> None:
    if options.require_token and options.server_info is None:
        raise UsageError("--require-token needs --server-info FILE: the token is written only there")
    context = _trusting(options.ca_file) if options.ca_file else None
    tunnel = find_tunnel(target) if options.use_env_proxy else None
    if not target.tls and not target.loopback:
        _say(f"warning: the key travels to {target.authority} unencrypted")
    dump = DumpFolder(options.dump_dir) if options.dump_dir is not None else None
    token = _new_token() if options.require_token else None
    listener = _listen(options.port)
    port: int = listener.getsockname()[1]

    scratch = memoryview(bytearray(SCRATCH_BYTES))
    pool = Pool(target, scratch, connect_seconds=CONNECT_SECONDS, tunnel=tunnel.open if tunnel else None)
    proxy = Proxy(
        Policy(
            options.max_body_mib * 2**20, token.encode() if token else None, shutdown=options.http_shutdown
        ),
        pool,
        head,
        redactor,
        scratch=scratch,
        url=f"{'https' if target.tls else 'http'}://{target.authority}{target.path}",
        max_connections=_affordable(options.max_connections),
        dump=dump,
    )

    def ready() -> None:
        if options.server_info is not None:
            write_info(options.server_info, port=port, token=token)
        _say(f"listening on 127.0.0.1:{port}", mark=" ")
        if options.self_sandbox:
            _confine(port=tunnel.port if tunnel else target.port, dump_dir=options.dump_dir)
        if target.tls:
            # After the port is announced, because reading the system's certificates takes a while.
            pool.context = context or _trusting(None)

    try:
        with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
            runner.run(proxy.serve(listener, ready, lifeline=0 if options.exit_on_eof else None))
    finally:
        if dump is not None:
            dump.close()


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop from the extra `speed`, if installed."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from error
    return listener


def _trusting(ca_file: str | None) -> "ssl.SSLContext":
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise UsageError(f"--ca-file {ca_file} cannot be used: {error.strerror or error}") from error


def _new_token() -> str:
    from secrets import token_urlsafe

    return token_urlsafe(32)


def _affordable(wanted: int) -> int:
    """The number of clients for which enough descriptors are available, including upstream connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + RESERVED_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    most = max(1, (soft - RESERVED_DESCRIPTORS) // 2)
    _say(f"warning: the limit of {soft} open files allows {most} connections, not {wanted} (`ulimit -n`)")
    return most


def _confine(*, port: int, dump_dir: str | None) -> None:
    try:
        confine(writable=[dump_dir] if dump_dir is not None else [], connect_ports=[port, DNS_PORT])
    except OSError as error:
        _say(f"warning: the proxy cannot confine itself: {error}")


def _say(message: str, *, mark: str = ": ") -> None:
    sys.stderr.write(f"{NAME}{mark}{message}\n")

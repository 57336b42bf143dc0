"""The file that tells the proxy's starter where it listens."""

import os
import sys

from code_responses_api_proxy.errors import StartError


def write_info(path: str, *, port: int, token: str | None) -> None:
    """Write one line of JSON to `path`, atomically and readable only by its owner; `-` is standard output.

    Raises:
        StartError: it cannot be written.
    """
    import json

    facts: dict[str, int | str] = {"port": port, "pid": os.getpid()}
    if token is not None:
        facts["token"] = token
    line = json.dumps(facts) + "\n"
    if path == "-":
        sys.stdout.write(line)
        sys.stdout.flush()
        return
    fresh = f"{path}.{os.getpid()}.new"
    try:
        # In the same directory, because renaming is atomic only there.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(line)
            os.replace(fresh, path)  # noqa: PTH105 - pathlib costs 5 ms at start
        except OSError:
            os.unlink(fresh)  # noqa: PTH108 - as above
            raise
    except OSError as error:
        raise StartError(f"--server-info {path} cannot be written: {error.strerror}") from error

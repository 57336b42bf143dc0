"""The extended attributes of a file that survive its replacement, including its access control list (Linux).

Source: xattr(7), acl(5).
"""

import os
from contextlib import suppress

Attributes = tuple[tuple[str, bytes], ...]
"""Names and values."""

ACCESS_LIST = "system.posix_acl_access"
_KEPT = ("user.", ACCESS_LIST)


def attributes_of(file: int | str) -> Attributes:
    """Return the attributes of an open file or a path; none if the file system has none."""
    if not hasattr(os, "listxattr"):
        return ()
    try:
        return tuple((name, os.getxattr(file, name)) for name in os.listxattr(file) if name.startswith(_KEPT))
    except OSError:
        return ()


def set_attributes(descriptor: int, attributes: Attributes) -> None:
    """Set attributes of an open file, as far as its file system allows."""
    for name, value in attributes:
        with suppress(OSError):
            os.setxattr(descriptor, name, value)

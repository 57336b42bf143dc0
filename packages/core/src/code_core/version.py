"""The version, and the name that we send to servers."""

import platform
import sys

VERSION = "0.1.0"
USER_AGENT = f"code_py/{VERSION} ({sys.platform}; {platform.machine()}) python/{platform.python_version()}"

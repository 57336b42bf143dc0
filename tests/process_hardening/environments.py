"""Environments as users would create them: the package with a small program that has the registered name."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

HARDENING = Path(__file__).parents[2] / "packages" / "process-hardening"

PYPROJECT = """
[project]
name = "probe"
version = "1"
dependencies = ["code-process-hardening"]
[project.scripts]
code-responses-api-proxy = "code_responses_api_proxy:main"
unrelated = "code_responses_api_proxy:report"
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[tool.hatch.build.targets.wheel]
packages = ["code_responses_api_proxy"]
"""

PROBE = '''
import json, os, sys

def main():
    from code_process_hardening import pre_main_hardening
    pre_main_hardening("code_responses_api_proxy")
    report()

def report():
    """Print what the process is like; then, until its input ends, hold what it reads from it."""
    hooked = "code_process_hardening.premain" in sys.modules
    import resource, site, ssl, stringprep
    from code_process_hardening import libc
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    context = ssl.create_default_context()
    print(json.dumps({
        "hooked": hooked,
        "dumpable": libc.prctl(libc.PR_GET_DUMPABLE),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "no_new_privileges": int(status["NoNewPrivs"]),
        "isolated": sys.flags.isolated,
        "options": sorted(sys._xoptions),
        "arguments": sys.argv[1:],
        "environment": sorted(map(ascii, os.environ)),
        "stringprep": stringprep.__file__,
        "minimum_tls": context.minimum_version.name,
        "key_log": context.keylog_filename,
        "certificates": ssl.get_default_verify_paths().cafile,
        "user_site": site.ENABLE_USER_SITE,
        "preloaded": "libBrokenLocale" in open("/proc/self/maps").read(),
    }), flush=True)
    sys.stdin.read()
'''


@dataclass(frozen=True)
class Environment:
    """An installed environment."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def script(self) -> str:
        return str(self.folder / "bin" / "code-responses-api-proxy")

    @property
    def site_packages(self) -> Path:
        return next(self.folder.glob("lib/python3.*/site-packages"))


def uv(*arguments: str | Path, **environment: str) -> None:
    found = shutil.which("uv")
    if found is None:
        pytest.skip("uv is not on PATH: no environment can be made")
    done = subprocess.run(
        [found, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"uv {' '.join(map(str, arguments))}:\n{done.stderr}"


def write_probe(folder: Path) -> Path:
    package = folder / "probe" / "code_responses_api_proxy"
    package.mkdir(parents=True)
    (folder / "probe" / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").write_text(PROBE)
    (package / "__main__.py").write_text(
        dedent("""
        from code_responses_api_proxy import main
        main()
        """)
    )
    return folder / "probe"


def make_environment(folder: Path, python: Path, *, editable: bool = False) -> Environment:
    """A virtual environment with the package and the probe."""
    probe = write_probe(folder)
    uv("venv", "--quiet", "--python", python, folder / "venv")
    environment = Environment(folder / "venv")
    package = ["--editable", HARDENING] if editable else [HARDENING]
    uv("pip", "install", "--quiet", "--python", environment.python, *package, probe)
    return environment


def make_tool(folder: Path, python: Path) -> Environment:
    """The probe installed as `uv tool install` does."""
    probe = write_probe(folder)
    uv(
        *("tool", "install", "--quiet", "--python", python, "--with", HARDENING, probe),
        UV_TOOL_DIR=str(folder / "tools"),
        UV_TOOL_BIN_DIR=str(folder / "bin"),
    )
    return Environment(folder / "tools" / "probe")

"""Builds every package, installs each wheel alone in a fresh environment, and tries it.

Sibling packages come from the build, everything else from the index. Then the README's
installation commands are run unchanged. `uv` must be on PATH or in `.venv-tools`.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = shutil.which("uv") or str(ROOT / ".venv-tools" / "bin" / "uv")


def run(*command: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout


def check(package: Path, dist: Path, scratch: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    name, module = project["name"], project["name"].replace("-", "_")
    wheel = next(dist.glob(f"{module}-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        if f"{module}/py.typed" not in archive.namelist():
            sys.exit(f"{wheel.name} has no py.typed")
    environment = scratch / name
    run(UV, "venv", "--quiet", "--python", sys.executable, str(environment))
    binaries = environment / "bin"
    run(
        UV,
        "pip",
        "install",
        "--quiet",
        "--python",
        str(binaries / "python"),
        "--find-links",
        str(dist),
        str(wheel),
    )
    run(
        str(binaries / "python"),
        "-c",
        f"import {module}, code, pdb; assert 'site-packages' not in code.__file__",
        cwd=scratch,
    )
    scripts = sorted(project.get("scripts", {}))
    for script in scripts:
        if "usage" not in run(str(binaries / script), "--help", cwd=scratch).lower():
            sys.exit(f"{script} --help does not show its usage")
    print(f"{name}: installs alone, imports, {' '.join(scripts) or 'no'} scripts answer --help", flush=True)


def check_readme(scratch: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## Install")[2].partition("\n## ")[0]
    forms = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    checkout = scratch / "checkout"
    shutil.copytree(
        ROOT, checkout, ignore=shutil.ignore_patterns(".venv*", ".git", "*_cache", "__pycache__", "dist")
    )
    for number, form in enumerate(forms):
        environment = scratch / f"readme-{number}"
        run(UV, "venv", "--quiet", "--seed", "--python", sys.executable, str(environment))
        path = os.pathsep.join([str(environment / "bin"), str(Path(UV).parent), os.environ["PATH"]])
        tools = (f"UV_TOOL_DIR={environment / 'tools'}", f"UV_TOOL_BIN_DIR={environment / 'bin'}")
        activated = ("env", f"VIRTUAL_ENV={environment}", f"PATH={path}", *tools)
        run(*activated, "sh", "-ec", form, cwd=checkout)
        print(
            f"README form {number + 1}: {run(*activated, 'code', '--version', cwd=scratch).strip()}",
            flush=True,
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        dist = scratch / "dist"
        run(UV, "build", "--quiet", "--all-packages", "--out-dir", str(dist))
        for package in sorted((ROOT / "packages").iterdir()):
            check(package, dist, scratch)
        check_readme(scratch)


if __name__ == "__main__":
    main()

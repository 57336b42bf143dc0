"""Runs checks on the files as a patch would leave them."""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import anyio

from code_core.context.git import repository_root
from code_core.frozen import frozen
from code_core.patch import Added, Deleted, FileEdit, Updated
from code_core.process.capture import Capture
from code_core.process.guardian import ended, start_guarded
from code_core.process.spawn import SpawnError, Stream, follow
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.detection import detect
from code_core.sandbox.sandbox import Sandbox
from code_core.validation.findings import Issue, Report, whole
from code_core.validation.staging import Staging, staging
from code_core.validation.switches import ValidationSwitches
from code_core.validation.tools import CHECKERS, Checker

_Start = Callable[[list[str], Path], "subprocess.Popen[bytes]"]

AT_ONCE = 4
OUTPUT_LIMIT = 2**18
MOST_SECONDS = 60.0
"""Time limit for all checkers together."""
MOST_FILES = 500
"""Limit on files for one checker."""


@frozen
class _Run:
    """An enabled, installed checker with its files."""

    checker: Checker
    program: str
    files: tuple[str, ...]


@frozen
class _Outcome:
    """The result of a check; `problem` is why it failed to complete."""

    name: str
    issues: tuple[Issue, ...] = ()
    problem: str | None = None

    def __str__(self) -> str:
        return self.name if self.problem is None else f"{self.name}: {self.problem}"


async def validate(
    edits: Iterable[FileEdit],
    cwd: Path,
    environment: Mapping[str, str],
    switches: ValidationSwitches,
    base: Path,
) -> Report | None:
    """Check the files as `edits` will leave them; None if no check applies.

    Checkers run concurrently, on a copy, without network, in the sandbox if there is one; those that
    workspace settings can make run programs run only in the sandbox.

    Args:
        edits: the changes of the patch.
        cwd: the working directory, without symlinks; checkers may see its repository.
        environment: the environment of commands; checkers are found on its `PATH`.
        switches: which checks are on.
        base: a directory for the copy, where commands may not write.
    """
    root = repository_root(cwd) or cwd
    after = _texts(edits)
    inside = {
        path.relative_to(root).as_posix(): text for path, text in after.items() if path.is_relative_to(root)
    }
    texts = {name: text for name, text in inside.items() if text is not None}
    gone = [path for path, text in after.items() if text is None]
    wanted = [(checker, tuple(filter(checker.checks, texts))) for checker in CHECKERS]
    wanted = [(one, files) for one, files in wanted if files and switches.on(one.name, one.group)]
    if not wanted:
        return None
    sandbox = (await anyio.to_thread.run_sync(detect)).sandbox
    found = ((one, files, _program(one, root, environment, sandbox)) for one, files in wanted)
    runs = [_Run(one, program, files[:MOST_FILES]) for one, files, program in found if program]
    try:
        outcomes = await _all(runs, texts, gone, root, environment, switches, sandbox, base) if runs else []
    except OSError as error:
        return Report(
            checks=(f"not run: no copy of the files could be made: {error}",), issues=(), failed=True
        )
    if not outcomes:
        return None
    return Report(
        checks=tuple(dict.fromkeys(map(str, outcomes))),
        issues=whole(
            replace(issue, file=os.path.relpath(root / issue.file, cwd))
            for outcome in outcomes
            for issue in outcome.issues
        ),
        failed=any(outcome.problem for outcome in outcomes),
    )


def _texts(edits: Iterable[FileEdit]) -> dict[Path, bytes | None]:
    """The files after the edits; None for deleted ones."""
    texts: dict[Path, bytes | None] = {}
    for edit in edits:
        match edit:
            case Added(path=path, new=new):
                texts[path] = new.data
            case Deleted(path=path):
                texts[path] = None
            case Updated(path=path, new=new, move_to=target):
                texts[path] = None
                texts[target or path] = new.data
    return texts


def _program(
    checker: Checker, root: Path, environment: Mapping[str, str], sandbox: Sandbox | None
) -> str | None:
    """The checker's program, if it is installed and allowed to run."""
    if checker.arguments[0] == sys.executable:
        return sys.executable
    program = shutil.which(checker.arguments[0], path=environment.get("PATH", os.defpath))
    if program is None or not os.path.isabs(program):  # noqa: PTH117 - a string
        return None
    # A workspace link to a shell would run a patched file named like the first argument.
    folder, name = os.path.split(program)
    candidates = (os.path.realpath(program), f"{os.path.realpath(folder)}/{name}")
    theirs = checker.runs_code or any(Path(path).is_relative_to(root) for path in candidates)
    return None if theirs and sandbox is None else program


async def _all(
    runs: list[_Run],
    texts: Mapping[str, bytes],
    gone: Iterable[Path],
    root: Path,
    environment: Mapping[str, str],
    switches: ValidationSwitches,
    sandbox: Sandbox | None,
    base: Path,
) -> list[_Outcome]:
    """Run the checkers on a copy; return their outcomes in the same order."""
    outcomes: dict[int, _Outcome] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)
    async with staging(root, base, gone) as staged:
        staged_runs = await anyio.to_thread.run_sync(_prepare, runs, texts, staged)
        scratch = str(staged.scratch)
        checker_environment = {
            **environment,
            "TMPDIR": scratch,
            "XDG_CACHE_HOME": scratch,
            "MYPY_CACHE_DIR": os.devnull,
        }
        start = _starter(staged, checker_environment, sandbox)

        async def run(number: int, folder: Path | None, one: _Run) -> None:
            if folder is None:
                problem = "left out: the project is too large to be copied"
                outcomes[number] = _Outcome(one.checker.name, problem=problem)
                return
            async with limiter:
                outcomes[number] = await _one(one, folder, staged, start, switches.seconds)

        with anyio.move_on_after(MOST_SECONDS):
            async with anyio.create_task_group() as group:
                for number, (folder, one) in enumerate(staged_runs):
                    group.start_soon(run, number, folder, one)
    late = f"the checks did not end within {MOST_SECONDS:g} s"
    return [
        outcomes.get(number) or _Outcome(one.checker.name, problem=late)
        for number, (_, one) in enumerate(staged_runs)
    ]


def _prepare(runs: list[_Run], texts: Mapping[str, bytes], staged: Staging) -> list[tuple[Path | None, _Run]]:
    """Copy what the checkers need and return the directory to run each in; each project is copied once.

    The directory is None if a project is too large.
    """
    staged.put(texts)
    prepared: list[tuple[Path | None, _Run]] = []
    for run in runs:
        if not run.checker.markers:
            prepared.append((staged.root, run))
            continue
        projects: defaultdict[Path, list[str]] = defaultdict(list)
        for file in run.files:
            if (project := staged.project_of(file, run.checker.markers)) is not None:
                projects[project].append(file)
        for project, files in projects.items():
            folder = project if staged.copy_project(project) else None
            prepared.append((folder, replace(run, files=tuple(files))))
    return prepared


def _starter(staged: Staging, environment: Mapping[str, str], sandbox: Sandbox | None) -> _Start:
    if sandbox is None:
        return lambda argv, folder: start_guarded(argv, folder, environment)
    confinement = Confinement(writable=(staged.root, staged.scratch))
    return lambda argv, folder: sandbox.start(argv, confinement, folder, environment)


async def _one(run: _Run, folder: Path, staged: Staging, start: _Start, seconds: float) -> _Outcome:
    """Run a checker in `folder` of the copy."""
    checker = run.checker
    names = {str((staged.root / file).relative_to(folder)): file for file in run.files}
    argv = [run.program, *checker.arguments[1:]]
    if checker.takes_files:
        argv += [f"./{name}" for name in names]
    limit = checker.seconds or seconds
    outputs: dict[Stream, Capture] = {"stdout": Capture(OUTPUT_LIMIT), "stderr": Capture(OUTPUT_LIMIT)}

    async def on_output(stream: Stream, chunk: bytes) -> None:
        outputs[stream].write(chunk)

    try:
        process = start(argv, folder)
        try:
            end = await follow(process, time_limit=limit, on_output=on_output)
        finally:
            ended(process)
        if end.timed_out:
            return _Outcome(checker.name, problem=f"did not end within {limit:g} s")
        output = f"{outputs['stdout'].text()}\n{outputs['stderr'].text()}"
        issues = checker.reader(checker.name, output, list(names), str(folder))
    except (SpawnError, ValueError) as error:
        return _Outcome(checker.name, problem=str(error))
    if not issues and end.code not in checker.codes:
        first = next(iter(output.strip().splitlines()), "").replace(f"{staged.root}/", "")
        return _Outcome(checker.name, problem=f"exit code {end.code}: {first[:200]}")
    return _Outcome(checker.name, tuple(replace(issue, file=names[issue.file]) for issue in issues))

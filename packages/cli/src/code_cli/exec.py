"""`code exec`."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from code_cli.prompt_input import read_prompt
from code_cli.run import run_frontend
from code_cli.session_options import overrides_from, session_options


@click.command("exec")
@click.argument("words", nargs=-1, metavar="[PROMPT] | resume SESSION [PROMPT] | resume --last [PROMPT]")
@click.option("--last", is_flag=True, help="With resume: use the last session of this directory.")
@click.option(
    "--all", "everywhere", is_flag=True, help="With --last: include the sessions of all directories."
)
@session_options
@click.option(
    "-i", "--image", "images", multiple=True, type=click.Path(path_type=Path), help="Send this image."
)
@click.option("--json", "as_json", is_flag=True, help="Print one event per line on stdout.")
@click.option(
    "-o",
    "--output-last-message",
    "last_message_file",
    type=click.Path(path_type=Path),
    help="Also write the answer to this file.",
)
@click.option(
    "--output-schema", type=click.Path(path_type=Path), help="Make the answer follow this JSON Schema."
)
@click.option("--skip-git-repo-check", is_flag=True, help="Allow running outside a git repository.")
def exec_command(
    words: tuple[str, ...],
    last: bool,
    everywhere: bool,
    images: tuple[Path, ...],
    as_json: bool,
    last_message_file: Path | None,
    output_schema: Path | None,
    skip_git_repo_check: bool,
    **session: Any,
) -> None:
    """Run PROMPT to completion without asking. With resume, continue a stored session.

    Without PROMPT, or with -, the prompt is read from stdin. With PROMPT, piped input is added to it:
    git diff | code exec "review this". The answer goes to stdout, everything else to stderr.

    Exit code: 0 success, 1 failure, 2 invalid options or settings, 130 interrupted.
    """
    resume = None
    if words[:1] == ("resume",):
        from code_cli.resume import chosen

        resume, prompt = chosen(words[1:], last=last, everywhere=everywhere, cwd=session["cwd"])
    elif last or everywhere:
        raise click.UsageError("--last and --all are options of code exec resume")
    elif len(words) > 1:
        raise click.UsageError(f"Got unexpected extra argument ({' '.join(words[1:])[:80]})")
    else:
        prompt = words[0] if words else None
    if sys.__stdout__ is None and last_message_file is None:
        raise click.UsageError(
            "standard output is closed, so the answer would be lost: redirect it, or use -o FILE"
        )
    overrides = overrides_from(**session)
    text = read_prompt(prompt)

    from code_core.headless.exec import ExecOptions, run_exec

    options = ExecOptions(
        prompt=text,
        images=images,
        overrides=overrides,
        as_json=as_json,
        last_message_file=last_message_file,
        output_schema=output_schema,
        skip_git_check=skip_git_repo_check,
        resume=resume,
    )
    run_frontend(partial(run_exec, options))

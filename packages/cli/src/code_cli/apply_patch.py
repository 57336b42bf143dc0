"""`code apply-patch`: the patch tool on its own."""

import sys

import click

from code_cli.directory import absolute_directory


@click.command("apply-patch")
@click.argument("patch", required=False)
def apply_patch_command(patch: str | None) -> None:
    """Apply PATCH, or the patch on stdin, to the current directory.

    Exit code: 0 applied, 1 the patch does not apply or a file cannot be written, 2 no patch given.
    """
    if patch is None:
        if sys.stdin.isatty():
            raise click.UsageError("no patch: pass it as the argument or on stdin")
        try:
            patch = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError as error:
            raise click.UsageError(f"the patch is not UTF-8 text: byte {error.start + 1:,}") from None
    if not patch.strip():
        raise click.UsageError("the patch is empty")

    directory = absolute_directory(None)

    import anyio

    from code_core.files.local import LocalFileSystem
    from code_core.patch import PatchError, apply_plan, parse_patch, plan_patch, summary

    async def apply(text: str) -> str:
        files = LocalFileSystem()
        parsed = parse_patch(text)
        await apply_plan(await plan_patch(parsed, files, directory), files)
        return summary(parsed)

    try:
        click.echo(anyio.run(apply, patch))
    except PatchError as error:
        click.echo(str(error), err=True)
        sys.exit(1)

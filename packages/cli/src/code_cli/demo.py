"""`code demo`."""

from functools import partial

import click

from code_cli.run import run_frontend


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the demo's repository.")
def demo_command(keep: bool) -> None:
    """Watch the agent fix a failing test. The model is scripted; everything else is real."""
    from code_core.demo.run import run_demo

    run_frontend(partial(run_demo, keep))

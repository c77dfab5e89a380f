"""The commands by name, and what becomes of faults: one line each on stderr, and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import SdmodelError

_COMMANDS = {
    "run": "Run a model once and store the run.",
    "runs": "List the stored runs.",
    "show": "Show one stored run whole.",
    "rerun": "Make a stored run again from its own record and compare.",
    "compare": "Tell what differs between stored runs, and when.",
    "levers": "List what a model lets you change.",
    "edit": "Change a model's file in place, and nothing else in it.",
    "check": "Tell every fault and doubt of a model.",
    "loops": "Find feedback loops and their polarity.",
    "attribute": "Tell what each lever of a scenario contributes.",
    "sweep": "Run a grid over the values of levers.",
    "ensemble": "Simulate many members and tell their spread.",
    "sensitivity": "Tell which constants matter to an outcome.",
    "fit": "Tell how well a stored run agrees with observations.",
    "calibrate": "Find the constants that agree best with data.",
    "diff": "Tell what differs between two models or revisions.",
    "fmt": "Lay out a model's text in one form.",
    "git-install": "Let git compare and merge models by variable.",
    "plot": "Draw stored runs over time.",
    "report": "Write one page about stored runs.",
    "convert": "Write numbers as .csv, .dat, .nc or .zarr, and XMILE as .mdl.",
    "expand": "Write a model without subscripts, for Vensim PLE.",
    "diagram": "Draw the stock-and-flow diagrams of a model.",
}
_PLUMBING = ("git-text", "merge-file")
"""Commands that git calls, and nobody types."""
_MODULES = {"expand": "scalars"}
"""The modules of commands whose name means something else in the package too."""
_DONE, _FAULT, _INTERRUPTED = 0, 1, 130


class _Commands(click.Group):
    """A group that imports the module of a command only when that command is asked for."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS and cmd_name not in _PLUMBING:
            return None
        module = _MODULES.get(cmd_name, cmd_name.replace("-", "_"))
        command: click.Command = importlib.import_module(f".commands.{module}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in self.commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # a reader that has seen enough; click would end with a fault
            return _DONE

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        extra["standalone_mode"] = False
        sys.exit(_exit_code(lambda: super(_Commands, self).main(args, prog_name, **extra)))


def _exit_code(work: Callable[[], object]) -> int:
    """What the work ends with; only what is not the user's fault keeps its traceback."""
    try:
        result = work()
        sys.stdout.flush()
    except SdmodelError as fault:
        click.echo(str(fault), err=True)
        return _FAULT
    except click.ClickException as fault:
        fault.show()
        return fault.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except OSError as cause:
        if cause.filename is not None:  # files are told of by who writes them
            raise
        if isinstance(cause, BrokenPipeError):
            return _DONE
        click.echo(f"stdout: cannot be written ({cause.strerror}); send it elsewhere", err=True)
        return _FAULT
    finally:
        _drop_unwritten()
    return result if isinstance(result, int) else _DONE


def _drop_unwritten() -> None:
    """What stdout does not take must not complain again when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=_Commands,
    commands={name: click.Command(name, short_help=told) for name, told in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: sdmodel run -c models/scenarios/power-first.cin --plot",
)
@click.version_option(__version__)
def main() -> None:
    """Run system dynamics models written for Vensim, and keep every run.

    MODEL is a .mdl file; without it, models/ai_compute.mdl is taken, from the working directory or the nearest folder
    above that has it, else the copy installed with the package. Runs are kept in the folder `runs` beside that `models`
    folder, or in the working directory where there is none; --runs names another.
    """

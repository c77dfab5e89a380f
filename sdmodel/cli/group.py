"""The commands by name, and how errors end: one line each on stderr, and an exit code."""

from __future__ import annotations

import atexit
import codecs
import gc
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import FaultsError, SdmodelError, out_of_memory

_COMMANDS = {
    "new": ("model", "Copy the model that comes with sdmodel."),
    "run": ("run", "Run a model once and store the run."),
    "runs": ("stored", "List the stored runs."),
    "show": ("stored", "Show a stored run in full."),
    "rerun": ("stored", "Repeat a stored run and compare."),
    "compare": ("compare", "Compare stored runs."),
    "levers": ("model", "List what you can change in a model."),
    "edit": ("edit", "Change a model file in place."),
    "check": ("model", "List the errors and doubts of a model."),
    "loops": ("model", "Find feedback loops and their polarity."),
    "rank": ("attribute", "Rank levers by what each does to an outcome."),
    "attribute": ("attribute", "Find what each lever of a scenario contributes."),
    "sweep": ("sweep", "Run a grid over the values of levers."),
    "ensemble": ("ensemble", "Run many members with sampled constants."),
    "discover": ("sensitivity", "Find which constants lead to an outcome."),
    "sensitivity": ("sensitivity", "Rank constants by their effect on an outcome."),
    "fit": ("fit", "Compare a stored run with observations."),
    "calibrate": ("calibrate", "Find the constants that agree best with data."),
    "backtest": ("fit", "Forecast from past dates and score what came."),
    "diff": ("git", "Compare two models or revisions by variable."),
    "fmt": ("edit", "Write a model's text in a standard layout."),
    "git-install": ("git", "Let git compare and merge models by variable."),
    "plot": ("plot", "Plot stored runs over time."),
    "report": ("plot", "Write an HTML page about stored runs."),
    "explore": ("plot", "Write the model as one web page to explore."),
    "convert": ("convert", "Convert runs to other formats, and models to and from XMILE."),
    "expand": ("convert", "Write a model without subscripts, for Vensim PLE."),
    "diagram": ("diagram", "Draw the stock-and-flow diagrams of a model."),
    "completion": (".shell", "Print the script that completes words in a shell."),
    "git-text": ("git", ""),
    "merge-file": ("git", ""),
}
"""The module and the short help of each command; git calls those without one."""
_DONE, _ERROR, _INTERRUPTED = 0, 1, 130
_MOST_FAULTS = 20
"""The most faults that fill a screen."""
_WINDOWS = os.name == "nt"

# Otherwise Python looks for garbage among all modules as it ends, which takes a quarter of the time of a start.
atexit.register(gc.freeze)
# What imports make stays; to look through it for garbage every few hundred objects takes a tenth of the time of a start.
gc.set_threshold(50_000, *gc.get_threshold()[1:])


class _Commands(click.Group):
    """A group that imports a command only when it is used."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f".{_COMMANDS[cmd_name][0]}", f"{__package__}.commands")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in self.commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader has seen enough; click would exit with an error
            return _DONE

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        if os.environ.get("_SDMODEL_COMPLETE"):
            from .shell import print_completions

            sys.exit(_exit_code(lambda: print_completions(self)))
        for stream in (sys.stdout, sys.stderr):
            _settle_encoding(stream)
        extra["standalone_mode"] = False
        sys.exit(_exit_code(lambda: super(_Commands, self).main(args, prog_name, **extra)))


def _settle_encoding(stream: object) -> None:
    """Let no character that an output cannot show end a command; a pipe of Windows gets UTF-8, as on other systems."""
    if not isinstance(stream, io.TextIOWrapper) or codecs.lookup(stream.encoding).name.startswith("utf"):
        return
    decided = "PYTHONIOENCODING" in os.environ or stream.isatty() or not _WINDOWS
    stream.reconfigure(encoding=None if decided else "utf-8", errors="replace")


def _exit_code(work: Callable[[], object]) -> int:
    """The exit code of the work; only errors that are not the user's keep their traceback."""
    try:
        result = work()
        sys.stdout.flush()
    except FaultsError as error:
        click.echo(error.summary(_MOST_FAULTS), err=True)
        return _ERROR
    except SdmodelError as error:
        click.echo(str(error), err=True)
        return _ERROR
    except MemoryError as cause:
        click.echo(out_of_memory(cause), err=True)
        return _ERROR
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except OSError as cause:
        if cause.filename is not None:  # errors of files are reported where files are written
            raise
        if isinstance(cause, BrokenPipeError):
            return _DONE
        click.echo(f"stdout: cannot be written ({cause.strerror}); send it elsewhere", err=True)
        return _ERROR
    finally:
        _discard_unwritten()
    return result if isinstance(result, int) else _DONE


def _discard_unwritten() -> None:
    """Keep Python from complaining again at exit about output that stdout does not accept."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=_Commands,
    commands={name: click.Command(name, short_help=text) for name, (_, text) in _COMMANDS.items() if text},
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: sdmodel run -c models/scenarios/power-first.cin --plot",
)
@click.version_option(__version__)
def main() -> None:
    """Run system dynamics models written for Vensim, and store every run.

    MODEL is a .mdl file, or one in XMILE (.stmx, .xmile). Without it, models/ai_compute.mdl is used, from the working directory or the nearest folder above
    that has it, else the one installed with the package; `sdmodel new` makes a copy of that to edit. Runs are stored in the
    folder `runs` beside that `models` folder, or in the working directory if there is none; --runs names another.

    Machine code is kept in your cache folder, so that a model starts quickly the next time. The environment variable
    SDMODEL_CACHE names another folder; `SDMODEL_CACHE=off` keeps nothing.
    """

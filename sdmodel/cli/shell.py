"""Completion in bash, zsh and fish: of commands, options, stored runs, scenarios, and the names in a model.

An answer takes a tenth of a second, since nothing here imports a command or reads a model in full: the options of all
commands are kept in the user's cache, and names are found in the text of the model.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from .. import __version__
from ..cache import cached
from ..errors import ModelError
from ..files import read_text
from .project import MODEL_ENDINGS, default_model, default_runs

VARIABLE = "_SDMODEL_COMPLETE"
"""The environment variable with which a shell asks for completions; COMP_LINE holds the line up to the cursor."""

_BASH = """\
_sdmodel_completion() {
    local kind value help
    COMPREPLY=()
    while IFS=$'\\t' read -r kind value help; do
        case $kind in
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
            start) compopt -o nospace; COMPREPLY+=("$value") ;;
            *) COMPREPLY+=("$value") ;;
        esac
    done < <(_SDMODEL_COMPLETE=bash COMP_LINE="${COMP_LINE:0:COMP_POINT}" "$1" 2>/dev/null)
}
complete -o nosort -F _sdmodel_completion sdmodel
"""
_ZSH = """\
#compdef sdmodel
_sdmodel_completion() {
    local kind value help
    local -a whole start
    while IFS=$'\\t' read -r kind value help; do
        case $kind in
            file) _files ;;
            dir) _files -/ ;;
            start) start+=("$value") ;;
            *) whole+=("$value") ;;
        esac
    done < <(_SDMODEL_COMPLETE=zsh COMP_LINE="${(j: :)words[1,CURRENT]}" "$words[1]" 2>/dev/null)
    (( $#whole )) && compadd -U -a whole
    (( $#start )) && compadd -U -S '' -a start
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _sdmodel_completion "$@"
else
    compdef _sdmodel_completion sdmodel
fi
"""
_FISH = """\
function __sdmodel_completion
    set -l line (commandline -cp)
    for item in (env _SDMODEL_COMPLETE=fish COMP_LINE="$line" sdmodel 2>/dev/null)
        set -l parts (string split \\t -- $item)
        switch $parts[1]
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
            case '*'
                printf '%s\\t%s\\n' $parts[2] "$parts[3]"
        end
    end
end
complete --no-files --command sdmodel --arguments '(__sdmodel_completion)'
"""
SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


@click.command("completion", epilog="Example: sdmodel completion bash")
@click.argument("shell", type=click.Choice(list(SCRIPTS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, stored runs, scenarios and names of a model in a shell.

    `eval "$(sdmodel completion bash)"` turns it on in one shell. To have it in every shell, write it to ~/.local/share/bash-completion/completions/sdmodel for bash, to _sdmodel in a
    folder of $fpath for zsh, or to ~/.config/fish/completions/sdmodel.fish for fish. Names are those of the model on the
    line, else of the project's model.
    """
    if isinstance(group := context.find_root().command, click.Group):
        _options_of(group)  # keeps them, so that the first completion is as quick as the others
    click.echo(SCRIPTS[shell], nl=False)


def print_completions(group: click.Group) -> None:
    """Print the possible ends of the line in COMP_LINE, one per line: kind, value and help, separated by tabs."""
    shell, line = os.environ[VARIABLE], os.environ.get("COMP_LINE", "")
    *words, incomplete = _words(line)
    quick = _build("sdmodel", _options_of(group))
    found = ShellComplete(quick, {"obj": words}, "sdmodel", VARIABLE).get_completions(words[1:], incomplete)
    option = incomplete.partition("=")[0] + "=" if re.match(r"--[^=]+=", incomplete) else ""
    for item in found:
        value, text = str(item.value), " ".join((item.help or "").split())
        if not value.isprintable():
            continue
        if shell == "bash":
            value = quoted(value, incomplete, open_quote(line))
        elif option and not value.startswith(option):
            value = option + value
        click.echo(f"{item.type}\t{value}\t{text}".encode())


def _words(line: str) -> list[str]:
    """The words of a line without quotes; the last is incomplete, and may be empty."""
    *words, last = split_arg_string(f"{line}.")  # the dot ends an empty word, or one with an open quote
    return [*words, last[:-1]] if words or line.strip() else ["sdmodel", ""]


def open_quote(line: str) -> str:
    """The quotation mark that is open at the end of a line of a shell, or nothing."""
    mark, escaped = "", False
    for letter in line:
        if escaped:
            escaped = False
        elif letter == "\\" and mark != "'":
            escaped = True
        elif letter == mark:
            mark = ""
        elif not mark and letter in "\"'":
            mark = letter
    return mark


def quoted(value: str, incomplete: str, mark: str) -> str:
    """A value as bash inserts it: after an open quotation mark, or with a backslash before each unusual character.

    Bash completes only what follows the last `=` or `:` of a word without quotes.
    """
    if mark == '"':
        return re.sub(r'([\\"$`])', r"\\\1", value)
    if mark == "'":
        return value.replace("'", "'\\''")
    begun = incomplete[: max(map(incomplete.rfind, "=:")) + 1]
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", value.removeprefix(begun) if begun else value)


# The options of all commands

_Described = dict[str, Any]


def _options_of(group: click.Group) -> _Described:
    """The options of all commands as they are in the user's cache, or else put there: to import them takes a second."""
    changed = [file.stat().st_mtime_ns for file in sorted(Path(__file__).parent.rglob("*.py"))]
    described = cached(
        "completion",
        f"{__version__} {changed}",
        lambda: json.dumps(_describe(group, click.Context(group))).encode(),
    )
    return dict(json.loads(described))


def _describe(command: click.Command, context: click.Context, text: str = "") -> _Described:
    found: _Described = {"help": text, "parameters": [_parameter(one) for one in command.params]}
    if isinstance(command, click.Group):
        shown = {name: own.get_short_help_str(60) for name, own in command.commands.items() if not own.hidden}
        listed = ((name, command.get_command(context, name)) for name in shown)
        found["commands"] = {name: _describe(own, context, shown[name]) for name, own in listed if own}
    return found


def _parameter(parameter: click.Parameter) -> _Described:
    option = parameter if isinstance(parameter, click.Option) else None
    choices = [str(choice) for choice in parameter.type.choices] if isinstance(parameter.type, click.Choice) else []
    return {
        "name": parameter.name,
        "words": [] if option is None else [*parameter.opts, *parameter.secondary_opts],
        "flag": option is not None and option.is_flag,
        "many": parameter.multiple,
        "nargs": parameter.nargs,
        "choices": choices,
        "help": "" if option is None else (option.help or "").partition(". ")[0].partition(" (")[0],
        "metavar": parameter.metavar or "",
    }


def _build(name: str, described: _Described) -> click.Command:
    """A command with the same words, which does nothing."""
    parameters = [_build_parameter(one) for one in described["parameters"]]
    names = {"help_option_names": ["-h", "--help"]}
    if "commands" not in described:
        return click.Command(name, params=parameters, short_help=described["help"], context_settings=names)
    commands = {own: _build(own, rest) for own, rest in described["commands"].items()}
    return click.Group(name, commands, params=parameters, short_help=described["help"], context_settings=names)


def _build_parameter(described: _Described) -> click.Parameter:
    name, metavar, choices = described["name"], described["metavar"], described["choices"]
    kind = click.Choice(choices) if choices else click.STRING
    complete = None if choices else _FINDERS.get((metavar, name)) or _FINDERS.get((metavar, ""))
    if not described["words"]:
        return click.Argument([name], nargs=described["nargs"], type=kind, required=False, shell_complete=complete)
    words, many, text = [*described["words"], name], described["many"], described["help"]
    if described["flag"]:
        return click.Option(words, is_flag=True, multiple=many, help=text)
    return click.Option(words, type=kind, multiple=many, help=text, shell_complete=complete)


# Runs, scenarios and names

_Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


def _model(context: click.Context) -> Path:
    """The model on the line, else the project's."""
    given = (Path(word) for word in context.obj if Path(word).suffix.lower() in MODEL_ENDINGS)
    return next(filter(Path.is_file, given), None) or default_model()


def _runs(context: click.Context) -> Iterator[str]:
    folder = context.params.get("folder")
    place = Path(folder) if folder else default_runs()
    yield from sorted({path.stem for ending in ("*.nc", "*.zarr") for path in place.glob(ending)})


def _beside(context: click.Context, folder: str, ending: str) -> list[str]:
    """The names of files beside the model, or in a folder beside it."""
    place = _model(context).parent
    return sorted({path.stem for home in (place, place / folder) for path in home.glob(f"*{ending}")})


def _scenarios(context: click.Context) -> list[str]:
    return _beside(context, "scenarios", ".cin")


def _samplings(context: click.Context) -> list[str]:
    return _beside(context, "ensembles", ".vsc")


def _named(kind: str) -> Callable[[click.Context], list[str]]:
    return lambda context: names_in_text(read_text(_model(context), error=ModelError))[kind]


_variables, _constants, _levers = map(_named, ("variables", "constants", "levers"))


def _nothing(context: click.Context) -> Iterable[str]:
    return ()


def _finder(
    find: Callable[[click.Context], Iterable[str]] = _nothing, *, kind: str = "plain", other: str = ""
) -> _Complete:
    """Completion by the names that begin with what is typed; where none does, by an `other` kind, such as files."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        found = [name for name in find(context) if name.casefold().startswith(incomplete.casefold())]
        items = [CompletionItem(f"{name}=" if kind == "start" else name, kind) for name in found]
        return items or ([CompletionItem(incomplete, other)] if other else [])

    return complete


_FINDERS: Mapping[tuple[str, str], _Complete] = {
    ("[MODEL]", ""): _finder(other="file"),
    ("MODEL", ""): _finder(other="file"),
    ("[MODEL] [NAME]...", ""): _finder(_levers, other="file"),
    ("[MODEL|RUN]", ""): _finder(_runs, other="file"),
    ("RUN", ""): _finder(_runs, other="file"),
    ("RUN ...", ""): _finder(_runs, other="file"),
    ("RUN RUN ...", ""): _finder(_runs, other="file"),
    ("FILE.cin", "scenarios"): _finder(_scenarios, other="file"),
    ("FILE.cin", "baselines"): _finder(_scenarios, other="file"),
    ("FILE.vsc", "file"): _finder(_samplings, other="file"),
    ("FILE.vsc", "prior"): _finder(_samplings, other="file"),
    ("NAME", "names"): _finder(_variables),
    ("NAME", "through"): _finder(_variables),
    ("NAME", "also"): _finder(_variables),
    ('"NAME=VALUE"', ""): _finder(_constants, kind="start"),
    ('"NAME=LO:HI:N"', ""): _finder(_levers),
    ('"NAME[=LO:HI]"', ""): _finder(_constants),
    ("LEVER", ""): _finder(_levers),
    ("DIR", ""): _finder(other="dir"),
    **{
        (f"FILE{ending}", ""): _finder(other="file")
        for ending in ("", ".cin", ".vsc", ".lst", ".vpd", ".voc", ".csv", ".html", ".nc")
    },
}
"""How the value of a parameter is completed, by its metavar, and its name where that decides."""


# Names in the text of a model

_LEVER_GROUPS = frozenset({"policy levers", "uncertainties", "switches"})
_SKETCH = "\\\\\\---///"
_LINE_BREAK = re.compile(r"\\[ \t]*(?:\r\n?|\n)")
_BLOCK = re.compile(r'((?:"(?:[^"\\]|\\.)*+"|\{[^{}]*+\}|[^"{}~|])*+)(?:~[^|]*+)?\|', re.DOTALL)
_GROUP = re.compile(r"\*{3,}\s*\.?([^*]*?)\s*\*{3,}")
_HEAD = re.compile(r'("(?:[^"\\]|\\.)*"|[^"=(\[<>:{}~|]+)(?:\[[^\]]*\])?\s*', re.DOTALL)
_MACRO = re.compile(r":MACRO:.*?:END\s+OF\s+MACRO:", re.DOTALL | re.IGNORECASE)
_NUMBERS = re.compile(r"=?[\d\s.,;eE+-]+")
_BRACES = re.compile(r'("(?:[^"\\]|\\.)*")|\{[^{}]*\}', re.DOTALL)


def names_in_text(text: str) -> dict[str, list[str]]:
    """The variables, constants and levers in the text of a model, as far as they show without reading equations."""
    group, computed = "", set[str]()
    found: dict[str, dict[str, str]] = {"variables": {}, "constants": {}, "levers": {}}
    text = _LINE_BREAK.sub(" ", text)
    for block in _BLOCK.finditer(_MACRO.sub("", text.partition(_SKETCH)[0])):
        main = _BRACES.sub(lambda part: part[1] or " ", block[1]).strip().removeprefix("\ufeff")
        if heading := _GROUP.match(main):
            group = heading[1].casefold()
            continue
        head = _HEAD.match(main)
        rest = main[head.end() :] if head else ""
        if head is None or (not rest.startswith(("=", ":EXCEPT:", ":RAW:")) and rest):
            continue  # a lookup, a range or a macro
        name = " ".join(head[1].split())
        name = name[1:-1].replace('\\"', '"') if name.startswith('"') else name
        kinds = ["variables"]
        if rest and _NUMBERS.fullmatch(rest.partition("=")[2]):
            kinds += ["constants", *(["levers"] if group in _LEVER_GROUPS else [])]
        else:
            computed.add(name.casefold())
        for kind in kinds:
            found[kind].setdefault(name.casefold(), name)
    names = {
        kind: [name for key, name in own.items() if kind == "variables" or key not in computed]
        for kind, own in found.items()
    }
    return names | {"levers": names["levers"] or names["constants"]}

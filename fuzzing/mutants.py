"""Tests the tests: `python fuzzing/mutants.py` changes the package in one place at a time, and the tests must notice.

A mutant is a copy of the package with one operator, number, condition, statement or result changed. Those of `KNOWN` are always
run; the others are chosen by a hash of the changed line, so that an edit elsewhere does not change the choice. A mutant that no
test notices survives: it needs a better test or, if no test can notice it, an entry in `EQUIVALENT` that says why.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

PROJECT = Path(__file__).resolve().parents[1]
TIMEOUT = 600
"""Seconds after which a mutant counts as noticed: it loops without end."""


@dataclass(frozen=True, slots=True)
class Target:
    """Modules to change, the number of mutants, and the tests that must notice, the quickest first."""

    modules: tuple[str, ...]
    count: int
    tests: tuple[str, ...]


TARGETS = (
    Target(
        ("program",), 12, ("tests/whole_models", "tests/model/test_functions.py", "tests/simulation", "tests/program")
    ),
    Target(
        ("model/functions",),
        12,
        (
            "tests/model/test_functions.py",
            "tests/program/test_machine_code.py",
            "tests/whole_models",
            "tests/model/test_derivatives.py",
            "tests/model/test_function_edges.py",
            "tests/model/test_expansion.py",
        ),
    ),
    Target(
        ("scenario",),
        8,
        (
            "tests/scenario",
            "tests/vensim/test_scenario_files.py",
            "tests/vensim/test_lever_values.py",
            "tests/vensim/test_sensitivity.py",
        ),
    ),
    Target(
        ("comparison",),
        8,
        ("tests/comparison", "tests/analysis/test_run_comparison.py", "tests/cli/test_compare_command.py"),
    ),
    Target(
        ("inference/likelihood.py",),
        7,
        (
            "tests/inference/test_payoffs.py",
            "tests/inference/test_correlated_errors.py",
            "tests/inference/test_latent_scales.py",
            "tests/inference/test_calibration.py",
            "tests/inference/test_series.py",
            "tests/inference/test_fit.py",
            "tests/inference/test_posterior.py",
            "tests/cli/test_fit_command.py",
        ),
    ),
    Target(("store",), 6, ("tests/store", "tests/cli/test_stored_commands.py", "tests/ensemble")),
    Target(
        ("vensim/edit",),
        7,
        ("tests/vensim/test_editing.py", "tests/vensim/test_companions.py", "tests/cli/test_edit_command.py"),
    ),
)

QUICK = """

from hypothesis import Phase

# a mutant is noticed by the first example that fails: the smallest one is of no interest
settings.register_profile("mutants", settings.get_profile("untimed"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("mutants")
"""
"""What the settings of the tests gain in a copy."""

KNOWN = (
    ("program/integrators.py", "call void @step(ptr %ws, double %te,", "call void @step(ptr %ws, double %tm,"),
    ("model/functions/inputs.py", "lasting = MAX.emit(f, width, f.dt)", "lasting = width"),
    ("comparison/differences.py", "max(size, _size(after)) > rounding", "size > rounding"),
)
"""Mutants that once survived: module, text, changed text."""

EQUIVALENT: dict[str, str] = {
    "model/functions/inputs.py, _pulse_train: since >= 0 -> since > 0": "they differ where a train begins a millionth of a step "
    "after the middle of a step, where the manual has no answer",
    "comparison/members.py, share_where: 1 if BLOCK in run.attrs else _MEMBERS -> (1 if not BLOCK in run.attrs else _MEMBERS)": (
        "only how many members are read together differs, not what is counted"
    ),
    "store/ensembles.py, is_ensemble: return False -> return None": "callers ask only whether the answer is true",
    "scenario/distributions.py, the module: -np.inf -> (np.inf)": "a uniform density is never asked for outside its bounds: "
    "`Distribution.log_density` has left out what lies there",
    "inference/likelihood.py, _peak: 1 -> 2": "the grid is refined in a slightly wider window around the peak, which it still holds",
}
"""Mutants that no test can notice, as `name` prints them, and why."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module: the characters from `start` to `end` become `after`; `kind` is what is changed."""

    kind: str
    module: str
    function: str
    line: int
    start: int
    end: int
    before: str
    after: str

    @property
    def name(self) -> str:
        """The change without its line, which other edits move."""
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        return f"{self.module}, {self.function}: {before} -> {after}"

    def apply(self, source: str) -> str:
        """Return the changed text of the module."""
        return source[: self.start] + self.after + source[self.end :]


_SIGNS: dict[type[ast.AST], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Div(),
    ast.Div: ast.Mult(),
    ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.Mult(),
}
_TESTS: dict[type[ast.AST], ast.cmpop] = {
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
}
_ASSEMBLY = (
    (r"(?<=, double )%te\b", "%tm"),
    (r"(?<=, double )%tm\b", "%t"),
    (r"\bfadd\b", "fsub"),
    (r"\bfsub\b", "fadd"),
    (r"\bfcmp oge\b", "fcmp ogt"),
    (r"\bfcmp uno\b", "fcmp ord"),
    (r"\bfcmp oeq\b", "fcmp une"),
    (r"\bicmp eq\b", "icmp ne"),
    (r"\bicmp ult\b", "icmp ule"),
    (r"\bselect i1 %first\b", "select i1 true"),
    (r"(?<=double )2\.0\b", "1.0"),
    (r"(?<=double )1\.0\b", "2.0"),
    (r"5\.0e-1", "1.0"),
    (r"(?<=, )6\.0\b", "3.0"),
    (r"(?<=, )0\.0\b", "1.0"),
    (r"\bi1 true\b", "i1 false"),
    (r"\bi1 false\b", "i1 true"),
    (r"%half\b(?=\))", "%time_step"),
    (r"%sixth\b(?=\))", "%half"),
)
"""Changes of the assembly in the templates of a module."""


def mutants_of(module: str, source: str) -> list[Mutant]:
    """Return all mutants of a module, in the order of its text."""
    tree = ast.parse(source)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = source.splitlines()

    def place(line: int, column: int) -> int:
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    found = []
    for function, node, after in _changes(tree):
        start, end = place(node.lineno, node.col_offset), place(node.end_lineno or 0, node.end_col_offset or 0)
        kind = type(node).__name__
        found.append(Mutant(kind, module, function, node.lineno, start, end, source[start:end], after))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Template":
            begin, end = place(call.lineno, call.col_offset), place(call.end_lineno or 0, call.end_col_offset or 0)
            for pattern, after in _ASSEMBLY:
                for match in re.finditer(pattern, source[begin:end]):
                    at = begin + match.start()
                    whole = source.rfind("\n", 0, at) + 1, source.find("\n", at)
                    text = source[slice(*whole)]
                    changed = text[: at - whole[0]] + after + text[at - whole[0] + len(match[0]) :]
                    line = source.count("\n", 0, at) + 1
                    found.append(Mutant("assembly", module, "the assembly", line, *whole, text, changed))
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.after))


def _changes(tree: ast.AST, function: str = "the module") -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    """Every change as the function it is in, the node, and the text that replaces the node."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.JoinedStr | ast.arguments | ast.ImportFrom | ast.Import | ast.Raise | ast.AnnAssign):
            if isinstance(child, ast.Raise):
                yield function, child, "pass"
            continue  # texts, types and defaults
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.expr | ast.stmt):
            for after in _replacements(child):
                yield function, child, after
        named = isinstance(child, ast.FunctionDef | ast.ClassDef)
        inside = f"{function}.{child.name}".removeprefix("the module.") if named else function
        if isinstance(child, ast.FunctionDef):  # neither its decorators nor its types
            for statement in child.body:
                yield from _changes(ast.Module([statement], []), inside)
        else:
            yield from _changes(child, inside)


def _replacements(node: ast.expr | ast.stmt) -> Iterator[str]:  # noqa: C901 - a case per kind of change
    match node:
        case ast.Compare(ops=[sign]) if type(sign) in _TESTS:
            yield ast.unparse(ast.Compare(node.left, [_TESTS[type(sign)]], node.comparators))
        case ast.BinOp(op=sign) if type(sign) in _SIGNS and not isinstance(node.left, ast.Constant | ast.JoinedStr):
            yield ast.unparse(ast.BinOp(node.left, _SIGNS[type(sign)], node.right))
        case ast.BoolOp(op=sign):
            yield f"({ast.unparse(ast.BoolOp(ast.Or() if isinstance(sign, ast.And) else ast.And(), node.values))})"
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield f"({ast.unparse(node.operand)})"
        case ast.Constant(value=bool() as value):
            yield str(not value)
        case ast.Constant(value=int() | float() as value):
            yield str(value + 1)
        case ast.IfExp():
            yield f"({ast.unparse(ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse))})"
        case ast.Continue() | ast.Break() | ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield "pass"
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield "pass"
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return None"


def choose(package: Path) -> list[tuple[Mutant, tuple[str, ...]]]:
    """Return the mutants to run with the tests that must notice them; the same for the same text of the package."""
    chosen = []
    for target in TARGETS:
        files = sorted({file for name in target.modules for file in _files(package / name)})
        sources = {str(file.relative_to(package)): file.read_text("utf-8") for file in files}
        known = [_known(sources, *change) for change in KNOWN if change[0] in sources]
        every = [mutant for module, source in sources.items() for mutant in mutants_of(module, source)]
        chosen += [(mutant, target.tests) for mutant in [*known, *_mixed(every)][: target.count]]
    return chosen


def _mixed(mutants: Iterable[Mutant]) -> list[Mutant]:
    """The mutants in the order of a hash, the kinds in turn."""
    by_name = {mutant.name: mutant for mutant in reversed(list(mutants))}  # the first of those that read the same
    before: Counter[str] = Counter()
    ranked = []
    for name in sorted(by_name, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        kind = by_name[name].kind
        ranked.append((before[kind], name))
        before[kind] += 1
    return [by_name[name] for _, name in sorted(ranked, key=lambda pair: pair[0])]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _known(sources: dict[str, str], module: str, before: str, after: str) -> Mutant:
    source = sources[module]
    if source.count(before) != 1:
        message = f"{module} contains {before!r} {source.count(before)} times; correct KNOWN"
        raise ValueError(message)
    start = source.index(before)
    return Mutant("known", module, "known", source.count("\n", 0, start) + 1, start, start + len(before), before, after)


def copy_project(folder: Path) -> Path:
    """Copy what tests need, with the folder of shared models beside it; return the copy."""
    copy = folder / "project"
    for name in ("sdmodel", "tests", "models", "docs", "fuzzing", "benchmarks"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "_build"))
    for file in PROJECT.glob("*.*"):
        if file.is_file():
            shutil.copy(file, copy)
    with (copy / "tests" / "conftest.py").open("a", encoding="utf-8") as file:
        file.write(QUICK)
    if (PROJECT.parent / "shared").is_dir():
        (folder / "shared").symlink_to((PROJECT.parent / "shared").resolve())
    return copy


def survives(mutant: Mutant, tests: Sequence[str], copy: Path) -> bool:
    """Return whether the tests pass in a copy of the project with the mutant."""
    path = copy / "sdmodel" / mutant.module
    source = path.read_text("utf-8")
    path.write_text(mutant.apply(source), "utf-8")
    try:
        return _pass(_files_of(tests, Path(mutant.module).stem, copy), copy)
    finally:
        path.write_text(source, "utf-8")


def _files_of(tests: Sequence[str], stem: str, copy: Path) -> list[str]:
    """The files of tests, those first that are named after the module."""
    files = dict.fromkeys(
        str(file.relative_to(copy))
        for test in tests
        for file in ([copy / test] if test.endswith(".py") else sorted((copy / test).glob("test_*.py")))
    )
    return sorted(files, key=lambda file: stem not in file)


def _pass(tests: Sequence[str], copy: Path) -> bool:
    command = [sys.executable, "-P", "-B", "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def run(chosen: Sequence[tuple[Mutant, tuple[str, ...]]], *, workers: int = 1) -> list[Mutant]:
    """Run mutants, print a line for each, and return the survivors."""
    survivors = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(workers) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for worker in range(workers):
            copies.put(copy_project(Path(folder) / str(worker)))

        def check(job: tuple[Mutant, tuple[str, ...]]) -> tuple[Mutant, bool, float]:
            mutant, tests = job
            copy, begun = copies.get(), time.monotonic()
            try:
                return mutant, survives(mutant, tests, copy), time.monotonic() - begun
            finally:
                copies.put(copy)

        for done in as_completed([pool.submit(check, job) for job in chosen]):
            mutant, survived, seconds = done.result()
            verdict = "survives" if survived else "noticed"
            print(f"{verdict:8} {seconds:5.0f} s  line {mutant.line}: {mutant.name}", flush=True)
            survivors += [mutant] if survived else []
    return survivors


def verdict(chosen: Sequence[Mutant], survivors: Sequence[Mutant]) -> list[str]:
    """Return one sentence for each survivor without an explanation, and for each explanation that is wrong."""
    names = {mutant.name for mutant in survivors}
    unexplained = [f"{name}: no test notices it" for name in sorted(names - set(EQUIVALENT))]
    run_names = {mutant.name for mutant in chosen}
    stale = [f"{name}: not a survivor; remove it from EQUIVALENT" for name in EQUIVALENT if name not in names]
    return [*unexplained, *(line for line, name in zip(stale, EQUIVALENT, strict=False) if name in run_names)]


def main() -> int:
    """Run the mutants that the options choose; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="list the mutants and run none")
    parser.add_argument("--only", default="", help="run only the mutants whose name contains this text")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first mutants")
    parser.add_argument("--workers", type=int, default=1, help="mutants to run at the same time")
    options = parser.parse_args()
    chosen = [job for job in choose(PROJECT / "sdmodel") if options.only in job[0].name][options.skip :]
    if options.list:
        print(*(mutant.name for mutant, _ in chosen), sep="\n")
        return 0
    survivors = run(chosen, workers=options.workers)
    wrong = verdict([mutant for mutant, _ in chosen], survivors)
    print(f"{len(chosen)} mutants, {len(survivors)} survive")
    print(*wrong, sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

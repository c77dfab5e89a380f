"""Large and hostile models: slow at most, never endless, and no message that is too long to read."""

from __future__ import annotations

import cProfile
import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdmodel import ModelError, ScenarioError, simulate
from sdmodel.errors import Fault, SdmodelError, format_count, list_some, shorten
from sdmodel.model import check_units, find_links, nearest, plan
from sdmodel.testing import model_text, tiny_model
from sdmodel.vensim import model_from_text
from sdmodel.vensim.read import reader

LONGEST = 300


def _macro(number: int, argument: str) -> str:
    return f":MACRO: A{number}(x)\nA{number} = A{number + 1}({argument}) + 1\n~~|\n:END OF MACRO:\n"


def _macros(count: int, argument: str) -> str:
    """A chain of macros, each of which calls the next one with an argument made from its own."""
    last = f":MACRO: A{count}(x)\nA{count} = x\n~~|\n:END OF MACRO:\n"
    return "{UTF-8}\n" + "".join(_macro(n, argument) for n in range(count)) + last + model_text("y = A0(Time)\n~~|")[7:]


def _read_apart(text: str, tmp_path: Path) -> str:
    """Read a model in a process of its own, which is stopped if it hangs; return what it reports."""
    path = tmp_path / "model.mdl"
    path.write_text(text)
    code = "import sys, sdmodel\ntry:\n    sdmodel.read_model(sys.argv[1])\nexcept sdmodel.ModelError as error:\n    print(error)"
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_a_model_leaves_memory_without_a_search_for_garbage():
    """So that reading many models needs no more memory than the largest."""
    gc.collect()
    gc.disable()
    try:
        model = tiny_model("a = DELAY3(b, 2)\nb = SMOOTH(Time, 3) + RANDOM UNIFORM(0, 1, 1)")
        plan(model)
        known = weakref.ref(model)
        del model
        assert known() is None
    finally:
        gc.enable()


def test_what_comes_from_a_large_model_counts_as_old(monkeypatch: pytest.MonkeyPatch):
    """Python does not look through it at once; what others have set aside for good stays there."""
    monkeypatch.setattr(reader, "_MANY", 10)
    model = tiny_model("a = 1")
    assert gc.isenabled()
    assert any(own is model["a"] for own in gc.get_objects(generation=2))
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        tiny_model("a = 1")
        assert count - 100 < gc.get_freeze_count() <= count
    finally:
        gc.unfreeze()


def test_macros_that_double_their_argument_end(tmp_path: Path):
    """Sixty macros would make 2^60 terms: one fault says where this begins, and what to do."""
    found = _read_apart(_macros(60, "x + x"), tmp_path)
    assert "the equations have more than 1,000,000 terms, since macros repeat" in found
    assert found.count("1,000,000") == 1
    assert max(map(len, found.splitlines())) < LONGEST + len(str(tmp_path))


@pytest.fixture
def usual_depth() -> Iterator[None]:
    """The recursion limit that Python starts with; libraries raise it."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("usual_depth")
@pytest.mark.parametrize("argument", ["x", "x + 1"])
def test_macros_that_nest_deep_are_a_fault(argument: str):
    """Thousands of macros that call each other do not exhaust the stack; some do what they say."""
    assert simulate(model_from_text(_macros(20, argument)))["y"].values[0] in (20, 40)
    with pytest.raises(ModelError, match=r":1: the equation of 'y' nests too deep; split it"):
        model_from_text(_macros(2000, argument))


def test_many_states_are_ordered(tmp_path: Path):
    """The order of 5,000 cells that are fixed at the start takes seconds."""
    lines = "\n".join(f"x{n} = INITIAL(x{n + 1}) + 1" for n in range(5000))
    assert _read_apart(model_text(f"{lines}\nx5000 = Time"), tmp_path) == ""


def test_a_time_step_below_the_smallest_normal_number_runs():
    """1/TIME STEP is then infinite."""
    run = simulate(tiny_model("x = 1", final=1e-310, step=1e-311), save=["x", "TIME STEP"])
    assert run.sizes["time"] == 11
    assert float(run["time"][-1]) == pytest.approx(1e-310, rel=1e-6)


def test_a_long_cycle_is_cut_with_a_count():
    """The names of 3,000 variables are not one line."""
    with pytest.raises(
        ModelError, match=r"variable 0 <- variable 1 .* <- \(2,993 more\) <- variable 0; put a stock"
    ) as error:
        tiny_model("\n".join(f"variable {n} = variable {(n + 1) % 3000} + 1" for n in range(3000)))
    assert len(str(error.value)) < LONGEST


@pytest.mark.parametrize(
    "equations",
    [
        "x = " + "y" * 5000,
        "x" * 5000 + " = 1\ny = " + "x" * 4999,
        "x = " + "1" * 5000,
        "x = " + " + ".join(f"unknown {n}" for n in range(3000)),
        "r: A, B\nx[" + "q" * 5000 + "] = 1",
        "x = f" + "g" * 5000 + "(1)",
        "x = 1 1" + "z" * 5000,
        "\n".join(f"s{n}: A{n}, B{n}" for n in range(900)) + "\n" + "\n".join(f"x[A{n}] = 1" for n in range(900)),
    ],
)
def test_no_line_is_too_long(equations: str):
    """Long names, numbers and lists are cut in the middle: the place and what to do stay."""
    with pytest.raises(ModelError) as error:
        tiny_model(equations)
    assert max(map(len, str(error.value).splitlines())) < LONGEST


def test_long_messages_keep_their_ends():
    """The place is never cut, nor the faults themselves, nor short lists."""
    fault = Fault("p" * 400, "x" * 1000 + "; do this")
    assert str(fault).startswith("p" * 400 + ": x")
    assert str(fault).endswith("x; do this")
    assert len(fault.what) == 1009
    assert len(str(SdmodelError("a" * 5000))) < LONGEST
    assert shorten("short") == "short"
    assert list_some(list("abcdefghi")) == "a, b, c, d, e, f, g, h, i"
    assert list_some(list("abcdefghij")) == "a, b, c, d, e, f, g, (2 more), j"


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (1, "member", "1 member"),
        (0, "member", "0 members"),
        (2000, "more line", "2,000 more lines"),
        (2, "entry", "2 entries"),
        (3, "box", "3 boxes"),
        (4, "search", "4 searches"),
    ],
)
def test_one_thing_is_singular(count, noun, text):
    assert format_count(count, noun) == text


def _calls(work: Callable[[], object]) -> int:
    """Count the calls of functions, which do not depend on the speed of the machine."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())


@pytest.mark.parametrize("sign", "+*")
def test_work_on_long_equations_grows_with_their_length(sign: str):
    """Twice as many terms are twice the work: reading, the order, units, and links."""

    def work(count: int) -> None:
        causes = "\n".join(f"u{n} = Time + {n}" for n in range(count))
        model = tiny_model(f"{causes}\nx = {sign.join(f'u{n}' for n in range(count))}", final=1)
        check_units(model)
        if sign == "+":  # the derivatives of a product are products of all other factors
            times = simulate(model)["time"].values
            find_links(plan(model), times, {})

    work(10)
    assert _calls(lambda: work(400)) < 3 * _calls(lambda: work(200))


def test_suggestions_of_many_names_cost_little():
    """A mistyped name is compared letter by letter with few of many names, and the right one is among them."""
    names = [f"price of product {n} in region {n % 7}" for n in range(8_000)]
    assert nearest("price for product 7345 in region 2", names) == "price of product 7345 in region 2"
    assert nearest("Grid Dely", [*names, "Grid Delay"]) == "Grid Delay"
    assert nearest("quite another word", names[:100]) is None
    assert _calls(lambda: nearest("pric of product 77 in region 0", names)) < 200_000


def test_a_change_file_of_another_model_ends():
    """Every one of thousands of unknown constants is a fault, with a suggestion."""
    model = tiny_model("\n".join(f"constant {n} = 1" for n in range(1500)))
    with pytest.raises(ScenarioError, match="did you mean 'constant 7'") as error:
        simulate(model, {f"constnt {n}": 2.0 for n in range(1500)})
    assert len(error.value.faults) == 1500

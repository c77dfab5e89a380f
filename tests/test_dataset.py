"""The form of a run: names, dimensions, coordinates, attributes, and finding its variables."""

from __future__ import annotations

import ast
import hashlib
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import sdmodel as sd
from sdmodel import errors
from sdmodel.dataset import (
    BLOCK,
    arrays_of,
    bare_variables,
    check_run,
    dates_of,
    find_in_order,
    find_variable,
    find_variables,
    make_run,
    member_blocks,
    member_dims,
    model_content,
    spelled_names,
    subscript_dims,
)
from sdmodel.errors import DatasetError
from sdmodel.files import decode_text, encode_text, temporary_folder
from sdmodel.model.algebra import number
from sdmodel.model.records import Element, Equation, Kind, Model, Range, Subscript
from sdmodel.store import open_run, save_run


def _element(name: str, kind: Kind = "auxiliary", text: str = "1", **further: object) -> Element:
    return Element(name, kind, (Equation(number(1.0), text=text),), **further)  # type: ignore[arg-type]


def _model(*elements: Element, time: str = "Year", subscripts: tuple[Subscript, ...] = ()) -> Model:
    every = (*elements, _element("INITIAL TIME", "constant", units=time))
    return Model("tea.mdl", {element.key: element for element in every}, {range_.name: range_ for range_ in subscripts})


TIMES = np.array([2024.0, 2024.5, 2025.0])
TIER = Subscript("tier", ("premium", "Very Cheap"))
TEA = _model(
    _element("Tea Temperature", "stock", units="°C", comment="Falls.", group="Tea", range=Range(0.0, 100.0)),
    _element("price", units="USD", dimensions=("tier",), text="2 *\n\tcost"),
    _element("room", "constant", units="°C"),
    _element("trade", dimensions=("tier", "tier")),
    subscripts=(TIER,),
)


def _tea(**values: object) -> xr.Dataset:
    made = {"tea_temperature": np.array([80.0, 60, 50]), "price": np.arange(6.0).reshape(3, 2), "room": 20.0}
    return make_run(TEA, TIMES, made | values)


def test_a_second_run_is_like_the_first():
    """What is checked once for a model is the same for its next run, and nothing of it is shared between runs."""
    values = {
        "tea_temperature": np.array([80.0, 60, 50]),
        "price": np.arange(6.0).reshape(3, 2),
        "room": np.array(20.0),
    }
    same: dict[str, object] = {"attributes": {"created": "now"}, "alike": "tea"}
    first, second = (make_run(TEA, TIMES, values, **same) for _ in range(2))
    assert second.identical(first)
    assert [*second.variables] == [*first.variables]
    assert [*second.coords] == [*first.coords]
    assert dict(second.sizes) == dict(first.sizes)
    assert [*second.attrs] == [*first.attrs]
    assert [*second.xindexes] == [*first.xindexes]
    for name in first.variables:
        assert type(second.variables[name]) is type(first.variables[name])
        second.variables[name].attrs["changed"] = 1
    second["date"].values[0] = np.datetime64(0, "ns")
    second.attrs["changed"] = 1
    assert make_run(TEA, TIMES, values, **same).identical(first)
    assert second.isel(time=0).sel(tier="premium")["price"] == 0
    assert (second + second)["tea_temperature"].values.tolist() == [160, 120, 100]


def test_a_run_with_other_times_or_variables_is_checked():
    """Only runs that are alike, with the same times, have what was checked before."""
    values = {"tea_temperature": np.array([80.0, 60, 50])}
    make_run(TEA, TIMES, values, alike="cup")
    assert make_run(TEA, TIMES + 1, values, alike="cup")["time"].values.tolist() == (TIMES + 1).tolist()
    assert set(make_run(TEA, TIMES, values | {"room": np.array(1.0)}, alike="both")) == {"tea_temperature", "room"}
    with pytest.raises(DatasetError, match="'Tea Temperature' has shape"):
        make_run(TEA, TIMES, {"tea_temperature": np.zeros((3, 2))})
    with pytest.raises(ValueError, match="conflicting sizes"):
        make_run(TEA, TIMES, {"tea_temperature": np.zeros(2)})


def test_variables_have_the_attributes_of_the_model() -> None:
    """The name in the model, units, comment, equation, kind, group and range."""
    run = _tea()
    assert run.tea_temperature.attrs == {
        "long_name": "Tea Temperature", "units": "°C", "comment": "Falls.", "equation": "1", "kind": "stock",
        "group": "Tea", "minimum": 0, "maximum": 100,
    }  # fmt: skip
    assert run.price.attrs["equation"] == "2 * cost"
    assert "minimum" not in run.room.attrs


def test_dimensions_are_time_and_subscripts() -> None:
    """Constants have no time; labels have the model's spelling."""
    run = _tea()
    assert run.price.dims == ("time", "tier")
    assert run.room.dims == ()
    assert list(run.tier.values) == ["premium", "Very Cheap"]
    assert run.time.attrs == {"long_name": "Time", "units": "Year"}
    assert subscript_dims(run.price) == ("tier",)


def test_a_repeated_range_is_numbered() -> None:
    """An array cannot have one dimension twice, so the second is called `<range>_2`, with the same labels."""
    run = _tea(trade=np.zeros((3, 2, 2)))
    assert run.trade.dims == ("time", "tier", "tier_2")
    assert list(run.tier_2.values) == list(run.tier.values)


def test_members_are_the_last_dimensions() -> None:
    """A grid of two levers: each lever has its own dimension, and a constant has only the dimensions along which it varies."""
    elasticity = xr.DataArray([0.3, 0.9, 1.5], dims="elasticity", attrs={"units": "Dmnl"})
    values = {
        "tea_temperature": np.zeros((3, 3, 2)),
        "room": np.broadcast_to(np.array([[0.3], [0.9], [1.5]]), (3, 2)),
        "price": np.ones((3, 2)),
    }
    run = make_run(TEA, TIMES, values, dims={"elasticity": elasticity, "delay": [1, 2]})
    assert run.tea_temperature.dims == ("time", "elasticity", "delay")
    assert run.room.dims == ("elasticity",)
    assert run.price.dims == ("time", "tier")
    assert run.elasticity.attrs == {"units": "Dmnl"}
    assert member_dims(run.tea_temperature) == ("elasticity", "delay")


def test_a_lever_can_be_its_own_dimension() -> None:
    """A constant swept along a dimension of its own name is that dimension's coordinate and is found by name."""
    run = make_run(TEA, TIMES, {"room": np.array([18.0, 20, 22])}, dims={"room": [18.0, 20, 22]})
    assert run.indexes["room"].tolist() == [18, 20, 22]
    assert find_variable(run, "Room").attrs["units"] == "°C"


def test_a_lever_of_one_value_is_its_own_dimension() -> None:
    """A grid of one value is a grid."""
    run = make_run(TEA, TIMES, {"room": np.array([18.0])}, dims={"room": [18.0]})
    assert run.indexes["room"].tolist() == [18]


@pytest.mark.parametrize("name", ["time", "tier", "price", "date"])
def test_a_member_dimension_cannot_take_another_name(name: str) -> None:
    """Otherwise it would silently become the coordinate of something else."""
    with pytest.raises(DatasetError, match=f"'{name}'.*rename the dimension"):
        make_run(TEA, TIMES, {"price": np.ones((3, 2, 2))}, dims={name: [1, 2]})


@pytest.mark.parametrize("name", ["a/b", "", " ", "a\nb", "x" * 300])
def test_a_member_dimension_has_a_plain_name(name: str) -> None:
    """Names that no file could hold are refused when the run is made."""
    with pytest.raises(DatasetError, match=r"dimension .*: is not a valid name; use letters"):
        make_run(TEA, TIMES, {"price": np.ones((3, 2, 2))}, dims={name: [1, 2]})


def test_long_names_are_shortened(tmp_path: Path) -> None:
    """They stay distinct, the name in the model is an attribute, and the run can be stored."""
    names = ["x" * 300, "x" * 299 + "y", "温" * 300, "e\u0301" * 150]
    model = _model(*(_element(name) for name in names))
    run = make_run(model, TIMES, {name: np.ones(3) for name in model.elements if name != "initial_time"})
    assert len(set(run.data_vars)) == 4
    assert all(len(str(name).encode()) <= 255 and str(name).isidentifier() for name in run.data_vars)
    opened = open_run(save_run(run, tmp_path / "a.nc"))
    xr.testing.assert_identical(opened, run)
    assert find_variable(opened, "X" * 299 + "Y").attrs["long_name"] == names[1]


def test_values_of_another_shape_are_refused() -> None:
    """The message gives the shape and the dimensions of the element."""
    with pytest.raises(DatasetError, match=r"'price' has shape \(3,\).*time, tier"):
        make_run(TEA, TIMES, {"price": np.ones(3)})


def test_decimal_years_have_dates() -> None:
    """The middle of a leap year is 2 July 2024, 00:00."""
    assert [str(date)[:19] for date in _tea().date.values] == [
        "2024-01-01T00:00:00", "2024-07-02T00:00:00", "2025-01-01T00:00:00",
    ]  # fmt: skip


@pytest.mark.parametrize(("unit", "start"), [("Month", 2024.0), ("Year", 0.0), ("Year", 2263.0)])
def test_only_years_have_dates(unit: str, start: float) -> None:
    """Models that count in other units, or in years that nanoseconds cannot express, have none."""
    run = make_run(_model(_element("x"), time=unit), np.array([start]), {"x": np.zeros(1)})
    assert "date" not in run.coords


@given(st.lists(st.floats(1678, 2261.99), min_size=1, max_size=20))
def test_dates_increase_with_years_and_stay_in_them(years: list[float]) -> None:
    """Converted dates keep the order of the years and, to the second, the year itself."""
    ordered = np.sort(np.array(years))
    dates = dates_of(ordered)
    assert np.all(dates[1:] >= dates[:-1])
    starts = dates.astype("datetime64[Y]").astype(float) + 1970
    assert np.all(np.abs(ordered - starts) <= 1 + 1e-7)
    assert np.array_equal(dates_of(starts).astype("datetime64[Y]"), dates.astype("datetime64[Y]"))


def test_a_variable_called_date_is_kept() -> None:
    """The variable has precedence over the coordinate."""
    run = make_run(_model(_element("Date")), TIMES, {"date": np.ones(3)})
    assert "date" in run.data_vars


def test_variables_that_share_coordinates_are_those_of_the_run() -> None:
    """With members along a constant, labels and dates, `arrays_of` and `find_in_order` give what `run[name]` gives."""
    values = {"tea_temperature": np.arange(9.0).reshape(3, 3), "room": np.array([18.0, 20, 22])}
    swept = make_run(TEA, TIMES, values | {"price": np.ones((3, 2, 3))}, dims={"room": [18.0, 20, 22]})
    for run in (_tea(), swept):
        array = arrays_of(run)
        for name in (*run.variables, *run.variables):  # the second of each shares coordinates
            xr.testing.assert_identical(array(str(name)), run[name])
        for name, found in zip(run.data_vars, find_in_order(run, list(map(str, run.data_vars))), strict=True):
            xr.testing.assert_identical(found, run[name])
        assert list(bare_variables(run)) == list(run.data_vars)


def test_a_large_run_does_not_look_at_all_variables_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of thousands of variables are made, found and shown in a time that grows with their number."""
    model = _model(*(_element(f"stock {number}", "stock") for number in range(50)))
    asked: list[str] = []
    get = xr.Dataset.__getitem__
    monkeypatch.setattr(xr.Dataset, "__getitem__", lambda run, name: asked.append(name) or get(run, name))
    run = make_run(model, TIMES, {f"stock_{number}": np.ones(3) for number in range(50)})
    names = spelled_names(run, lambda variable: "time" in variable.dims)
    assert len(find_in_order(run, names)) == len(find_variables(run, names)) == 50
    assert len(asked) <= 2


@pytest.mark.parametrize("name", ["Tea Temperature", "tea_temperature", "TEA  temperature", '"tea Temperature"'])
def test_variables_are_found_in_any_spelling(name: str) -> None:
    """Case, blanks and underscores do not matter."""
    assert find_variable(_tea(), name).attrs["long_name"] == "Tea Temperature"


def test_labels_select_a_part_of_a_variable() -> None:
    """`price[very cheap]` is one series with the label in its name; a range stands for all its labels."""
    part = find_variable(_tea(), "Price[very cheap]")
    assert part.attrs["long_name"] == "price[Very Cheap]"
    assert list(part.values) == [1, 3, 5]
    assert find_variable(_tea(), "price[tier]").dims == ("time", "tier")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tea temprature", "did you mean 'Tea Temperature'"),
        ("price[premum]", "did you mean 'premium'"),
        ("price[premium, premium]", "has 1 subscript"),
        ("zzz", "sdmodel show"),
    ],
)
def test_a_missing_variable_is_reported_with_the_nearest_name(name: str, message: str) -> None:
    """One line says what is missing and what was probably meant."""
    with pytest.raises(DatasetError, match=message):
        find_variable(_tea(), name)


def test_all_missing_names_are_reported_together() -> None:
    """A list of names can be corrected at the same time."""
    assert list(find_variables(_tea(), ["ROOM", "price[premium]"])) == ["room", "price[premium]"]
    with pytest.raises(DatasetError, match=r"(?s)'rom'.*'prce'"):
        find_variables(_tea(), ["rom", "prce"])


def test_a_run_contains_the_text_of_its_model() -> None:
    """The text gives the very bytes of the file, whatever their encoding."""
    for content in ("Größe = 1\r\n".encode(), "Größe = 1\r\n".encode("latin-1")):
        sha256 = hashlib.sha256(content).hexdigest()
        run = make_run(Model("m.mdl", TEA.elements, text=decode_text(content), sha256=sha256), TIMES, {})
        assert model_content(run) == content


def test_the_text_of_a_model_is_kept_out_of_the_page_of_a_run() -> None:
    """A notebook shows a short line, and parts of a run still have the text."""
    content = b"{UTF-8}\n" + b"a note\n" * 30_000
    sha256 = hashlib.sha256(content).hexdigest()
    run = make_run(Model("m.mdl", TEA.elements, text=decode_text(content), sha256=sha256), TIMES, {})
    assert "model_text" in run._repr_html_()
    assert len(run._repr_html_()) < 20_000
    assert model_content(pickle.loads(pickle.dumps(run.isel(time=-1)))) == content  # noqa: S301


@given(st.binary(max_size=60))
def test_any_bytes_survive_as_text(content: bytes) -> None:
    """`encode_text` undoes `decode_text` for every sequence of bytes."""
    assert encode_text(decode_text(content), hashlib.sha256(content).hexdigest()) == content


def test_other_datasets_are_refused() -> None:
    """The message says what the dataset lacks."""
    check_run(_tea(), "tea")
    with pytest.raises(DatasetError, match=r"other: is not a run.*'model'"):
        check_run(xr.Dataset(coords={"time": [0.0]}), "other")
    for timeless in (_tea().isel(time=0), _tea().isel(time=[]), _tea().assign_coords(time=["a", "b", "c"])):
        with pytest.raises(DatasetError, match="it lacks its time"):
            check_run(timeless, "other")


@pytest.mark.parametrize(
    ("stored", "most", "sizes"), [(1, 1, [1] * 5), (2, 1, [2, 2, 1]), (2, 3, [2, 2, 1]), (2, 4, [4, 1])]
)
def test_member_blocks_are_whole_stored_blocks(stored: int, most: int, sizes: list[int]) -> None:
    """As many as fit into the limit, at least one; joined they are the run."""
    run = xr.Dataset({"x": ("member", np.arange(5.0))}, attrs={BLOCK: stored})
    blocks = list(member_blocks(run, "member", most))
    assert [last - first for first, last, _ in blocks] == sizes
    assert np.array_equal(np.concatenate([part["x"] for _, _, part in blocks]), run["x"])


def test_all_errors_are_public_children_of_one() -> None:
    """A user can catch every error by its name in `sdmodel`."""
    classes = {name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, Exception)}
    assert {name for name in sd.__all__ if name.endswith("Error")} == classes
    assert all(issubclass(getattr(sd, name), sd.SdmodelError) for name in classes)


def test_all_public_names_can_be_loaded_and_are_typed() -> None:
    """The table of lazy names agrees with the imports that type checkers read, and the package ships its types."""
    tree = ast.parse(Path(sd.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    assert (
        sorted(alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names)
        == sd.__all__
    )
    assert all(hasattr(sd, name) for name in sd.__all__)
    assert Path(sd.__file__).with_name("py.typed").is_file()


def test_temporary_folders_are_removed_unless_renamed(tmp_path: Path) -> None:
    """Even if an error interrupts their making."""
    with temporary_folder(tmp_path / "new" / "a.zarr") as made:
        made.rename(tmp_path / "new" / "a.zarr")
    with pytest.raises(FileNotFoundError), temporary_folder(tmp_path / "new" / "b.zarr") as made:
        (made / "missing" / "file").write_text("half", "utf-8")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.zarr"]


def test_reading_a_model_and_its_levers_loads_neither_xarray_nor_pandas() -> None:
    """What is heavy loads where it is used."""
    code = "import sys, sdmodel as sd; sd.read_model, sd.find_levers; print({'xarray', 'pandas', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.wrong_types
def test_what_is_not_a_model_is_named():
    """A number in place of a model gets an error that says how to read one; the checks take files too."""
    functions = {name: getattr(sd, name) for name in sd.__all__ if inspect.isfunction(getattr(sd, name))}
    parameters = {name: [*inspect.signature(function).parameters.values()] for name, function in functions.items()}
    named = [
        name for name, own in parameters.items() if own and own[0].name == "model" and not name.startswith("check_")
    ]
    assert len(named) > 20
    for name in named:
        others = {
            own.name: None
            for own in parameters[name][1:]
            if own.default is own.empty and own.kind != own.VAR_POSITIONAL
        }
        with pytest.raises(sd.ModelError, match=f"{name}: int is not a model; read one with read_model"):
            functions[name](4, **others)

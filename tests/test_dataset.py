"""What a run is: names, dimensions, coordinates, attributes, and how its variables are found again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sdmodel.dataset import (
    check_run,
    dates_of,
    find_variable,
    headlines,
    make_run,
    member_dims,
    subscript_dims,
)
from sdmodel.errors import DatasetError
from sdmodel.files import decoded, encoded
from sdmodel.model.algebra import number
from sdmodel.model.records import Element, Equation, Kind, Model, Range, Subscript
from sdmodel.store import open_run, save_run


def _element(name: str, kind: Kind = "auxiliary", text: str = "1", **further: object) -> Element:
    return Element(name, kind, (Equation(number(1.0), text=text),), **further)  # type: ignore[arg-type]


def _model(*elements: Element, time: str = "Year", subscripts: tuple[Subscript, ...] = ()) -> Model:
    every = (*elements, _element("INITIAL TIME", "constant", units=time))
    return Model("tea.mdl", {each.key: each for each in every}, {each.name: each for each in subscripts})


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


def test_a_run_says_of_each_variable_what_the_model_says() -> None:
    """Attributes keep the author's spelling, units, comment, equation, kind, group and range."""
    run = _tea()
    assert run.tea_temperature.attrs == {
        "long_name": "Tea Temperature", "units": "°C", "comment": "Falls.", "equation": "1", "kind": "stock",
        "group": "Tea", "minimum": 0, "maximum": 100,
    }  # fmt: skip
    assert run.price.attrs["equation"] == "2 * cost"
    assert "minimum" not in run.room.attrs


def test_a_run_has_time_then_subscripts_and_constants_have_no_time() -> None:
    """Dimensions are time and the model's ranges, with the labels in the author's spelling."""
    run = _tea()
    assert run.price.dims == ("time", "tier")
    assert run.room.dims == ()
    assert list(run.tier.values) == ["premium", "Very Cheap"]
    assert run.time.attrs == {"long_name": "Time", "units": "Year"}
    assert subscript_dims(run.price) == ("tier",)


def test_a_range_that_comes_twice_is_numbered() -> None:
    """No array has one dimension twice, so that the second is called `<range>_2`, with the same labels."""
    run = _tea(trade=np.zeros((3, 2, 2)))
    assert run.trade.dims == ("time", "tier", "tier_2")
    assert list(run.tier_2.values) == list(run.tier.values)


def test_members_come_last_and_a_constant_keeps_only_the_ones_it_varies_along() -> None:
    """A grid of two levers: each lever has its own dimension, what does not vary has none."""
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


def test_a_lever_may_be_its_own_dimension() -> None:
    """A constant swept along a dimension of its own name is that dimension's coordinate and is found by name."""
    run = make_run(TEA, TIMES, {"room": np.array([18.0, 20, 22])}, dims={"room": [18.0, 20, 22]})
    assert run.indexes["room"].tolist() == [18, 20, 22]
    assert find_variable(run, "Room").attrs["units"] == "°C"


def test_a_lever_of_one_value_is_its_own_dimension_still() -> None:
    """A grid of one value is a grid."""
    run = make_run(TEA, TIMES, {"room": np.array([18.0])}, dims={"room": [18.0]})
    assert run.indexes["room"].tolist() == [18]


@pytest.mark.parametrize("name", ["time", "tier", "price", "date"])
def test_a_member_dimension_must_not_take_another_name(name: str) -> None:
    """Otherwise it would silently become the coordinate of something else."""
    with pytest.raises(DatasetError, match=f"'{name}'.*call the dimension otherwise"):
        make_run(TEA, TIMES, {"price": np.ones((3, 2, 2))}, dims={name: [1, 2]})


@pytest.mark.parametrize("name", ["a/b", "", " ", "a\nb", "x" * 300])
def test_a_member_dimension_has_a_plain_name(name: str) -> None:
    """What no file could hold is refused before it is a run."""
    with pytest.raises(DatasetError, match=r"dimension .*: this is no name; use letters"):
        make_run(TEA, TIMES, {"price": np.ones((3, 2, 2))}, dims={name: [1, 2]})


def test_long_names_of_a_model_make_shorter_names_of_variables(tmp_path: Path) -> None:
    """They stay distinct, the author's spelling stands beside them, and the run can be stored."""
    names = ["x" * 300, "x" * 299 + "y", "温" * 300, "e\u0301" * 150]
    model = _model(*(_element(name) for name in names))
    run = make_run(model, TIMES, {each: np.ones(3) for each in model.elements if each != "initial_time"})
    assert len(set(run.data_vars)) == 4
    assert all(len(str(each).encode()) <= 255 and str(each).isidentifier() for each in run.data_vars)
    opened = open_run(save_run(run.assign_attrs(model_text=""), tmp_path / "a.nc"))
    xr.testing.assert_identical(opened, run)
    assert find_variable(opened, "X" * 299 + "Y").attrs["long_name"] == names[1]


def test_values_of_another_shape_are_refused() -> None:
    """The message tells the shape and the dimensions that the element has."""
    with pytest.raises(DatasetError, match=r"'price' has shape \(3,\).*time, tier"):
        make_run(TEA, TIMES, {"price": np.ones(3)})


def test_dates_stand_beside_decimal_years() -> None:
    """The middle of a leap year is noon-free: 2 July 2024, 00:00."""
    assert [str(each)[:19] for each in _tea().date.values] == [
        "2024-01-01T00:00:00", "2024-07-02T00:00:00", "2025-01-01T00:00:00",
    ]  # fmt: skip


@pytest.mark.parametrize(("unit", "start"), [("Month", 2024.0), ("Year", 0.0), ("Year", 2263.0)])
def test_there_are_no_dates_where_they_would_mean_nothing(unit: str, start: float) -> None:
    """Only models that count in years, within the years that nanoseconds reach, have dates."""
    run = make_run(_model(_element("x"), time=unit), np.array([start]), {"x": np.zeros(1)})
    assert "date" not in run.coords


@given(st.lists(st.floats(1678, 2261.99), min_size=1, max_size=20))
def test_dates_rise_with_years_and_stay_in_them(years: list[float]) -> None:
    """Converted dates keep the order of the years and, to the second, the year itself."""
    ordered = np.sort(np.array(years))
    dates = dates_of(ordered)
    assert np.all(dates[1:] >= dates[:-1])
    starts = dates.astype("datetime64[Y]").astype(float) + 1970
    assert np.all(np.abs(ordered - starts) <= 1 + 1e-7)
    assert np.array_equal(dates_of(starts).astype("datetime64[Y]"), dates.astype("datetime64[Y]"))


def test_a_model_with_a_variable_called_date_keeps_it() -> None:
    """The variable is the author's; the coordinate gives way."""
    run = make_run(_model(_element("Date")), TIMES, {"date": np.ones(3)})
    assert "date" in run.data_vars


@pytest.mark.parametrize("name", ["Tea Temperature", "tea_temperature", "TEA  temperature", '"tea Temperature"'])
def test_variables_are_found_as_vensim_spells_them(name: str) -> None:
    """Case, blanks and underscores do not matter."""
    assert find_variable(_tea(), name).attrs["long_name"] == "Tea Temperature"


def test_labels_pick_a_part_of_a_variable() -> None:
    """`price[very cheap]` is one line; its name tells the label; a range stands for all its labels."""
    part = find_variable(_tea(), "Price[very cheap]")
    assert part.attrs["long_name"] == "price[Very Cheap]"
    assert list(part.values) == [1, 3, 5]
    assert find_variable(_tea(), "price[tier]").dims == ("time", "tier")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tea temprature", "did you mean 'Tea Temperature'"),
        ("price[premum]", "did you mean 'premium'"),
        ("price[premium, premium]", "has 1 subscripts"),
        ("zzz", "sdmodel show"),
    ],
)
def test_a_missing_variable_is_told_with_the_nearest(name: str, message: str) -> None:
    """One line says what is missing and what was probably meant."""
    with pytest.raises(DatasetError, match=message):
        find_variable(_tea(), name)


def test_headlines_tell_all_missing_names_at_once() -> None:
    """Whoever corrects a list of names wants to correct it once."""
    assert list(headlines(_tea(), ["ROOM", "price[premium]"])) == ["room", "price[premium]"]
    with pytest.raises(DatasetError, match=r"(?s)'rom'.*'prce'"):
        headlines(_tea(), ["rom", "prce"])


def test_a_run_carries_the_text_of_its_model() -> None:
    """The very bytes come back from the text, whatever their encoding."""
    for content in ("Größe = 1\r\n".encode(), "Größe = 1\r\n".encode("latin-1")):
        sha256 = hashlib.sha256(content).hexdigest()
        run = make_run(Model("m.mdl", TEA.elements, text=decoded(content), sha256=sha256), TIMES, {})
        assert encoded(run.attrs["model_text"], sha256) == content


@given(st.binary(max_size=60))
def test_any_bytes_survive_as_text(content: bytes) -> None:
    """`encoded` undoes `decoded` for every sequence of bytes."""
    assert encoded(decoded(content), hashlib.sha256(content).hexdigest()) == content


def test_a_dataset_that_is_not_a_run_is_named() -> None:
    """What lacks its provenance is refused with what it lacks."""
    check_run(_tea(), "tea")
    with pytest.raises(DatasetError, match=r"other: is not a run.*'model'"):
        check_run(xr.Dataset(coords={"time": [0.0]}), "other")
    for timeless in (_tea().isel(time=0), _tea().isel(time=[]), _tea().assign_coords(time=["a", "b", "c"])):
        with pytest.raises(DatasetError, match="it lacks its time"):
            check_run(timeless, "other")

"""What figures share: colours and font sizes, a grid of panels with quiet axes, legends, and the origin of the numbers."""

from __future__ import annotations

import contextlib
import itertools
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import MONTHLY, AutoDateLocator, ConciseDateFormatter, DateLocator
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ..dataset import DATE, TIME, dates_of, describe_model
from ..errors import FigureError, format_count
from .layout import Scale
from .text import PlainFigure

T = TypeVar("T")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito (2008) for all kinds of colour vision, clearest on white first, without the yellow."""
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
GREY, DARK, GRID = "#555555", "#222222", "#DDDDDD"
SMALL, NORMAL, LARGE = 6.5, 7.5, 9.5
"""Font sizes in points."""

_WIDTH, _SPACE = 7.2, 0.06
"""Inches: the width of the text of a page in most journals; and the share of a panel's width between panels."""
_COLUMN = 3.6
"""Inches: the width of a figure in a narrow column, which a phone shows in full size."""
_NARROW: ContextVar[bool] = ContextVar("_NARROW", default=False)
_MANY_PANELS = 9
_TITLE_LETTERS, _LABEL_LETTERS, _POWER_LETTERS = 84, 26, 8
"""Letters that fit a title as wide as the page and a line beside an axis; and those of a power of ten that are not printed."""
_LEGEND_LINE = 9.0
"""Points: the height of a line of the legend above a panel."""
_PLAIN, _PLAIN_LOGARITHMIC = (1e-2, 1e5), (0.999e-3, 0.999e5)
"""Numbers in this range are written without a power of ten, on a linear axis and on a logarithmic one."""
_FEW_DECADES, _DEEPEST = 3, 1e6
"""A longer logarithmic axis shows powers of ten only; the deepest spans this factor."""
_FAR_APART = 1e3
"""Positive numbers with a larger ratio get a logarithmic axis."""
_MOST_ENDS, _END_LETTERS, _END_LINE = 5, 15, 9.0
"""Lines of a panel that are named at their ends at most, letters of such a name, and points from one name to the next."""
_VEIL, _VEIL_LEVEL = 0.55, 3.5
"""The opacity of the white over an extrapolation, and its drawing level: above lines and bands, below observations."""
_UNITS = {"dmnl": "dimensionless"}
_RAISED = str.maketrans("-0123456789", "\u207b\u2070\xb9\xb2\xb3\u2074\u2075\u2076\u2077\u2078\u2079")
_MOST_NUMBERS, _YEAR, _NUMBER = 5, 3.3, 4.0
"""The most numbers along an axis; and the room for a year and for a number with what separates it from the next, in font sizes."""
_STEPS = [1, 2, 2.5, 5, 10]


PanelAxes = Axes | Sequence[Axes] | NDArray[Any] | None
"""Axes of the caller's figure, one for each panel in order; None makes a figure."""


def make_grid(
    count: int, heights: Sequence[float], margin: float, axes: PanelAxes = None
) -> tuple[Figure, NDArray[Any], int]:
    """Make a figure with panels in as few columns as fill the page, since large panels are easier to read.

    The heights in inches are those of a panel in one, two and three columns, and of one of more than nine panels. Also
    returns the number of columns that would fill a page; a narrow page is as wide as one of two.
    """
    if axes is not None:
        figure, panels = make_panels(count, 1, 0, 0, axes)
        width = panels[0].get_position().width * figure.get_figwidth()
        return figure, panels, min(3, max(1, round(_WIDTH / width)))
    if _NARROW.get():
        return *make_panels(count, 1, heights[1], margin), 2
    columns = 1 if count == 1 else 2 if count in (2, 4) else 3
    height = heights[3 if count > _MANY_PANELS else columns - 1]
    return *make_panels(count, columns, height, margin), columns


@contextlib.contextmanager
def narrow_pages() -> Iterator[None]:
    """Make figures half as wide as a page, with one panel in a row and without the lines below, which a web page shows."""
    before = _NARROW.set(True)
    try:
        yield
    finally:
        _NARROW.reset(before)


def is_narrow() -> bool:
    """Whether figures are made for a narrow column."""
    return _NARROW.get()


def make_panels(
    count: int, columns: int, height: float, margin: float, axes: PanelAxes = None
) -> tuple[Figure, NDArray[Any]]:
    """Make a figure with `count` empty panels in `columns` columns, each `height` inches high, and a margin in inches.

    Raises FigureError if the caller gives another number of axes.
    """
    if axes is not None:
        given = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
        if not all(hasattr(own, "get_xlim") for own in given):
            message = f"axes: {type(axes).__name__} is not matplotlib axes; give those that `plt.subplots` returns"
            raise FigureError(message)
        if len(given) != count:
            message = f"axes: {len(given)} are given for {format_count(count, 'panel')}; give {count}, or none to make a figure"
            raise FigureError(message)
        return _figure_of(given[0]), given
    rows = math.ceil(count / columns)
    figure = make_page(height * rows + margin)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in panels[count:]:
        spare.set_visible(False)
    return figure, panels[:count]


def _figure_of(axes: Axes) -> Figure:
    return cast("Figure", axes.get_figure(root=True))


def make_page(height: float) -> Figure:
    """Make a figure without panels, `height` inches high."""
    layout = ConstrainedLayoutEngine(wspace=_SPACE)
    return PlainFigure(figsize=(page_width(), height), layout=layout, facecolor="white")


def page_width() -> float:
    """Return the width of a figure in inches."""
    return _COLUMN if _NARROW.get() else _WIDTH


def named_runs(runs: xr.Dataset | Mapping[str, xr.Dataset]) -> Mapping[str, xr.Dataset]:
    """Return runs by name; a run that is given alone is called `run`."""
    return {"run": runs} if isinstance(runs, xr.Dataset) else runs


def check_runs(runs: Sized, names: Sized) -> None:
    """Raise an error if there is nothing to plot, or more runs than there are colours."""
    if not runs or not names:
        message = "the figure: has no runs or no variables; name at least one of each"
        raise FigureError(message)
    if len(runs) > len(COLOURS):
        message = f"the figure: {len(runs)} runs are too many to distinguish; plot at most {len(COLOURS)}"
        raise FigureError(message)


def add_frame(
    panels: Sequence[Axes] | NDArray[Any],
    title: str | None,
    groups: Sequence[Sequence[Artist]],
    origin: Sequence[str],
    *,
    letters: int = 124,
    sample: int = 7,
    **spacing: float,
) -> None:
    """Add the title and the legend above the panels, and the origin of the numbers below them.

    Each group of the legend begins a new line; as many columns are used as fit the line's letters, `sample` of them for each
    line sample. A figure in a narrow column keeps the origin for the page around it. On the caller's axes, the legend is in the
    first panel, and the title and the origin are left to the caller.
    """
    figure = _figure_of(panels[0])
    if not isinstance(figure, PlainFigure):
        handles, _ = arrange_legend(groups, 1, sample)
        if handles:
            add_legend(panels[0], handles, loc="best", fontsize=SMALL, framealpha=0.8, edgecolor="none")
        return
    handles, columns = arrange_legend(groups, int(letters * min(1.0, figure.get_figwidth() / _WIDTH)), sample)
    figure.origin = tuple(origin)
    if handles:
        add_legend(
            figure, handles, loc="outside upper left", ncols=columns, fontsize=NORMAL, frameon=False, title=title,
            alignment="left", title_fontproperties={"size": LARGE, "weight": "bold"}, borderaxespad=0.3, **spacing,
        )  # fmt: skip
    elif title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=LARGE, fontweight="bold")
    if origin and not _NARROW.get():
        figure.supxlabel("\n".join(origin), x=0.01, ha="left", fontsize=SMALL - 0.5, color=GREY, linespacing=1.3)


def add_legend(owner: Figure | Axes, handles: Sequence[Artist], **style: Any) -> None:
    """Draw a legend with all handles: matplotlib alone leaves out those whose name begins with an underscore."""
    names = [str(handle.get_label()) for handle in handles]
    legend = owner.legend(handles=handles, labels=[str(place) for place in range(len(names))], **style)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def arrange_legend(groups: Sequence[Sequence[Artist]], width: int, sample: int) -> tuple[list[Artist], int]:
    """Return the handles of a legend in matplotlib's order, column by column, and the number of columns.

    Each group begins a new line. As many columns are used as fit `width` letters, `sample` of them for each line sample.
    """
    longest = max(map(len, groups), default=1)
    for count in range(max(1, longest), 0, -1):
        lines = [list(group[at : at + count]) for group in groups for at in range(0, len(group), count)]
        columns = list(itertools.zip_longest(*lines))
        widths = [max(len(str(handle.get_label())) for handle in column if handle is not None) for column in columns]
        if sum(widths) + sample * len(widths) <= width or count == 1:
            break
    blank = Line2D([], [], linestyle="", label=" ")
    return [handle or blank for column in columns for handle in column], len(columns)


def style_panel(axes: Axes, title: str, units: str, columns: int) -> None:
    """Set the title and units of a panel, one of `columns` in a row, and draw quiet axes."""
    set_title(axes, title, columns)
    _label_y_axis(axes, units)
    style_ticks(axes)
    axes.grid(axis="y", color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_linewidth(0.6)
        spine.set_color("#999999")


def set_title(axes: Axes, title: str, columns: int, *, legend_lines: int = 0) -> None:
    """Set the title of a panel, one of `columns` in a row, with room for a legend below it."""
    pad = 5 + _LEGEND_LINE * legend_lines
    title = _wrap_words(title, _TITLE_LETTERS // columns)
    axes.set_title(title, loc="left", fontsize=NORMAL + 0.5, fontweight="bold", pad=pad)


def style_ticks(axes: Axes) -> None:
    """Draw small grey ticks."""
    axes.tick_params(labelsize=NORMAL - 0.5, length=2.5, width=0.6, color=GREY, labelcolor=GREY)


def format_y_axis(axes: Axes, units: str, values: NDArray[np.float64]) -> None:
    """Keep the numbers of the y axis short: a power of a thousand moves into the label; small positive values start at 0."""
    finite = values[np.isfinite(values)]
    power = _format_ticks(axes.yaxis, values)
    if power:
        _label_y_axis(axes, with_power(units, power), spare=_POWER_LETTERS)
    if finite.size and finite.min() >= 0:
        largest = float(finite.max())
        level = finite.min() == largest
        axes.set_ylim(
            bottom=0 if level or finite.min() <= largest / 2 else None, top=1.5 * largest or 1 if level else None
        )


def format_x_axis(axes: Axes, units: str, values: NDArray[np.float64], *, prefix: str = "") -> None:
    """Keep the numbers of the x axis short and label it with its units; a power of a thousand moves into the label."""
    label = with_power(format_units(units), _format_ticks(axes.xaxis, values))
    axes.set_xlabel(", ".join(filter(None, (prefix, label))), fontsize=NORMAL, color=GREY)


def _format_ticks(axis: Axis, values: NDArray[np.float64]) -> int:
    """Write few numbers along an axis without their shared power of ten, and return that power."""
    power = shared_power(values)
    axis.set_major_locator(_FittingNumbers(_MOST_NUMBERS, steps=_STEPS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_number(value / 10.0**power, 10)))
    return power


def shared_power(values: NDArray[np.float64]) -> int:
    """Return the power of ten, a multiple of three, to take out of long numbers; 0 if they are short."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    return 0 if largest == 0 or _PLAIN[0] <= largest < _PLAIN[1] else 3 * math.floor(math.log10(largest) / 3)


def with_power(units: str, power: int) -> str:
    """Return units with a power of ten before them."""
    return f"{_power_of_ten(power)} {units}".strip() if power else units


def _power_of_ten(power: int) -> str:
    return f"10{str(power).translate(_RAISED)}"


def format_number(value: float, digits: int = 6) -> str:
    """Return a number with a typographic minus sign."""
    return f"{value:.{digits}g}".replace("-", "\u2212")


def format_units(units: str) -> str:
    """Return units as a figure writes them."""
    return _UNITS.get(units.casefold(), units.replace("_", " "))


def _set_logarithmic(axes: Axes, positive: NDArray[np.float64], lowest: float) -> None:
    """Make the y axis logarithmic over `positive` values, at most six decades deep unless `lowest` lies deeper.

    Numbers between powers of ten are marked on short axes. The label of the axis says that its scale is logarithmic.
    """
    axes.set_yscale("log")
    high = 1.2 * float(positive.max())
    low = min(max(float(positive.min()), 1.2 * high / _DEEPEST), lowest) / 1.2
    axes.set_ylim(low, high)
    decades = math.log10(high / low)
    powers = LogLocator(10, subs=(1.0,) if decades > _FEW_DECADES else (1.0, 2.0, 5.0), numticks=8)
    axes.yaxis.set_major_locator(powers if decades > 1 else MaxNLocator(5, steps=_STEPS))
    axes.yaxis.set_major_formatter(FuncFormatter(_format_logarithmic))
    axes.yaxis.set_minor_locator(NullLocator())
    units = axes.get_ylabel()
    separator = "" if not units else ", " if len(units) < _LABEL_LETTERS - len("log scale") else ",\n"
    axes.set_ylabel(f"{units}{separator}log scale")


def scale_y_axis(
    axes: Axes, units: str, values: NDArray[np.float64], *, scale: Scale = "", lowest: float = math.inf
) -> None:
    """Make the y axis logarithmic if its `scale` is, or has not been chosen and positive values are far apart; else linear.

    An axis with negative values is always linear. `lowest` is the lowest end of an error bar.
    """
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0]
    if not scale and 0 < positive.size == finite.size and float(positive.max()) > _FAR_APART * float(positive.min()):
        scale = "log"
    if scale == "log" and positive.size > 0 and float(finite.min()) >= 0:
        _set_logarithmic(axes, positive, lowest)
    else:
        format_y_axis(axes, units, values)


Ends = Sequence[tuple[str, float, str]]
"""Lines of a panel by name, last value and colour."""


def ends_lie_apart(axes: Axes, lines: Ends) -> bool:
    """Whether there is room to write the names of lines beside their ends; the limits and the scale must be final."""
    if not 1 < len(lines) <= _MOST_ENDS or any(len(name) > _END_LETTERS for name, *_ in lines):
        return False
    heights = np.sort(_end_heights(axes, lines))
    apart = _END_LINE / (72 * axes.get_position().height * _figure_of(axes).get_figheight())
    return bool(np.isfinite(heights).all() and np.diff(heights).min() >= apart and heights[0] >= 0 and heights[-1] <= 1)


def name_ends(axes: Axes, lines: Ends) -> None:
    """Write the names of lines beside their ends."""
    for (name, _, colour), height in zip(lines, _end_heights(axes, lines), strict=True):
        axes.annotate(
            name, (1.0, float(height)), (3, 0), xycoords="axes fraction", textcoords="offset points",
            va="center", fontsize=SMALL, color=colour, annotation_clip=False,
        )  # fmt: skip


def _end_heights(axes: Axes, lines: Ends) -> NDArray[np.float64]:
    """Return the last values of lines as shares of the panel's height."""
    return _heights(axes, np.array([value for _, value, _ in lines], dtype=float))


def _heights(axes: Axes, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values on the y axis as shares of the panel's height."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = axes.yaxis.get_transform().transform(np.concatenate([values, axes.get_ylim()]))
    return np.asarray((scaled[:-2] - scaled[-2]) / (scaled[-1] - scaled[-2]), dtype=float)


def mark_extrapolation(panels: Sequence[Axes], start: float | None, times: NDArray[Any], *, dated: bool) -> None:
    """Draw what is later than `start`, a model time, lighter in some panels, and call it extrapolation in the first."""
    if start is None or not times.size:
        return
    first = dates_of(np.array([min(max(start, 1.0), 9999.0)], float))[0] if dated else start
    if first >= times.max():
        return
    first = max(first, times.min())
    style: Any = {"facecolor": "white", "linewidth": 0, "zorder": _VEIL_LEVEL, "gid": "extrapolation"}
    for axes in panels:
        axes.axvspan(first, times.max(), alpha=_VEIL, **style)
    low, high = _heights_after(panels[0], float(panels[0].convert_xunits(first)))
    at = ("top", 1.0, -2.0) if 1 - high >= low else ("bottom", 0.0, 2.0)
    panels[0].annotate(
        "extrapolation", (1.0, at[1]), (-1, at[2]), xycoords="axes fraction", textcoords="offset points", rotation=90, ha="right",
        va=at[0], fontsize=SMALL - 1, color=GREY, zorder=_VEIL_LEVEL + 1,
        bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.3},
    )  # fmt: skip


def _heights_after(axes: Axes, start: float) -> tuple[float, float]:
    """Return how low and how high lines and bands reach after a place on the x axis, as shares of the panel's height."""
    shapes = [line.get_xydata() for line in axes.lines]
    shapes += [path.vertices for area in axes.collections for path in area.get_paths()]
    heights = [np.asarray(shape)[np.asarray(shape)[:, 0] >= start, 1] for shape in shapes if len(np.shape(shape)) > 1]
    shares = _heights(axes, np.concatenate([np.empty(0), *heights]))
    inside = np.clip(shares[np.isfinite(shares)], 0, 1)
    return float(inside.min(initial=1.0)), float(inside.max(initial=0.0))


def _format_logarithmic(value: float, _position: object = None) -> str:
    if _PLAIN_LOGARITHMIC[0] <= value < _PLAIN_LOGARITHMIC[1]:
        return f"{value:g}"
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    return ("" if mantissa == "1" else f"{mantissa}\u00d7") + _power_of_ten(int(exponent))


class _FittingDates(AutoDateLocator):
    """As many dates as fit side by side, at most `maxticks`; which is known once the figure has its layout."""

    def get_locator(self, dmin: Any, dmax: Any) -> DateLocator:
        given, room = (self.minticks, self.maxticks), 1 + _labels_along(self.axis, _YEAR)
        self.maxticks = {frequency: min(most, room) for frequency, most in self.maxticks.items()}
        self.minticks = min(self.minticks, room - 1)
        try:
            return super().get_locator(dmin, dmax)
        finally:
            self.minticks, self.maxticks = given


class _FittingNumbers(MaxNLocator):
    """As many numbers as fit side by side along an x axis."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        if getattr(self.axis, "axis_name", "") == "x":
            self.set_params(nbins=min(_MOST_NUMBERS, _labels_along(self.axis, _NUMBER)))
        return super().tick_values(vmin, vmax)


def _labels_along(axis: Any, size: float) -> int:
    """The number of labels of a size that fit along an x axis, at least one."""
    points = 72 * axis.axes.bbox.width / axis.get_figure(root=True).dpi
    return max(1, int(points / (size * NORMAL)))


def format_time_axis(axes: Axes, units: object, *, dated: bool, most: int = 6) -> None:
    """Format the x axis as at most `most` dates, months and days where a run is short, or label it with the units of time."""
    if not dated:
        axes.set_xlabel(str(units or "Time"), fontsize=NORMAL, color=GREY)
        return
    locator = _FittingDates(minticks=min(3, most - 1), maxticks=most)
    locator.intervald[MONTHLY] = [1, 2, 3, 4, 6, 12]  # without 12, no interval fits a span of two to three years
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.xaxis.get_offset_text().set_fontsize(NORMAL - 0.5)


def _label_y_axis(axes: Axes, units: str, spare: int = 0) -> None:
    axes.set_ylabel(_wrap_words(format_units(units), _LABEL_LETTERS + spare), fontsize=NORMAL, color=GREY)


def _wrap_words(text: str, width: int) -> str:
    return textwrap.fill(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def add_note(axes: Axes, text: str) -> None:
    """Add a line below a panel."""
    axes.set_xlabel(f"{axes.get_xlabel()}\n{text}".strip(), fontsize=SMALL, color=GREY)


def wrap(text: str, width: int) -> list[str]:
    """Break a text into lines of at most `width` letters, indented after the first; a web page breaks lines itself."""
    return [text] if _NARROW.get() else textwrap.wrap(text, width, subsequent_indent="    ")


def describe_models(runs: Mapping[str, xr.Dataset]) -> list[str]:
    """Return a line with name and hash for each model of some runs."""
    return sorted(set(map(describe_model, runs.values())))


def describe_changes(run: xr.Dataset) -> list[str]:
    """Return the scenario of a run and its other changes, without those that differ between members."""
    changes = (line for line in str(run.attrs.get("changes", "")).splitlines() if "= over " not in line)
    return [text for text in (str(run.attrs.get("scenario_name", "")), *changes) if text]


def over_time(run: xr.Dataset, variable: xr.DataArray) -> xr.DataArray:
    """Return a variable of a run over time; a constant is the same at all times."""
    if TIME in variable.dims:
        return variable
    level = variable.expand_dims({TIME: run[TIME]})
    return level.assign_coords({DATE: run[DATE]}) if DATE in run.coords else level


def choose_evenly(labels: Sequence[T], most: int) -> list[T]:
    """Return at most `most` labels, evenly spaced from the first to the last."""
    if len(labels) <= most:
        return list(labels)
    return [labels[int(at)] for at in np.linspace(0, len(labels) - 1, most).round()]

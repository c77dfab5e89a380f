"""Models in XMILE: expressions, arrays, modules, macros and the run, against values computed by hand; and what is refused."""

from __future__ import annotations

import pytest

from sdmodel.errors import ModelError
from sdmodel.model import Model, check_units
from sdmodel.simulation import simulate
from sdmodel.testing import build_xmile
from sdmodel.vensim import mdl_text, model_from_text
from sdmodel.xmile import read_xmile, xmile_text


def read_text(text: str) -> Model:
    """Return the model in the text of a file."""
    return read_xmile(text.encode(), "model.xmile")


EXPRESSIONS = {
    "-2^2": -4,
    "2^3^2": 512,
    "2^-1": 0.5,
    "-7 MOD 3": 2,
    "7 mod -3": -2,
    "1 - 2 - 3": -4,
    "8/4/2": 1,
    "INT(-2.5)": -3,
    "ROUND(2.5)": 3,
    "NOT 0 AND 1 > 0": 1,
    "1 OR 0 AND 0": 1,
    "3 &lt; 2 = 0": 1,
    "IF 0 THEN 2 ELSE 3 + 1": 4,
    "IF_THEN_ELSE(1, 2, 3)": 2,
    "{a comment} 5 {another}": 5,
    "SAFEDIV(1, 0, 9)": 9,
    "1 // 0": 0,
    "LOG10(1000)": 3,
    "MAX(1, 5, 3)": 5,
    "MIN(values)": 10,
    "SUM(values[*])": 60,
    "SUM(values*values)": 1400,
    "MEAN(values)": 20,
    "PROD(values)": 6000,
    "MAX(values, 25)": 30,
    "SIZE(values)": 3,
    "SIZE(grid[*, b])": 2,
    "SUM(values[b:c]) + SUM(values[1:2])": 80,
    "SIZE(grid[1:1, a:b]) + MAX(values[a:b])": 22,
    "SUM(grid[*, b])": 42,
    "values[2] + values[Letter.c]": 50,
    "values[TIME - 3]": 20,
    "values[TIME] + values[TIME - 5] + values[7.5 - TIME]": 20,
    "grid[TIME/5, TIME - 2] + grid[2, TIME - 4]": 42,
    "Letter.b": 2,
    '"odd name (x)" + odd_name_x': 7,
    "PI()*0 + pi*0 + STARTTIME + STOPTIME + DT + TIME": 12,
    "PREVIOUS(TIME, 7)": 4,
    "PREVIOUS(SELF, 0) + 1": 5,
    "DELAY(TIME, 2, 0)": 3,
    "INIT(TIME + 1)": 2,
    "STEP(5, 3) + STEP(5, 6)": 5,
    "RAMP(2, 2)": 6,
    "PULSE(6, 5)": 6,
    "PULSE(6, 1, 2)": 6,
    "PULSE(6, 2, 2)": 0,
    "FORCST(TIME - TIME + 4, 3, 2)": 4,
    "TREND(8, 2)": 0,
    "SMTH1(3, 9) + SMTH3(3, 9) + SMTHN(3, 9, 4) + DELAY1(3, 9) + DELAYN(3, 9, 3)": 15,
    "table(1.5) + LOOKUP(table, 9)": 55,
    "stepped(1.5)": 10,
    "further(3)": 40,
    "graph": 25,
    "twice(4) + twice(1)": 10,
    "level(2) * 0 + level(2)": 10,
}
"""Expressions with their values at time 5, the end of a run from 1 with a DT of 1."""

VARIABLES = """
<aux name="values"><dimensions><dim name="Letter"/></dimensions>
 <element subscript="a"><eqn>10</eqn></element><element subscript="b"><eqn>20</eqn></element><element subscript="c"><eqn>30</eqn></element></aux>
<aux name="grid"><dimensions><dim name="Row"/><dim name="Letter"/></dimensions><eqn>10*Row + Letter + 4</eqn></aux>
<aux name="odd name (x)"><eqn>3</eqn></aux><aux name="odd_name\\nx"><eqn>4</eqn></aux>
<aux name="table"><gf><xscale min="0" max="2"/><ypts>10,20,30</ypts></gf></aux>
<aux name="stepped"><gf type="discrete"><xpts>0,2,3</xpts><ypts>10,20,20</ypts></gf></aux>
<gf name="further" type="extrapolate"><xpts sep=";">0;1;2</xpts><ypts>10,20,30</ypts></gf>
<aux name="graph"><eqn>TIME - 3.5</eqn><gf><xpts>0,1,2</xpts><ypts>10,20,30</ypts></gf></aux>
"""
REST = """
<macro name="twice"><parm>x</parm><eqn>2*x</eqn></macro>
<macro name="level"><parm>rate</parm><parm default="0">first</parm><eqn>Level + first</eqn><variables>
 <stock name="Level"><eqn>first + rate</eqn><inflow>filling</inflow></stock><flow name="filling"><eqn>rate</eqn></flow></variables></macro>
"""


@pytest.fixture(scope="module")
def values():
    """The values of all expressions at the end of one run."""
    lines = [f'<aux name="expression {place}"><eqn>{text}</eqn></aux>' for place, text in enumerate(EXPRESSIONS)]
    model = read_text(build_xmile(VARIABLES + "".join(lines), rest=REST, dimensions={"Letter": "abc", "Row": 2}))
    run = simulate(model)
    return [float(run[f"expression_{place}"].values.ravel()[-1]) for place in range(len(lines))]


@pytest.mark.parametrize("place", range(len(EXPRESSIONS)), ids=list(EXPRESSIONS))
def test_expression_has_the_value_of_the_specification(values, place):
    """Precedence, functions, arrays, graphical functions and macros."""
    assert values[place] == pytest.approx(list(EXPRESSIONS.values())[place], rel=1e-12)


def test_arrays_by_position_and_by_another_dimension():
    """`@n`, arithmetic on the number of a cell, a repeated dimension and two dimensions of the same length."""
    model = read_text(
        build_xmile(
            """
<aux name="a"><dimensions><dim name="Letter"/></dimensions><eqn>10*Letter</eqn></aux>
<aux name="shifted"><dimensions><dim name="Letter"/></dimensions><eqn>IF Letter = 1 THEN 0 ELSE a[MAX(Letter - 1, 1)]</eqn></aux>
<aux name="square"><dimensions><dim name="Letter"/><dim name="Letter"/></dimensions><eqn>a[@1] - a[@2]</eqn></aux>
<aux name="other"><dimensions><dim name="Digit"/></dimensions><eqn>a</eqn></aux>
<aux name="share"><dimensions><dim name="Letter"/></dimensions><eqn>a/SUM(a)</eqn></aux>
""",
            dimensions={"Letter": "xyz", "Digit": 3},
        )
    )
    run = simulate(model)
    assert run["shifted"].values.tolist()[-3:] == [0, 10, 20] or run["shifted"].values[-1].tolist() == [0, 10, 20]
    assert run["square"].values.reshape(-1, 3, 3)[-1].tolist() == [[0, -10, -20], [10, 0, -10], [20, 10, 0]]
    assert run["other"].values.reshape(-1, 3)[-1].tolist() == [10, 20, 30]
    assert run["share"].values.reshape(-1, 3)[-1] == pytest.approx([1 / 6, 2 / 6, 3 / 6])


def test_a_computed_subscript_is_written_for_vensim_too():
    """As the sum of a choice; in an array, along the other dimension. Outside of the dimension it is 0."""
    dims = '<dimensions><dim name="Row"/></dimensions>'
    model = read_text(
        build_xmile(
            f'<aux name="grid"><dimensions><dim name="Row"/><dim name="Letter"/></dimensions><eqn>10*Row + Letter</eqn></aux>'
            f'<aux name="x">{dims}<eqn>grid[Row, TIME - 1]</eqn></aux>',
            dimensions={"Letter": "abc", "Row": 2},
        )
    )
    values = simulate(model)["x"].values
    assert values.tolist() == [[0, 0], [11, 21], [12, 22], [13, 23], [0, 0]]
    assert simulate(model_from_text(mdl_text(model)))["x"].values.tolist() == values.tolist()


def test_cells_have_graphical_functions_of_their_own_or_none():
    """A cell without one has its equation; types may differ, and one equation may serve cells with and without."""
    points = "<xpts>0,4</xpts><ypts>0,40</ypts>"
    cells = (
        f'<element subscript="a">{{}}<gf>{points}</gf></element><element subscript="b">{{}}</element>'
        f'<element subscript="c">{{}}<gf type="{{}}">{points}</gf></element>'
    )
    dims = '<dimensions><dim name="Letter"/></dimensions>'
    each = cells.format("<eqn>TIME</eqn>", "<eqn>7</eqn>", "<eqn>TIME</eqn>", "extrapolate")
    model = read_text(
        build_xmile(
            f"""<aux name="each">{dims}{each}</aux>
<aux name="one">{dims}<eqn>TIME + 1</eqn>{cells.format("", "", "", "continuous")}</aux>
<aux name="read"><eqn>each[c](6)</eqn></aux>""",
            dimensions={"Letter": "abc"},
        )
    )
    run = simulate(model)
    assert run["each"].values[-1].tolist() == [40, 7, 50]
    assert run["one"].values[-1].tolist() == [40, 6, 40]
    assert run["read"].values[-1] == 60


def test_a_cell_without_a_graphical_function_cannot_be_read_as_one():
    """Its equation is no table."""
    cells = '<element subscript="a"><eqn>1</eqn><gf><xpts>0,1</xpts><ypts>0,1</ypts></gf></element><element subscript="b"><eqn>2</eqn></element>'
    text = f'<aux name="x"><dimensions><dim name="Letter"/></dimensions>{cells}</aux><aux name="y"><eqn>x[b](3)</eqn></aux>'
    with pytest.raises(ModelError, match="'x' has no graphical function for this cell; add it there"):
        read_text(build_xmile(text, dimensions={"Letter": "ab"}))


def test_outflows_of_a_non_negative_stock_take_what_there_is_in_their_order():
    """Stella's rule: at most content / DT plus inflow; what does not leave one stock does not reach the next."""
    model = read_text(
        build_xmile(
            """
<stock name="A"><eqn>6</eqn><inflow>filling</inflow><outflow>first</outflow><outflow>second</outflow><non_negative/></stock>
<stock name="B"><eqn>0</eqn><inflow>first</inflow></stock>
<flow name="filling"><eqn>2</eqn></flow><flow name="first"><eqn>5</eqn></flow><flow name="second"><eqn>1</eqn><non_negative/></flow>
"""
        )
    )
    run = simulate(model)
    assert run["a"].values.tolist() == [6, 2, 0, 0, 0]
    assert run["first"].values.tolist() == [5, 4, 2, 2, 2]
    assert run["second"].values.tolist() == [1, 0, 0, 0, 0]
    assert run["b"].values.tolist() == [0, 5, 9, 11, 13]


_LETTERS = "<dimensions><dim name='Letter'/></dimensions>"


@pytest.mark.parametrize(
    "parts",
    [
        "<stock name='s'><eqn>10</eqn><inflow>i</inflow>OUT</stock><flow name='i'><eqn>2</eqn><multiplier>3</multiplier></flow>",
        "<stock name='s'><eqn>10</eqn><netflow>2*three</netflow>OUT</stock><aux name='three'><eqn>3</eqn></aux>",
        "<stock name='s'>DIM<eqn>10, 4</eqn><inflow>i</inflow>OUT</stock><flow name='i'>DIM<eqn>6</eqn></flow>",
        "<stock name='s'>DIM<eqn>10</eqn><inflow>i</inflow>OUT</stock><flow name='i'>DIM<eqn>2</eqn><multiplier>3</multiplier></flow>",
    ],
)
@pytest.mark.parametrize("asked", ["99", "99, 99"])
def test_what_flows_into_a_non_negative_stock_counts_as_it_arrives(parts, asked):
    """Converted to other units, as a net flow, and for each cell, however the cells are written."""
    is_array = "DIM" in parts
    flow = f"<flow name='o'>{'DIM' if is_array else ''}<eqn>{asked if is_array else 99}</eqn></flow>"
    text = (parts + flow).replace("OUT", "<outflow>o</outflow><non_negative/>").replace("DIM", _LETTERS)
    run = simulate(read_text(build_xmile(text, dimensions={"Letter": "ab"})))
    first = run["o"].sel(letter="a") if is_array else run["o"]
    assert first.values.tolist() == [16, 6, 6, 6, 6]
    assert run["s"].values[1:].max() == run["s"].values.min() == 0


def test_a_part_of_an_array_takes_no_name_of_the_file():
    """Neither that of a variable nor that of a dimension with other labels, also when the model is written as Vensim's."""
    text = f"<aux name='x'>{_LETTERS}<eqn>1, 2, 4</eqn></aux><aux name='y'><eqn>SUM(x[a:b]) + 10*SUM(x[b:c])</eqn></aux><aux name='Letter a to b'><eqn>9</eqn></aux>"
    model = read_text(build_xmile(text, dimensions={"Letter": "abc", "Letter b to c": "pq"}))
    for own in (model, model_from_text(mdl_text(model))):
        assert simulate(own)["y"].values.tolist() == [63] * 5


def test_an_array_whose_cells_are_one_list():
    """A stock starts with them, a flow that is not negative is limited, and what is no number is a fault."""
    text = f"<stock name='s'>{_LETTERS}<eqn>1, 2</eqn><inflow>f</inflow></stock><flow name='f'>{_LETTERS}<eqn>-1, 3</eqn><non_negative/></flow>"
    run = simulate(read_text(build_xmile(text, dimensions={"Letter": "ab"})))
    assert run["s"].values[-1].tolist() == [1, 14]
    with pytest.raises(ModelError, match="'x': ',' does not belong here"):
        read_text(build_xmile(f"<aux name='x'>{_LETTERS}<eqn>1, e</eqn></aux>", dimensions={"Letter": "ab"}))


def test_a_flow_with_more_dimensions_than_its_stock_is_summed():
    """As Stella takes it, also into a conveyor; a non-negative stock has its net flow limited then."""
    one, two = (
        f"<dimensions>{''.join(f'<dim name={name!r}/>' for name in names)}</dimensions>"
        for names in (["Letter"], ["Letter", "Digit"])
    )
    model = read_text(
        build_xmile(
            f"""
<stock name="all"><eqn>10</eqn><outflow>leaving</outflow><non_negative/></stock>
<stock name="some">{one}<eqn>0</eqn><inflow>leaving</inflow></stock>
<stock name="belt"><eqn>0</eqn><inflow>leaving</inflow><outflow>off</outflow><conveyor><len>2</len></conveyor></stock>
<flow name="leaving">{two}<eqn>Letter*Digit/3</eqn></flow><flow name="off"/>""",
            dimensions={"Letter": "ab", "Digit": 2},
        )
    )
    run = simulate(model)
    assert run["all"].values.tolist() == pytest.approx([10, 7, 4, 1, 0])
    assert run["some"].values[-1] == pytest.approx([4, 8])
    assert run["belt"].values.tolist() == pytest.approx([0, 3, 6, 6, 6])


def test_faults_of_a_non_negative_stock_are_reported():
    """Its outflows are not limited then."""
    with pytest.raises(ModelError, match="'x' is not defined"):
        read_text(
            build_xmile(
                '<stock name="s"><eqn>x</eqn><outflow>f</outflow><non_negative/></stock><flow name="f"><eqn>1</eqn></flow>'
            )
        )


def test_a_conveyor_delivers_after_its_transit_time():
    """Its first content leaves evenly; the stock is what is on the belt."""
    model = read_text(
        build_xmile(
            """
<stock name="Students"><eqn>6</eqn><inflow>entering</inflow><outflow>leaving</outflow><conveyor><len>years</len></conveyor></stock>
<flow name="entering"><eqn>TIME</eqn></flow><flow name="leaving"/><aux name="years"><eqn>2</eqn></aux>
"""
        )
    )
    run = simulate(model)
    assert run["leaving"].values.tolist() == [3, 3, 1, 2, 3]
    assert run["students"].values.tolist() == [6, 4, 3, 5, 7]


def test_modules_are_connected_and_named():
    """A variable of a module has the module's name before its own, and is in a group of that name."""
    model = read_text(
        build_xmile(
            '<module name="Sub"><connect to="Sub.input" from=".source"/></module><aux name="source"><eqn>7</eqn></aux>'
            '<aux name="result"><eqn>Sub.output + 1</eqn></aux>',
            rest='<model name="Sub"><variables><aux name="input" access="input"><eqn>{open}</eqn></aux>'
            '<aux name="output" access="output"><eqn>2*input</eqn></aux></variables></model>',
        )
    )
    assert model["Sub.output"].group == "Sub"
    assert float(simulate(model)["result"].values.ravel()[-1]) == 15


@pytest.mark.parametrize("equation", ["", "<eqn>0+0</eqn>"])
def test_an_input_of_a_module_has_the_graphical_function_that_it_is_connected_to(equation):
    """Not the one of its own, which serves a module that is open; both as Stella writes them."""
    model = read_text(
        build_xmile(
            f'<module name="Sub"><connect to="Sub.table" from=".profile"/></module>'
            f'<aux name="profile">{equation}<gf><xpts>0,10</xpts><ypts>0,100</ypts></gf></aux>',
            rest=f'<model name="Sub"><variables><aux name="table" access="input">{equation}<gf><xpts>0,10</xpts><ypts>7,7</ypts></gf></aux>'
            '<aux name="read" access="output"><eqn>LOOKUP(table, TIME) + table(TIME)</eqn></aux></variables></model>',
        )
    )
    assert simulate(model)["sub_read"].values.tolist() == [20, 40, 60, 80, 100]


def test_the_transit_time_of_a_conveyor_may_be_computed():
    """From constants by way of many auxiliaries, as an input of a module is."""
    belt = (
        '<stock name="S"><eqn>6</eqn><inflow>on</inflow><outflow>off</outflow><conveyor><len>time_on</len></conveyor></stock>'
        '<flow name="on"><eqn>TIME</eqn></flow><flow name="off"/><aux name="years"><eqn>1</eqn></aux><aux name="time_on"><eqn>2*years{}</eqn></aux>'
    )
    assert simulate(read_text(build_xmile(belt.format(""))))["off"].values.tolist() == [3, 3, 1, 2, 3]
    chain = "".join(f'<aux name="a{n}"><eqn>a{n - 1} + a{n - 1} - a{n - 1}*DT</eqn></aux>' for n in range(1, 2000))
    long = belt.format(" - 1 + a1999").replace("<flow", f'<aux name="a0"><eqn>1</eqn></aux>{chain}<flow', 1)
    assert simulate(read_text(build_xmile(long)))["off"].values.tolist() == [3, 3, 1, 2, 3]


def test_settings_units_ranges_and_documentation_are_read():
    """Reciprocal DT, the saving interval, and what a variable says about itself."""
    text = build_xmile(
        '<aux name="k"><doc>First line\\nsecond</doc><eqn>2</eqn><units>people/year</units><range min="0" max="5"/></aux>'
        '<group name="Policy levers"><doc>What can change</doc><entity name="k"/></group>',
        specs='<sim_specs method="rk4" time_units="Years" isee:save_interval="1"><start>0</start><stop>4</stop><dt reciprocal="true">4</dt></sim_specs>',
    )
    model = read_text(text)
    run = simulate(model)
    assert (model.integrator, float(run.attrs["time_step"]), run.sizes["time"]) == ("rk4", 0.25, 5)
    assert model["k"].comment == "First line\nsecond"
    assert (model["k"].units, model["k"].range.maximum, model["k"].group) == ("people/year", 5, "Policy levers")
    assert model.groups[0].comment == "What can change"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Per Year", "1/Years"),
        ("people/(days*per_year)", "people/(days*(1/Years))"),
        ("GtC per", "GtC per"),
        ("per week", "1/week"),
        ("square miles^2/GtC", "(Miles^2)^2/(Giga*tC)"),
        ("£/(years-yr)", "£/(years*yr)"),
        ('"CO2-eq"/m^-2', "CO2-eq/m^-2"),
        ("old/loop/u10", "old/loop/u10"),
    ],
)
def test_units_are_spelled_by_those_that_define_them(written, read):
    """The standard: a unit with an equation is the same as its equation, and a hyphen multiplies."""
    huge = "".join(f'<unit name="u{i}"><eqn>{"*".join([f"u{i + 1}"] * 40)}</eqn></unit>' for i in range(12))
    units = (
        '<model_units><unit name="Per Year"><eqn>1/Years</eqn></unit><units name="GtC"><eqn>Giga*tC</eqn></units><unit name="loop">'
        '<eqn>loop</eqn></unit><unit name="square_miles"><eqn>Miles^2</eqn></unit><unit name="old" disabled="true"><eqn>x</eqn></unit>'
        f"{huge}</model_units>"
    )
    text = build_xmile(f'<aux name="k"><eqn>2</eqn><units>{written}</units></aux>').replace(
        "<model>", f"{units}<model>"
    )
    model = read_text(text)
    assert model["k"].units == read
    assert read_text(xmile_text(model).text)["k"].units == model["k"].units


def test_modules_of_modules_are_known_by_their_own_name():
    """The standard has each name of a module once, so that `module.variable` is clear in any other; Stella writes connections so."""
    connect = '<connect to="inner.x" from="far_data.y"/>'
    module = '<model name="{}"><variables>{}</variables></model>'
    models = "".join(
        module.format(name, body)
        for name, body in {
            "first": f'<module name="inner">{connect}</module>',
            "second": '<module name="far data"/>',
            "inner": '<aux name="x" access="input"/><aux name="z"><eqn>x*2</eqn></aux>',
            "far data": '<aux name="y" access="output"><eqn>7</eqn></aux>',
        }.items()
    )
    root = '<module name="first"/><module name="second"/><aux name="all"><eqn>inner.z + far_data.y + first.inner.x</eqn></aux>'
    text = build_xmile(root).replace("</xmile>", f"{models}</xmile>")
    assert set(simulate(read_text(text))["all"].values) == {28}
    twice = text.replace('<module name="second"/>', '<module name="second"/><module name="third" model_name="second"/>')
    with pytest.raises(
        ModelError, match="names 'far_data.y', which is not defined; did you mean '(second|third).far data.y'"
    ):
        read_text(twice)


def test_faults_of_units_name_no_function_that_the_file_lacks():
    """A stock and what may not become negative have none of Vensim's functions in their text."""
    text = build_xmile(
        '<stock name="S"><eqn>1</eqn><inflow>f</inflow><outflow>g</outflow><non_negative/><units>kg</units></stock><aux name="a"><eqn>1</eqn>'
        '<units>kg</units></aux><flow name="f"><eqn>a</eqn><non_negative/><units>kg/day</units></flow><flow name="g"><eqn>a*2</eqn>'
        "<non_negative/><units>kg/day</units></flow><aux name='h'><eqn>MAX(0, a)</eqn><units>day</units></aux>",
        specs='<sim_specs time_units="days"><start>0</start><stop>2</stop></sim_specs>',
    )
    messages = [found.message.partition(";")[0] for found in check_units(read_text(text)).mismatches]
    assert sorted(messages) == [
        "'a' is in kg and not in kg/day",
        "'a', the x2 of MAX, is in kg and not in day",
        "'a*2' is in kg and not in kg/day",
    ]


def test_the_short_names_of_units_of_time_are_known():
    """Stella's own models use them without a definition; a definition of the file comes first."""
    text = build_xmile('<aux name="k"><eqn>2</eqn><units>people/yr</units></aux>')
    assert read_text(text).synonyms == (("year", "years", "yr"),)
    own = '<model_units><unit name="yr" disabled="true"/></model_units><model>'
    assert read_text(text.replace("<model>", own)).synonyms == ()


def test_the_times_of_a_run_may_be_variables():
    """As Stella 4 writes them; the name is that of the variable in the file."""
    specs = '<sim_specs><start>0</start><stop>Last_Year</stop><dt reciprocal="true">STEPS</dt></sim_specs>'
    text = build_xmile(
        '<aux name="last\\nyear"><eqn>2 + 1</eqn></aux><aux name="steps"><eqn>2</eqn></aux>', specs=specs
    )
    assert simulate(read_text(text))["time"].values.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert simulate(read_text(text), {"steps": 1})["time"].values.tolist() == [0, 1, 2, 3]
    with pytest.raises(ModelError, match="<stop> is 'Last_Year'; write a number, or the name of a variable without"):
        read_text(text.replace('name="last', 'name="first'))
    number = build_xmile('<aux name="5"><eqn>2</eqn></aux>')
    assert simulate(read_text(number))["time"].values[-1] == 5


REFUSED = {
    "<html/>": ":1:1: the file is XML, but its first element is <html>",
    "<xmile><model>": "is not well-formed XML",
    '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><xmile>&c;</xmile>': "a document type declaration is not allowed",
    '<!DOCTYPE x SYSTEM "file:///etc/passwd"><xmile/>': "a document type declaration is not allowed",
    "<xmile/>": "has no <model>",
    "<xmile>" + "<a>" * 200: "more than 100 levels",
    '<?xml version="1.0" encoding="nonsense"?><xmile/>': "encoding",
}
FAULTS = {
    '<aux name="x"><eqn>1 +</eqn></aux>': "the expression ends too early",
    '<aux name="x"><eqn>(1</eqn></aux>': "where ')' closes a parenthesis",
    '<aux name="x"><eqn>1 2</eqn></aux>': "'2' does not belong here",
    '<aux name="x"><eqn>IF 1 THEN 2</eqn></aux>': "where 'else' is needed",
    '<aux name="x"><eqn>???</eqn></aux>': "has lost numbers here",
    '<aux name="x"><eqn></eqn></aux>': "'x' has no equation",
    '<aux name="x"><eqn>yy + 1</eqn></aux><aux name="y y"><eqn>1</eqn></aux>': "'yy' is not defined; did you mean 'y y'?",
    '<aux name="x"><eqn>1</eqn></aux><aux name="X"><eqn>2</eqn></aux>': "defined a second time",
    '<aux name="x"><eqn>NOPE(1)</eqn></aux>': "'NOPE' is neither a function nor a lookup",
    '<aux name="x"><eqn>GEOMETRIC(0.2)</eqn></aux>': "GEOMETRIC is not supported; vary a constant over an ensemble",
    '<aux name="x"><eqn>DELAY(1)</eqn></aux>': "write DELAY(input, delay time[, initial])",
    '<aux name="x"><eqn>x + 1</eqn></aux>': "x",
    '<stock name="x"><eqn>1</eqn><inflow>nothing</inflow></stock>': "'nothing' is not defined",
    '<stock name="x"><eqn>1</eqn><queue/></stock>': "a queue is not supported",
    '<stock name="x"><eqn>1</eqn><inflow>y</inflow></stock><stock name="y"><eqn>2</eqn></stock>': "'y' is a stock, not a flow; name a flow",
    '<aux name="x"><gf><xpts>1,2</xpts><ypts>1</ypts></gf></aux>': "has 2 x and 1 y",
    '<aux name="x"><gf><xpts>1,b</xpts><ypts>1,2</ypts></gf></aux>': "'b' is not a number",
    '<aux name="x"><dimensions><dim name="Nope"/></dimensions><eqn>1</eqn></aux>': "'Nope' is not a dimension",
    '<aux name="x"><dimensions><dim name="Letter"/></dimensions><element subscript="q"><eqn>1</eqn></element></aux>': "'q' is not a label of 'Letter'",
    '<aux name="x"><eqn>z + 1</eqn></aux><aux name="z"><dimensions><dim name="Letter"/></dimensions><eqn>1</eqn></aux>': "'z' is an array",
    '<aux name="x"><eqn>SUM(z*z[TIME])</eqn></aux><aux name="z"><dimensions><dim name="Letter"/></dimensions><eqn>1</eqn></aux>': "changes during a run",
    '<aux name="x"><eqn>SUM(z[b:a])</eqn></aux><aux name="z"><dimensions><dim name="Letter"/></dimensions><eqn>1</eqn></aux>': "the range goes from 'b' back to 'a'; exchange them",
    '<aux name="x"><eqn>SUM(z[a:5])</eqn></aux><aux name="z"><dimensions><dim name="Letter"/></dimensions><eqn>1</eqn></aux>': "a range of 'Letter' goes from a label to a label",
    '<aux name="x"><eqn>SUM(z[1:TIME])</eqn></aux><aux name="z"><dimensions><dim name="Letter"/></dimensions><eqn>1</eqn></aux>': "changes during a run",
    '<module name="gone"/>': "has no <model> with the name 'gone'",
    '<module name="far" resource="../far.xmile"/>': "'../far.xmile': it is not opened; put its <model> into this file",
    '<module name="far" url="D:/far.itmx"/>': "is in the file 'D:/far.itmx': it is not opened",
    '<flow name="f"><eqn>1</eqn><stock name="s"><eqn>1</eqn></stock></flow>': "close <flow> before it",
    '<aux name="x"><eqn>' + "(" * 300 + "1" + ")" * 300 + "</eqn></aux>": "nests too deep",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_a_file_that_is_no_model_is_refused_in_one_line(text):
    """With its place; nothing is fetched and nothing multiplies."""
    with pytest.raises(ModelError) as refusal:
        read_text(text)
    assert REFUSED[text] in str(refusal.value)
    assert len(refusal.value.faults) == 1


@pytest.mark.parametrize("text", FAULTS, ids=range(len(FAULTS)))
def test_a_fault_has_its_line_and_a_cure(text):
    """The line is that of the variable, counted in the file."""
    with pytest.raises(ModelError) as refusal:
        read_text(build_xmile("\n\n" + text, dimensions={"Letter": "ab"}))
    assert FAULTS[text] in str(refusal.value)
    assert any(getattr(fault.where, "line", 0) >= 5 for fault in refusal.value.faults)


def test_an_unclosed_element_is_named():
    """Expat names only the end tag; the element that it should close is more useful."""
    with pytest.raises(ModelError, match="does not close <aux>, which line 2 opens"):
        read_text("<xmile><model><variables>\n<aux name='x'><eqn>1</eqn>\n</variables></model></xmile>")

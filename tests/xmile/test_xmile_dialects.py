"""Dialects of XMILE: the draft of iThink 10, what Vensim's own export adds, and operators of other languages."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.model import Model
from sdmodel.simulation import simulate
from sdmodel.testing import build_xmile, model_text
from sdmodel.vensim import with_data_files
from sdmodel.xmile import read_xmile, read_xmile_sketch


def read_text(text: str) -> Model:
    """Return the model in the text of a file."""
    return read_xmile(text.encode(), "model.xmile")


DRAFT = """<?xml version="1.0" encoding="utf-8"?>
<xmile version="1.0" level="1" xmlns="http://www.systemdynamics.org/XMILE">
<header><smile version="1.0"><uses_arrays><dimensions><dim name="Kind" size="2"/></dimensions></uses_arrays></smile></header>
<sim_specs><start>1</start><stop>3</stop><dt>0.5</dt><method>RK4</method><time_units>Days</time_units></sim_specs>
<model>
<stock name="Trees"><eqn>100</eqn><inflow>growing</inflow><display x="204" y="226"/></stock>
<flow name="growing"><eqn>5*SUM(rate)</eqn><display x="100" y="226"><pts><pt x="50" y="226"/><pt x="180" y="226"/></pts></display></flow>
<aux name="rate"><dimensions><dim name="Kind"/></dimensions><eqn>Kind</eqn><display x="90" y="300"/></aux>
<display show_pages="false"><connector uid="0"><from>rate</from><to>growing</to></connector></display>
</model></xmile>"""


def test_a_draft_has_its_variables_settings_and_diagram_in_other_places():
    """Without them, the file would read as a model without variables."""
    model = read_text(DRAFT)
    assert (model.integrator, model["TIME STEP"].units) == ("rk4", "Days")
    assert simulate(model)["trees"].values.ravel()[-1] == 130
    (view,) = read_xmile_sketch(DRAFT.encode(), "old.itmx").views
    assert {word.text for word in view.words if word.kind == "variable"} == {"Trees", "growing", "rate"}


VENSIM = "http://www.vensim.com/XMILE"
SPECS = (
    f'<sim_specs method="euler" xmlns:vensim="{VENSIM}"><start>0</start><stop>4</stop><dt>0.5</dt>'
    "<vensim:saveper>1<doc>saved</doc></vensim:saveper></sim_specs>"
)


def read_export(variables: str, *, specs: str = SPECS, **others: Any) -> Model:
    """Return the model in an export of Vensim's."""
    text = build_xmile(variables, specs=specs, **others).replace("<xmile ", f'<xmile xmlns:vensim="{VENSIM}" ')
    return read_xmile(text.encode(), "model.xmile")


def test_net_flows_outputs_of_macros_and_the_saving_interval_of_vensim():
    """The same numbers as the model has that was exported: a stock whose rate is an expression, in a macro and outside."""
    model = read_export(
        "<stock name='level'><eqn>8</eqn><vensim:netflow>-level/4</vensim:netflow></stock>"
        "<aux name='TIME_STEP'><eqn>DT</eqn></aux>"
        "<aux name='seen'><eqn>FALLING(level, 2:speed)</eqn></aux><aux name='twice'><eqn>2*speed</eqn></aux>",
        rest="<macro name='FALLING'><parm>input</parm><parm>tau</parm><eqn>FALLING</eqn><variables>"
        "<stock name='FALLING'><eqn>input</eqn><vensim:netflow>RATE + 0*TIME STEP$</vensim:netflow><units>input</units></stock>"
        "<aux name='RATE' access='output'><eqn>MIN(0,(input-FALLING)/tau)</eqn></aux></variables></macro>",
    )
    own = sd.model_from_text(
        model_text(
            ":MACRO: FALLING(input, tau : RATE)\nFALLING = INTEG(RATE, input) ~~|\nRATE = MIN(0, (input-FALLING)/tau) ~~|\n"
            ":END OF MACRO:\nlevel = INTEG(-level/4, 8) ~~|\nseen = FALLING(level, 2 : speed) ~~|\ntwice = 2*speed ~~|",
            final=4,
            step=0.5,
            saveper=1,
        )
    )
    found, expected = simulate(model), simulate(own)
    assert found.sizes["time"] == 5
    for name in ("level", "seen", "speed", "twice"):
        assert found[name].values.tolist() == expected[name].values.tolist(), name
    assert found["twice"].values[-1] < 0


def test_macros_in_sums_and_in_cells():
    """A macro with stocks has a value for each cell inside a SUM; the equations of cells name one further result together."""
    variables = (
        "<aux name='a'><dimensions><dim name='D'/></dimensions><eqn>10*D</eqn></aux>"
        "<aux name='per'><dimensions><dim name='E'/></dimensions><eqn>SUM(OUTER(a*E)) + MAX(GROWN(a))</eqn></aux>"
        "<aux name='cell'><dimensions><dim name='D'/></dimensions>"
        "<element subscript='1'><eqn>GROWN(1: speed)</eqn></element><element subscript='2'><eqn>GROWN(2: speed)</eqn></element></aux>"
    )
    rest = (
        "<macro name='GROWN'><parm>x</parm><eqn>Level</eqn><variables><stock name='Level'><eqn>x</eqn><inflow>filling</inflow></stock>"
        "<flow name='filling'><eqn>x</eqn></flow><aux name='half' access='output'><eqn>x/2</eqn></aux></variables></macro>"
        "<macro name='OUTER'><parm>x</parm><eqn>twice</eqn><variables><aux name='twice'><eqn>2*GROWN(x)</eqn></aux></variables></macro>"
    )
    dimensions: dict[str, str | int] = {"D": 2, "E": 2}
    run = simulate(read_export(variables, specs=STEPS, rest=rest, dimensions=dimensions))
    assert run["per"].values.tolist() == [[80, 140], [160, 280], [240, 420]]
    assert run["speed"].values.tolist() == [[0.5, 1]] * 3
    wrong = variables.replace("MAX(GROWN(a))", "MAX(GROWN(a: other))")
    with pytest.raises(
        ModelError, match="the macro 'GROWN' has several results and a whole array; call it in an equation"
    ):
        read_export(wrong, specs=STEPS, rest=rest, dimensions=dimensions)


STEPS = "<sim_specs><start>0</start><stop>2</stop><dt>1</dt></sim_specs>"


@pytest.mark.parametrize("step", ["<savestep>2</savestep>", '<savestep reciprocal="true">0.5</savestep>'])
def test_a_saving_step_is_the_time_between_saved_values(step):
    """A number of units of time, or how many values are saved in one."""
    run = simulate(read_export("<aux name='x'><eqn>TIME</eqn></aux>", specs=STEPS.replace("</sim", f"{step}</sim")))
    assert run["x"].values.tolist() == [0, 2]


FILES = {
    "main.stmx": build_xmile(
        "<aux name='in'><dimensions><dim name='D'/></dimensions><eqn>10*D</eqn></aux><aux name='out'><eqn>2*SUM(Air.total)</eqn></aux>"
        "<module name='Air' resource='parts/Air.itmx'><connect to='Air.given' from='.in'/></module>",
        dimensions={"D": 2},
    ),
    "parts/Air.itmx": build_xmile(
        "<aux name='given' access='input'><dimensions><dim name='D'/></dimensions></aux>"
        "<aux name='total'><dimensions><dim name='E'/></dimensions><eqn>SUM(given) + DOUBLED(Sea.depth)*E</eqn></aux>"
        "<module name='Sea' resource='Sea.itmx'/>",
        dimensions={"D": 2, "E": 2},
        rest="<macro name='DOUBLED'><parm>x</parm><eqn>2*x</eqn></macro>",
    ),
    "parts/Sea.itmx": build_xmile("<aux name='depth'><eqn>5</eqn><units>m</units></aux>").replace(
        "<model>", "<model name='Sea'>"
    ),
}


def write_files(folder, files=FILES):
    """Write the files of a model, and return the first."""
    (folder / "parts").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder / "main.stmx"


def test_modules_in_other_files_are_read(tmp_path):
    """Files of modules in the folder of the model, and of modules in these; what several files declare alike counts once."""
    model = sd.read_model(write_files(tmp_path))
    run = simulate(model)
    assert run["out"].values.ravel()[0] == 2 * (30 + 10 + 30 + 20)
    assert {own.name for own in model if "." in own.name} == {"Air.given", "Air.total", "Air.Sea.depth"}
    assert sorted(Path(source.path).name for source in model.sources) == ["Air.itmx", "Sea.itmx"]


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        (
            "main.stmx",
            "parts/Air.itmx",
            "parts/Airs.itmx",
            "main.stmx:4:.*: the module 'Air' .*: there is no such file; did you mean 'Air.itmx'",
        ),
        (
            "main.stmx",
            "parts/Air.itmx",
            "../Air.itmx",
            "the file is outside of the model's folder, so that it is not read",
        ),
        ("parts/Air.itmx", 'size="2"', 'size="3"', r"Air.itmx:3:.*: the dimension 'D' is declared twice"),
        ("parts/Sea.itmx", "5</eqn>", "5 +</eqn>", "Sea.itmx:4:56: 'Air.Sea.depth': the expression ends too early"),
        ("parts/Sea.itmx", "</xmile>", "", "Sea.itmx:5:1"),
        (
            "parts/Sea.itmx",
            "<aux",
            "<module name='Sea' resource='Sea.itmx'/><aux",
            r"Sea.itmx:4:\d+: the module 'Sea' contains itself",
        ),
    ],
)
def test_faults_of_modules_in_other_files_name_their_file(tmp_path, name, old, new, fault):
    """A file that is absent, elsewhere or faulty, another dimension of a name, and a module that contains itself."""
    write_files(tmp_path, {**FILES, name: FILES[name].replace(old, new, 1)})
    with pytest.raises(ModelError, match=fault):
        sd.read_model(tmp_path / "main.stmx")


def test_data_of_vensim_has_its_keyword_and_takes_its_points_from_files(tmp_path):
    """Data without points asks for a file; computed data and comparisons with the missing value keep their meaning."""
    model, text = tmp_path / "model.xmile", tmp_path / "data.csv"
    model.write_text(
        build_xmile(
            "<aux name='x' vensim:kind='data'><eqn>:HOLD BACKWARD:</eqn></aux>"
            "<aux name='y' vensim:kind='data'><eqn>:RAW::=2*x </eqn></aux>"
            "<aux name='z'><eqn>IF_THEN_ELSE(y=:NA: :OR: :NOT: x&lt;9,0,y)</eqn></aux>"
        ).replace("<xmile ", f'<xmile xmlns:vensim="{VENSIM}" ')
    )
    text.write_text("Time,x\n1,3\n4,5\n")
    run = simulate(sd.read_model(model, data=text))
    assert run["x"].values.tolist() == [3, 3, 3, 5, 5]
    assert run["z"].values.tolist() == [6, 0, 0, 10, 0]
    with pytest.raises(ModelError, match="'x' is a data variable without data; give a file that has it"):
        simulate(sd.read_model(model))
    again = sd.model_from_text(sd.mdl_text(sd.read_model(model)), str(tmp_path / "again.mdl"), data=text)
    assert simulate(again)["z"].values.tolist() == run["z"].values.tolist()


def test_each_part_of_an_array_of_data_has_its_equation(tmp_path):
    """Those without one take points."""
    cells = ("a", ":RAW::=2*x"), ("b", ":RAW:"), ("c", ":INTERPOLATE::=3*x")
    elements = "".join(f"<element subscript='{label}'><eqn>{text}</eqn></element>" for label, text in cells)
    model = read_export(
        "<aux name='x' vensim:kind='data'><eqn>:RAW:</eqn></aux>"
        f"<aux name='y' vensim:kind='data'><dimensions><dim name='Letter'/></dimensions>{elements}</aux>",
        dimensions={"Letter": "abc"},
    )
    table = tmp_path / "data.csv"
    table.write_text("Time,x,y[b]\n0,1,7\n2,5,8\n")
    run = simulate(with_data_files(model, [table]))
    assert run["y"].values[0].tolist() == [2, 7, 3]
    assert run["y"].values[1].tolist() == pytest.approx([math.nan, math.nan, 9], nan_ok=True)


def test_what_vensim_exports_besides_a_model_is_noted():
    """Reality Checks and texts take no part in a run."""
    model = read_export(
        "<vensim:rc kind='constraint' name='cold_is_slow'><eqn>:THE CONDITION: x</eqn></vensim:rc><aux name='x'><eqn>1</eqn></aux>"
        "<aux name='link' vensim:kind='string'><eqn>:IS: 'text'</eqn></aux><isee:dependencies xmlns:isee='http://iseesystems.com/XMILE'/>"
    )
    assert model.notes == (
        "text variables: 1 left out, such as 'link'",
        "Reality Checks: 1 left out, such as 'cold is slow'",
    )


DIMS = f"""<xmile xmlns:vensim="{VENSIM}">{SPECS}<dimensions>
<dim name="City" vensim:kind="family"><vensim:members>East City, West City</vensim:members>
 <elem name="Boston"/><elem name="York"/><elem name="Seattle"/>
 <dim name="East_City" vensim:kind="subrange"><elem name="Boston"/><elem name="York"/></dim>
 <dim name="West_City" vensim:kind="subrange"><elem name="Seattle"/></dim><dim name="ToCity" vensim:kind="equivalent"/></dim>
<dim name="Region" vensim:kind="family"><elem name="East"/><elem name="West"/>
 <vensim:map from="East" to="East_City"/><vensim:map from="West" to="West_City"/></dim></dimensions><model><variables>
{{}}</variables></model></xmile>"""
CITY, REGION, BOTH = (
    f"<dimensions>{''.join(f'<dim name={name!r}/>' for name in names)}</dimensions>"
    for names in (["City"], ["Region"], ["City", "ToCity"])
)


def test_ranges_of_vensim_nest_and_map():
    """A range inside of another one has some of its labels, or all; a mapping leads from one dimension to another."""
    model = read_text(
        DIMS.format(
            f"<aux name='pop'>{CITY}<element subscript='East_City'><eqn>3</eqn></element><element subscript='Seattle'><eqn>5</eqn></element></aux>"
            f"<aux name='rate'>{REGION}<element subscript='East'><eqn>10</eqn></element><element subscript='West'><eqn>20</eqn></element></aux>"
            f"<aux name='use'>{CITY}<eqn>pop*rate[Region]</eqn></aux><aux name='eastern'><eqn>SUM(pop[East_City!])</eqn></aux>"
            f"<aux name='move'>{BOTH}<eqn>pop[City]-pop[ToCity]</eqn></aux>"
        )
    )
    run = simulate(model)
    assert run["use"].values.reshape(-1, 3)[-1].tolist() == [30, 30, 100]
    assert run["eastern"].values.ravel()[-1] == 6
    assert run["move"].values.reshape(-1, 3, 3)[-1].tolist() == [[0, 0, -2], [0, 0, -2], [2, 2, 0]]


@pytest.mark.parametrize("mark", ["", "<vensim:except>:EXCEPT: [York]</vensim:except>"])
def test_one_equation_serves_all_cells_that_have_none(mark):
    """Also where it depends on the number of its cell, which is written once per cell."""
    cell = "<element subscript='York'><eqn>9</eqn></element>"
    model = read_text(
        DIMS.format(
            f"<aux name='plain'>{CITY}<eqn>TIME</eqn>{mark}{cell}</aux><aux name='numbered'>{CITY}<eqn>TIME + City</eqn>{cell}</aux>"
        )
    )
    run = simulate(model)
    assert run["plain"].values[-1].tolist() == [4, 9, 4]
    assert run["numbered"].values[-1].tolist() == [5, 9, 7]


def test_cells_that_an_equation_excepts_have_no_value_of_it():
    """As in the model that was exported, a cell without an equation has no value."""
    run = simulate(
        read_text(
            DIMS.format(f"<aux name='plain'>{CITY}<eqn>TIME</eqn><vensim:except>:EXCEPT: [York]</vensim:except></aux>")
        )
    )
    assert str(run["plain"].values[-1].tolist()) == "[4.0, nan, 4.0]"


def test_allocate_is_that_of_vensim():
    """As converters write it: supply, the dimension, what is asked and the priorities as whole arrays, and the width."""
    run = simulate(
        read_text(
            DIMS.format(
                f"<aux name='asked'>{CITY}<element subscript='Boston'><eqn>20</eqn></element><element subscript='York'><eqn>10</eqn></element>"
                f"<element subscript='Seattle'><eqn>12</eqn></element></aux><aux name='rank'>{CITY}<eqn>10 - 3*City</eqn></aux>"
                f"<aux name='given'>{CITY}<eqn>ALLOCATE(25, City, asked[City.*], rank[City.*], 1)</eqn></aux>"
            )
        )
    )
    assert run["given"].values.reshape(-1, 3)[-1].tolist() == [20, 5, 0]


HINTS = {
    "x**2": "'**' is not an operator of XMILE; write ^",
    "x == 2": "'==' is not an operator of XMILE; write =",
    "x && 2": "'&&' is not an operator of XMILE; write AND",
    "!x": "'!' where a number or a name is needed; write NOT",
    "MOD(x, 2)": "'mod' where a number or a name is needed; write x MOD y",
    "5%": "'%' is not part of an expression; write x/100, or x MOD y",
    "MAX(1, , 2)": "NAN is not supported; complete the equation",
    "NAN": "NAN is not supported; complete the equation",
    "isee.CLOCKTIME": "CLOCKTIME is not supported; define an auxiliary with the value",
    "isee.x + 1": "'isee.x' is not defined",
    "SENSIRUNCOUNT + 1": "SENSIRUNCOUNT is not supported; define an auxiliary with the value",
    "GET_DIRECT_CONSTANTS('a.xlsx', 'b', 'C1')": "GET DIRECT CONSTANTS reads a file, which a model in XMILE does not do",
    "0{GET_DIRECT_CONSTANTS(\n____'a.csv', ',', 'B2*')}": "GET DIRECT CONSTANTS reads a file, which a model in XMILE does not do",
    "RANK(x, 1)": "RANK is for an array with one dimension",
    "RANK(x)": "RANK is not supported; write RANK(array, place, second array)",
    "INTERPOLATE(x, 1)": "INTERPOLATE is for an array and a number for each dimension",
    "HISTORY(x, 2*TIME)": "HISTORY is for a constant time, or TIME less a constant",
    "HISTORY(x, TIME - belt)": "HISTORY is for a constant time, or TIME less a constant",
    "DERIVN(x, x)": "the order of DERIVN is not a whole number from 0 to 20",
    "STDDEV(belt)": "what is on each part of the conveyor 'belt' is not kept",
    "LOOKUPAREA(x, 1, 2)": "the first argument is not a graphical function of the type continuous or extrapolate",
    "SMTH1(x, 2: y)": "only a call of a macro has results after a colon",
    "MEAN(belt)": "what is on each part of the conveyor 'belt' is not kept",
    "SIZE(belt)": "what is on each part of the conveyor 'belt' is not kept",
    "belt[1]": "what is on each part of the conveyor 'belt' is not kept",
}
BELT = (
    "<stock name='belt'><eqn>1</eqn><outflow>off</outflow><conveyor><len>2</len></conveyor></stock><flow name='off'/>"
)


@pytest.mark.parametrize("text", HINTS)
def test_what_is_not_xmile_has_a_cure(text):
    """Operators of other languages, functions without a counterpart, and parts of conveyors."""
    written = text.replace("&", "&amp;")
    with pytest.raises(ModelError) as refusal:
        read_text(build_xmile(f"<aux name='x'><eqn>1</eqn></aux>{BELT}<aux name='y'><eqn>{written}</eqn></aux>"))
    assert HINTS[text] in str(refusal.value)
    assert len(refusal.value.faults) == 1


@pytest.mark.parametrize("kind", ["<queue/>", "<oven/>", "<conveyor><len>2</len><arrest>1</arrest></conveyor>"])
def test_a_refused_stock_has_one_fault(kind):
    """Its outflow, which has no equation of its own, is not a second one."""
    with pytest.raises(ModelError) as refusal:
        read_text(
            build_xmile(f"<stock name='s'><eqn>1</eqn><outflow>off</outflow>{kind}</stock><flow name='off'></flow>")
        )
    assert len(refusal.value.faults) == 1


def test_a_selection_over_arrays_keeps_its_name_in_files_of_converters():
    """With `*` where Vensim has a mark of the range; a comment that only mentions a function is one."""
    model = read_text(
        DIMS.format(
            f"<aux name='chosen'>{CITY}<eqn>IF City &gt; 1 THEN 1 ELSE 0 {{not GET XLS DATA}}</eqn></aux>"
            f"<aux name='flow'>{BOTH}<eqn>10*City + ToCity</eqn></aux>"
            f"<aux name='part'>{CITY}<eqn>VECTOR SELECT(chosen[*], flow[*, City], 0, 0, 0)</eqn></aux>"
        )
    )
    assert simulate(model)["part"].values.reshape(-1, 3)[-1].tolist() == [52, 54, 56]


def test_points_in_place_of_data_are_noted():
    """Xmutil writes the same two for each data variable."""
    points = "<gf><yscale min='1' max='2'/><xpts>0,1</xpts><ypts>1,1</ypts></gf>"
    text = build_xmile(f"<aux name='x'><eqn>TIME</eqn>{points}</aux><aux name='y'><eqn>TIME</eqn>{points}</aux>")
    assert read_text(text).notes == ()
    made = text.replace("<sim_specs", "<header><vendor>Ventana Systems, xmutil</vendor></header><sim_specs")
    (note,) = read_text(made).notes
    assert note.startswith("xmutil has written two points in place of the data of 2 variables, such as 'x'")


def test_random_functions_have_bounds_after_the_seed_and_a_mean_per_unit_of_time():
    """The mean of POISSON is that of a unit of time; SUM, MEAN and PROD take several numbers too."""
    text = "<aux name='a'><eqn>NORMAL(0, 1, 5, 0.5, 0.6)</eqn></aux><aux name='b'><eqn>POISSON(80, 3)</eqn></aux><aux name='c'><eqn>MEAN(1, 2, 6) + SUM(1, 2) + PROD(2, 5)</eqn></aux>"
    specs = '<sim_specs method="euler"><start>0</start><stop>100</stop><dt reciprocal="true">4</dt></sim_specs>'
    with pytest.warns(UserWarning, match="random"):
        run = simulate(read_text(build_xmile(text, specs=specs)))
    assert 0.5 <= run["a"].values.min() < run["a"].values.max() <= 0.6
    assert 19 < run["b"].values.mean() < 21
    assert run["c"].values.ravel()[-1] == 16


@pytest.mark.parametrize("ending", ["stm", "ITM", "isdb"])
def test_older_formats_and_stored_runs_of_stella_are_named(tmp_path, ending):
    """They are not text, and their names say what they are."""
    path = tmp_path / f"old.{ending}"
    path.write_bytes(b"\0\1")
    with pytest.raises(ModelError, match="save it as .stmx|name the .stmx file"):
        sd.read_model(path)

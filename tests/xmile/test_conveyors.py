"""Conveyors, against slats that are moved one by one, and the steady states that isee publishes."""

import re

import numpy as np
import pytest

import sdmodel as sd
from sdmodel.errors import ModelError
from sdmodel.model import check_units
from sdmodel.testing import build_xmile
from sdmodel.xmile import read_xmile

DT = 0.5
SPECS = f'<sim_specs method="Euler"><start>0</start><stop>12</stop><dt>{DT}</dt></sim_specs>'


def read(variables, **more):
    return read_xmile(build_xmile(variables, specs=SPECS, **more).encode(), "belt.xmile")


def conveyor(
    length="4",
    *,
    content="40",
    inflows=("10 + TIME",),
    leaks=(),
    exponential=False,
    parts="",
    marks="",
    of="",
    flow="",
    leak="",
):
    """A conveyor 'belt' with inflows in0, in1 ..., an outflow 'off' and leaks leak0, leak1 ...; `of` are the dimensions of all."""
    flows = [*(f"<flow name='in{n}' {flow}>{of}<eqn>{own}</eqn></flow>" for n, own in enumerate(inflows))]
    flows += [f"<flow name='leak{n}' {leak}>{of}<eqn>{own}</eqn><leak/></flow>" for n, own in enumerate(leaks)]
    ends = [*(f"<inflow>in{n}</inflow>" for n in range(len(inflows))), "<outflow>off</outflow>"]
    ends += [f"<outflow>leak{n}</outflow>" for n in range(len(leaks))]
    kind = f"<conveyor exponential_leak='{str(exponential).lower()}' {marks}><len>{length}</len>{parts}</conveyor>"
    stock = f"<stock name='belt'>{of}<eqn>{content}</eqn>{''.join(ends)}{kind}</stock><flow name='off'>{of}</flow>"
    return stock + "".join(flows)


def move(times, inflow, length, fractions, content, *, exponential, zone=(0, 1)):
    """The content, the outflow and the leaks of slats that are moved one by one: of each what is left, what came in, and its slats.

    A list is what leaves in each unit of time.
    """

    def leaking(place, left, entered, slats, time=0.0):
        zoned = [own for own in range(slats, 0, -1) if zone[0] <= (slats - own + 0.5) / slats <= zone[1]] or [1]
        share = (left * DT if exponential else entered / len(zoned)) if place in zoned else 0
        return [fraction(time) * share for fraction in fractions]

    def slats_of(time):
        return max(1, int(length(time) / DT + 0.5))

    first = slats_of(0.0)
    belt, left = {}, 1.0
    if isinstance(content, list):
        units = [min(int((place - 1) * DT), len(content) - 1) for place in range(1, first + 1)]
        belt = {place: [(content[unit] * DT, content[unit] * DT, first)] for place, unit in enumerate(units, 1)}
    else:
        for place in range(first, 0, -1):
            belt[place] = [(left, 1.0, first)]
            left -= sum(leaking(place, left, 1.0, first))
        scale = content / sum(own[0][0] for own in belt.values())
        belt = {place: [(a * scale, b * scale, n) for a, b, n in own] for place, own in belt.items()}
    rows = []
    for time in times:
        before = sum(own[0] for slat in belt.values() for own in slat)
        leaked, moved, out = np.zeros(len(fractions)), {}, 0.0
        for place, slat in belt.items():
            for left, entered, slats in slat:
                parts = leaking(place, left, entered, slats, time)
                leaked += parts
                if place == 1:
                    out += left - sum(parts)
                else:
                    moved.setdefault(place - 1, []).append((left - sum(parts), entered, slats))
        amount = inflow(time) * DT
        moved.setdefault(slats_of(time), []).append((amount, amount, slats_of(time)))
        belt = moved
        rows.append([before, out / DT, *leaked / DT])
    return np.array(rows).T


LENGTHS = {
    "4": lambda _: 4,
    "2.7": lambda _: 2.7,
    "0.1": lambda _: 0.1,
    "4 - STEP(2, 3) + STEP(3, 7)": lambda time: 4 - 2 * (time >= 3) + 3 * (time >= 7),
}


CELLS = {"young one": 7, "2": 8}


FRACTIONS = {
    "0": lambda _: 0,
    "0.3": lambda _: 0.3,
    "0.05": lambda _: 0.05,
    "0.2 + STEP(0.3, 2) - STEP(0.45, 6)": lambda time: 0.2 + 0.3 * (time >= 2) - 0.45 * (time >= 6),
}


def check_slats(length, leaks, exponential, zone=(0, 1), content=40, text="", **more):
    marks = f"leak_start='{zone[0]}' leak_end='{zone[1]}'"
    belt = conveyor(length, content=text or content, leaks=leaks, exponential=exponential, leak=marks)
    run = sd.simulate(read(belt, **more))
    names = ["belt", "off", *(f"leak{n}" for n in range(len(leaks)))]
    fractions = [FRACTIONS[leak] for leak in leaks]
    expected = move(
        run.time.values, lambda t: 10 + t, LENGTHS[length], fractions, content, exponential=exponential, zone=zone
    )
    np.testing.assert_allclose([run[name].values.ravel() for name in names], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("leaks", [(), ("0.3", "0.05"), ("0",)])
@pytest.mark.parametrize("length", LENGTHS)
def test_a_conveyor_moves_slat_by_slat(length, leaks, exponential):
    """With any transit time, also one that changes; its first content is in equilibrium."""
    check_slats(length, leaks, exponential)


@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("length", ["4", "2.7", "0.1"])
def test_the_fraction_of_a_leak_may_change(length, exponential):
    """What is on its way then leaks by the fraction of each step."""
    check_slats(length, ("0.2 + STEP(0.3, 2) - STEP(0.45, 6)", "0.05"), exponential)


@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("leaks", [("0.3", "0.05"), ("0.2 + STEP(0.3, 2) - STEP(0.45, 6)",)], ids=["const", "vary"])
@pytest.mark.parametrize("zone", [(0.25, 0.75), (0.5, 1), (0, 0.1), (1, 1)])
@pytest.mark.parametrize("length", ["2.7", "0.1"])
def test_leaks_may_be_in_a_part_of_the_length(length, zone, leaks, exponential):
    """In the slats whose middle is in it; in the last one if there is none."""
    check_slats(length, leaks, exponential, zone)


@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("leaks", [(), ("0.3", "0.05"), ("0.2 + STEP(0.3, 2) - STEP(0.45, 6)",)])
@pytest.mark.parametrize("values", [[10, 20, 30, 5], [10, 20], [3, 2, 1, 2, 3, 9, 9]], ids=len)
@pytest.mark.parametrize("length", ["4", "2.7", "0.1"])
def test_the_first_content_may_be_a_list(length, values, leaks, exponential):
    """Of what leaves in each unit of time, as isee's "Initializing Discrete Stocks" says; its last value counts again."""
    check_slats(length, leaks, exponential, content=values, text="; ".join(map(str, values)))


def test_a_list_stays_ahead_of_a_transit_time_that_changes():
    """What was there at the start leaves by the first transit time."""
    check_slats("4 - STEP(2, 3) + STEP(3, 7)", ("0.3",), exponential=True, content=[10, 20, 30, 5], text="10,20,30,5")


def test_the_first_content_may_be_a_slice_of_an_array():
    """One value for each unit of time, in the order of the labels."""
    parts = "<dimensions><dim name='age'/></dimensions>"
    cells = "".join(f"<element subscript='{label}'><eqn>{value}</eqn></element>" for label, value in CELLS.items())
    alive = f"<aux name='alive'>{parts}{cells}</aux>"
    belt = conveyor("3", content="alive[*]", leaks=("0.3",), exponential=True)
    run = sd.simulate(read(alive + belt, dimensions={"age": [*CELLS]}))
    listed = sd.simulate(read(conveyor("3", content="7, 8, 8", leaks=("0.3",), exponential=True)))
    for name in ("belt", "off", "leak0"):
        np.testing.assert_array_equal(run[name], listed[name])


@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("leaks", [(), ("0.1",), ("0.1 + STEP(0.1, 3)",)])
@pytest.mark.parametrize("content", ["60", "10, 20, 30", "held, 2*held"])
@pytest.mark.parametrize("length", ["3", "wait"])
def test_units_are_those_of_the_stock(length, content, leaks, exponential):
    """What a conveyor adds has no faults of units; a number in a list has those of the stock, and a transit time those of time."""
    text = conveyor(length, content=content, inflows=["10"], leaks=leaks, exponential=exponential)
    text = text.replace("</eqn>", "</eqn><units>people</units>", 1)
    text = re.sub(r"(<flow[^>]*>.*?)</flow>", r"\1<units>people/Year</units></flow>", text)
    text += (
        "<aux name='wait'><eqn>3</eqn><units>Year</units></aux><aux name='held'><eqn>9</eqn><units>people</units></aux>"
    )
    specs = SPECS.replace("method", "time_units='Year' method")
    report = check_units(read_xmile(build_xmile(text, specs=specs).encode(), "belt.xmile"))
    assert report.mismatches == ()


def test_a_transit_time_in_numbers_is_a_constant():
    """So that it can be a lever; one that the model calls so itself stays."""
    model = read(conveyor("3", inflows=["10"], content="30"))
    run = sd.simulate(model, {"belt transit time": 2})
    np.testing.assert_array_equal(run["off"], np.where(run["time"] < 2, 15, 10))
    own = read(conveyor("3") + "<aux name='belt transit time'><eqn>99</eqn></aux>")
    assert float(sd.simulate(own)["belt_transit_time"]) == 99


def test_each_cell_may_have_a_list():
    """Its values are expressions; commas in comments, names and calls do not separate them."""
    side = "<dimensions><dim name='Side'/></dimensions>"
    lists = {"a": "{from, to} 1, MAX(1, 2), 3", "b": '4; 2*5; "k, or so"'}
    cells = "".join(f"<element subscript='{label}'><eqn>{own}</eqn></element>" for label, own in lists.items())
    text = conveyor("3", inflows=["0"], of=side).replace("<eqn>40</eqn>", cells)
    named = "<aux name='&quot;k, or so&quot;'><eqn>6</eqn></aux>"
    run = sd.simulate(read(text + named, dimensions={"Side": ["a", "b"]}))
    assert run["off"].sel(time=slice(0, 3)).values.T.tolist() == [[1, 1, 2, 2, 3, 3, 0], [4, 4, 10, 10, 6, 6, 0]]
    assert run["belt"].values[0].tolist() == [6, 20]


@pytest.mark.parametrize("exponential", [False, True])
def test_the_steady_state_is_the_published_one(exponential):
    """As in isee's "Steady-State Initialization of Conveyors" (25 May 2010): nothing changes with that content."""
    inflow, time, fraction = 10, 4, 0.2
    if exponential:
        content = inflow * (1 - (1 - fraction * DT) ** (time / DT)) / fraction
    else:
        content = time * inflow - (time / DT - 1) * fraction * inflow * DT / 2
    run = sd.simulate(read(conveyor(content=content, inflows=["10"], leaks=[fraction], exponential=exponential)))
    kept = (1 - fraction * DT) ** (time / DT) if exponential else 1 - fraction
    for name, value in {"belt": content, "off": 10 * kept, "leak0": 10 * (1 - kept)}.items():
        np.testing.assert_allclose(run[name], value, rtol=1e-12)


@pytest.mark.parametrize("exponential", [False, True])
def test_leaks_share_what_there_is(exponential):
    """Nothing is lost and nothing becomes negative where their fractions ask for more; a lever on one counts at once."""
    model = read(conveyor(leaks=[0.5, "2"], exponential=exponential, inflows=["10"]))
    assert model["leak1 leak fraction"].kind == "constant"
    for fraction in (0.1, 2, 50):
        run = sd.simulate(model, {"leak1 leak fraction": fraction})
        assert all(float(run[name].min()) > -1e-12 for name in ("belt", "off", "leak0", "leak1"))
        left = run["in0"] - run["off"] - run["leak0"] - run["leak1"]
        np.testing.assert_allclose(run["belt"], 40 + (left.cumsum("time") - left) * DT, rtol=1e-12, atol=1e-12)


def test_nothing_goes_backwards():
    """Neither an inflow nor a leak is negative, also without a mark."""
    run = sd.simulate(read(conveyor(inflows=["TIME - 6"], leaks=["TIME/10 - 0.6"])))
    for name in ("in0", "leak0"):
        assert float(run[name].min()) == 0
        assert float(run[name].max()) > 0


def test_inflows_wait_for_room():
    """The first one goes before the next; a capacity counts what leaves in the same step, and INF is none."""
    parts = "<capacity>20</capacity><in_limit>INF</in_limit>"
    run = sd.simulate(read(conveyor("2", content="0", inflows=["8", "6"], parts=parts)))
    assert run["in0"].values.ravel()[:6].tolist() == [8, 8, 8, 0, 8, 8]
    assert run["in1"].values.ravel()[:6].tolist() == [6, 6, 4, 0, 6, 6]
    assert float(run["belt"].max()) == 20
    limited = read(conveyor("2", content="0", inflows=["8", "6"], parts="<in_limit>9</in_limit>", leaks=["0.5"]))
    run = sd.simulate(limited, {"belt inflow limit": 10})
    assert set((run["in0"] + run["in1"]).values.ravel()) == {10}


@pytest.mark.parametrize("leaks", [(), ("0.3",)])
def test_a_transit_time_may_be_sampled(leaks):
    """It is the one of the last time at which `<sample>` was true, at first that of the start."""
    run = sd.simulate(read(conveyor("4 - TIME/4", leaks=leaks, parts="<sample>TIME = 3 OR TIME = 5</sample>")))
    lengths = {0: 4.0, 3: 3.25, 5: 2.75}

    def length(time):
        return lengths[max(start for start in lengths if start <= time)]

    fractions = [FRACTIONS[leak] for leak in leaks]
    expected = move(run.time.values, lambda t: 10 + t, length, fractions, 40, exponential=False)
    np.testing.assert_allclose(run["off"].values.ravel(), expected[1], rtol=1e-12, atol=1e-12)


def test_each_cell_is_a_conveyor_of_its_own():
    """Stocks, leaks and transit times may be arrays, with equations of their own for cells."""
    side = "<dimensions><dim name='Side'/></dimensions>"
    cells = "<element subscript='a'><eqn>2</eqn></element><element subscript='b'><eqn>4</eqn></element>"
    fractions = cells.replace(">2<", ">0.1<").replace(">4<", ">0.3<")
    text = conveyor("time_on", leaks=["9"], of=side).replace("<eqn>9</eqn>", fractions)
    text += f"<aux name='time_on'>{side}{cells}</aux>"
    run = sd.simulate(read(text, dimensions={"Side": ["a", "b"]}))
    for label, length, leak in (("a", 2, 0.1), ("b", 4, 0.3)):
        expected = move(
            run.time.values,
            lambda t: 10 + t,
            lambda _, own=length: own,
            [lambda _, own=leak: own],
            40,
            exponential=False,
        )
        found = [run[name].sel(side=label).values.ravel() for name in ("belt", "off", "leak0")]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("content", ["40", "20, 10, 3"])
def test_vensim_gets_the_same_conveyor(content, exponential):
    """Its functions have all that a conveyor does."""
    capacity = "<capacity>45</capacity>"
    model = read(conveyor("2.7", content=content, leaks=["belt/99", "0.1"], exponential=exponential, parts=capacity))
    again = sd.model_from_text(sd.mdl_text(model))
    ours, theirs = sd.simulate(model), sd.simulate(again)
    for name in ("belt", "off", "leak0", "leak1", "in0"):
        np.testing.assert_array_equal(ours[name], theirs[name])


FAULTS = {
    conveyor(parts="<arrest>1</arrest>"): "a conveyor that stops is not supported; delete <arrest>, or model it",
    conveyor(marks="discrete='true'"): 'a discrete conveyor is not supported; delete discrete="true"',
    conveyor(leaks=["0.1"]).replace("<leak/>", ""): "'leak0' is a second outflow of a conveyor; mark it as a leak",
    conveyor("").replace("<len></len>", ""): "needs a transit time and an outflow; write <len>",
    conveyor(leaks=["0.1"]).replace("<leak/>", "<leak/><leak_integers/>"): "'leak0' leaks whole units",
    conveyor(leaks=["0.1", "0.1"]).replace("name='leak0'", "name='leak0' leak_end='0.5'"): "leak from different parts",
    conveyor(leaks=["0.1"], leak="leak_start='0.6' leak_end='0.5'"): "'leak0' leaks from no part of the conveyor",
    conveyor(leaks=["0.1"], leak="leak_start='here'"): "'leak0' leaks from no part of the conveyor",
    conveyor("2 + STEP(1, 2)", leaks=["0.1"], leak="leak_end='0.5'"): "changes with 'STEP' while only a part leaks",
    conveyor(
        content="1, 2", leaks=["0.1"], leak="leak_end='0.5'"
    ): "'belt': a list of its first content is not supported where only a part of it leaks",
    conveyor(flow="spreadflow='even'"): "'in0' is spread over the conveyor",
    conveyor(
        "2 + STEP(1, 2)", leaks=["off/100"]
    ): "the transit time changes with 'STEP' while fractions of leaks change",
    conveyor(leaks=["1"]).replace("<outflow>leak0", "<outflow>nothing"): "'nothing' is not defined",
    conveyor(leaks=[""]): "'leak0 leak fraction' has no equation; write it",
    conveyor(leaks=["1"])
    + "<aux name='leak0 leak fraction'><eqn>1</eqn></aux>": "is the name of a part of a conveyor; rename one",
    conveyor(parts="<capacity>9</capacity>", inflows=["1"]).replace(
        "<flow name='in0' ><eqn>1</eqn></flow>",
        "<stock name='first'><eqn>1</eqn><outflow>in0</outflow><conveyor><len>2</len></conveyor></stock><flow name='in0'/>",
    ): "'in0' cannot wait until the conveyor 'belt' has room for it",
}


@pytest.mark.parametrize("text", FAULTS, ids=list(FAULTS.values()))
def test_what_a_conveyor_cannot_do_is_refused_once(text):
    """With what to do, and without more faults of its flows, which have no equations."""
    with pytest.raises(ModelError) as refusal:
        read(text)
    assert FAULTS[text] in str(refusal.value)
    assert len(refusal.value.faults) == 1


def test_a_leak_may_have_its_fraction_in_its_mark():
    """As the specification has it, `<leak>0.1</leak>`, beside an empty equation as Stella writes it."""
    text = conveyor(leaks=["0.1"])
    other = text.replace("<eqn>0.1</eqn><leak/>", "<eqn></eqn><leak>0.1</leak>")
    assert other != text
    np.testing.assert_array_equal(sd.simulate(read(other))["leak0"], sd.simulate(read(text))["leak0"])


def test_a_conveyor_under_another_method_is_noted():
    """A step of Runge-Kutta takes the inflow at its middle and its end too; the belt only at its start."""
    text = build_xmile(conveyor(), specs=SPECS.replace("Euler", "RK4"))
    (note,) = read_xmile(text.encode(), "belt.xmile").notes
    assert "conveyors move once in a time step" in note
    assert "use --integrator euler" in note
    assert read(conveyor()).notes == ()

"""A model under a scenario that changes its string variables: it is read again, since they name the files that it reads."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

from ...errors import Fault, ScenarioError
from ...model import GIVEN_DATA, Model
from ...scenario import Scenario, changed_texts
from ..files.scenarios import ScenarioLike, load_scenario
from .reader import model_from_text

_READ: WeakKeyDictionary[Model, dict[frozenset[tuple[str, str]], Model]] = WeakKeyDictionary()


def under_scenario(model: Model, scenario: ScenarioLike | None) -> tuple[Model, Scenario]:
    """Return the model with the texts that a scenario gives its string variables, and the scenario.

    Raises
    ------
    ScenarioError
        If the model does not have such a string variable, or has data from Python, which reading it again would lose.
    ModelError
        If the model cannot be read with these texts.
    """
    changes = load_scenario(scenario)
    texts = changed_texts(model.texts, changes.texts)
    if texts == model.texts:
        return model, changes
    if any(source.path == GIVEN_DATA for source in model.sources):
        what = "a text cannot change after data is given from Python; read the model with texts=, then give the data"
        raise ScenarioError([Fault(changes.texts[0].place, what)])
    known = _READ.setdefault(model, {})
    if (own := frozenset(texts.items())) not in known:
        series = [Path(model.path).parent / source.path for source in model.sources if source.is_series]
        known[own] = model_from_text(
            model.text.encode(model.encoding),
            model.path,
            data=series,
            allow_files=model.allow_files,
            encoding=None if model.encoding.startswith("utf") else model.encoding,
            texts=changes.texts,
            without_data=bool(model.unread_files),
        )
    return known[own], changes

"""Ensembles at addresses: in memory, and on a server that speaks S3 on this machine."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from sdmodel.ensemble import run_ensemble
from sdmodel.errors import StoreError
from sdmodel.model import Model
from sdmodel.scenario import Design, Distribution, Sampling, Variation, make_design
from sdmodel.simulation import simulate
from sdmodel.store import checked_path, ensemble_record, find_run, open_run, save_run
from sdmodel.testing import tiny_model

pytest.importorskip("upath", reason="needs universal-pathlib")

NUMBER = itertools.count()


@pytest.fixture(scope="module")
def model() -> Model:
    """A small model."""
    return tiny_model("Stock = INTEG(Stock*rate, 10)\nrate = 0.2", final=4)


def _design(model: Model, count: int = 9000) -> Design:
    law = Distribution("RANDOM_UNIFORM", (0.1, 0.3))
    return make_design(model, Sampling("multivariate", count, 5, (Variation("rate", (), law),)))


@pytest.fixture(scope="module")
def bucket() -> str:
    """An address for ensembles."""
    return "memory://box"


def _place(bucket: str) -> str:
    return f"{bucket}/{next(NUMBER)}.zarr"


def test_an_ensemble_is_made_and_read_at_an_address(bucket: str, model: Model):
    """By one process and by several at a time, while the record changes; nothing is replaced without `force`."""
    design = _design(model)
    run = simulate(model, design.dataset(), save=["Stock", "rate"])
    for workers in (0, 3):
        place = _place(bucket)
        with ThreadPoolExecutor(3) as executor:
            path = run_ensemble(model, design, place, save=["Stock"], executor=executor if workers else None)
        assert str(path) == place
        stored = open_run(find_run(place, "runs"))
        assert stored.sizes == run.sizes
        assert all(np.array_equal(stored[name], run[name]) for name in run.variables)
    with pytest.raises(StoreError, match="exists already"):
        run_ensemble(model, design, place, save=["Stock"])
    run_ensemble(model, _design(model, 5), place, save=["Stock"], force=True)
    assert open_run(place).sizes["member"] == 5


def test_an_ensemble_resumes_at_an_address(bucket: str, model: Model):
    """The members that are stored are not made again."""
    place, design = _place(bucket), _design(model)
    reported: list[int] = []

    def stop(done: int, _: int) -> None:
        reported.append(done)
        if len(reported) == 2:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(KeyboardInterrupt):
            run_ensemble(model, design, place, save=["Stock"], executor=executor, progress=stop)
        assert ensemble_record(checked_path(place))[0]["members_done"] == 8192
        run_ensemble(model, design, place, save=["Stock"], executor=executor, progress=stop, resume=True)
    assert reported == [4096, 8192, 9000]
    run = simulate(model, design.dataset(), save=["Stock"])
    assert np.array_equal(open_run(place)["stock"], run["stock"])


def test_a_lost_chunk_is_reported(bucket: str, model: Model):
    """As on a disk."""
    place = run_ensemble(model, _design(model), _place(bucket), save=["Stock"])
    (place / "stock" / "c" / "0" / "1").unlink()
    with pytest.raises(StoreError, match=re.escape(f"{place}: its file stock/c/0/1 is missing")):
        open_run(str(place))


def test_an_ensemble_is_made_and_read_on_a_server_that_speaks_s3():
    """By several at a time, interrupted, resumed and replaced; in a process of its own, since s3fs leaves connections open."""
    pytest.importorskip("moto", reason="needs moto")
    pytest.importorskip("flask_cors", reason="needs flask-cors")
    pytest.importorskip("s3fs", reason="needs s3fs")
    code = """
        import contextlib, os
        from concurrent.futures import ThreadPoolExecutor
        import numpy as np
        from moto.server import ThreadedMotoServer
        server = ThreadedMotoServer(port=0, verbose=False)
        server.start()
        os.environ["AWS_ENDPOINT_URL"] = "http://{}:{}".format(*server.get_host_and_port())
        import s3fs, sdmodel as sd
        from sdmodel.testing import tiny_model
        from test_addresses import _design
        s3fs.S3FileSystem().mkdir("box")
        model = tiny_model("Stock = INTEG(Stock*rate, 10)\\nrate = 0.2", final=4)
        design, place = _design(model, 20000), "s3://box/a.zarr"
        expected = sd.simulate(model, design.dataset(), save=["Stock"])["stock"]

        def stop(done, count):
            if done > count / 3:
                raise KeyboardInterrupt

        with ThreadPoolExecutor(3) as executor:
            with contextlib.suppress(KeyboardInterrupt):
                sd.run_ensemble(model, design, place, save=["Stock"], executor=executor, progress=stop)
            part = sd.open_run(place)
            assert 0 < part.sizes["member"] < 20000
            assert np.array_equal(part["stock"], expected.isel(member=part["member"].values))
            sd.run_ensemble(model, design, place, save=["Stock"], executor=executor, resume=True)
        assert np.array_equal(sd.open_run(place)["stock"], expected)
        sd.run_ensemble(model, _design(model, 5), place, save=["Stock"], force=True)
        print(sd.open_run(place).sizes["member"], flush=True)
        os._exit(0)
    """
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    path = os.pathsep.join([os.path.dirname(__file__), *filter(None, sys.path)])  # noqa: PTH120 - joined to others
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, check=False, env=os.environ | keys | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["5"], done.stderr[-2000:]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("memory://none/a.zarr", "memory://none/a.zarr: there is no such ensemble; check the address"),
        ("memory://none/a.nc", "memory://none/a.nc: there is no such ensemble; check the address"),
        ("nowhere://none/a.zarr", r"nowhere://none/a.zarr: cannot be reached \(Unsupported filesystem: 'nowhere'\)"),
    ],
)
def test_what_is_not_there_is_one_line(address: str, message: str):
    """In Python, and where commands look for a run."""
    with pytest.raises(StoreError, match=message):
        open_run(address)
    with pytest.raises(StoreError, match=message):
        find_run(address, "runs")


def test_a_single_run_has_no_address(model: Model):
    """It is a file."""
    with pytest.raises(StoreError, match="only ensembles are stored at addresses"):
        save_run(simulate(model), "memory://box/a.nc")


def test_an_address_of_this_machine_is_a_path(tmp_path: Any, model: Model):
    """With the safety of a local folder."""
    path = run_ensemble(model, _design(model, 3), (tmp_path / "a.zarr").as_uri(), save=["Stock"])
    assert path == tmp_path / "a.zarr"


def test_vast_ensembles_store_no_list_of_members(tmp_path: Any, model: Model, monkeypatch: pytest.MonkeyPatch):
    """Their numbers are counted again when they are read."""
    monkeypatch.setattr("sdmodel.store.ensembles._MOST_NUMBERED", 100)
    path = run_ensemble(model, _design(model, 300), tmp_path / "a.zarr", save=["Stock"])
    assert not (path / "member").exists()
    assert "member" not in json.loads((path / "zarr.json").read_text())
    run = open_run(path)
    assert run["member"].values.tolist() == list(range(300))
    assert int(run.sel(member=299)["member"]) == 299

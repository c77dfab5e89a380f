"""Checks, each in an environment of its own: `nox` runs tests, lint and docs; `nox -s NAME` runs one."""

from __future__ import annotations

import nox

nox.options.sessions = ["tests", "lint", "docs"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after `--` go to pytest."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def wheels(session: nox.Session) -> None:
    """Run the tests against the installed package, in each version of Python that this machine has."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)  # unlike `python -m pytest`, it does not import the checkout


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, layers and spelling."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports", "--no-cache")
    session.run("codespell")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site; a warning is an error."""
    session.install("-e", ".[docs,report,calibrate,sensitivity]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed and memory, and write the results to docs/performance.md."""
    session.install("-e", ".[bench]")
    session.run("python", "benchmarks/report.py")


@nox.session
def nightly(session: nox.Session) -> None:
    """Run the tests that take minutes, and all others with every argument and result type checked."""
    session.install(
        "-e", ".[test,dask,ema,parquet]", "arviz>=0.22", "flask>=3", "flask-cors>=5", "moto[s3]>=5.1", "s3fs>=2025.3"
    )  # a server of S3
    session.run("python", "-m", "pytest", *session.posargs, env={"SDMODEL_CHECK_TYPES": "1"})
    session.run("python", "-m", "pytest", "-m", "nightly", *session.posargs)

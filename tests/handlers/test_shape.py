"""A handler is short, does nothing by itself, and looks like all others."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import journeykit_handlers

FOLDER = Path(journeykit_handlers.__file__).parent
HANDLERS = (
    *("ingest", "tick", "relay", "deliver", "feedback", "http", "publish"),
    "watch",
)
FORBIDDEN = (
    ast.If,
    ast.IfExp,
    ast.Match,
    ast.Try,
    ast.For,
    ast.While,
    ast.With,
)


@pytest.fixture(params=HANDLERS)
def handler(request: pytest.FixtureRequest) -> str:
    return (FOLDER / f"{request.param}.py").read_text()


def test_a_handler_has_thirty_lines_at_most(handler: str) -> None:
    assert len(handler.splitlines()) <= 30


def test_a_handler_says_what_comes_of_what(handler: str) -> None:
    assert "→" in (ast.get_docstring(ast.parse(handler)) or "")


def test_a_handler_branches_nowhere_and_catches_nothing(handler: str) -> None:
    found = [type(node) for node in ast.walk(ast.parse(handler))]

    assert [kind for kind in found if kind in FORBIDDEN] == []


def test_a_handler_asks_neither_aws_nor_the_environment(handler: str) -> None:
    tree = ast.parse(handler)
    modules = [
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]

    assert set(modules) <= {
        "__future__",
        "functools",
        "typing",
        "aws_lambda_powertools",
        "journeykit_handlers",
    }


def test_only_bootstrap_imports_the_application() -> None:
    importers = {
        path.stem
        for path in FOLDER.glob("*.py")
        if "journeykit.aws" in path.read_text() or "os.environ" in path.read_text()
    }

    assert importers <= {"bootstrap"}

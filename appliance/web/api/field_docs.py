"""What is written below the fields of the API's types in their source, for its document: Python forgets it."""

import ast
import inspect
from collections.abc import Iterable
from functools import cache
from types import ModuleType

Docs = dict[str, dict[str, str]]
"""Class -> field -> what is written below it, those of its bases included."""


def field_docs(modules: Iterable[ModuleType]) -> Docs:
    """The documented fields of all classes of these modules."""
    classes: dict[str, ast.ClassDef] = {}
    for module in modules:
        classes |= _classes(module)
    return {name: _with_bases(name, classes) for name in classes}


@cache
def _classes(module: ModuleType) -> dict[str, ast.ClassDef]:
    parsed = ast.parse(inspect.getsource(module))
    return {node.name: node for node in parsed.body if isinstance(node, ast.ClassDef)}


def _with_bases(name: str, classes: dict[str, ast.ClassDef]) -> dict[str, str]:
    if name not in classes:
        return {}
    found: dict[str, str] = {}
    for base in classes[name].bases:
        if isinstance(base, ast.Name):
            found |= _with_bases(base.id, classes)
    return found | _own(classes[name])


def _own(of: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(of.body, of.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(below):
            found[field.target.id] = inspect.cleandoc(ast.literal_eval(below.value))  # type: ignore[attr-defined]
    return found


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

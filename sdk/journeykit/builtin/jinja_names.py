"""Which variables a Jinja template needs, and which it only uses where they are there.

Jinja's own analysis (`jinja2.meta`) knows scopes; what it doesn't know is that a name which
is asked for first need not be given. So it is asked twice: about the template, and about
the template without such names.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from typing import Any, NamedTuple, TypeAlias

from jinja2 import nodes
from jinja2.meta import find_undeclared_variables
from jinja2.visitor import NodeTransformer

from journeykit.builtin.sandbox import Sandbox, compiles
from journeykit.content.engine import Load
from journeykit.errors import ContentError, Source

_MOST_FILES = 200


_Naming: TypeAlias = nodes.Include | nodes.Extends | nodes.Import | nodes.FromImport


class Names(NamedTuple):
    """The names of variables.

    Attributes:
        needed: Without them it can't be rendered.
        optional: It asks whether they are there, or gives a default.
    """

    needed: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


def names(sandbox: Sandbox, source: str, load: Load) -> Names:
    """Return the variables of a template, of its layouts and partials as well.

    Raises:
        ContentError: It, or one of those, is no template.
    """
    return _Looking(sandbox, load).names(source, "", frozenset(), frozenset())


class _Looking:
    """One look through a template and all that it names."""

    def __init__(self, sandbox: Sandbox, load: Load) -> None:
        self._sandbox = sandbox
        self._load = load
        self._open: list[str] = []
        self._count = 0

    def names(
        self,
        source: str,
        name: str,
        overridden: frozenset[str],
        guarded: frozenset[str],
    ) -> Names:
        """Return the names of one file and of what it names.

        Args:
            source: The file.
            name: Its name; empty for the template itself.
            overridden: Blocks of it that the template has replaced.
            guarded: Names that are there when it is included.
        """
        self._count += 1
        if name in self._open or self._count > _MOST_FILES:
            return (
                Names()
            )  # a partial may include itself, as long as it comes to an end
        self._open.append(name)
        tree = self._sandbox.tree(source, name)
        compiles(self._sandbox, source, name)
        kept = _WithoutBlocks(overridden).visit(tree)
        asked = _Asked()
        needed = asked.reduced(deepcopy(kept), guarded)
        everything = frozenset(find_undeclared_variables(kept)) - self._functions()
        needs = frozenset(find_undeclared_variables(needed)) - self._functions()
        own = self._own(kept)
        blocks = frozenset(
            block.name for block in tree.find_all(nodes.Block) if not _supers(block)
        )
        for node, given in asked.files:
            is_layout = isinstance(node, nodes.Extends)
            for path in _constants(node.template):
                found = self._of_file(
                    path,
                    node,
                    name,
                    overridden | blocks if is_layout else frozenset(),
                    given,
                )
                if isinstance(node, nodes.Import | nodes.FromImport) and (
                    not node.with_context
                ):
                    continue
                needs |= found.needed - own
                everything |= (found.needed | found.optional) - own
        self._open.pop()
        return Names(needs, everything - needs)

    def _of_file(
        self,
        path: str,
        node: _Naming,
        name: str,
        overridden: frozenset[str],
        guarded: frozenset[str],
    ) -> Names:
        try:
            source = self._load(path)
        except LookupError:
            if (
                getattr(node, "ignore_missing", False)
                or len(_constants(node.template)) > 1
            ):
                return Names()
            raise ContentError(
                f"there is no layout or partial {path!r:.80}",
                source=Source(name, node.lineno),
            ) from None
        return self.names(source, path, overridden, guarded)

    def _functions(self) -> frozenset[str]:
        return frozenset(self._sandbox.globals)

    @staticmethod
    def _own(tree: nodes.Template) -> frozenset[str]:
        """What a file sets, which layouts and partials see as well."""
        return frozenset(
            found.name for found in tree.find_all(nodes.Name) if found.ctx != "load"
        ) | frozenset(macro.name for macro in tree.find_all(nodes.Macro))


class _WithoutBlocks(NodeTransformer):
    """Leaves out what the template puts something else in the place of."""

    def __init__(self, blocks: Collection[str]) -> None:
        self._blocks = blocks

    def visit_Block(self, node: nodes.Block) -> nodes.Node | None:
        """Leave out a block, or keep it."""
        if node.name in self._blocks:
            return None
        return self.generic_visit(node)


class _Asked(NodeTransformer):
    """Leaves out names where it doesn't matter that they are missing.

    Attributes:
        files: The nodes that name other files, with the names that are there then.
    """

    def __init__(self) -> None:
        self.files: list[tuple[_Naming, frozenset[str]]] = []
        self._there: frozenset[str] = frozenset()

    def reduced(self, tree: nodes.Template, there: frozenset[str]) -> nodes.Template:
        """Return the tree without such names."""
        self._there = there
        found: nodes.Template = self.visit(tree)
        return found

    def visit_Name(self, node: nodes.Name) -> nodes.Expr:
        """Leave out a name that is known to be there."""
        known = node.ctx == "load" and node.name in self._there
        return nodes.Const(None) if known else node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        """Leave out what has a default."""
        if node.name in ("default", "d") and node.node is not None:
            node.node = _without_root(node.node)
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        """Leave out what is asked for."""
        if node.name in ("defined", "undefined"):
            node.node = _without_root(node.node)
        return self.generic_visit(node)

    def visit_If(self, node: nodes.If) -> nodes.If:
        """Leave out what the condition asks for, in it and in what follows."""
        yes, no = _proven(node.test)
        node.test = self.visit(_truth(node.test))
        node.body = self._visited(node.body, yes)
        before, self._there = self._there, self._there | no
        node.elif_ = [self.visit(each) for each in node.elif_]
        self._there = before
        node.else_ = self._visited(node.else_, no)
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.CondExpr:
        """Do as in `if`."""
        yes, no = _proven(node.test)
        node.test = self.visit(_truth(node.test))
        (node.expr1,) = self._visited([node.expr1], yes)
        if node.expr2 is not None:
            (node.expr2,) = self._visited([node.expr2], no)
        return node

    def visit_And(self, node: nodes.And) -> nodes.And:
        """What stands on the left is asked for, and is there on the right."""
        yes, _ = _proven(node.left)
        node.left = self.visit(_truth(node.left))
        (node.right,) = self._visited([node.right], yes)
        return node

    def visit_Or(self, node: nodes.Or) -> nodes.Or:
        """What stands on the left is asked for."""
        _, no = _proven(node.left)
        node.left = self.visit(_truth(node.left))
        (node.right,) = self._visited([node.right], no)
        return node

    def visit_Not(self, node: nodes.Not) -> nodes.Node:
        """What is denied is asked for."""
        node.node = _truth(node.node)
        return self.generic_visit(node)

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        """Note a partial."""
        return self._noted(node)

    def visit_Extends(self, node: nodes.Extends) -> nodes.Node:
        """Note a layout."""
        return self._noted(node)

    def visit_Import(self, node: nodes.Import) -> nodes.Node:
        """Note a file of macros."""
        return self._noted(node)

    def visit_FromImport(self, node: nodes.FromImport) -> nodes.Node:
        """Note a file of macros."""
        return self._noted(node)

    def _noted(self, node: _Naming) -> nodes.Node:
        self.files.append((node, self._there))
        return self.generic_visit(node)

    def _visited(self, parts: list, there: frozenset[str]) -> list:  # type: ignore[type-arg]
        before, self._there = self._there, self._there | there
        found = [self.visit(part) for part in parts]
        self._there = before
        return found


def _proven(test: nodes.Node) -> tuple[frozenset[str], frozenset[str]]:
    """Return which names are there if a condition holds, and which if it doesn't."""
    nothing: frozenset[str] = frozenset()
    match test:
        case nodes.Name():
            return frozenset([test.name]), nothing
        case nodes.Test(name="defined", node=nodes.Name() as found):
            return frozenset([found.name]), nothing
        case nodes.Test(name="undefined", node=nodes.Name() as found):
            return nothing, frozenset([found.name])
        case nodes.Not():
            yes, no = _proven(test.node)
            return no, yes
        case nodes.And():
            (left, _), (right, _) = _proven(test.left), _proven(test.right)
            return left | right, nothing
        case nodes.Or():
            (_, left), (_, right) = _proven(test.left), _proven(test.right)
            return nothing, left | right
    return nothing, nothing


def _truth(expression: Any) -> nodes.Expr:
    """Leave out a name of which only the truth is asked."""
    return (
        _without_root(expression) if isinstance(expression, nodes.Name) else expression
    )


def _without_root(expression: nodes.Expr) -> nodes.Expr:
    """Leave out a name that may be missing; `order.note` still needs `order`."""
    return nodes.Const(None) if isinstance(expression, nodes.Name) else expression


def _constants(template: nodes.Expr) -> list[str]:
    """Return the files that stand there by name; none if they are worked out."""
    if isinstance(template, nodes.Const):
        values = template.value
        return [values] if isinstance(values, str) else [*values]
    if isinstance(template, nodes.Tuple | nodes.List):
        return [each for part in template.items for each in _constants(part)]
    return []


def _supers(block: nodes.Block) -> bool:
    """Whether a block shows the layout's own as well."""
    return any(name.name == "super" for name in block.find_all(nodes.Name))

"""Which variables a Liquid template needs, and which it only uses where they are there."""

from __future__ import annotations

from typing import Any

from liquid import BoundTemplate, RenderContext
from liquid.ast import ConditionalBlockNode, Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.logical import (
    BooleanExpression,
    LogicalAndExpression,
    LogicalOrExpression,
)
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.expression import Expression


def names(template: BoundTemplate) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that a template needs, and those that it may do without."""
    everything = frozenset(template.analyze().globals)
    looking = _Looking(RenderContext(template))
    looking.nodes(template.nodes, frozenset())
    needed = everything & looking.needed
    return needed, everything - needed


class _Looking:
    """One look through a template and its partials.

    Attributes:
        needed: Names that are used where nobody asks first.
    """

    def __init__(self, context: RenderContext) -> None:
        self.needed: set[str] = set()
        self._context = context
        self._depth = 0

    def nodes(self, nodes: Any, there: frozenset[str]) -> None:
        """Look through nodes, in which some names are known to be there."""
        self._depth += 1
        if self._depth < 40:  # a partial may include itself
            for node in nodes:
                self._node(node, there)
        self._depth -= 1

    def _node(self, node: Node, there: frozenset[str]) -> None:
        if isinstance(node, IfNode | UnlessNode):
            self._truth(node.condition, there)
            asked = _asked(node.condition)
            yes, no = (
                (asked, there) if isinstance(node, IfNode) else (frozenset(), asked)
            )
            self.nodes([node.consequence], there | yes)
            for each in node.alternatives:
                self._node(each, there)
            if node.default is not None:
                self.nodes([node.default], there | (no if no is asked else frozenset()))
            return
        if isinstance(node, ConditionalBlockNode):
            self._truth(node.expression, there)
            self.nodes([node.block], there | _asked(node.expression))
            return
        for expression in node.expressions():
            self._value(expression, there)
        self.nodes(node.children(self._context, include_partials=True), there)

    def _value(self, expression: Expression, there: frozenset[str]) -> None:
        inner = getattr(expression, "inner", None)
        if isinstance(inner, Expression):  # what journeykit puts around one
            self._value(inner, there)
            return
        if isinstance(expression, FilteredExpression) and expression.filters:
            first = expression.filters[0]
            if first.name == "default" and _name(expression.left):
                there |= {_name(expression.left)}
        if isinstance(expression, Path):
            head = expression.path[0]
            if isinstance(head, str) and head not in there:
                self.needed.add(head)
        for child in expression.children():
            self._value(child, there)

    def _truth(self, expression: Expression, there: frozenset[str]) -> None:
        """Look at a condition, in which a name alone asks whether it is there."""
        if isinstance(expression, BooleanExpression):
            self._truth(expression.expression, there)
        elif isinstance(expression, LogicalAndExpression):
            self._truth(expression.left, there)
            self._truth(expression.right, there | _asked(expression.left))
        elif isinstance(expression, LogicalOrExpression):
            self._truth(expression.left, there)
            self._truth(expression.right, there)
        elif not _name(expression):
            self._value(expression, there)


def _asked(expression: Expression) -> frozenset[str]:
    """Return the names that are there if a condition holds."""
    if isinstance(expression, BooleanExpression):
        return _asked(expression.expression)
    if isinstance(expression, LogicalAndExpression):
        return _asked(expression.left) | _asked(expression.right)
    return frozenset(filter(None, [_name(expression)]))


def _name(expression: Expression) -> str:
    """Return the name that an expression is, if it is nothing but a name."""
    if isinstance(expression, FilteredExpression) and not expression.filters:
        expression = expression.left
    if isinstance(expression, Path) and len(expression.path) == 1:
        head = expression.path[0]
        return head if isinstance(head, str) else ""
    return ""

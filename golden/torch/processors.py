"""Whether the products of an attention of diffusers can be seen: what its processor does.

diffusers' processors differ in what they do around attention, and are alike in the call of
``scaled_dot_product_attention`` that does it, their own or that of ``dispatch_attention_fn``. Where
a processor reaches such a call exactly once, its two products can be quantized. That is read from
the processor's source, which says the same before the model has run; `QuantizedAttention` counts
again at each pass.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from torch import nn

CALLS = ("scaled_dot_product_attention", "dispatch_attention_fn")
"""What computes softmax(Q @ K^T) @ V in a processor."""

SEEN_BACKENDS = ("native", "_native_cudnn", "_native_efficient", "_native_flash", "_native_math")
"""Attention backends of diffusers that end in torch's ``scaled_dot_product_attention``."""

MANY = 2
"""How often, where it is more than once."""


@dataclass(frozen=True)
class Obstacle:
    """Why something cannot be quantized.

    Attributes
    ----------
    reason : str
        The rest of a sentence that begins with its name.
    remedy : str
        What the user can call so that it can be, without a change of what the model computes; empty
        where there is no such thing.
    """

    reason: str
    remedy: str = ""


def has_processor(module: nn.Module) -> bool:
    """Return whether a module is an attention of diffusers: projections, run by a processor."""
    return callable(getattr(module, "processor", None))


def find_obstacle(attention: nn.Module) -> Obstacle | None:
    """Return why the products of an attention cannot be quantized, if they cannot.

    Parameters
    ----------
    attention : nn.Module
        That `has_processor`.
    """
    processor = attention.processor
    name = type(processor).__name__
    if not (hasattr(attention, "get_processor") and hasattr(attention, "set_processor")):
        return Obstacle(f"is a {type(attention).__name__}, whose processor cannot be replaced")
    if isinstance(processor, nn.Module):
        return Obstacle(f"uses {name}, which has layers of its own")
    if has_fused_projections(attention):
        return FUSED
    backend = hidden_backend(processor)
    if backend:
        reason = f"uses the attention backend {backend!r}, inside of which no product can be seen"
        is_own = getattr(type(processor), "_attention_backend", None) is not None
        return Obstacle(reason, "" if is_own else "set_attention_backend('native')")
    if getattr(processor, "_parallel_config", None) is not None:
        return Obstacle("is computed on several devices in parallel")
    counts = count_calls(attention)
    if counts is None:
        return Obstacle(f"uses {name}, whose source cannot be read")
    # With keys of an image beside the text's, some processors call twice, and only then.
    if counts == {1} or (counts == {1, MANY} and getattr(attention, "add_k_proj", None) is None):
        return None
    often = "may leave out the" if 0 in counts else "repeats the"
    often = "has no" if counts == {0} else often
    return Obstacle(f"uses {name}, which {often} call of scaled_dot_product_attention")


FUSED = Obstacle(
    "has fused projections, which take the place of the layers that a policy names",
    "unfuse_qkv_projections()",
)


def has_fused_projections(attention: nn.Module) -> bool:
    """Return whether one layer does what to_q, to_k and to_v are for."""
    if hasattr(attention, "unfuse_projections"):
        return bool(getattr(attention, "fused_projections", False))
    return type(attention.processor).__name__.startswith("Fused")


def hidden_backend(processor: object) -> str | None:
    """Name the attention backend of a processor, if it is one whose products cannot be seen."""
    if not hasattr(processor, "_attention_backend"):
        return None
    backend = processor._attention_backend
    if backend is None:
        dispatch = sys.modules.get("diffusers.models.attention_dispatch")
        registry = getattr(dispatch, "_AttentionBackendRegistry", None)
        backend = getattr(registry, "_active_backend", None)
    name = getattr(backend, "value", backend)
    return None if name is None or name in SEEN_BACKENDS else str(name)


def count_calls(attention: nn.Module) -> frozenset[int] | None:
    """Return how often the processor may call attention in one pass: a set of 0, 1 and `MANY`.

    None if its source cannot be read. Branches are followed where only attributes of the attention
    or of the processor decide.
    """
    processor = attention.processor
    function = _parsed(type(processor))
    if function is None:
        return None
    own, given, *_ = [argument.arg for argument in function.args.args] + ["", ""]
    reading = _Reading({own: processor, given: attention})
    going, ended = reading.block(function.body)
    return frozenset(going | ended)


@lru_cache
def _parsed(kind: type) -> ast.FunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind.__call__)))
    except (OSError, TypeError, SyntaxError):
        return None
    function = tree.body[0]
    return function if isinstance(function, ast.FunctionDef) else None


Counts = set[int]


def _added(first: Iterable[int], second: Iterable[int]) -> Counts:
    second = set(second)
    return {min(a + b, MANY) for a in first for b in second}


class _Reading:
    """Counts calls on every path through a function."""

    def __init__(self, known: dict[str, object]) -> None:
        self._known = known

    def block(self, statements: list[ast.stmt]) -> tuple[Counts, Counts]:
        """Return the counts of paths that go on behind the statements, and of those that ended."""
        going: Counts = {0}
        ended: Counts = set()
        for statement in statements:
            on, over = self._statement(statement)
            ended |= _added(going, over)
            going = _added(going, on)
        return going, ended

    def _statement(self, statement: ast.stmt) -> tuple[Counts, Counts]:
        match statement:
            case ast.FunctionDef() | ast.ClassDef():
                return {0}, set()
            case ast.Raise():
                return set(), set()
            case ast.Return():
                return set(), self._expression(statement.value)
            case ast.If(test=test, body=body, orelse=orelse):
                first = self._expression(test)
                on, over = self._branches(test, body, orelse)
                return _added(first, on), _added(first, over)
            case ast.For() | ast.While():
                on, over = self.block(statement.body)
                return ({0} if on | over <= {0} else {0, MANY}), over - {0}
            case ast.With():
                on, over = self.block(statement.body)
                return on, over
            case ast.Try():
                return self.block(statement.body + statement.orelse + statement.finalbody)
        return self._expression(statement), set()

    def _branches(
        self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]
    ) -> tuple[Counts, Counts]:
        taken = self._truth(test)
        if taken is not None:
            return self.block(body if taken else orelse)
        one, other = self.block(body), self.block(orelse)
        return one[0] | other[0], one[1] | other[1]

    def _expression(self, node: ast.AST | None) -> Counts:
        if node is None:
            return {0}
        if isinstance(node, ast.Lambda):
            return {0}
        if isinstance(node, ast.IfExp):
            taken = self._truth(node.test)
            one, other = self._expression(node.body), self._expression(node.orelse)
            return one | other if taken is None else (one if taken else other)
        total: Counts = {1} if isinstance(node, ast.Call) and self._is_attention(node) else {0}
        for child in ast.iter_child_nodes(node):
            total = _added(total, self._expression(child))
        if isinstance(node, ast.ListComp | ast.GeneratorExp) and total != {0}:
            return {0, MANY}
        return total

    def _is_attention(self, call: ast.Call) -> bool:
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name not in CALLS:
            return False
        chosen = [word.value for word in call.keywords if word.arg == "backend"]
        # A constant is a backend of the processor's own, which `hidden_backend` does not know.
        return all(
            isinstance(value, ast.Name) or getattr(value, "attr", "") == "_attention_backend"
            for value in chosen
        )

    def _truth(self, test: ast.expr) -> bool | None:
        """Return what a condition is, where it only depends on what is known."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                value = self._truth(operand)
                return None if value is None else not value
            case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=None)]):
                found, value = self._value(left)
                if found and isinstance(op, ast.Is | ast.IsNot):
                    return (value is None) == isinstance(op, ast.Is)
                return None
        found, value = self._value(test)
        return bool(value) if found and isinstance(value, bool | int | None) else None

    def _value(self, node: ast.expr) -> tuple[bool, Any]:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in self._known:
                missing = object()
                value = getattr(self._known[name], attribute, missing)
                return value is not missing, value
        return False, None

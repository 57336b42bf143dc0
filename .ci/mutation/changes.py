"""The small changes that a test suite should catch, as text replacements in a source.

Not changed: annotations, docstrings, f-strings, asserts, logging calls, texts with a space in
them (wording), and everything outside functions.
"""

import ast
import hashlib
import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from fnmatch import fnmatch

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_UNORDERED = frozenset({"isinstance", "getattr", "hasattr", "partial", "max", "min"})
"""Functions whose swapped arguments change nothing, or fail at once."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Node = ast.expr | ast.stmt | ast.pattern
_NO_CONTEXT = "__import__('contextlib').nullcontext({})"


@dataclass(frozen=True, slots=True)
class FunctionText:
    """A function or method outside any other function.

    Attributes:
        name: its dotted name.
        first: the number of its first line.
        version: a digest of its text.
    """

    name: str
    first: int
    version: str

    @property
    def key(self) -> str:
        """Its name and version."""
        return f"{self.name}#{self.version}"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function.

    Attributes:
        number: the number of the line on which the change begins.
        line: that line's text.
        change: the old and the new text.
        source: the whole changed module; every function begins on the line it began on.
    """

    module: str
    function: FunctionText
    number: int
    line: str
    change: str
    source: str

    @property
    def name(self) -> str:
        """The function's dotted name."""
        return self.function.name

    @property
    def identity(self) -> tuple[str, str, str]:
        """Identifies the change in a list, even if the rest of the module changes."""
        return self.name, self.line, self.change

    def __str__(self) -> str:
        return f"{self.name}:{self.number}\n    {self.line}\n    {self.change}"


def functions(module: str, source: str) -> Iterator[FunctionText]:
    """The functions in `source`."""
    return (function for function, _ in _functions(module, source))


def mutants(module: str, source: str, patterns: Sequence[str] = ()) -> Iterator[Mutant]:
    """Every change of the functions in `source` whose dotted names match one of `patterns`."""
    lines = source.splitlines(keepends=True)
    for function, node in _functions(module, source):
        if patterns and not any(fnmatch(function.name, one) for one in patterns):
            continue
        for old, new in _changes(node):
            start = _offset(lines, old.lineno, old.col_offset)
            end = _offset(lines, old.end_lineno or 0, old.end_col_offset or 0)
            before = source[start:end]
            lost = "\n" * (before.count("\n") - new.count("\n"))
            padded = f"{new[:-1]}{lost})" if new.endswith(")") else new + lost
            changed = source[:start] + padded + source[end:]
            try:
                compile(changed, module, "exec", dont_inherit=True)
            except SyntaxError:
                continue  # such as a pattern that binds other names than its alternative
            yield Mutant(
                module,
                function,
                old.lineno,
                lines[old.lineno - 1].strip(),
                _difference(ast.unparse(old), new),
                changed,
            )


def _functions(module: str, source: str) -> Iterator[tuple[FunctionText, _Function]]:
    for name, node in _in_body(ast.parse(source).body, f"{module}."):
        text = ast.get_source_segment(source, node) or ""
        version = hashlib.sha256(text.encode()).hexdigest()[:8]
        yield FunctionText(name, node.lineno, version), node


def _in_body(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, _Function]]:
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name, node
            case ast.ClassDef():
                yield from _in_body(node.body, f"{prefix}{node.name}.")
            case ast.If() | ast.Try() | ast.With():
                yield from _in_body(node.body, prefix)
            case _:
                pass


def _changes(function: _Function) -> Iterator[tuple[_Node, str]]:
    """Nodes and their replacements."""
    for statement in function.body:
        if not _is_docstring(statement):
            yield from _walk(statement)


def _walk(node: ast.AST) -> Iterator[tuple[_Node, str]]:
    if _is_left_alone(node):
        return
    yield from _of_node(node)
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.arguments):
                continue
            if isinstance(child, ast.AST):
                yield from _walk(child)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr() | ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Raise(exc=ast.Call(func=ast.Name(id="AssertionError" | "NotImplementedError"))):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="_log"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="_log")))):
            return True
        case ast.Expr(value=ast.Constant()) | ast.Call(func=ast.Name(id="cast")) | ast.keyword(arg="mode"):
            return True  # the mode of pydantic's dump matters to few types
        case _:
            return False


def _of_node(node: ast.AST) -> Iterator[tuple[_Node, str]]:
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp() | ast.BinOp() | ast.Constant():
            yield from _of_expression(node)
        case ast.Call():
            yield from _of_call(node)
        case ast.Dict() | ast.List() | ast.Tuple() | ast.Set() if isinstance(
            getattr(node, "ctx", ast.Load()), ast.Load
        ):
            yield from _of_display(node)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if _is_plain(test):
            yield test, f"(not ({ast.unparse(test)}))"
        case ast.comprehension(ifs=[*tests]):
            yield from ((test, f"(not ({ast.unparse(test)}))") for test in tests if _is_plain(test))
        case ast.Match(cases=cases):
            for case in cases:
                if not (case is cases[-1] and _does_nothing(case.body[0])):
                    yield from _of_case(case)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            yield from (
                (one.context_expr, _NO_CONTEXT.format(ast.unparse(one.context_expr))) for one in items
            )
        case ast.stmt():
            yield from _of_statement(node)
        case _:
            pass


def _is_plain(test: ast.expr) -> bool:
    """Whether no change of the test itself negates it."""
    return not isinstance(test, ast.Compare | ast.UnaryOp | ast.Constant)


def _of_expression(node: ast.AST) -> Iterator[tuple[_Node, str]]:
    match node:
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                changed = copy(node)
                changed.ops = [*ops[:index], _Spelled(_COMPARISONS[type(op)]), *ops[index + 1 :]]
                yield node, f"({_unparse_comparison(changed)})"
        case ast.BoolOp(op=op, values=values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield node, f"({ast.unparse(ast.BoolOp(other, values))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"bool({ast.unparse(operand)})"
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            changed_op = copy(node)
            changed_op.op = _OPERATORS[type(op)]()
            yield node, f"({ast.unparse(changed_op)})"
        case ast.Constant(value=bool(value)):
            yield node, repr(not value)
        case ast.Constant(value=int() | float() as value):
            yield node, repr(value + 1)
        case ast.Constant(value=str(value)) if value and not re.search(r"\s", value):
            yield node, repr(f"XX{value}")
        case _:
            pass


class _Spelled(ast.cmpop):
    """A comparison's operator as text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


_SPELLING: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


def _unparse_comparison(node: ast.Compare) -> str:
    parts = [f"({ast.unparse(node.left)})"]
    for op, right in zip(node.ops, node.comparators, strict=True):
        parts += [op.text if isinstance(op, _Spelled) else _SPELLING[type(op)], f"({ast.unparse(right)})"]
    return " ".join(parts)


def _of_call(node: ast.Call) -> Iterator[tuple[_Node, str]]:
    for index, keyword in enumerate(node.keywords):
        if keyword.arg not in {None, "mode"} and not isinstance(getattr(keyword.value, "value", None), bool):
            fewer = copy(node)
            fewer.keywords = [*node.keywords[:index], *node.keywords[index + 1 :]]
            yield node, ast.unparse(fewer)
    for index in range(len(node.args) - 1):
        first, second = node.args[index : index + 2]
        if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
            if ast.dump(first) == ast.dump(second):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in _UNORDERED:
                continue
            swapped = copy(node)
            swapped.args = [*node.args[:index], second, first, *node.args[index + 2 :]]
            yield node, ast.unparse(swapped)


def _of_display(node: ast.AST) -> Iterator[tuple[_Node, str]]:
    """Displays with one entry fewer; tuples keep their length, because callers unpack them."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for index in range(len(keys)):
                yield (
                    node,
                    ast.unparse(
                        ast.Dict(
                            keys[:index] + keys[index + 1 :],
                            values[:index] + values[index + 1 :],
                        )
                    ),
                )
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for index in range(len(elements)):
                rest = elements[:index] + elements[index + 1 :]
                made = (
                    ast.List(rest, ast.Load()) if isinstance(node, ast.List) else ast.Tuple(rest, ast.Load())
                )
                yield node, ast.unparse(made)
        case ast.Set(elts=elements) if len(elements) > 1:
            for index in range(len(elements)):
                yield node, ast.unparse(ast.Set(elements[:index] + elements[index + 1 :]))
        case _:
            pass


def _does_nothing(statement: ast.stmt) -> bool:
    """Whether a caller that only tests the truth of the result sees no effect of it, or it must not be reached."""
    return ast.unparse(statement) in {"pass", "return None", "return False"} or _is_left_alone(statement)


def _of_case(case: ast.match_case) -> Iterator[tuple[_Node, str]]:
    if case.guard is None:
        yield case.pattern, "'no such value'"
    else:
        yield case.guard, "False"
        if _is_plain(case.guard):
            yield case.guard, f"(not ({ast.unparse(case.guard)}))"
    if isinstance(case.pattern, ast.MatchOr):
        patterns = case.pattern.patterns
        for index in range(len(patterns)):
            rest = patterns[:index] + patterns[index + 1 :]
            yield case.pattern, f"({' | '.join(ast.unparse(one) for one in rest)})"


def _of_statement(node: ast.stmt) -> Iterator[tuple[_Node, str]]:
    match node:
        case ast.Return(value=value) if value is None:
            yield node, "pass"
        case ast.Return(value=ast.Constant()):
            pass
        case ast.Return():
            yield node, "return None"
        case ast.Delete(targets=targets) if all(isinstance(one, ast.Name) for one in targets):
            pass  # only names that are not used
        case ast.Expr() | ast.Raise() | ast.AugAssign() | ast.Break() | ast.Continue() | ast.Delete():
            yield node, "pass"
        case ast.Assign(targets=targets) if all(
            isinstance(one, ast.Attribute | ast.Subscript) for one in targets
        ):
            yield node, "pass"
        case _:
            pass


def _offset(lines: list[str], number: int, column: int) -> int:
    """The offset of a position in the text; the parser counts columns in bytes."""
    before = lines[number - 1].encode()[:column].decode()
    return sum(map(len, lines[: number - 1])) + len(before)


def _difference(before: str, after: str) -> str:
    """The old and the new text; for long texts only the part that differs, with a little context."""
    before, after = " ".join(before.split()), " ".join(after.split())
    if max(len(before), len(after)) > 80:
        begin = max(0, _equal(before, after) - 20)
        end = max(0, _equal(before[begin:][::-1], after[begin:][::-1]) - 20)
        before, after = (f"…{text[begin : len(text) - end]}…" for text in (before, after))
    return f"{before}  ->  {after}"


def _equal(one: str, other: str) -> int:
    """The length of the texts' common prefix."""
    pairs = zip(one, other, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))

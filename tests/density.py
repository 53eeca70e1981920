"""Where a statement does more than one thing: a smoke alarm for code that a student would have to decode.

A unit is a statement, of a block its header alone; where the elements of a call or a display stand one a line, as the
layers of a network or the rows of a table do, each element is a unit of its own. So it makes no difference to the
measure where a long line is broken, but it does help to write a column.
"""

import ast
from collections.abc import Iterator

LIMIT = 5.0  # dense places in 100 units: published code that students read well has 0 to 5
MOST_OPERATIONS = 6  # in a unit

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
OPERATIONS = (
    ast.Call,
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.Subscript,
    ast.IfExp,
    ast.Lambda,
    ast.Starred,
    *COMPREHENSIONS,
)
HEADERS = {  # what of a block stands in its header
    ast.FunctionDef: ("args", "decorator_list"),
    ast.ClassDef: ("bases", "keywords", "decorator_list"),
    ast.For: ("target", "iter"),
    ast.While: ("test",),
    ast.If: ("test",),
    ast.With: ("items",),
    ast.Try: (),
    ast.Match: ("subject",),
}


def density(source: str) -> float:
    """Return the dense places in 100 units of a piece of code, 0 where there is none."""
    units = sum(1 for _ in _units(ast.parse(source)))
    return 100 * len(places(source)) / max(1, units)


def places(source: str) -> list[tuple[int, str]]:
    """Return the line of each dense place and what is dense there, from top to bottom."""
    tree = ast.parse(source)
    found = []
    for line, operations in _units(tree):
        if operations > MOST_OPERATIONS:
            found.append((line, f"{operations} operations in one statement"))
    for node in ast.walk(tree):
        for smells, name in SMELLS:
            if smells(node):
                found.append((node.lineno, name))
    lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    for line in sorted(set(lines)):
        if lines.count(line) > 1:
            found.append((line, "several statements in a line"))
    return sorted(found)


def _units(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Yield the line of each unit and the number of its operations."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt):
            continue
        if type(node) not in HEADERS:
            yield from _split([node], node.lineno)
            continue
        parts = []
        for field in HEADERS[type(node)]:
            value = getattr(node, field)
            if isinstance(value, ast.arguments):  # their types are read one by one
                value = [*value.defaults, *value.kw_defaults]
            parts += value if isinstance(value, list) else [value]
        parts = [part for part in parts if part is not None]
        yield from _split(parts, node.lineno)


def _split(parts: list[ast.AST], line: int) -> Iterator[tuple[int, int]]:
    """Count the operations of a unit without the elements that stand one a line, then those elements' own."""
    operations = 0
    column = []
    waiting = list(parts)
    while waiting:
        node = waiting.pop()
        operations += isinstance(node, OPERATIONS) and not _is_item(node)
        elements = _elements(node)
        if _stand_one_a_line(elements, node):
            column += elements
            waiting += [child for child in ast.iter_child_nodes(node) if not _within(child, elements)]
        else:
            waiting += ast.iter_child_nodes(node)
    yield line, operations
    for element in column:
        yield from _split([element], element.lineno)


def _is_item(node: ast.AST) -> bool:
    """x[0] and x[i] are read like a name."""
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant | ast.Name)


def _elements(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.Call):
        return [*node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node.elts
    if isinstance(node, ast.Dict):
        return node.values
    return []


def _stand_one_a_line(elements: list[ast.AST], node: ast.AST) -> bool:
    lines = {element.lineno for element in elements}
    return len(elements) > 1 and len(lines) == len(elements) and min(lines) > node.lineno


def _within(child: ast.AST, elements: list[ast.AST]) -> bool:
    return child in elements or (isinstance(child, ast.keyword) and child.value in elements)


def _packs(node: ast.AST) -> bool:
    """a, b = f(x), g(y): two statements in one; plain values, or the same act twice, are one thought."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
        return False
    if not isinstance(node.targets[0], ast.Tuple) or all(_plain(value) for value in node.value.elts):
        return False
    outlines = [_outline(value) for value in node.value.elts]
    return not (len(outlines) == 2 and outlines[0] == outlines[1])


def _plain(node: ast.AST) -> bool:
    """A name, an attribute, or a value written out."""
    if isinstance(node, ast.Name | ast.Attribute):
        return True
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _outline(node: ast.AST) -> str:
    """The form of an expression: which functions are called on what, without the other names and numbers."""
    if isinstance(node, ast.Name | ast.Constant):
        return "·"
    children = "".join(_outline(child) for child in ast.iter_child_nodes(node))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return f"{node.func.id}({children})"
    if isinstance(node, ast.Attribute):
        return f"{node.attr}({children})"
    return f"{type(node).__name__}({children})"


def _bare_tuple(node: ast.AST) -> bool:
    """down = nn.Conv2d(…), nn.ReLU(): a row of results that belong into a column, or to names of their own."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
        return False
    if isinstance(node.targets[0], ast.Tuple) or _stand_one_a_line(node.value.elts, node.value):
        return False
    elements = [value.value if isinstance(value, ast.Starred) else value for value in node.value.elts]
    return any(isinstance(element, ast.Call) for element in elements)


def _merges(node: ast.AST) -> bool:
    """settings | {"lr": 0.1}; a | b of masks or sets is another matter."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return isinstance(node.left, ast.Dict) or isinstance(node.right, ast.Dict | ast.DictComp)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitOr):
        return isinstance(node.value, ast.Dict | ast.DictComp)
    return False


def _unpacks(node: ast.AST) -> bool:
    """f(*zip(*rows)): the unpacked expression is plumbing; f(*inputs) is one thing taken apart."""
    if not isinstance(node, ast.Call):
        return False
    starred = [argument.value for argument in node.args if isinstance(argument, ast.Starred)]
    starred += [keyword.value for keyword in node.keywords if keyword.arg is None]
    return any(not isinstance(value, ast.Name | ast.Attribute) and not _is_item(value) for value in starred)


def _nests(node: ast.AST) -> bool:
    if not isinstance(node, COMPREHENSIONS):
        return False
    inner = [other for other in ast.walk(node) if isinstance(other, COMPREHENSIONS) and other is not node]
    return bool(inner) or len(node.generators) > 1


def _assigns_inside(node: ast.AST) -> bool:
    return isinstance(node, ast.NamedExpr)


SMELLS = [
    (_packs, "statements packed into a tuple"),
    (_bare_tuple, "a bare tuple of calls"),
    (_merges, "a merge of dictionaries"),
    (_unpacks, "an expression unpacked into a call"),
    (_nests, "a comprehension in a comprehension"),
    (_assigns_inside, "an assignment inside an expression"),
]

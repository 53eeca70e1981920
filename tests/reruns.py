"""Can a cell be run again and alone, as far as this is seen without running it? `again.py` runs each cell again.

A name that a cell reads must mean the same at the end of the lecture as when the cell ran. A function that is written
again under its name, as a lecture does when it needs more, is taken to mean the same.
"""

import ast
import re
import symtable
from dataclasses import dataclass, field

DEFINITION = ast.FunctionDef | ast.ClassDef
SEEDS = {"set_seed", "manual_seed"}
# functions and methods that draw, the helpers' own among them
DRAWS = re.compile(
    r"(rand|randn|randint|randperm|normal|bernoulli|poisson)(_|_like)?|multinomial|uniform_|exponential_|diffuse|sample"
)


@dataclass
class Names:
    """The names of a cell: those that it reads before it binds them itself, and those that it binds."""

    read: set[str] = field(default_factory=set)
    bound: dict[str, bool] = field(default_factory=dict)  # whether to a function or class and nothing else


def faults(nb) -> list[str]:
    """Return what keeps cells from being run again, one sentence each."""
    cells = [cell for cell in nb.cells if cell.cell_type == "code" and not re.search(r"^\s*[%!]", cell.source, re.M)]
    own = [cell for cell in cells if cell.id != "setup"]
    shared = [cell for cell in cells if cell.id == "setup"]
    return meaning_faults(own) + setup_faults(own, shared) + seed_faults(own)


def meaning_faults(cells) -> list[str]:
    """A name that a cell reads is bound by no later cell, nor by the cell itself afterwards."""
    found = []
    names = [names_of(cell.source) for cell in cells]
    for place, here in enumerate(names):
        for name in sorted(here.read):
            before = [each.bound[name] for each in names[:place] if name in each.bound]
            after = [number for number in range(place, len(cells)) if name in names[number].bound]
            written_again = all(before) and all(names[number].bound[name] for number in after)
            if before and after and not written_again:
                other = cells[after[0]].id
                found.append(f"cell {cells[place].id!r} reads {name}, to which cell {other!r} gives another meaning")
    return found


def setup_faults(cells, shared) -> list[str]:
    """No cell reads what only the set-up cell binds: it is the same for all lectures, and may change for all."""
    names = [names_of(cell.source) for cell in cells]
    bound = {name for each in names for name in each.bound}
    of_setup = {name for cell in shared for name in names_of(cell.source).bound} - bound
    found = []
    for cell, here in zip(cells, names):
        found += [
            f"cell {cell.id!r} reads {name}, which only the set-up binds" for name in sorted(here.read & of_setup)
        ]
    return found


def seed_faults(cells) -> list[str]:
    """What draws random numbers, outside functions, has a generator or stands below a seed in its cell."""
    found = []
    trees = [ast.parse(cell.source) for cell in cells]
    definitions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    seeding = SEEDS | {node.name for node in definitions if SEEDS & set(map(called, ast.walk(node)))}
    for cell, tree in zip(cells, trees):
        for call in calls_in_order(tree):
            if called(call) in seeding:
                break
            drawn = isinstance(call.func, ast.Attribute) and DRAWS.fullmatch(called(call))
            if drawn and not any(keyword.arg == "generator" for keyword in call.keywords):
                found.append(f"cell {cell.id!r}, line {call.lineno}: {called(call)} draws without a seed")
    return found


def called(node: ast.AST) -> str:
    """Return the name of the function or method that a call calls, else ""."""
    function = getattr(node, "func", None)
    return getattr(function, "attr", getattr(function, "id", ""))


def calls_in_order(tree: ast.AST) -> list[ast.Call]:
    """Return the calls outside functions and classes, in the order in which they end."""
    found = []
    waiting = list(ast.iter_child_nodes(tree))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            found.append(node)
        if not isinstance(node, DEFINITION | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return sorted(found, key=lambda call: (call.end_lineno, call.end_col_offset))


def names_of(source: str) -> Names:
    """Return the names of a cell; what its functions read from outside counts as read, where it binds it nowhere."""
    reader = Reader()
    reader.visit(ast.parse(source))
    outside = borrowed(symtable.symtable(source, "cell", "exec"))
    inner = {name for _, name in outside if name not in reader.names.bound}
    reader.names.read |= inner
    return reader.names


class Reader(ast.NodeVisitor):
    """Follows a cell in the order in which it runs, without the bodies of its functions."""

    def __init__(self):
        self.names = Names()
        self.own: list[set[str]] = []  # what the comprehensions around bind

    def bind(self, name: str, definition: bool = False) -> None:
        self.names.bound[name] = definition and self.names.bound.get(name, True)

    def visit_Name(self, node):
        if any(node.id in own for own in self.own):
            return
        if not isinstance(node.ctx, ast.Load):
            self.bind(node.id)
        elif node.id not in self.names.bound:
            self.names.read.add(node.id)

    def visit_in_turn(self, *parts):
        for part in parts:
            for node in part if isinstance(part, list) else [part]:
                if node is not None:
                    self.visit(node)

    def visit_Assign(self, node):
        self.visit_in_turn(node.value, node.targets)

    def visit_AnnAssign(self, node):
        self.visit_in_turn(node.value, node.target)

    def visit_AugAssign(self, node):
        read = ast.Name(node.target.id, ast.Load()) if isinstance(node.target, ast.Name) else None
        self.visit_in_turn(read, node.value, node.target)

    def visit_For(self, node):
        self.visit_in_turn(node.iter, node.target, node.body, node.orelse)

    def visit_Import(self, node):
        for alias in node.names:
            self.bind((alias.asname or alias.name).partition(".")[0], definition=True)

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node):
        self.visit_in_turn(node.decorator_list, node.args.defaults, node.args.kw_defaults)
        self.bind(node.name, definition=True)

    def visit_ClassDef(self, node):
        self.visit_in_turn(node.decorator_list, node.bases)
        self.bind(node.name, definition=True)

    def visit_Lambda(self, node):
        self.visit_in_turn(node.args.defaults, node.args.kw_defaults)

    def visit_comprehension_of(self, node):
        generators = node.generators
        self.visit(generators[0].iter)
        targets = [name for generator in generators for name in ast.walk(generator.target)]
        self.own.append({name.id for name in targets if isinstance(name, ast.Name)})
        rest = [generator.iter for generator in generators[1:]]
        tests = [test for generator in generators for test in generator.ifs]
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self.visit_in_turn(rest, tests, elements)
        self.own.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_of


def borrowed(table, function: str | None = None) -> set[tuple[str, str]]:
    """Return (function, name) for each name that a function reads from the notebook."""
    found = set()
    for child in table.get_children():
        inside = function
        if child.get_type() == "function" and not re.search("comp$|comp>$|genexpr", child.get_name()):
            inside = child.get_name()
        if inside and child.get_type() == "function":
            found |= {(inside, symbol.get_name()) for symbol in child.get_symbols() if symbol.is_global()}
        found |= borrowed(child, inside)
    return found

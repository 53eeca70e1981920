"""Which code of `utils/` a lecture reaches, so that a changed helper reruns the lectures that use it and no others.

Reach is read from the source, without running it, and errs on the side of too much:

- a name that a cell or a reached definition uses reaches the definition of that name, in whichever module it stands;
- a class or a constant is reached whole;
- a module that is used in any other way than `module.name` is reached whole;
- what runs when a module is imported, beside definitions and imports, is reached with the module;
- code that looks names up while it runs (`globals()`, `help(…)`) reaches all of `utils/`.

Comments, docstrings and layout of the helpers do not count: they cannot change what a lecture prints.
"""

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = "utils"
WHOLE = ""  # as a name in a place: all of the module
IMPORT = "import"  # as a name in a place: what importing the module runs
LOOKS_UP = {"globals", "vars", "exec", "eval", "help", "__import__", "import_module", "getsource", "__doc__"}
LOOKS_UP_BY_ATTRIBUTE = LOOKS_UP - {"eval"}  # model.eval() is PyTorch's

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
IMPORTS = ast.Import | ast.ImportFrom
Place = tuple[str, str]  # a module, such as "utils.plot", and a name in it
Bound = dict[str, Place]  # for names in a piece of code, the places for which they stand


@dataclass(frozen=True)
class Piece:
    """A part of the helpers: its code without comments and docstrings, and the places that it names."""

    code: str
    places: frozenset[Place] = frozenset()


@dataclass
class Module:
    """A module of the helpers, taken apart."""

    text: str
    body: list[ast.stmt]
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    loose: list[ast.stmt] = field(default_factory=list)  # what importing the module runs
    imports: Bound = field(default_factory=dict)  # names that stand for something elsewhere in `utils`


def reached(root: Path, sources: Iterable[str]) -> list[str]:
    """Return the code of `root/utils` that pieces of Python reach, in an order that depends on nothing else."""
    helpers = read(root)
    found: dict[Place, list[Piece]] = {}
    waiting = list(helpers.named("\n".join(sources)))
    while waiting:
        place = waiting.pop()
        if place in found:
            continue
        found[place] = helpers.pieces(place)
        for piece in found[place]:
            waiting += piece.places
    lines = []
    for place in sorted(found):
        lines += [f"{place}: {piece.code}" for piece in found[place]]
    return lines


def read(root: Path) -> "Helpers":
    """Take the helpers of a checkout apart, once for each state of their files."""
    texts = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        texts[name] = path.read_text(encoding="utf-8")
    return helpers_of(tuple(texts.items()))


@functools.lru_cache(maxsize=4)
def helpers_of(texts: tuple[tuple[str, str], ...]) -> "Helpers":
    return Helpers(dict(texts))


class Helpers:
    """The modules of `utils/`, and the pieces of them that stand at a place."""

    def __init__(self, texts: dict[str, str]):
        self.modules = {name: Module(text, ast.parse(text).body) for name, text in texts.items()}
        self.known: dict[Place, list[Piece]] = {}
        for name, module in self.modules.items():
            self.sort(name, module)

    def sort(self, name: str, module: Module) -> None:
        """Sort the top level of a module into definitions, imports, and what importing it runs."""
        for node in module.body:
            drop_docstrings(node)
            for defined in defines(node):
                module.definitions.setdefault(defined, []).append(node)
            if runs_on_import(node):
                module.loose.append(node)
            if isinstance(node, IMPORTS):
                module.imports.update(self.bound_by(node, name))

    def named(self, source: str) -> frozenset[Place]:
        """Return the places that a lecture's code names; what cannot be read as Python reaches everything."""
        try:
            return self.places(ast.parse(source), "", {})
        except SyntaxError:
            return frozenset({(PACKAGE, WHOLE)})

    def pieces(self, place: Place) -> list[Piece]:
        """Return what stands at a place: each piece names the places that it needs in turn."""
        if place not in self.known:
            self.known[place] = self.find(place)
        return self.known[place]

    def find(self, place: Place) -> list[Piece]:
        name, defined = place
        if name == PACKAGE and defined == WHOLE:
            return [Piece(module.text) for module in self.modules.values()]
        module = self.modules.get(name)
        if module is None:
            return []
        if defined == IMPORT:
            elsewhere = {(other, IMPORT) for other, _ in module.imports.values()}
            return [Piece("", frozenset(elsewhere)), *self.cut(module.loose, name)]
        if defined == WHOLE:
            everything = {(name, each) for each in (IMPORT, *module.definitions)}
            return [Piece("", frozenset(everything))]
        if defined in module.imports:
            return [Piece("", frozenset({module.imports[defined], (name, IMPORT)}))]
        return [Piece("", frozenset({(name, IMPORT)})), *self.cut(module.definitions.get(defined, []), name)]

    def cut(self, nodes: list[ast.stmt], name: str) -> list[Piece]:
        """Return statements of a module as pieces."""
        module = self.modules[name]
        bound = {defined: (name, defined) for defined in module.definitions}
        bound.update(module.imports)
        return [Piece(ast.dump(node), self.places(node, name, bound)) for node in nodes]

    def places(self, node: ast.AST, module: str, bound: Bound) -> frozenset[Place]:
        """Return the places that a piece of code names; its own imports say what they stand for, too."""
        inside = self.bound_by(node, module)
        names = Names({**bound, **inside}, self.modules)
        names.visit(node)
        names.found |= {(imported, IMPORT) for imported, _ in inside.values()}
        if any(name in bound and bound[name] != place for name, place in inside.items()):
            names.found.add((PACKAGE, WHOLE))  # the same name stands for two things: too clever to follow
        return frozenset(names.found)

    def bound_by(self, node: ast.AST, module: str) -> Bound:
        """Return the names that the imports in a piece of code bind to something in `utils`."""
        found = {}
        for statement in ast.walk(node):
            if isinstance(statement, ast.Import):
                found.update(bound_by_import(statement))
            if isinstance(statement, ast.ImportFrom):
                found.update(self.bound_by_from(statement, module))
        return found

    def bound_by_from(self, statement: ast.ImportFrom, module: str) -> Bound:
        """`from utils import plot` binds a module, `from utils.plot import curves` a name in it."""
        source = absolute(statement, module)
        if source.partition(".")[0] != PACKAGE:
            return {}
        found = {}
        for alias in statement.names:
            inner = f"{source}.{alias.name}"
            place = (inner, WHOLE) if inner in self.modules else (source, alias.name)
            found[alias.asname or alias.name] = place
        if "*" in found:
            found["*"] = (PACKAGE, WHOLE)
        return found


class Names(ast.NodeVisitor):
    """Collects the places that a piece of code names."""

    def __init__(self, bound: Bound, modules: dict[str, Module]):
        self.bound = bound
        self.modules = modules
        self.found: set[Place] = set()

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in LOOKS_UP:
            self.found.add((PACKAGE, WHOLE))
        if node.id in self.bound:
            self.found.add(self.bound[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in LOOKS_UP_BY_ATTRIBUTE:
            self.found.add((PACKAGE, WHOLE))
        module = self.module(node.value)
        if module is None:
            self.visit(node.value)
            return
        inner = f"{module}.{node.attr}"
        self.found.add((inner, WHOLE) if inner in self.modules else (module, node.attr))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if any(alias.name == "*" for alias in node.names) and "*" in self.bound:
            self.found.add(self.bound["*"])

    def module(self, node: ast.expr) -> str | None:
        """Return the module of the helpers for which an expression stands."""
        if isinstance(node, ast.Name):
            module, name = self.bound.get(node.id, ("", ""))
            return module if module and name == WHOLE else None
        if isinstance(node, ast.Attribute):
            inner = f"{self.module(node.value)}.{node.attr}"
            return inner if inner in self.modules else None
        return None


def bound_by_import(statement: ast.Import) -> Bound:
    """`import utils.plot` binds `utils`; `import utils.plot as p` binds the module."""
    found = {}
    for alias in statement.names:
        if alias.name.partition(".")[0] == PACKAGE:
            module = alias.name if alias.asname else PACKAGE
            found[alias.asname or PACKAGE] = (module, WHOLE)
    return found


def absolute(statement: ast.ImportFrom, module: str) -> str:
    """Return the module from which a statement imports; `from . import plot` in utils.train imports from utils."""
    if not statement.level:
        return statement.module or ""
    above = module.split(".")[: -statement.level] or [PACKAGE]
    return ".".join([*above, statement.module or ""]).rstrip(".")


def defines(node: ast.stmt) -> list[str]:
    """Return the names that a statement at the top of a module defines."""
    if isinstance(node, FUNCTION | ast.ClassDef):
        return [node.name]
    if isinstance(node, IMPORTS):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    return [name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]


def runs_on_import(node: ast.stmt) -> bool:
    """Say whether a statement does more than to give names: it then counts as soon as its module is imported."""
    if isinstance(node, FUNCTION | ast.ClassDef):
        return node.name.startswith("__")  # Python itself calls a module's __getattr__
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)  # the module's docstring
    if isinstance(node, ast.Assign):
        return not all(isinstance(target, ast.Name) for target in node.targets)
    if isinstance(node, ast.AnnAssign):
        return not isinstance(node.target, ast.Name)
    return not isinstance(node, IMPORTS)


def drop_docstrings(node: ast.AST) -> None:
    """Take the docstrings out of a definition and of those in it."""
    for inner in ast.walk(node):
        if isinstance(inner, FUNCTION | ast.ClassDef) and ast.get_docstring(inner, clean=False) is not None:
            inner.body = inner.body[1:]

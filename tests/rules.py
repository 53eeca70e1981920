"""The house rules of a lecture: each function takes a notebook and returns its faults, one sentence each."""

import ast
import io
import re
import symtable
import tokenize

import author
import catalog
import density
import reruns

TAGS = {"hide-cell", "hide-input", "remove-cell", "raises-exception"}
CHINESE = r"[一-鿿]"
LABELS = ("The question.", "What you will have built.", "The route.", "Read before.")  # they open a lecture
PREDICT = "Predict."
COLUMNS = 80  # of code, which then fits the width of a page
NOT_REWRITTEN = {  # lectures that do not keep the rules of `reading_faults` yet; this list only shrinks
    "diffusion/ddim-samplers",
    "diffusion/ddpm-parameterizations",
    "diffusion/diffusion-vs-autoregression",
    "diffusion/forward-process",
    "diffusion/guidance",
    "diffusion/latent-diffusion",
    "diffusion/ode-samplers",
    "diffusion/text-to-image",
}


def prose(nb) -> str:
    """All Markdown of a lecture without code and formulas."""
    return catalog.words("\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown"))


def file_faults(nb) -> list[str]:
    """As a file: format, ids, kernel, nothing stored."""
    faults = []
    if (nb.nbformat, nb.nbformat_minor) != (4, 5):
        faults.append(f"the format is {nb.nbformat}.{nb.nbformat_minor}, not 4.5")
    if nb.metadata.get("kernelspec", {}).get("name") != "python3":
        faults.append("the kernel is not python3")
    if set(nb.metadata) - {"kernelspec", "language_info"}:
        faults.append(f"the metadata holds {sorted(nb.metadata)}")
    ids = [cell.id for cell in nb.cells]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        faults.append(f"two cells are called {name!r}")
    for cell in nb.cells:
        if re.fullmatch(r"[0-9a-f]{6,}(-.*)?", cell.id) or not re.fullmatch(r"[a-z0-9-]{2,40}", cell.id):
            faults.append(f"cell {cell.id!r}: the id is not a readable name")
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count):
            faults.append(f"cell {cell.id!r}: outputs are stored")
        for tag in set(cell.metadata.get("tags", [])) - TAGS:
            faults.append(f"cell {cell.id!r}: the tag {tag!r} is not one of {sorted(TAGS)}")
    return faults


def shared_faults(nb, path: str, url: str) -> list[str]:
    """The cells that are the same everywhere: the link to Colab and the setup."""
    faults, cells = [], {cell.id: cell for cell in nb.cells}
    expected = {
        "colab": (author.colab_source(url, path), "remove-cell"),
        "setup": (author.setup_source(url), "hide-cell"),
    }
    for name, (source, tag) in expected.items():
        if name not in cells:
            faults.append(f"there is no cell {name!r}")
        elif cells[name].source != source:
            faults.append(f"cell {name!r} is not the shared one for {url}")
        elif cells[name].metadata.get("tags") != [tag]:
            faults.append(f"cell {name!r} lacks the tag {tag!r}")
    if len(nb.cells) > 1 and nb.cells[1].id != "colab":
        faults.append("the second cell is not the link to Colab")
    return faults


def anatomy_faults(nb) -> list[str]:
    """The parts that every lecture has."""
    faults, text = [], prose(nb)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    source = "\n".join(cell.source for cell in code)
    headings = re.findall(r"^(#+) +(.+)$", text, re.M)
    levels = [len(marks) for marks, _ in headings]
    if not nb.cells[0].source.startswith("# ") or levels.count(1) != 1:
        faults.append("there must be one title, at the top")
    if any(after - before > 1 for before, after in zip(levels, levels[1:])):
        faults.append("a level of headings is skipped")
    summary = re.search(r'<details lang="zh"><summary>.*?</summary>(.*?)</details>', text, re.S)
    count = len(re.findall(CHINESE, summary[1])) if summary else 0
    if count < 80:
        faults.append(f"the Chinese summary has {count} characters, fewer than 80")
    if not re.search(r"^\s*(?:assert\b|(?:torch|np)\.testing\.assert_)", source, re.M):
        faults.append("there is no assertion")
    if not re.search(r"^\s*(?:explore|animate)\(", source, re.M):
        faults.append("there is no explorer")
    exercises = len(re.findall(r"^#+ +Exercise \d", text, re.M))
    solutions = [cell for cell in code if cell.source.startswith("# @title Solution")]
    if exercises < 2 or len(solutions) != exercises:
        faults.append(f"there are {exercises} exercises with {len(solutions)} solutions, not at least 2 of each")
    for cell in solutions:
        if cell.metadata.get("cellView") != "form" or "hide-cell" not in cell.metadata.get("tags", []):
            faults.append(f"cell {cell.id!r}: the solution is not folded")
    last = nb.cells[-1]
    if not re.match(r"## References", last.source) or not last.metadata.get("notes"):
        faults.append("the last cell is not the references, with `notes` in its metadata")
    return faults


def style_faults(nb) -> list[str]:
    """What would break elsewhere, or hides something."""
    faults, text = [], prose(nb)
    for term, _, chinese in catalog.BOLD.findall(text):
        if not chinese and term not in (*LABELS, PREDICT):
            faults.append(f"**{term}** is bold but defines no term: no Chinese follows")
    if re.search(r"^ *(?:```|:::)\{|\{[a-z:-]+\}`", "\n".join(c.source for c in nb.cells), re.M):
        faults.append("a MyST directive or role: Colab shows it raw")
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        if is_magic(cell):
            faults.append(f"cell {cell.id!r}: a magic or shell command, which not every notebook program runs")
            continue
        tree = ast.parse(cell.source)
        if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)):
            faults.append(f"cell {cell.id!r}: import *")
        if cell.id != "setup" and re.search(r"BOOK_|os\.environ|is_static", cell.source):
            faults.append(f"cell {cell.id!r}: asks for the scale other than by pick and get_scale")
        if re.search(r"except[^\n]*:\s*\n\s*pass|filterwarnings|simplefilter", cell.source):
            faults.append(f"cell {cell.id!r}: hides an error or a warning")
    return faults


def reading_faults(nb) -> list[str]:
    """What stops a student who reads the page alone: the rules of the style that a test can hold."""
    code = [cell for cell in nb.cells if cell.cell_type == "code" and cell.id != "setup" and not is_magic(cell)]
    return (
        opening_faults(nb)
        + prediction_faults(nb)
        + pick_faults(code)
        + layout_faults(code)
        + borrowing_faults(code)
        + density_faults(code)
    )


def opening_faults(nb) -> list[str]:
    """The question, what will have been built, the route, and what to read before, in this order."""
    text = prose(nb)
    places = [text.find(f"**{label}**") for label in LABELS]
    if -1 in places:
        return [f"the opening lacks **{label}**" for label, place in zip(LABELS, places) if place < 0]
    return [] if places == sorted(places) else [f"the opening is not in the order {', '.join(LABELS)}"]


def prediction_faults(nb) -> list[str]:
    """A prediction is a block quote that begins with **Predict.**; a cell of code and then a text follow."""
    faults = []
    for number, cell in enumerate(nb.cells):
        if cell.cell_type != "markdown":
            continue
        lines = [line for line in cell.source.splitlines() if re.search(r"\bPredict\b", line)]
        for line in lines:
            if not line.startswith(f"> **{PREDICT}** "):
                faults.append(f"cell {cell.id!r}: a prediction is not of the form '> **{PREDICT}** …'")
        following = [later.cell_type for later in nb.cells[number + 1 :]]
        if lines and not (following[:1] == ["code"] and "markdown" in following):
            faults.append(f"cell {cell.id!r}: no cell of code, or no text, follows the prediction")
    return faults


def pick_faults(code) -> list[str]:
    """`pick` stands in cells of settings, and its first one on the page has a comment that says what it is."""
    faults = []
    cells = [cell for cell in code if "pick(" in cell.source]
    for cell in cells:
        for node in ast.parse(cell.source).body:
            if not isinstance(node, ast.Assign | ast.Expr | ast.Import | ast.ImportFrom):
                faults.append(f"cell {cell.id!r}: pick stands beside more than settings (line {node.lineno})")
                break
    if cells and not re.search(r"#.*\bpick\b", cells[0].source):
        faults.append(f"cell {cells[0].id!r}: no comment says what pick is")
    return faults


def layout_faults(code) -> list[str]:
    """Lines that fit the page, one statement each; what draws is folded and shows its figure in plain sight."""
    faults = []
    for cell in code:
        for number, line in enumerate(cell.source.splitlines(), 1):
            if len(line) > COLUMNS:
                faults.append(f"cell {cell.id!r}: line {number} has {len(line)} characters, more than {COLUMNS}")
        tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
        if any(token.type == tokenize.OP and token.string == ";" for token in tokens):
            faults.append(f"cell {cell.id!r}: a semicolon")
        draws = re.search(r"^\s*(?:plt\.show|plot\.diagram|explore|animate)\(", cell.source, re.M)
        if draws and not {"hide-input", "hide-cell"} & set(cell.metadata.get("tags", [])):
            faults.append(f"cell {cell.id!r}: it draws, and is not folded (hide-input)")
    return faults


def borrowing_faults(code) -> list[str]:
    """A function takes what it uses: what it reads from outside is assigned once, and no function's parameter."""
    source = "\n\n".join(cell.source for cell in code)
    tree = ast.parse(source)
    assigned = [node.id for node in outside_functions(tree) if is_assigned(node)]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    parameters = {arg.arg for function in functions for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
    faults = []
    for function, name in sorted(reruns.borrowed(symtable.symtable(source, "lecture", "exec"))):
        if assigned.count(name) > 1:
            faults.append(f"{function} reads {name}, which is assigned more than once")
        elif name in parameters:
            faults.append(f"{function} reads {name} from outside, which elsewhere is a parameter")
    return faults


def outside_functions(node):
    """Yield the nodes that run when the notebook runs: all but those in functions and classes."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.ClassDef, ast.Lambda, *density.COMPREHENSIONS)):
            yield child
            yield from outside_functions(child)


def is_assigned(node) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def density_faults(code) -> list[str]:
    """A statement does one thing: see `density`."""
    source = "\n\n".join(cell.source for cell in code)
    if density.density(source) <= density.LIMIT:
        return []
    faults = [f"{density.density(source):.1f} dense places in 100 statements, more than {density.LIMIT:.0f}"]
    for cell in code:
        faults += [f"cell {cell.id!r}, line {line}: {what}" for line, what in density.places(cell.source)]
    return faults


def is_magic(cell) -> bool:
    return bool(re.search(r"^\s*[%!]", cell.source, re.M))


def output_faults(nb) -> list[str]:
    """Of an executed lecture: every figure has an alt text of its own, nothing was written to the error stream."""
    faults = []
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            image = any(kind.startswith("image/") for kind in output.get("data", {}))
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if image and len(alt) < 20:
                faults.append(f"cell {cell.id!r}: a figure without alt text")
            if output.output_type == "stream" and output.name == "stderr":
                faults.append(f"cell {cell.id!r}: wrote to the error stream: {output.text.strip()[:80]}")
            if output.output_type == "execute_result":
                faults.append(f"cell {cell.id!r}: echoes an object: {str(output.data.get('text/plain'))[:60]}")
    return faults


def faults(nb, path: str, url: str) -> list[str]:
    """All faults that can be seen without running the lecture."""
    found = file_faults(nb) + shared_faults(nb, path, url) + anatomy_faults(nb) + style_faults(nb)
    found += reruns.faults(nb)
    reading = reading_faults(nb)
    if path not in NOT_REWRITTEN:
        return found + reading
    return found if reading else [*found, "it keeps all rules: take it off the list NOT_REWRITTEN"]

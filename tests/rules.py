"""The house rules of a lecture: each function takes a notebook and returns its faults, one sentence each."""

import ast
import re

import author

TAGS = {"hide-cell", "hide-input", "remove-cell", "raises-exception"}
CHINESE = r"[一-鿿]"
NAMES = {  # what stays capital when it does not begin a sentence
    "Adam", "ControlNet", "DPM-Solver++", "ELBO", "FiLM", "Fréchet", "Heun's", "Hessian", "Jensen's", "Kaiming",
    "Nesterov", "Polyak", "RMS", "Robbins–Monro", "Tweedie's", "U-Net", "Xavier",
}  # fmt: skip
BOLD = re.compile(r"(?<![\*\\])\*\*(?!\s)([^*\n]+?)\*\*(\s*[（(]([^()（）]*[一-鿿][^()（）]*)[)）])?")


def prose(nb) -> str:
    """All Markdown of a lecture without code and formulas."""
    text = "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    text = re.sub(r"```.*?```|`[^`\n]*`", " ", text, flags=re.S)
    return re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " ", text, flags=re.S)


def terms(nb) -> dict[str, str]:
    """The terms that a lecture defines, in bold with their Chinese, such as {"momentum": "动量"}."""
    found = {term: chinese for term, _, chinese in BOLD.findall(prose(nb)) if chinese}
    return {term if term.split()[0] in NAMES else term[0].lower() + term[1:]: zh for term, zh in found.items()}


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
    summary = re.search(r'<details lang="zh">(.*?)</details>', text, re.S)
    count = len(re.findall(CHINESE, summary[1])) if summary else 0
    if not 120 <= count <= 200:
        faults.append(f"the Chinese summary has {count} characters, not 120 to 200")
    asserts = len(re.findall(r"^\s*(?:assert\b|(?:torch|np)\.testing\.assert_)", source, re.M))
    if asserts < 3:
        faults.append(f"there are {asserts} assertions, fewer than 3")
    if not re.search(r"^\s*(?:explore|animate)\(", source, re.M):
        faults.append("there is no explorer")
    if not re.search(r"^#+ .*claim check", text, re.M | re.I):
        faults.append("there is no claim check")
    exercises = len(re.findall(r"^#+ +Exercise \d", text, re.M))
    solutions = [cell for cell in code if cell.source.startswith("# @title Solution")]
    if not 3 <= exercises <= 5 or len(solutions) != exercises:
        faults.append(f"there are {exercises} exercises with {len(solutions)} solutions, not 3 to 5 of each")
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
    for term, _, chinese in BOLD.findall(text):
        if not chinese:
            faults.append(f"**{term}** is bold but defines no term: no Chinese follows")
    if re.search(r"^ *(?:```|:::)\{|\{[a-z:-]+\}`", "\n".join(c.source for c in nb.cells), re.M):
        faults.append("a MyST directive or role: Colab shows it raw")
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        lines = [line for line in cell.source.splitlines() if line.strip()]
        if len(lines) > 30:
            faults.append(f"cell {cell.id!r}: {len(lines)} lines of code are more than 30")
        if re.search(r"^\s*[%!]", cell.source, re.M):
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
    return file_faults(nb) + shared_faults(nb, path, url) + anatomy_faults(nb) + style_faults(nb)

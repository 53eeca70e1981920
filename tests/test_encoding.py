"""No file and no pipe is read or written in the encoding that a machine happens to have."""

import ast

import pytest
from conftest import ROOT

OURS = sorted([*ROOT.glob("book/_ext/**/*.py"), *ROOT.glob("utils/*.py")])
ALWAYS = {"read_text", "write_text"}
IN_TEXT = {"open", "fdopen", "NamedTemporaryFile", "TemporaryFile"}  # unless their mode is of bytes
OTHER = {"os.open", "Image.open", "gzip.open", "tarfile.open", "zipfile.open"}  # what they read is no text
RUNS = {"run", "Popen", "check_output"}


def unnamed(source: str) -> list[str]:
    """Return the calls of a program that leave it to the machine how text becomes bytes."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [ast.unparse(call) for call in calls if leaves_it(call)]


def leaves_it(call: ast.Call) -> bool:
    named = {keyword.arg for keyword in call.keywords}
    function = ast.unparse(call.func)
    name = function.rpartition(".")[2]
    if "encoding" in named or function in OTHER:
        return False
    if name in RUNS:
        return bool(named & {"text", "universal_newlines"})
    return name in ALWAYS or (name in IN_TEXT and not of_bytes(call))


def of_bytes(call: ast.Call) -> bool:
    """Is the mode of a file one of bytes? Temporary files are of bytes unless they are told otherwise."""
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    texts = [node.value for node in [*call.args, *modes] if isinstance(node, ast.Constant)]
    if any(isinstance(text, str) and "b" in text and len(text) <= 3 for text in texts):
        return True
    return "TemporaryFile" in ast.unparse(call.func) and not texts


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_text_has_an_encoding(path):
    assert unnamed(path.read_text(encoding="utf-8")) == []


def test_a_text_without_an_encoding_is_seen():
    bad = ["p.read_text()", "p.write_text('x')", "open(p)", "open(p, 'w')", "p.open()", "run(c, text=True)"]
    bad += ["tempfile.NamedTemporaryFile('w')", "subprocess.check_output(c, universal_newlines=True)"]
    assert unnamed("\n".join(bad)) == [ast.unparse(ast.parse(line)) for line in bad]
    good = ["p.read_text(encoding='utf-8')", "open(p, 'rb')", "p.open(mode='wb')", "run(c, capture_output=True)"]
    good += ["os.open(p, flags)", "tempfile.TemporaryFile()", "run(c, encoding='utf-8')"]
    assert unnamed("\n".join(good)) == []

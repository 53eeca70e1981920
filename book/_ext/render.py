"""Render the book from the cache of executed lectures: `render.py OUT`, at the scale that BOOK_SCALE names."""

import argparse
import hashlib
import os
import shutil
import sys
from pathlib import Path

from jupyter_book.sphinx import build_sphinx

import run

ROOT = Path(__file__).resolve().parents[2]


def render(
    out: Path,
    scale: str,
    source: Path = ROOT / "book",
    toc: Path = ROOT / "_toc.yml",
) -> int:
    """Build the site into `out`; returns 0, or another number when there was an error or a warning.

    Builds of one site wait for each other.
    """
    with run.alone(out.parent / f".{out.name}.lock"):
        return render_alone(out, scale, source, toc)


def render_alone(out: Path, scale: str, source: Path, toc: Path) -> int:
    """Build the site; no other process does.

    A stamp says that the last build came to its end, and what was on every page then. It is taken away while pages
    are written: after a build that failed or was killed, the next one writes all pages anew, and trusts no file.
    """
    os.chdir(ROOT)  # `_config.yml` names the extension relative to the root
    doctrees = out.parent / f".doctrees-{out.name}"
    stamp = doctrees / "frame.txt"
    if not stamp.exists():
        clear(out, doctrees)
    frame = frame_digest(toc)
    fresh = not stamp.exists() or stamp.read_text(encoding="utf-8") != frame
    stamp.unlink(missing_ok=True)
    if fresh:
        (out / "searchindex.js").unlink(missing_ok=True)  # Sphinx would keep the words of titles that are gone
    code = build_sphinx(
        source,
        out,
        path_config=ROOT / "_config.yml",
        confoverrides={
            "external_toc_path": str(toc),
            "book_scale": scale,
            "nitpicky": True,
            "templates_path": [],  # the theme adds to the list, even to Sphinx's own when there is no other
            "latex_individualpages": False,  # build_sphinx expects the key
        },
        noconfig=True,
        doctreedir=doctrees,
        force_all=fresh,
        freshenv=fresh,
        warningiserror=True,
        keep_going=True,
        quiet=True,
    )
    if code == 0:
        os.sync()  # so that also a power failure leaves no stamp beside half a site
        stamp.write_text(frame, encoding="utf-8")
    return code if isinstance(code, int) else 1


def clear(out: Path, doctrees: Path) -> None:
    """Remove what a build would take for whole because it is there; pages it writes anew."""
    for folder in (doctrees, out / "_images", out / "_static"):
        shutil.rmtree(folder, ignore_errors=True)


def frame_digest(toc: Path) -> str:
    """Return a hash of all that is on every page; Sphinx itself notices only changes of a page's own text."""
    from book_site import commit

    files = [toc]
    files += [ROOT / name for name in ("_config.yml", "constraints.txt", "package.json")]
    for folder in ("_static", "_ext"):
        files += sorted(path for path in (ROOT / "book" / folder).rglob("*.*") if path.is_file())
    digest = hashlib.sha256(commit().encode())
    for path in files:
        if path.suffix != ".pyc":
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    return render(parser.parse_args(argv).out.resolve(), run.named_scale())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Render the book from the cache of executed lectures: `build.py OUT`, at the scale that BOOK_SCALE names."""

import argparse
import hashlib
import os
import sys
from pathlib import Path

from jupyter_book.sphinx import build_sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book/_ext"))


def build(
    out: Path,
    scale: str,
    source: Path = ROOT / "book",
    toc: Path = ROOT / "_toc.yml",
    cache: str = "",
) -> int:
    """Build the site into `out`; returns 0, or another number when there was an error or a warning."""
    os.chdir(ROOT)  # `_config.yml` names the extension relative to the root
    options = {
        "external_toc_path": str(toc),
        "book_scale": scale,
        "book_cache": cache,
        "nitpicky": True,
    }
    options["latex_individualpages"] = False  # build_sphinx expects the key
    doctrees = out.parent / f".doctrees-{out.name}"
    stamp, frame = doctrees / "frame.txt", frame_digest(toc)
    fresh = not stamp.exists() or stamp.read_text(encoding="utf-8") != frame
    code = build_sphinx(
        source,
        out,
        path_config=ROOT / "_config.yml",
        confoverrides=options,
        noconfig=True,
        doctreedir=doctrees,
        force_all=fresh,
        freshenv=fresh,
        warningiserror=True,
        keep_going=True,
        quiet=True,
    )
    if code == 0:
        stamp.write_text(frame, encoding="utf-8")
    elif stamp.exists():
        stamp.unlink()  # the next build says again what is wrong
    return code if isinstance(code, int) else 1


def frame_digest(toc: Path) -> str:
    """Return a hash of all that is on every page; Sphinx itself notices only changes of a page's own text."""
    from lectures import commit

    files = [toc, ROOT / "_config.yml", ROOT / "constraints.txt", ROOT / "package.json"]
    files += sorted(p for folder in ("_static", "_ext") for p in (ROOT / "book" / folder).rglob("*.*") if p.is_file())
    digest = hashlib.sha256(commit().encode())
    for path in files:
        if path.suffix != ".pyc":
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    sys.exit(build(parser.parse_args().out.resolve(), os.environ.get("BOOK_SCALE", "book")))

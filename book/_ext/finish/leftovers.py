"""Take out of the site what an earlier build left there: pages that the book no longer has, figures that none shows."""

WITHOUT_SOURCE = {"index", "genindex", "search"}  # not written when nothing has changed


def conclude(site) -> None:
    names = site.documents | set(site.written) | WITHOUT_SOURCE
    for path in site.pages():
        name = path.relative_to(site.out).with_suffix("").as_posix()
        if name not in names:
            path.unlink()
    for path in site.out.rglob("*.frames.js"):  # a build that was killed may have left them without their page
        name = path.relative_to(site.out).as_posix().removesuffix(".frames.js")
        if name not in names:
            path.unlink()
    sources = site.out / "_sources"
    for path in sources.rglob("*.*"):
        name = path.relative_to(sources).with_suffix("").as_posix()
        if path.is_file() and name not in names:
            path.unlink()
    figures = {name.rpartition(".")[0] for name in site.images}
    for path in (site.out / "_images").glob("*.*"):
        if path.is_file() and path.stem not in figures:
            path.unlink()

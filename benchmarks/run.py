"""Print every benchmark as a table: `make bench`. Ratios are medians of runs taken in turn, on one thread."""

import lectures_and_build
import site_in_browser
import training


def main() -> None:
    for table in (training.tables, lectures_and_build.tables, site_in_browser.tables):
        for title, head, rows in table():
            show(title, head, rows)


def show(title: str, head: list[str], rows: list[list]) -> None:
    """Print a table with aligned columns."""
    lines = [head]
    for row in rows:
        lines.append([text(cell) for cell in row])
    widths = []
    for column in range(len(head)):
        widths.append(max(len(line[column]) for line in lines))
    print(f"\n{title}")
    for line in lines:
        aligned = [cell.ljust(width) for cell, width in zip(line, widths)]
        joined = "  ".join(aligned)
        print("  " + joined.rstrip(), flush=True)


def text(cell: object) -> str:
    """Return what stands in a cell: of a fraction three digits."""
    if isinstance(cell, float):
        return f"{cell:.3g}"
    return str(cell)


if __name__ == "__main__":
    main()

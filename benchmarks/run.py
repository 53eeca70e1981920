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
    rows = [head] + [[f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip(), flush=True)


if __name__ == "__main__":
    main()

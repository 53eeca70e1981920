"""Move the frames of a page's explorers into a script beside it, which book.js fetches when one comes near.

A script, because a page that is opened as a file may load scripts but not data.
"""

from sphinx.errors import ExtensionError

STATE = "application/vnd.jupyter.widget-state+json"
MOST = 900_000  # bytes of a page's explorers: 800 kB of pictures, and the widgets around them
HEAD = "window.bookFrames = "
TAIL = ";\n"


def context(page, context) -> None:
    """Take the script that holds the state of the widgets from the page, by its type."""
    scripts = context.get("script_files", [])
    states = [script for script in scripts if is_state(script)]
    page.frames.unlink(missing_ok=True)
    if not states:
        return
    context["script_files"] = [script for script in scripts if script not in states]
    state = states[0].attributes["body"]
    if len(state) > MOST:
        raise ExtensionError(
            f"The explorers of {page.name} weigh {len(state) / 1000:.0f} kB, but those of a page "
            f"may hold {MOST / 1000:.0f}: draw fewer or simpler frames."
        )
    page.frames.parent.mkdir(parents=True, exist_ok=True)
    page.frames.write_text(f"{HEAD}{state.strip()}{TAIL}", encoding="utf-8")
    context["metatags"] = context.get("metatags", "") + f'<meta name="book-frames" content="{page.frames.name}">\n'


def is_state(script) -> bool:
    """Does an entry of Sphinx's list of scripts hold the state of widgets?"""
    return getattr(script, "attributes", {}).get("type") == STATE

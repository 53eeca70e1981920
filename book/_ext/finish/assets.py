"""Copy the widget manager, with its fonts, from node_modules into the site: no page asks another host for anything."""

import json
import shutil
from pathlib import Path

from sphinx.errors import ExtensionError

PACKAGES = Path(__file__).resolve().parents[3] / "package.json"


def prepare(site) -> None:
    version = json.loads(PACKAGES.read_text(encoding="utf-8"))["dependencies"]
    target = site.static / "assets/widgets"
    stamp = target / "versions.json"
    if stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")) == version:
        return
    source = site.modules / "@jupyter-widgets/html-manager/dist"
    if not source.is_dir():
        raise ExtensionError("The browser assets are missing: `make book` installs them with npm.")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in [source / "embed.js", *source.glob("*.woff2")]:
        shutil.copy(path, target)
    stamp.write_text(json.dumps(version), encoding="utf-8")

"""Where the README says that the book runs: each pinned package accepts each Python, and the workflows try them."""

import importlib.metadata
import re

import keys
import pytest
import yaml
from conftest import ROOT
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name


def promised() -> list[str]:
    """Return the versions of Python that the README promises, such as "3.11"."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first, last = re.search(r"Python 3\.(\d+) to 3\.(\d+)", text).groups()
    return [f"3.{minor}" for minor in range(int(first), int(last) + 1)]


def refused(distributions, versions: list[str]) -> list[str]:
    """Return a text for each package that does not accept the first release of a version of Python."""
    faults = []
    for distribution in distributions:
        wanted = distribution.metadata.get("Requires-Python") or ""
        name = f"{distribution.name} {distribution.version}"
        faults += [
            f"{name} wants Python {wanted}, not {version}.0" for version in versions if not fits(wanted, version)
        ]
    return faults


def fits(wanted: str, version: str) -> bool:
    return SpecifierSet(wanted).contains(f"{version}.0")


def pinned() -> list[importlib.metadata.Distribution]:
    """Return the packages that the book pins, as far as they are installed on this system."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in keys.PIN_FILES]
    names = set().union(*map(keys.pinned, texts))
    installed = importlib.metadata.distributions()
    return [distribution for distribution in installed if canonicalize_name(distribution.name) in names]


def test_every_package_accepts_every_python_that_the_readme_promises():
    found = pinned()
    assert len(found) > 100
    assert refused(found, promised()) == []


@pytest.mark.parametrize("wanted", [">=3.11.5", ">=3.12", "<3.13", "!=3.12.0"])
def test_a_package_that_refuses_one_is_seen(tmp_path, wanted):
    folder = tmp_path / "late-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: late\nVersion: 1.0\nRequires-Python: {wanted}\n")
    faults = refused(importlib.metadata.distributions(path=[str(tmp_path)]), promised())
    assert len(faults) == 1
    assert faults[0].startswith(f"late 1.0 wants Python {wanted}, not 3.1")


def test_the_workflow_runs_the_tests_under_every_python_that_the_readme_promises():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == promised()

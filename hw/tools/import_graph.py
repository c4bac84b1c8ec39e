"""The packages of the generator, their files, and who imports whom.

For docs/architecture.md: ``mixdit dev packages`` writes them between its markers.
"""

import ast
from pathlib import Path

from commands.checkout import require_checkout
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import make_console

ROOT = Path(__file__).resolve().parents[2]

PAGE = ROOT / "docs" / "architecture.md"

TOP = "hw"
"""The package of the files that stand in no package below."""

MARKERS = ("<!-- packages of hw/: `mixdit dev packages` -->\n", "<!-- end -->\n")


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Return the generator's files by their dotted names, ``__init__`` left out."""
    return {".".join(path.relative_to(root).with_suffix("").parts): path
            for path in sorted((root / TOP).rglob("*.py")) if path.name != "__init__.py"}


def package_of(module: str) -> str:
    """Return the package of a module: "hw.array" of "hw.array.mac_cell", "hw" of "hw.engines"."""
    return module.rpartition(".")[0]


def imports(module: str, path: Path) -> set[str]:
    """Return the modules of the generator that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[:-node.level] if node.level else []
            source = ".".join(filter(None, [*base, node.module]))
            found |= {source} | {f"{source}.{alias.name}" for alias in node.names}
    return found & set(modules())


def arrows() -> dict[str, set[str]]:
    """Return the packages that each package imports, itself left out."""
    result = {package_of(module): set() for module in modules()}
    for module, path in modules().items():
        for imported in imports(module, path):
            result[package_of(module)].add(package_of(imported))
    return {package: others - {package} for package, others in result.items()}


def in_order() -> list[str]:
    """Return the packages so that each stands below all that it imports.

    Raises
    ------
    ValueError
        If packages import each other in a circle, naming them.
    """
    left, order = arrows(), []
    while left:
        ready = sorted(package for package, others in left.items() if others <= set(order))
        if not ready:
            raise ValueError(f"{', '.join(sorted(left))} import each other in a circle")
        order += ready
        left = {package: others for package, others in left.items() if package not in ready}
    return order


def listing() -> str:
    """Return the packages and their files in Markdown, each package below all that it imports."""
    order, others = in_order(), arrows()
    parts = []
    for package in order:
        path = ROOT / package.replace(".", "/") / "__init__.py"
        imported = ", ".join(f"`{_short(other)}`" for other in order if other in others[package])
        imported = imported or "none of these"
        rows = [f"| `{module.rpartition('.')[2]}` | {_head(file)} |"
                for module, file in modules().items() if package_of(module) == package]
        parts += [f"**`{_short(package)}`**: {_head(path)} Imports: {imported}.\n",
                  "\n".join(["| file | holds |", "|---|---|", *rows]) + "\n"]
    return "\n".join(parts)


def _head(path: Path) -> str:
    """Return the first sentence or line of a file's docstring, in one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def page_text() -> str:
    """Return the page with the table of today.

    Raises
    ------
    ValueError
        If the page does not have both markers, in order.
    """
    text = PAGE.read_text(encoding="utf-8")
    head, begin, rest = text.partition(MARKERS[0])
    _, end, tail = rest.partition(MARKERS[1])
    if not (begin and end):
        raise ValueError(f"{PAGE.name} lacks the markers between which the table stands")
    return f"{head}{begin}\n{listing()}\n{end}{tail}"


def _short(package: str) -> str:
    return f"{package.removeprefix(f'{TOP}.')}/"


def main() -> None:
    """Write the packages and their files in docs/architecture.md.

    Example: mixdit dev packages
    """
    with sentences("Interrupted: the page is as it was."):
        require_checkout()
        check_file(PAGE)
        changed = write_if_changed(PAGE, page_text())
    make_console().print(f"{PAGE.relative_to(ROOT)}: {'written' if changed else 'unchanged'}")

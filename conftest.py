"""Which tests run: all of them, or what ``--selection`` names in `selection.toml`."""

import gc

from sim_tests import selection


def pytest_addoption(parser) -> None:
    """Take the name of a selection, and which turn of it."""
    group = parser.getgroup("selection")
    group.addoption("--selection", choices=sorted(selection.read()),
                    help="run what selection.toml says; without it everything")
    group.addoption("--turn", type=int, help="which turn (default: the day, counted from 1970)")
    group.addoption("--every-turn", action="store_true", help="run only what is in every turn")


def pytest_configure(config) -> None:
    """Choose the turn once, for all workers."""
    if config.option.turn is None:  # workers get the options of the process that started them
        config.option.turn = selection.today()


def pytest_report_header(config) -> str:
    """Print what a rerun needs."""
    name = config.option.selection
    if not name:
        return "selection: everything"
    turn = "--every-turn" if config.option.every_turn else f"--turn={config.option.turn}"
    return f"selection: {name} {turn}"


def pytest_collection_modifyitems(config, items) -> None:
    """Leave out what is not in this turn of the selection; begin with what takes longest."""
    name = config.option.selection
    if name is None:
        return
    chosen = selection.read()[name]
    turn = None if config.option.every_turn else config.option.turn
    kept = chosen.choose([item.nodeid for item in items], turn)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in kept])
    items[:] = sorted((item for item in items if item.nodeid in kept),
                      key=lambda item: chosen.rank(item.nodeid))


def pytest_collection(session) -> None:
    """Keep the garbage collector out of what is only read in: it takes a third of the time."""
    gc.disable()


def pytest_collection_finish(session) -> None:
    """Collect garbage from now on, but never look through modules and tests again."""
    gc.freeze()
    gc.enable()

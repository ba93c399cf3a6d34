import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hartley.report import write_report

# The module that makes small runs must be found by name.
sys.path.insert(0, str(Path(__file__).parent))

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The module that writes made-up runs."""
    return _module("made_run")


@pytest.fixture(scope="session")
def system() -> ModuleType:
    """The module that adds trials of systems to a made-up run."""
    return _module("made_system")


@pytest.fixture(scope="session")
def run_folder(made: ModuleType, system: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole made-up run; tests read it and leave it as it is."""
    return system.add(made, made.write(tmp_path_factory.mktemp("made") / "run"))


@pytest.fixture(scope="session")
def report_file(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the made-up run; its name needs quoting in an address."""
    return write_report(run_folder, tmp_path_factory.mktemp("page") / "a report & more.html")


@pytest.fixture(scope="session")
def page(report_file: Path) -> str:
    """That report's text."""
    return report_file.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser, or a skip that says what is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed, so the report is not opened in a browser")
    path = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium on PATH, so the report is not opened in a browser")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Any:
    """Opens a file and gives (page, what happened): dialogs, requests beyond the file, messages, new windows.

    With `run` the file is that run's report, written first.
    """
    contexts = []

    def open_file(path: Path, run: Path | None = None, **settings: Any) -> tuple[Any, list[str]]:
        if run is not None:
            write_report(run, path)
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        events: list[str] = []
        page = context.new_page()

        def dialog(box: Any) -> None:
            events.append(f"dialog {box.message}")
            box.dismiss()

        page.on("dialog", dialog)
        page.on("console", lambda message: events.append(f"console {message.text}"))
        page.on("pageerror", lambda error: events.append(f"error {error}"))
        page.on("popup", lambda _: events.append("popup"))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith("data:image/png") or request.url == path.as_uri() else events.append(request.url[:200])
            ),
        )
        page.goto(path.as_uri())
        return page, events

    yield open_file
    for context in contexts:
        context.close()

"""A JupyterLab server and the page that drives it, for browser tests and for screenshots.

For example:

    with lab_server(folder) as server, chromium() as browser, open_lab(server, browser) as lab:
        lab.open("01_first_steps.ipynb")
        lab.run_all()
        lab.screenshot("first_steps.png")
"""

import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
START_SECONDS = 60


def unavailable():
    """Why there can be no browser here, or None."""
    if not shutil.which("chromium"):
        return "no chromium on the PATH (Debian: apt-get install chromium)"
    if not importlib.util.find_spec("playwright"):
        return "playwright is not installed (pip install -e '.[browser]')"
    return None


# The server


@dataclass(frozen=True)
class LabServer:
    """A running server: its notebooks are in `notebooks`, its user settings in `settings`."""

    url: str
    token: str
    notebooks: Path
    settings: Path

    def set(self, plugin, **values):
        """User settings of `plugin`, for the pages opened from now on."""
        extension, name = plugin.split(":")
        file = self.settings / extension / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))

    def set_theme(self, theme):
        self.set("@jupyterlab/apputils-extension:themes", theme=THEMES[theme])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def copy_notebooks(source, target):
    ignored = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
    if source is not None and Path(source).is_dir():
        shutil.copytree(source, target, ignore=ignored)
    else:
        target.mkdir()


def own_folders(home):
    """Environment variables that keep the server away from the user's settings and history."""
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return {variable: str(home / folder) for variable, folder in names.items()}


def server_command(server, port):
    return [
        sys.executable,
        *("-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        f"--ServerApp.root_dir={server.notebooks}",
        f"--IdentityProvider.token={server.token}",
        "--LabApp.extension_manager=readonly",
    ]


def await_server(server, process, log):
    """Returns once the server answers; its log is in the error if it does not."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            opener.open(f"{server.url}/api/status?token={server.token}", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")


@contextmanager
def lab_server(notebooks=None, theme="light"):
    """A server of its own on a free port, on a copy of the folder `notebooks`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        port = free_port()
        server = LabServer(
            f"http://127.0.0.1:{port}",
            secrets.token_hex(16),
            home / "notebooks",
            home / "settings",
        )
        copy_notebooks(notebooks, server.notebooks)
        server.set_theme(theme)
        server.set(
            "@jupyterlab/apputils-extension:notification",
            fetchNews="false",
            checkForUpdates=False,
            doNotDisturbMode=True,
        )
        # every cell is in the page, not only those in view
        server.set("@jupyterlab/notebook-extension:tracker", windowingMode="none")
        log = home / "server.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                server_command(server, port),
                env={**os.environ, **own_folders(home)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            await_server(server, process, log)
            yield server
        finally:
            stop(process)


def stop(process):
    """Ends the server, which ends its kernels before it goes."""
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# The browser


@contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_lab(server, browser, size=(1440, 900), scale=1):
    """A fresh page on the server; its kernels are shut down at the end."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, device_scale_factor=scale
    )
    try:
        lab = Lab(server, context.new_page())
        yield lab
        lab.shut_down_kernels()
    finally:
        context.close()


# The panel that is open, for the scripts below
PANEL = "const app = window.jupyterapp; const panel = app.shell.currentWidget;"

OPEN = """async path => {
    const app = window.jupyterapp;
    await app.restored;
    const panel = await app.commands.execute("docmanager:open", {path, factory: "Notebook"});
    app.shell.activateById(panel.id);
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}"""

# A request is done when the kernel has replied to it and is idle again: all its outputs are there.
START_RUN = f"""() => {{
    {PANEL}
    const run = {{finished: false, failure: null, waiting: new Map()}};
    window.unitylabRun = run;
    const kernel = panel.sessionContext.session.kernel;
    const watch = (_, {{msg, direction}}) => {{
        const id = msg.parent_header.msg_id;
        if (direction === "send" && msg.header.msg_type === "execute_request")
            run.waiting.set(msg.header.msg_id, new Set(["reply", "idle"]));
        else if (msg.header.msg_type === "execute_reply")
            run.waiting.get(id)?.delete("reply");
        else if (msg.header.msg_type === "status" && msg.content.execution_state === "idle")
            run.waiting.get(id)?.delete("idle");
    }};
    kernel.anyMessage.connect(watch);
    app.commands.execute("notebook:run-all-cells")
        .catch(error => {{ run.failure = String(error); }})
        .finally(() => {{ run.finished = true; }});
}}"""

RUN_IS_DONE = """() => {
    const run = window.unitylabRun;
    return run.finished && [...run.waiting.values()].every(parts => parts.size === 0);
}"""

# JupyterLab covers the page while it starts and while it changes its theme
NO_SPLASH = "() => !document.getElementById('jupyterlab-splash')"

CELLS = f"() => {{ {PANEL} return panel?.context?.model.toJSON().cells ?? []; }}"


class Lab:
    """JupyterLab in a browser page, with one notebook open at a time."""

    def __init__(self, server, page):
        self.server = server
        self.page = page
        self.page_errors = []
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))

    def open(self, notebook, timeout=60):
        """Opens a notebook of the server's folder by its name; returns once its kernel is ready."""
        if not (self.server.notebooks / notebook).is_file():
            raise FileNotFoundError(f"no notebook {notebook} in {self.server.notebooks}")
        workspace = f"{self.server.url}/lab/workspaces/{secrets.token_hex(4)}"
        self.page.set_default_timeout(timeout * 1000)
        self.page.goto(f"{workspace}?token={self.server.token}")
        self.page.wait_for_function("() => window.jupyterapp")
        self._await(OPEN, str(notebook), seconds=timeout, what=f"{notebook} to open")
        self._until(NO_SPLASH, timeout, "the splash screen to go")

    def run_all(self, timeout=300):
        """Runs every cell; returns when the kernel is done with each, whether or not one failed."""
        self.page.evaluate(START_RUN)
        self._until(RUN_IS_DONE, timeout, "the cells to run")
        failure = self.page.evaluate("() => window.unitylabRun.failure")
        if failure:
            raise RuntimeError(f"JupyterLab could not run the cells: {failure}")

    def command(self, name, **arguments):
        """Executes a command of JupyterLab, for example `application:toggle-left-area`."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
            [name, arguments],
        )

    def cells(self):
        """The notebook's cells as nbformat has them, with the outputs of this moment."""
        return self.page.evaluate(CELLS)

    def cell(self, number):
        """Where a cell stands in the page, to look further from there."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").nth(number)

    def errors(self):
        """What failed, in order: `(number of the cell, name of the error, its message)`."""
        return [
            (number, output["ename"], output["evalue"])
            for number, cell in enumerate(self.cells())
            for output in cell.get("outputs", [])
            if output["output_type"] == "error"
        ]

    def theme(self, name):
        """Switches this page to "light" or "dark"."""
        self.command("apputils:change-theme", theme=THEMES[name])
        light = "true" if name == "light" else "false"
        self._until(
            f"() => document.body.dataset.jpThemeLight === '{light}'", 30, f"the {name} theme"
        )
        self._until(NO_SPLASH, 30, "the splash screen to go")

    def screenshot(self, path):
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)
        return path

    def shut_down_kernels(self):
        if not self.page.is_closed():
            self.page.evaluate(
                "() => window.jupyterapp?.serviceManager.sessions.shutdownAll().then(() => null)"
            )

    def _await(self, script, argument, seconds, what):
        """Runs an async script; unlike `page.evaluate`, gives up after some seconds."""
        self.page.evaluate(
            f"""argument => {{
                const state = window.unitylabAwait = {{done: false, failure: null}};
                ({script})(argument)
                    .catch(error => {{ state.failure = String(error.stack || error); }})
                    .finally(() => {{ state.done = true; }});
            }}""",
            argument,
        )
        self._until(
            "() => window.unitylabAwait.done || document.querySelector('.jp-Dialog')", seconds, what
        )
        for question in self.page.locator(".jp-Dialog").all_inner_texts():
            raise RuntimeError(f"waited for {what}, but JupyterLab asks: {question}")
        failure = self.page.evaluate("() => window.unitylabAwait.failure")
        if failure:
            raise RuntimeError(f"waited for {what}: {failure}")

    def _until(self, condition, seconds, what):
        from playwright.sync_api import TimeoutError as TooLate

        try:
            self.page.wait_for_function(condition, timeout=seconds * 1000)
        except TooLate:
            counts = [cell.get("execution_count") for cell in self.cells()]
            raise TimeoutError(
                f"waited {seconds} s for {what}; execution counts of the cells: {counts}, "
                f"errors in the page: {self.page_errors}"
            ) from None

"""A headless Chromium, spoken to by its DevTools protocol over a pipe."""

import base64
import json
import os
import shutil
import subprocess
import time
from itertools import count

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

DEADLINE = 60


class Browser:
    """One process with one page in it."""

    def __init__(self, folder):
        end_in, self._to = os.pipe()
        self._from, end_out = os.pipe()
        switches = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
        switches += [f"--user-data-dir={folder}", "--disable-background-networking", "--disable-component-update"]

        # Chromium reads from 3 and writes to 4. A `preexec_fn` would fork this process, which JAX gave threads.
        connect = f'exec "$@" 3</dev/fd/{end_in} 4>/dev/fd/{end_out}'
        self._process = subprocess.Popen(
            ["sh", "-c", connect, "sh", CHROMIUM, *switches, "about:blank"],
            pass_fds=(end_in, end_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(end_in)
        os.close(end_out)
        self._numbers, self._unread, self._session = count(1), b"", None
        self.events = []
        [target] = [one for one in self._ask("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        attached = self._ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")

    def close(self):
        self._process.terminate()
        self._process.wait(DEADLINE)
        os.close(self._to)
        os.close(self._from)

    def look(self, width=1280, height=900, scheme="light"):
        """As on a screen of a size, in light or dark."""
        metrics = dict(width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._ask("Emulation.setDeviceMetricsOverride", **metrics)
        self._ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, path, fragment=""):
        """Load a file anew; `events` has what happened from there on."""
        self._ask("Page.navigate", url="about:blank")
        self.events.clear()
        self._ask("Page.navigate", url=f"{path.resolve().as_uri()}#{fragment}")
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    def go(self, fragment):
        """Give the page another fragment, and wait until it has heard of it."""
        self.run(
            f"""new Promise((heard) => {{
                addEventListener("hashchange", heard, {{ once: true }});
                location.hash = {json.dumps(f"{fragment}&again={next(self._numbers)}")};
            }})"""
        )

    def run(self, expression):
        """What an expression gives; a promise is waited for."""
        told = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise AssertionError(told["exceptionDetails"])
        return told["result"].get("value")

    def until(self, expression):
        """Wait until an expression holds."""
        deadline = time.monotonic() + DEADLINE
        while not self.run(expression):
            assert time.monotonic() < deadline, f"never: {expression}"
            time.sleep(0.02)

    def point(self, x, y):
        """Move the mouse there, by a way."""
        self._ask("Page.bringToFront")
        for step in (3, 0):
            self._ask("Input.dispatchMouseEvent", type="mouseMoved", x=x + step, y=y)

    def screenshot(self, path, full=False):
        told = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(told["data"]))

    def wrongs(self):
        """What went wrong on the page, and what it asked of any other place than its file."""
        told = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        asked = [one["params"]["request"]["url"] for one in self.events if one["method"] == "Network.requestWillBeSent"]
        elsewhere = [url for url in asked if not url.startswith(("file:", "data:", "about:"))]
        return [one["params"] for one in self.events if one["method"] in told] + elsewhere

    def _ask(self, method, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]
            if "method" in told:
                self.events.append(told)

    def _next(self):
        while b"\0" not in self._unread:
            piece = os.read(self._from, 2**16)
            assert piece, "Chromium has ended"
            self._unread += piece
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

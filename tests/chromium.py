"""A real browser, driven over a pipe by the Chrome DevTools Protocol.

https://chromedevtools.github.io/devtools-protocol/ ; with `--remote-debugging-pipe` the
browser reads commands from file descriptor 3 and writes to 4, each closed by a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = shutil.which("chromium") or shutil.which("google-chrome") or ""

IN_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.skipif(not _PROGRAM, reason="there is no Chromium on this machine"),
]
"""The marks of tests that need it."""

# The contrast of each text with what is behind it (WCAG 2.2, 1.4.3), the lowest first.
CONTRASTS = """(() => {
    const light = (color) => {
        const [r, g, b] = color.match(/[\\d.]+/g).map((n) => n / 255)
            .map((n) => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (found) => {
        const color = getComputedStyle(found).backgroundColor;
        return color === 'rgba(0, 0, 0, 0)' ? behind(found.parentElement) : color;
    };
    return [...document.querySelectorAll('body *')]
        .filter((one) => [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
        .map((one) => {
            const two = [light(getComputedStyle(one).color), light(behind(one))];
            return (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
        })
        .sort((a, b) => a - b);
})()"""

FOCUSED = """(() => {
    const found = document.activeElement;
    return found.value || found.textContent || found.tagName;
})()"""


class Tab:
    """One page of the browser."""

    def __init__(self, send: int, receive: int) -> None:
        self._send = send
        self._receive = receive
        self._count = 0
        self._session = ""
        self._held = b""
        self.complaints: list[str] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(one for one in targets if one["type"] == "page")
        self._session = self.call(
            "Target.attachToTarget", targetId=page["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "DOM", "Accessibility", "Log", "Runtime", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Say something to the browser, and return what it answers."""
        self._count += 1
        message: dict[str, Any] = {
            "id": self._count,
            "method": method,
            "params": params,
        }
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _next(self) -> Mapping[str, Any]:
        while b"\0" not in self._held:
            more = os.read(self._receive, 65_536)
            if not more:
                raise RuntimeError("the browser has gone")
            self._held += more
        text, _, self._held = self._held.partition(b"\0")
        message: Mapping[str, Any] = json.loads(text)
        if message.get("method") == "Log.entryAdded":
            entry = message["params"]["entry"]
            self.complaints.append(f"{entry['level']}: {entry['text']}")
        if message.get("method") == "Audits.issueAdded":
            self.complaints.append(message["params"]["issue"]["code"])
        return message

    def until(self, method: str) -> Mapping[str, Any]:
        """Wait until something happens."""
        while (message := self._next()).get("method") != method:
            pass
        return message

    def open(self, url: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=url)
        self.until("Page.loadEventFired")

    def resize(self, width: int, height: int, *, scale: float = 1) -> None:
        """Be a screen of so many CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def ask(self, expression: str) -> Any:
        """Ask the page something; the test may run scripts, the page has none."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key."""
        codes = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}
        code, text = codes[key]
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code={" ": "Space"}.get(key, key),
                windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def picture(self, path: Path) -> None:
        """Take a picture of the whole page."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def spoken(self) -> list[tuple[str, str]]:
        """What a screen reader finds: roles and names, in order."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored")
        ]


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """A browser that knows nobody, until the end of the block."""
    to_read, to_send = os.pipe()
    to_receive, to_write = os.pipe()

    process = subprocess.Popen(
        [
            "bash",
            "-c",
            f'exec "$@" 3<&{to_read} 4>&{to_write}',
            "bash",
            _PROGRAM,
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--hide-scrollbars",
            f"--user-data-dir={folder}",
            "about:blank",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(to_read, to_write),
    )
    os.close(to_read)
    os.close(to_write)
    try:
        yield Tab(to_send, to_receive)
    finally:
        os.close(to_send)
        os.close(to_receive)
        process.terminate()
        process.wait(20)

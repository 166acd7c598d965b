"""A page of the browser that is watched: errors, requests to others, what doesn't fit, what can't be used by all."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.async_api import ConsoleMessage, Page, Request, ViewportSize

SIZES: Final[dict[str, ViewportSize]] = {
    "phone": {"width": 360, "height": 740},
    "desktop": {"width": 1280, "height": 900},
}
_AXE: Final = Path(axe_playwright_python.__file__).parent / "axe.min.js"
_GRAVE: Final = {"serious", "critical"}
_NOT_FITTING: Final = """() => {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} wide of ${root.clientWidth}`);
  for (const each of document.body.querySelectorAll('*')) {
    const style = getComputedStyle(each), box = each.getBoundingClientRect();
    if (box.width === 0 || box.height === 0 || style.visibility === 'hidden' || each.closest('svg')) continue;
    if (style.position === 'absolute' && box.width <= 1) continue;
    const text = (each.textContent || '').trim().slice(0, 40);
    const named = `${each.tagName.toLowerCase()}.${each.className} "${text}"`;
    if (style.display !== 'inline' && box.right > root.clientWidth + 1 && !each.closest('[data-scrolls]')) {
      found.push(`${named} ends at ${Math.round(box.right)}`);
    }
    const flows = style.position !== 'absolute' && style.position !== 'fixed';
    if (box.left < -1 && flows) found.push(`${named} starts left`);
    const hides = style.overflowX === 'hidden' || style.overflowX === 'clip';
    if (hides && each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 1) found.push(`${named} is cut off`);
  }
  return found.slice(0, 10);
}"""


class Watched:
    """A page, and all that it said and asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors = list[str]()
        self.expected = list[str]()
        """Parts of errors that belong to what is tried: a status that is refused, for one."""
        self._asked = set[str]()
        self._own = set[str]()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"thrown: {error}"))
        page.on("request", self._request)
        page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https", "ws", "wss"}:
            self._asked.add(f"{address.scheme}://{address.netloc}")

    async def open(self, address: str) -> int:
        """Go to an address, which may be asked from now on; gives the status."""
        parts = urlsplit(address)
        self._own.add(f"{parts.scheme}://{parts.netloc}")
        response = await self.page.goto(address)
        assert response is not None
        return response.status

    def may_ask(self, origin: str) -> None:
        """Let the page ask another origin too."""
        self._own.add(origin)

    def check_quiet(self) -> None:
        """Prove that nothing went wrong in the page, and that it asked nobody else."""
        unexpected = [each for each in self.errors if not any(part in each for part in self.expected)]
        assert unexpected == [], unexpected
        assert self._asked <= self._own, self._asked - self._own

    async def check_fits(self) -> None:
        """Prove that nothing is cut off, and that the page doesn't scroll sideways."""
        found = await self.page.evaluate(_NOT_FITTING)
        assert found == [], found

    async def check_usable(self) -> None:
        """Prove that axe finds nothing serious: names, labels, contrast, landmarks, order."""
        # Through the debugger, as the page's own policy lets no script of others in.
        await self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        told: dict[str, Any] = await self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        grave = [
            (each["id"], [node["html"][:160] for node in each["nodes"]][:3])
            for each in told["violations"]
            if each["impact"] in _GRAVE
        ]
        assert grave == [], grave

// What makes the page more pleasant where scripts run. Everything on it works without them.
"use strict";

const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

// Buttons that copy what stands beside them.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const from = document.getElementById(button.dataset.copy);
  const text = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(from.textContent);
    } catch {
      return;
    }
    button.textContent = button.dataset.done;
    button.setAttribute("aria-live", "polite");
    setTimeout(() => (button.textContent = text), 2000);
  });
}

// The share sheet of the device.
for (const place of document.querySelectorAll("[data-share]")) {
  if (!navigator.share) break;
  const button = place.querySelector("button");
  const { title, text, url } = button.dataset;
  place.hidden = false;
  button.addEventListener("click", () => navigator.share({ title, text, url }).catch(() => {}));
}

// Forms are sent once; a game's wheel turns before that.
for (const form of document.querySelectorAll("[data-once]")) {
  form.addEventListener("submit", (event) => {
    const button = form.querySelector("[type=submit]");
    if (button.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      return;
    }
    button.setAttribute("aria-disabled", "true");
    if ("spin" in form.dataset && !still) {
      event.preventDefault();
      form.closest(".game").classList.add("spinning");
      setTimeout(() => form.submit(), 1300);
    }
  });
}

// Who comes back by the browser's history finds the buttons ready again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const button of document.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
  for (const game of document.querySelectorAll(".spinning")) game.classList.remove("spinning");
});

// The last two days are counted down by the hour.
const near = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
const countDown = () => {
  for (const place of document.querySelectorAll("[data-ends]")) {
    const minutes = Math.floor((Date.parse(place.dataset.ends) - Date.now()) / 60000);
    if (minutes > 0 && minutes < 48 * 60) {
      place.textContent = minutes < 60 ? near.format(minutes, "minute") : near.format(Math.floor(minutes / 60), "hour");
    }
  }
};
countDown();
setInterval(countDown, 30000);

// What was won comes with confetti, and a message gets the eye and the ear of who waits for it.
const notice = document.querySelector(".notice");
if (notice) {
  notice.tabIndex = -1;
  notice.focus({ preventScroll: false });
}
if (document.querySelector("[data-celebrate]") && !still) {
  const rain = document.body.appendChild(document.createElement("div"));
  rain.setAttribute("aria-hidden", "true");
  for (let piece = 0; piece < 40; piece += 1) {
    const one = rain.appendChild(document.createElement("i"));
    one.className = "confetti";
    one.style.setProperty("--x", `${Math.random() * 100}vw`);
    one.style.setProperty("--drift", `${Math.random() * 120 - 60}px`);
    one.style.setProperty("--wait", `${Math.random() * 0.6}s`);
  }
  setTimeout(() => rain.remove(), 3500);
}

// A message is told once: not again when the page is loaded anew.
if (location.search.includes("done=")) {
  const address = new URL(location.href);
  address.searchParams.delete("done");
  address.searchParams.delete("gift");
  history.replaceState(null, "", address.pathname + address.search + address.hash);
}

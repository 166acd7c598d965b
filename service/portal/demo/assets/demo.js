// The page works without this. With it the points are shown by the widget, as on a partner's page, and stay fresh.
const balance = document.querySelector("loyalty-balance");

// A partner's page gets its tokens from its own server, which knows who is logged in there.
balance.tokenProvider = async () => {
  const answer = await fetch(balance.dataset.token);
  return answer.ok ? (await answer.json()).token : "";
};
balance.refresh?.();

// What comes a moment after an action, such as points for a friend, is looked for a few times.
for (const seconds of [1.5, 4, 8]) {
  setTimeout(() => balance.refresh?.(), seconds * 1000);
}

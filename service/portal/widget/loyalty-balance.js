// <loyalty-balance token="...">: a customer's balance, tier and next reward on any page. README.md tells all of it.
(() => {
  const HOME = new URL(document.currentScript.src).origin;
  const TEXTS = {
    en: ["Your points", "pending", "Loading your points", "Your points can't be shown now.", "{0} more for {1}",
      "Enough for {0}", "{0} more to {1}", "{0} to spend until {1}", "Sign in to see your points."],
    de: ["Ihre Punkte", "noch nicht verfügbar", "Ihre Punkte werden geladen",
      "Ihre Punkte können gerade nicht angezeigt werden.", "Noch {0} bis {1}", "Genug für {0}", "Noch {0} bis {1}",
      "{0} bis {1} einlösen", "Melden Sie sich an, um Ihre Punkte zu sehen."],
    "zh-Hans": ["您的积分", "待入账", "正在加载积分", "暂时无法显示积分。", "再得 {0} 即可兑换{1}", "可兑换{0}",
      "距{1}还差 {0}", "{0} 积分须在 {1} 前使用", "登录后即可查看积分。"],
    "zh-Hant": ["您的點數", "待入帳", "正在載入點數", "暫時無法顯示點數。", "再得 {0} 即可兌換{1}", "可兌換{0}",
      "距{1}還差 {0}", "{0} 點須在 {1} 前使用", "登入後即可查看點數。"],
  };
  const STYLE = `
    :host { display: block; container-type: inline-size; font: 1rem/1.4 var(--loyalty-font, system-ui, sans-serif);
      --a: var(--loyalty-accent, #2457d6); --b: var(--loyalty-background, #fff); --t: var(--loyalty-text, #1b2130);
      --m: var(--loyalty-muted, #566075); --l: var(--loyalty-border, #dde1ea); color: var(--t); text-align: start }
    :host([hidden]) { display: none }
    @media (prefers-color-scheme: dark) { :host { --a: var(--loyalty-accent, #8fb1ff);
      --b: var(--loyalty-background, #171b26); --t: var(--loyalty-text, #eef1f8); --m: var(--loyalty-muted, #aab3c5);
      --l: var(--loyalty-border, #333b4d) } }
    * { box-sizing: border-box; margin: 0 }
    [part=card] { background: var(--b); border: 1px solid var(--l); border-radius: var(--loyalty-radius, 14px);
      padding: 1rem 1.125rem; display: grid; gap: .75rem; overflow-wrap: anywhere }
    [hidden] { display: none !important }
    .head { display: flex; flex-wrap: wrap; gap: .25rem .75rem; justify-content: space-between; align-items: center;
      color: var(--m); font-size: .875rem }
    [part=tier] { border: 1px solid; color: var(--a); border-radius: 99px; padding: 0 .6rem; font-weight: 600 }
    [part=points] { font-size: clamp(1.5rem, 11cqi, 2.25rem); font-weight: 700; line-height: 1.1;
      font-variant-numeric: tabular-nums; letter-spacing: -.01em }
    .more, .line { color: var(--m); font-size: .875rem }
    .line { display: grid; gap: .25rem }
    .bar { height: .4rem; border-radius: 9px; background: var(--l); overflow: clip }
    .bar > i { display: block; height: 100%; border-radius: 9px; background: var(--a); transition: width .4s }
    @media (prefers-reduced-motion: reduce) { .bar > i { transition: none } }
    @media (forced-colors: active) { .bar { border: 1px solid } .bar > i { background: Highlight } }`;
  const make = (name, parts = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(parts)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const endOf = (token) => {
    try {
      return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp * 1000;
    } catch {
      return NaN;
    }
  };
  const textsOf = (language) => {
    const tag = (language || "en").toLowerCase();
    if (/^zh\b.*\b(hant|tw|hk|mo)\b/.test(tag)) return ["zh-Hant", TEXTS["zh-Hant"]];
    if (/^zh\b/.test(tag)) return ["zh-Hans", TEXTS["zh-Hans"]];
    return /^de\b/.test(tag) ? [language, TEXTS.de] : [/^en\b/.test(tag) ? language : "en", TEXTS.en];
  };
  const fill = (text, ...values) => text.replace(/\{(\d)\}/g, (_, place) => values[place]);

  class LoyaltyBalance extends HTMLElement {
    static observedAttributes = ["token", "lang"];
    #timer = 0;
    #told = null;
    #asking = null;
    #renewals = 0;
    #seen = () => document.visibilityState === "visible" && this.token && this.refresh();

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" }), sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    }

    get token() { return this.getAttribute("token") || ""; }
    set token(value) { value ? this.setAttribute("token", value) : this.removeAttribute("token"); }

    connectedCallback() {
      const late = Object.getOwnPropertyDescriptor(this, "tokenProvider"); // set before the script was there
      if (late) { delete this.tokenProvider; this.tokenProvider = late.value; }
      document.addEventListener("visibilitychange", this.#seen);
      this.#show();
      if (this.token || this.tokenProvider) this.refresh();
    }

    disconnectedCallback() {
      document.removeEventListener("visibilitychange", this.#seen);
      clearTimeout(this.#timer);
    }

    attributeChangedCallback(name, before, after) {
      if (!this.isConnected || before === after) return;
      if (name === "lang") this.#show();
      else { this.#told = after ? this.#told : null; after ? this.refresh() : this.#show(); }
    }

    /** Reads the balance anew; gives what was read, or null. */
    refresh() {
      this.#asking ??= this.#read().finally(() => { this.#asking = null; });
      return this.#asking;
    }

    async #read() {
      const asked = this.token;
      if (!asked && !(await this.#renew())) { this.#show(8); return null; }
      try {
        const answer = await fetch(`${HOME}/v1/me`, {
          headers: { Authorization: `Bearer ${this.token}` }, credentials: "omit", cache: "no-store",
          signal: AbortSignal.timeout(10000),
        });
        if (answer.status === 401) {
          this.#tell("loyalty-token-expired", {});
          if (await this.#renew()) return this.#read();
        }
        const body = await answer.json();
        if (!answer.ok) return this.#failed(answer.status, body.code);
        this.#renewals = 0;
        this.#told = body;
        this.#show();
        this.#plan();
        this.#tell("loyalty-balance", body);
        return body;
      } catch {
        return this.#failed(0, "unreachable");
      }
    }

    async #renew() {
      if (!this.tokenProvider || this.#renewals > 1) return false;
      this.#renewals += 1;
      try {
        const token = await this.tokenProvider();
        if (!token || token === this.token) return false;
        this.token = token;
        return true;
      } catch {
        return false;
      }
    }

    #plan() {
      clearTimeout(this.#timer);
      const left = endOf(this.token) - Date.now() - 30000;
      if (!this.tokenProvider || !(left < 2 ** 31)) return;
      this.#timer = setTimeout(async () => { if (await this.#renew()) this.refresh(); }, Math.max(left, 5000));
    }

    #failed(status, code) {
      if (!this.#told || status === 401) { this.#told = null; this.#show(status === 401 ? 8 : 3); }
      this.#tell("loyalty-error", { status, code });
      return null;
    }

    #tell(name, detail) {
      this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
    }

    #show(failure) {
      const [language, texts] = textsOf(
        this.lang || this.#told?.locale?.replace(/_/g, "-") || document.documentElement.lang || navigator.language);
      const numbers = new Intl.NumberFormat(language), card = make("section", { part: "card", lang: language });
      card.setAttribute("aria-label", texts[0]);
      card.setAttribute("aria-live", "polite");
      if (!this.#told) {
        const name = failure ? "error" : "loading";
        card.append(make("slot", { name }, make("p", { class: "more" }, texts[failure || 2])));
        card.setAttribute("aria-busy", String(!failure));
      } else {
        card.append(...this.#content(texts, numbers, language));
      }
      card.append(make("slot", { name: "footer" }));
      this.shadowRoot.replaceChildren(card);
    }

    #content(texts, numbers, language) {
      const { balance, next_reward: reward } = this.#told, { tier } = balance, made = [];
      const head = make("div", { class: "head" }, make("slot", { name: "heading" }, texts[0]));
      if (tier && tier.name) head.append(make("span", { part: "tier" }, tier.name));
      made.push(head, make("p", { part: "points" }, numbers.format(balance.available - balance.debt)));
      if (balance.pending) made.push(make("p", { class: "more" }, `+ ${numbers.format(balance.pending)} ${texts[1]}`));
      if (balance.next_expiry) {
        const timeZone = this.#told.partner.time_zone, last = new Date(balance.next_expiry.at) - 1; // the last day
        const until = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone }).format(last);
        made.push(make("p", { class: "more" }, fill(texts[7], numbers.format(balance.next_expiry.points), until)));
      }
      if (reward) {
        const missing = numbers.format(reward.missing_points);
        const text = reward.available ? fill(texts[5], reward.name) : fill(texts[4], missing, reward.name);
        made.push(this.#line("reward", text, reward.available ? 1 : 1 - reward.missing_points / reward.points));
      }
      if (tier?.next && tier.next.unit !== "spend") {
        const text = fill(texts[6], numbers.format(tier.next.missing), tier.next.name);
        made.push(make("p", { class: "line" }, text));
      }
      return made;
    }

    #line(part, text, share) {
      const bar = make("div", { class: "bar" }, make("i")), line = make("div", { class: "line", part }, text, bar);
      bar.setAttribute("aria-hidden", "true");
      bar.firstChild.style.width = `${Math.round(100 * Math.min(1, Math.max(0, share)))}%`;
      return line;
    }
  }

  if (!customElements.get("loyalty-balance")) customElements.define("loyalty-balance", LoyaltyBalance);
})();

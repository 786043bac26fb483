// Runs in every page before the page's own scripts. Tells the test what the page shows, whenever that changes: states
// of machines by place, shares of progress by place, and whether the page itself says that it is old.
(() => {
  const PLACES = {
    row: '[id^="machine-"] > .c-state .mark .word',
    head: "#live header .state .mark .word",
    tile: '.tiles [id^="count-"] .mark .word',
  };
  const SHARES = {
    row: "[data-row] .c-runs .share",
    head: "#live header .share",
    strip: "#tasks details:not([open]) summary .share",
    drawer: "#tasks details[open] .drawer .share",
  };
  const read = (places) =>
    Object.fromEntries(
      Object.entries(places).map(([place, where]) => [
        place,
        [...document.querySelectorAll(where)].map((node) => node.textContent.trim()),
      ]),
    );
  let before = "";
  const tell = (gone) => {
    if (!document.body && !gone) return;
    const seen = {
      path: location.pathname,
      old: Boolean(document.body?.classList.contains("is-stale")),
      states: gone ? {} : read(PLACES),
      shares: gone ? {} : read(SHARES),
    };
    const now = JSON.stringify(seen);
    if (now !== before) window.witness({ at: Date.now() / 1000, ...seen });
    before = now;
  };
  new MutationObserver(() => tell(false)).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    attributes: true,
    attributeFilter: ["class", "open", "hidden"],
  });
  addEventListener("pagehide", () => tell(true));
})();

// Every fragment on the page begins by itself; what it shows is on its element, for whoever wants to check.

const KINDS = { plane, walk, features, trade_off: tradeOff, parallel };
for (const root of document.querySelectorAll("[data-touch]")) {
  KINDS[root.dataset.touch](root, JSON.parse(root.querySelector("script").textContent));
}
window.aejaxTouch = { ACTIVATIONS, decode };

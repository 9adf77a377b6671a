// One number of a sweep, and what it buys: sparsity against error.

function tradeOff(root, data) {
  const { texts, points } = data;
  const svg = root.querySelector("svg");
  const slider = root.querySelector("input");
  const ring = svg.querySelector(".touch-ring");
  const cells = Object.fromEntries([...root.querySelectorAll("dd")].map((cell) => [cell.dataset.name, cell]));
  const spread = ({ mean, sd }) => written(mean, texts, 4) + (sd === null ? "" : ` ± ${written(sd, texts, 2)}`);

  function show(index) {
    const point = points[index];
    root.touch = { index };
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
    slider.value = index;
    const value = data.values[index];
    slider.nextElementSibling.value = value;
    slider.setAttribute("aria-valuetext", `${data.axis} = ${value}`);
    for (const [name, cell] of Object.entries(cells)) cell.textContent = spread(point.metrics[name]);
  }

  function follow(event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const away = points.map((point) => Math.hypot(point.x - x, point.y - y));
    show(away.indexOf(Math.min(...away)));
  }

  slider.addEventListener("input", () => show(Number(slider.value)));
  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  show(data.first);
}

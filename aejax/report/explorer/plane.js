// The plane of a code of two units: the pointer is a code, and the decoder runs there.

const [ALONG, SQUARES] = [9, 12]; // images along a line, and across the plane

function plane(root, data) {
  const { texts, box, plot } = data;
  const svg = root.querySelector(".touch-map");
  const ring = svg.querySelector(".touch-ring");
  const live = root.querySelector(".touch-live");
  const sliders = [...root.querySelectorAll("input")];
  const layers = layersOf(data);
  const shown = shownOf(data);
  const rows = rowsOf(data, data.rows);
  const rebuilt = data.rebuilt && rowsOf(data, data.rebuilt);
  const flat = floatsOf(data.codes);
  const codes = rows.map((_, row) => [flat[2 * row], flat[2 * row + 1]]);
  const pictures = picturesOf(root, data);
  const thumbnail = root.querySelector(".touch-thumbnail");
  const neighbours = [...root.querySelectorAll(".touch-neighbours figure")];
  const filters = [...root.querySelectorAll(".touch-classes button")];
  const marks = [...svg.querySelectorAll(".touch-marks > *")];
  const line = svg.querySelector(".touch-line");
  const strip = root.querySelector(".touch-strip canvas");
  const behind = svg.querySelector(".touch-behind");
  const toggle = root.querySelector(".touch-strip button");
  let begin; // the code at which the line begins
  let only = ""; // the one class that is shown; "" for all of them
  const visible = (row) => !only || data.labels[row] === only;
  const called = (row) => ({ row: data.numbers[row], label: data.labels[row] && ` (${data.labels[row]})` });

  const [wide, high] = [plot.right - plot.left, plot.bottom - plot.top];
  const [across, up] = box.map(([low, top]) => top - low);
  const positionOf = (code) => [
    plot.left + (wide * (code[0] - box[0][0])) / across,
    plot.bottom - (high * (code[1] - box[1][0])) / up,
  ];
  const codeAt = ([x, y]) => [
    box[0][0] + ((x - plot.left) / wide) * across,
    box[1][0] + ((plot.bottom - y) / high) * up,
  ];
  const positions = codes.map(positionOf);

  function nearest([x, y], allowed = () => true, stretch = () => 1) {
    let [best, least] = [-1, Infinity];
    positions.forEach(([a, b], row) => {
      const away = Math.hypot(a - x, b - y) * stretch(a - x, b - y);
      if (visible(row) && allowed(a - x, b - y) && away < least) [best, least] = [row, away];
    });
    return [best, least];
  }

  // The rows with the nearest codes, and their images where they are images.
  function showNeighbours(code, row) {
    const away = codes.map(([a, b]) => Math.hypot(a - code[0], b - code[1]));
    const near = codes.map((_, other) => other).filter((other) => other !== row && visible(other));
    near.sort((one, other) => away[one] - away[other]);
    neighbours.forEach((figure, index) => {
      const other = near[index];
      figure.hidden = other === undefined;
      if (figure.hidden) return;
      const name = filled(texts.named, called(other));
      figure.querySelector("figcaption").textContent = data.image ? data.labels[other] || data.numbers[other] : name;
      if (!data.image) return;
      const canvas = figure.querySelector("canvas");
      drawImage(canvas, data.shape, rows[other]);
      canvas.setAttribute("aria-label", name);
    });
  }

  function showThumbnail([x, y], values) {
    drawImage(thumbnail, data.shape, values);
    thumbnail.style.left = `${x / 4}%`;
    thumbnail.style.top = `${y / 4}%`;
    thumbnail.style.transform = `translate(${x > 200 ? "calc(-100% - 12px)" : "12px"}, ${y > 200 ? "calc(-100% - 12px)" : "12px"})`;
  }

  // What the decoder makes of points on the line from its beginning to a code.
  function showLine(code) {
    const [[a, b], [x, y]] = [begin, code].map(positionOf);
    line.setAttribute("d", `M${a - 4} ${b}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0M${a} ${b}L${x} ${y}`);
    const between = (share) => begin.map((value, unit) => value + share * (code[unit] - value));
    const images = Array.from({ length: ALONG }, (_, i) => shown(decode(layers, between(i / (ALONG - 1)))));
    drawMany(strip, data.shape, images);
  }

  // What the decoder makes of the middle of each square of the plane, behind the marks: made when first asked for.
  function showBehind() {
    const on = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", on);
    behind.setAttribute("visibility", on ? "visible" : "hidden");
    if (behind.hasAttribute("href")) return;
    const middle = (square) => [
      plot.left + (((square % SQUARES) + 0.5) / SQUARES) * wide,
      plot.top + ((Math.floor(square / SQUARES) + 0.5) / SQUARES) * high,
    ];
    const images = Array.from({ length: SQUARES ** 2 }, (_, square) => shown(decode(layers, codeAt(middle(square)))));
    const canvas = document.createElement("canvas");
    drawMany(canvas, data.shape, images, SQUARES, 0);
    behind.setAttribute("href", canvas.toDataURL());
  }

  // Show a code; of a row, if it is the row's own.
  function show(code, row = -1) {
    const position = positionOf(code);
    const nearby = row >= 0 ? row : nearest(position)[0];
    const values = layers && decode(layers, code);
    root.touch = { code: Array.from(code), row: nearby, values, begin };
    if (strip) showLine(code);
    ring.setAttribute("cx", position[0]);
    ring.setAttribute("cy", position[1]);
    sliders.forEach((slider, unit) => {
      slider.value = code[unit];
      slider.nextElementSibling.value = fixed(code[unit], 3, texts);
    });
    pictures.row(rows[nearby]);
    pictures.rebuilt(values ? shown(values) : rebuilt[nearby]);
    if (thumbnail) showThumbnail(position, row < 0 && values ? shown(values) : rows[nearby]);
    showNeighbours(code, row);
    const blanks = { ...called(nearby), error: written(data.errors[nearby], texts) };
    live.textContent = filled(row >= 0 ? texts.at_row : texts.between, blanks);
  }

  function follow(event) {
    const matrix = svg.getScreenCTM().inverse();
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    const position = [clip(x, plot.left, plot.right), clip(y, plot.top, plot.bottom)];
    const [row, away] = nearest(position);
    const between = layers && away > 7;
    const code = between ? codeAt(position) : codes[row];
    if (event.type === "pointerdown") begin = [...code];
    show(code, between ? -1 : row);
  }

  // Begin at the row, of those that are shown, that the decoder rebuilds best; the line comes from another good one.
  function showBest() {
    const bestOf = (some) => some.reduce((a, b) => (data.lost[b] < data.lost[a] ? b : a), some[0]);
    const some = codes.map((_, row) => row).filter(visible);
    const best = bestOf(some);
    const away = (row) => Math.hypot(...positions[row].map((place, axis) => place - positions[best][axis]));
    begin = codes[bestOf(some.filter((row) => away(row) > wide / 3)) ?? best];
    show(codes[best], best);
  }

  const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function step(event) {
    if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      begin = [...root.touch.code];
      show(root.touch.code, codes.findIndex((code) => code.every((value, unit) => value === begin[unit])));
      return;
    }
    const direction = directions[event.key];
    if (!direction) return;
    event.preventDefault();
    const along = (dx, dy) => dx * direction[0] + dy * direction[1];
    const aside = (dx, dy) => Math.abs(dx * direction[1] - dy * direction[0]);
    const [row] = nearest(
      positionOf(root.touch.code),
      (dx, dy) => along(dx, dy) > 0.5,
      (dx, dy) => 1 + (2 * aside(dx, dy)) / along(dx, dy),
    );
    if (row >= 0) show(codes[row], row);
  }

  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  svg.addEventListener("keydown", step);
  if (toggle) toggle.addEventListener("click", showBehind);
  sliders.forEach((slider, unit) =>
    slider.addEventListener("input", () => {
      const code = [...root.touch.code];
      code[unit] = Number(slider.value);
      show(code);
    }),
  );
  filters.forEach((button) =>
    button.addEventListener("click", () => {
      only = button.value === only ? "" : button.value;
      filters.forEach((each) => each.setAttribute("aria-pressed", each.value === only));
      marks.forEach((mark, row) => mark.classList.toggle("touch-aside", !visible(row)));
      showBest();
    }),
  );
  showBest();
}

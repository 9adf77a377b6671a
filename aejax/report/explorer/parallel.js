// The settings of a sweep as lines through their fields and metrics: those in all chosen ranges are shown.

function parallel(root, data) {
  const { texts, columns, points } = data;
  const svg = root.querySelector("svg");
  const lines = [...svg.querySelectorAll("polyline")].reverse(); // the best is drawn last
  const bands = [...svg.querySelectorAll("rect")];
  const inputs = [...root.querySelectorAll("input")]; // two of each column: its least and its greatest
  const rows = [...root.querySelectorAll("tbody tr")];
  const live = root.querySelector(".touch-live");
  const last = (column) => columns[column].places.length - 1;
  const rangeOf = (column) => [2 * column, 2 * column + 1].map((input) => Number(inputs[input].value)).sort((a, b) => a - b);
  let drag = null; // the column, and where it began

  function show() {
    const ranges = columns.map((_, column) => rangeOf(column));
    const chosen = points.map((ranks) => ranks.every((rank, i) => ranges[i][0] <= rank && rank <= ranges[i][1]));
    root.touch = { ranges, chosen };
    chosen.forEach((yes, point) => {
      lines[point].classList.toggle("touch-aside", !yes);
      rows[point].hidden = !yes;
    });
    ranges.forEach(([low, high], column) => {
      const { places, written: values } = columns[column];
      bands[column].setAttribute("y", places[high] - 6);
      bands[column].setAttribute("height", places[low] - places[high] + 12);
      const said = filled(texts.range, { low: values[low], high: values[high] });
      root.querySelectorAll(".touch-range output")[column].value = said;
      for (const input of inputs.slice(2 * column, 2 * column + 2)) input.setAttribute("aria-valuetext", values[input.value]);
    });
    live.textContent = filled(texts.chosen, { count: chosen.filter(Boolean).length, points: points.length });
  }

  function choose(column, low, high) {
    [inputs[2 * column].value, inputs[2 * column + 1].value] = [low, high];
    show();
  }

  const pointOf = ({ clientX, clientY }) => new DOMPoint(clientX, clientY).matrixTransform(svg.getScreenCTM().inverse());

  function press(event) {
    const { x, y } = pointOf(event);
    const away = columns.map((column) => Math.abs(column.x - x));
    drag = { column: away.indexOf(Math.min(...away)), from: y };
    choose(drag.column, 0, last(drag.column)); // a press alone frees the axis
  }

  function move(event) {
    if (!drag) return;
    const [top, bottom] = [drag.from, pointOf(event).y].sort((a, b) => a - b);
    const inside = columns[drag.column].places.flatMap((y, rank) => (top <= y && y <= bottom ? [rank] : []));
    if (inside.length) choose(drag.column, inside[0], inside.at(-1));
  }

  svg.addEventListener("pointerdown", press);
  svg.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => { drag = null; });
  inputs.forEach((input) => input.addEventListener("input", show));
  show();
}

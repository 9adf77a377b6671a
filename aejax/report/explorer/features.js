// The units of a sparse code: what each adds, and of one of them its samples and a slider that sets it.

function features(root, data) {
  const { texts, units } = data;
  const grid = [...root.querySelectorAll(".touch-atoms button")];
  const samples = [...root.querySelectorAll(".touch-samples button")];
  const choice = root.querySelector("select");
  const slider = root.querySelector("input");
  const histogram = root.querySelector(".touch-histogram");
  const live = root.querySelector(".touch-live");
  const canvas = (name) => root.querySelector(`[data-show=${name}]`);
  const layers = layersOf(data);
  const shown = shownOf(data);
  const rows = rowsOf(data, data.rows);
  const atoms = rowsOf(data, data.atoms);
  const flat = floatsOf(data.codes);
  const size = flat.length / rows.length;
  const codeOf = (row) => Array.from(flat.subarray(row * size, (row + 1) * size));
  const error = (row, values) =>
    written(values.reduce((sum, value, i) => sum + (value - rows[row][i]) ** 2, 0) / values.length, texts);
  let index; // of the unit, in the grid and in the codes

  function set(row, value) {
    const code = codeOf(row);
    const outputs = [value, 0].map((activation) => decode(layers, code.with(index, activation)));
    const [rebuilt, without] = outputs.map(shown);
    root.touch = { unit: units[index], code: code.with(index, value), values: outputs[0] };
    drawImage(canvas("rebuilt"), data.shape, rebuilt);
    drawImage(canvas("without"), data.shape, without);
    slider.value = value;
    slider.nextElementSibling.value = fixed(value, 3, texts);
    const range = data.high[index] - data.low[index];
    histogram.querySelector("line").setAttribute("transform", `translate(${(240 * (value - data.low[index])) / range})`);
    const errors = { error: error(row, rebuilt), without: error(row, without) };
    const label = data.labels[row] && ` (${data.labels[row]})`;
    live.textContent = filled(texts.added, { row: data.numbers[row], label, value: fixed(value, 3, texts), ...errors });
  }

  function start(position) {
    const row = data.top[index][position];
    samples.forEach((button, other) => button.setAttribute("aria-pressed", other === position));
    drawImage(canvas("row"), data.shape, rows[row]);
    slider.oninput = () => set(row, Number(slider.value));
    set(row, flat[row * size + index]);
  }

  function showSamples() {
    samples.forEach((button, position) => {
      const row = data.top[index][position];
      const value = flat[row * size + index];
      button.hidden = value === 0 && position > 0; // the unit is active for fewer samples
      drawImage(button.querySelector("canvas"), data.shape, rows[row]);
      button.querySelector("span").textContent = fixed(value, 2, texts);
      const label = data.labels[row] && ` (${data.labels[row]})`;
      button.setAttribute("aria-label", filled(texts.sample, { row: data.numbers[row], label, value: fixed(value, 2, texts) }));
    });
  }

  function showHistogram() {
    const most = Math.max(...data.bars[index], 1);
    histogram.querySelectorAll("rect").forEach((bar, i) => {
      const height = (60 * data.bars[index][i]) / most;
      bar.setAttribute("y", 60 - height);
      bar.setAttribute("height", height);
    });
    const blanks = { unit: units[index] + 1, share: fixed(100 * data.shares[index], 1, texts) };
    root.querySelector(".touch-about").textContent = filled(texts.about, blanks);
  }

  function choose(position) {
    index = position;
    grid.forEach((button, other) => {
      button.setAttribute("aria-pressed", other === index);
      button.tabIndex = other === index ? 0 : -1;
    });
    choice.value = index;
    slider.min = data.low[index];
    slider.max = data.high[index];
    drawImage(canvas("atom"), data.shape, atoms[index]);
    showHistogram();
    showSamples();
    start(0);
  }

  function step(event) {
    const columns = Math.max(1, grid.filter((button) => button.offsetTop === grid[0].offsetTop).length);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -index, End: grid.length };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = index + steps[event.key];
    if (event.key.startsWith("Arrow") && !grid[next]) return;
    choose(clip(next, 0, grid.length - 1));
    grid[index].focus();
  }

  grid.forEach((button, position) => {
    drawImage(button.querySelector("canvas"), data.shape, atoms[position]);
    button.addEventListener("click", () => choose(position));
    button.addEventListener("keydown", step);
  });
  choice.addEventListener("change", () => choose(Number(choice.value)));
  samples.forEach((button, position) => button.addEventListener("click", () => start(position)));
  choose(0);
}

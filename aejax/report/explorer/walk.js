// A walk through the latent space: a slider for each unit, from the code of a row on.

const STEPS = 7; // images of a unit's traversal

function walk(root, data) {
  const { texts } = data;
  const sliders = [...root.querySelectorAll("input")];
  const buttons = [...root.querySelectorAll("button")];
  const live = root.querySelector(".touch-live");
  const layers = layersOf(data);
  const shown = shownOf(data);
  const rows = rowsOf(data, data.rows);
  const flat = floatsOf(data.codes);
  const size = flat.length / rows.length;
  const pictures = picturesOf(root, data);
  const strips = [...root.querySelectorAll(".touch-traversal")];

  // What the decoder makes of the code as each unit goes through its range.
  function showStrips() {
    strips.forEach((canvas, index) => {
      const [low, high] = data.ranges[index];
      const values = Array.from({ length: STEPS }, (_, step) => low + (step / (STEPS - 1)) * (high - low));
      const codes = values.map((value) => root.touch.code.with(data.units[index], value));
      drawMany(canvas, data.shape, codes.map((code) => shown(decode(layers, code))));
    });
  }

  function show(code, message) {
    const values = decode(layers, code);
    root.touch = { code, values };
    sliders.forEach((slider, index) => {
      slider.value = code[data.units[index]];
      slider.nextElementSibling.value = fixed(code[data.units[index]], 3, texts);
    });
    pictures.rebuilt(shown(values));
    live.textContent = message;
  }

  function start(row) {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", index === row));
    pictures.row(rows[row]);
    const blanks = { row: data.numbers[row], label: data.labels[row] && ` (${data.labels[row]})` };
    show(Array.from(flat.subarray(row * size, (row + 1) * size)), filled(texts.started, blanks));
    showStrips();
  }

  buttons.forEach((button, row) => {
    if (data.image) drawImage(button.querySelector("canvas"), data.shape, rows[row]);
    button.addEventListener("click", () => start(row));
  });
  sliders.forEach((slider, index) => {
    slider.addEventListener("change", showStrips);
    slider.addEventListener("input", () => {
      const code = [...root.touch.code];
      code[data.units[index]] = Number(slider.value);
      show(code, filled(texts.moved, { unit: data.units[index] + 1, value: fixed(Number(slider.value), 3, texts) }));
    });
  });
  start(0);
}

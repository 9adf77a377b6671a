// A page that asks for a row or an image, and shows what a net makes of it.

const TEXTS = {
  en: {
    about: "A trained net, computed on this page: nothing that you enter leaves it.", drop: "Drop a file here, or choose one:",
    line: "or a line of values between commas, in the order below:", answers: "Answers", code: "Code", rows: "Row and reconstruction",
    card: "What is known of this net", column: "column", value: "value", rebuilt: "reconstruction", filled: "filled in",
    score: "score", alarm: "alarm", cluster: "cluster", probability: "probability", yes: "yes", no: "no",
    wrong: "expected {0} values, got {1}", unread: "{0} cannot be read as a number or a category", missing: "this net takes no missing values",
  },
  es: {
    about: "Una red entrenada, calculada en esta página: nada de lo que se escribe sale de ella.", drop: "Suelte aquí un archivo, o elíjalo:",
    line: "o una línea de valores entre comas, en el orden de abajo:", answers: "Respuestas", code: "Código", rows: "Fila y reconstrucción",
    card: "Qué se sabe de esta red", column: "columna", value: "valor", rebuilt: "reconstrucción", filled: "relleno",
    score: "puntuación", alarm: "alarma", cluster: "grupo", probability: "probabilidad", yes: "sí", no: "no",
    wrong: "se esperaban {0} valores y hay {1}", unread: "{0} no se lee como número ni como categoría", missing: "esta red no admite valores ausentes",
  },
};
const language = navigator.language.startsWith("es") ? "es" : "en", say = TEXTS[language];
const net = JSON.parse(document.getElementById("net").textContent), arrays = unpacked(net.arrays);
const at = (id) => document.getElementById(id), size = product(net.shape), image = net.shape.length === 3;
const columns = net.columns.length ? net.columns
  : Array.from({length: image ? 0 : size}, (_, start) => ({name: String(start + 1), start, size: 1, categories: []}));
const shown = (value) => Number.isNaN(value) ? "–" : Number(value.toPrecision(5)).toLocaleString(language);
const withParts = (text, ...parts) => parts.reduce((line, part, number) => line.replace(`{${number}}`, part), text);
let row = Float64Array.from(net.middle);

document.documentElement.lang = language;
for (const element of document.querySelectorAll("[data-text]")) element.textContent = say[element.dataset.text];
at("line").parentElement.hidden = image;
at("card").textContent = JSON.stringify(net.card, null, 2);

function answer(action, data, shape) {
  const values = evaluate(net.programs[action], arrays, {shape: [1, ...shape], data}, net.actions[action].dtype);
  return Object.fromEntries(net.actions[action].answers.map((name, number) => [name, values[number].data]));
}

// The features of a column from the text of a cell; empty is missing.
function parsed(column, text) {
  const cell = text.trim(), number = Number(cell), kind = column.categories.indexOf(cell);
  if (cell === "") return new Array(column.size).fill(NaN);
  if (column.categories.length ? kind < 0 : Number.isNaN(number)) throw new Error(withParts(say.unread, cell));
  if (!column.categories.length) return [number];
  return column.size === 1 ? [kind] : column.categories.map((_, level) => Number(level === kind));
}

// What the features of a column say, as text.
function spelled(column, features) {
  const part = features.subarray(column.start, column.start + column.size);
  if (Number.isNaN(part[0])) return "";
  if (!column.categories.length) return shown(part[0]);
  return column.categories[column.size === 1 ? Number(part[0] > 0.5) : part.indexOf(Math.max(...part))];
}

function paint(features) {
  const [height, width, channels] = net.shape, canvas = document.createElement("canvas");
  Object.assign(canvas, {width, height});
  const context = canvas.getContext("2d"), pixels = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let part = 0; part < 3; part++) {
      const value = features[pixel * channels + Math.min(part, channels - 1)];
      pixels.data[pixel * 4 + part] = 255 * (value - net.low) / (net.high - net.low);
    }
    pixels.data[pixel * 4 + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function show() {
  if (!net.takes_missing && row.some(Number.isNaN)) throw new Error(say.missing);
  const answers = Object.keys(net.programs).filter((name) => !["encode", "decode", "reconstruct"].includes(name));
  const code = answer("encode", row, net.shape).code, rebuilt = answer("reconstruct", row, net.shape).rows;
  const results = Object.fromEntries(answers.map((name) => [name, answer(name, row, net.shape)]));
  at("code").replaceChildren(...Array.from(code.subarray(0, 256), (value) => Object.assign(document.createElement("span"), {textContent: shown(value)})));
  const lines = Object.values(results).flatMap((values) => Object.entries(values).filter(([name]) => name !== "rows"));
  at("answers").replaceChildren(...lines.flatMap(([name, [value]]) => {
    const text = name === "alarm" ? (value ? say.yes : say.no) : shown(value);
    return [Object.assign(document.createElement("span"), {textContent: `${say[name] ?? name}: ${text}`, className: name === "alarm" && value ? "alarm" : ""})];
  }));
  if (image) at("images").replaceChildren(paint(row), paint(rebuilt));
  for (const [number, column] of columns.entries()) {
    const cells = at("rows").rows[number + 1].cells;
    cells[2].textContent = spelled(column, rebuilt);
    if (results.fill) cells[3].textContent = spelled(column, results.fill.rows);
  }
  window.net = {row: Array.from(row), code: Array.from(code), rebuilt: Array.from(rebuilt), results};
}

function guarded(change) {
  at("problem").textContent = "";
  try {
    change();
    show();
  } catch (error) {
    at("problem").textContent = error.message;
  }
}

function enter(cells) {
  if (image) {
    if (cells.length !== size) throw new Error(withParts(say.wrong, size, cells.length));
    row = Float64Array.from(cells, Number);
    return;
  }
  if (cells.length !== columns.length) throw new Error(withParts(say.wrong, columns.length, cells.length));
  row = Float64Array.from(columns.flatMap((column, number) => parsed(column, cells[number])));
  columns.forEach((column, number) => { at("rows").rows[number + 1].querySelector("input, select").value = cells[number].trim(); });
}

const split = (line) => [...line.matchAll(/("([^"]*)"|[^,;\t]*)([,;\t]|$)/g)].map((m) => m[2] ?? m[1]).slice(0, /[,;\t]$/.test(line) ? undefined : -1);

async function open(file) {
  if (!file) return;
  if (!file.type.startsWith("image/")) {
    const lines = (await file.text()).split(/\r?\n/).filter((line) => line.trim()), names = split(lines[0]);
    const named = columns.length && columns.every((column) => names.includes(column.name)), cells = split(lines[named ? 1 : 0]);
    guarded(() => enter(named ? columns.map((column) => cells[names.indexOf(column.name)]) : cells));
    return;
  }
  const [height, width, channels] = net.shape, bitmap = await createImageBitmap(file);
  const canvas = Object.assign(document.createElement("canvas"), {width, height}), context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height).data;
  const level = (pixel, part) => channels < 3 ? 0.299 * pixels[4 * pixel] + 0.587 * pixels[4 * pixel + 1] + 0.114 * pixels[4 * pixel + 2] : pixels[4 * pixel + part];
  guarded(() => { row = Float64Array.from({length: size}, (_, n) => net.low + level(Math.floor(n / channels), n % channels) / 255 * (net.high - net.low)); });
}

const head = at("rows").insertRow();
for (const text of columns.length ? [say.column, say.value, say.rebuilt, ...(net.programs.fill ? [say.filled] : [])] : [])
  head.append(Object.assign(document.createElement("th"), {textContent: text}));
for (const column of columns) {
  const line = at("rows").insertRow(), field = document.createElement(column.categories.length ? "select" : "input");
  field.append(...["", ...column.categories].slice(column.categories.length ? 0 : 1).map((name) => Object.assign(document.createElement("option"), {textContent: name, value: name})));
  field.setAttribute("aria-label", column.name);
  line.insertCell().textContent = column.name;
  line.insertCell().append(field);
  for (const _ of net.programs.fill ? [2, 3] : [2]) line.insertCell().className = column.categories.length ? "" : "number";
  const features = row.subarray(column.start, column.start + column.size);
  field.value = column.categories.length ? spelled(column, row) : Number(features[0].toPrecision(6));
  field.addEventListener("input", () => guarded(() => { row.set(parsed(column, field.value), column.start); }));
}
at("line").addEventListener("input", () => at("line").value.trim() && guarded(() => enter(split(at("line").value.trim()))));
at("file").addEventListener("change", () => open(at("file").files[0]));
for (const name of ["dragover", "dragleave", "drop"])
  at("drop").addEventListener(name, (event) => { event.preventDefault(); at("drop").classList.toggle("over", name === "dragover"); if (name === "drop") open(event.dataTransfer.files[0]); });
guarded(() => {});

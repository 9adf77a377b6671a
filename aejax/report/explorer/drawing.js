// A row and its reconstruction: two images, or two lines in one chart.

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Numbers as the language writes them: with so many decimals, or so many significant digits.
const fixed = (value, decimals, texts) =>
  value.toFixed(clip(decimals, 0, 20)).replace("-", "−").replace(".", texts.decimal);

function written(value, texts, digits = 3) {
  return fixed(value, value === 0 ? 0 : digits - 1 - Math.floor(Math.log10(Math.abs(value))), texts);
}

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// What is drawn of scaled values lies in [0, 1].
function shownOf(data) {
  const gain = floatsOf(data.gain);
  const offset = floatsOf(data.offset);
  return (values) => values.map((value, i) => value * gain[i % gain.length] + offset[i % offset.length]);
}

// Rows as they are drawn: bytes of images, floats of tables.
function rowsOf(data, packed) {
  const size = data.shape.reduce((product, side) => product * side, 1);
  const all = data.image ? Float32Array.from(bytesOf(packed), (value) => value / 255) : floatsOf(packed);
  return Array.from({ length: all.length / size }, (_, row) => all.subarray(row * size, (row + 1) * size));
}

function drawImage(canvas, shape, values) {
  const [height, width, channels] = shape;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let colour = 0; colour < 3; colour++) {
      pixels.data[4 * pixel + colour] = Math.round(255 * clip(values[pixel * channels + (colour % channels)], 0, 1));
    }
    pixels.data[4 * pixel + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

// Several images in one canvas, in rows of so many, with a gap between them.
function drawMany(canvas, shape, images, columns = images.length, gap = 1) {
  const [height, width] = [shape[0] + gap, shape[1] + gap];
  Object.assign(canvas, { width: columns * width - gap, height: (images.length / columns) * height - gap });
  const tile = document.createElement("canvas");
  images.forEach((values, index) => {
    drawImage(tile, shape, values);
    canvas.getContext("2d").drawImage(tile, (index % columns) * width, Math.floor(index / columns) * height);
  });
}

const BOX = { left: 52, right: 352, top: 12, bottom: 176 };

function lineOf(values) {
  const step = (BOX.right - BOX.left) / Math.max(values.length - 1, 1);
  const height = (value) => BOX.bottom - (BOX.bottom - BOX.top) * clip(value, -0.05, 1.05);
  return Array.from(values, (value, i) => `${(BOX.left + i * step).toFixed(1)},${height(value).toFixed(1)}`).join(" ");
}

// Where a row and what the decoder makes of it are shown.
function picturesOf(root, data) {
  const [row, rebuilt] = ["row", "rebuilt"].map((name) => root.querySelector(`[data-show=${name}]`));
  const draw = (target, values) =>
    data.image ? drawImage(target, data.shape, values) : target.setAttribute("points", lineOf(values));
  return { row: (values) => draw(row, values), rebuilt: (values) => draw(rebuilt, values) };
}

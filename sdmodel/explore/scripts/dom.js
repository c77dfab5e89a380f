// Elements of the page. Texts of the model only ever become text nodes or attribute values, never HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; properties that begin with `on` are listeners, `text` is its text, the others are attributes. */
export function element(tag, properties = {}, children = []) {
  return filled(document.createElement(tag), properties, children);
}

/** Make an element of an SVG picture. */
export function shape(tag, properties = {}, children = []) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

export function byId(id) {
  return document.getElementById(id);
}

/** Offer a text as a file. */
export function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: address, download: name.replace(/[^\w.() +-]+/g, "-") });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

const COPIED = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "opacity",
  "fill-opacity",
  "font-size",
  "font-weight",
  "text-anchor",
];

/** The text of a picture as a file of its own: its looks come from the page's styles, and are written into it. */
export function pictureText(svg, title, legend) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((node, at) => {
    const style = getComputedStyle(originals[at]);
    for (const name of COPIED) node.setAttribute(name, style.getPropertyValue(name));
    node.removeAttribute("class");
  });
  const { width, height } = svg.viewBox.baseVal;
  const ink = getComputedStyle(document.body);
  const head = 34 + (legend.length ? 16 : 0);
  const inner = shape("g", { transform: `translate(0 ${head})` }, [...copy.childNodes]);
  const words = [shape("text", { x: 8, y: 20, "font-size": 14, "font-weight": 600, fill: ink.color, text: title })];
  let left = 8;
  for (const { label, colour } of legend) {
    words.push(shape("text", { x: left, y: 38, "font-size": 11, fill: colour, text: label }));
    left += 7 * label.length + 16;
  }
  const whole = shape(
    "svg",
    { xmlns: SVG, viewBox: `0 0 ${width} ${height + head}`, width, height: height + head, "font-family": "sans-serif" },
    [shape("rect", { width, height: height + head, fill: ink.backgroundColor }), ...words, inner],
  );
  return new XMLSerializer().serializeToString(whole);
}

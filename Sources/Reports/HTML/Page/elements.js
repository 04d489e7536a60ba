// What every page uses: its data, elements made without parsing, colours, the window's theme.

/** The document's data, with every reference into its pool resolved. */
const DATA = (() => {
  const { pool, data } = JSON.parse(document.getElementById("data").textContent);
  const resolve = (value) => {
    if (Array.isArray(value)) return value.map(resolve);
    if (value === null || typeof value !== "object") return value;
    const keys = Object.keys(value);
    if (keys.length === 1 && keys[0] === "$") return pool[value.$];
    // No prototype: keys such as "__proto__" come from a kernel too.
    const result = Object.create(null);
    for (const key of keys) result[key] = resolve(value[key]);
    return result;
  };
  // An entry refers to earlier ones only.
  for (let index = 0; index < pool.length; index++) pool[index] = resolve(pool[index]);
  return resolve(data);
})();

/** Control characters and marks of direction written out, as in the text report. */
const printable = (text) =>
  String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => {
      const code = c.codePointAt(0);
      return code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u{" + code.toString(16) + "}";
    });

const append = (node, children) => {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(printable(child)));
  }
  return node;
};

const setAttributes = (node, attributes) => {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    // What scripts compare stays as it is; what people see or hear is made printable.
    else if (/^(value|href|data-)/.test(name)) node.setAttribute(name, value);
    else node.setAttribute(name, value === true ? "" : printable(value));
  }
  return node;
};

/** An element; texts become text and are never parsed. */
const h = (tag, attributes, ...children) =>
  append(setAttributes(document.createElement(tag), attributes), children);

/** The same for drawings. */
const s = (tag, attributes, ...children) =>
  append(setAttributes(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes), children);

const unique = (values) => [...new Set(values)];
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const short = (address) => (address ? address.replace(/^0xffffffff/, "…") : "unknown");

const VERDICTS = {
  inadequate: { glyph: "✗", words: "less than the policy requires" },
  undetermined: { glyph: "?", words: "nobody knows, and so not adequate" },
  excessive: { glyph: "▲", words: "long where short would do" },
  adequate: { glyph: "✓", words: "what the policy requires" },
  unjudged: { glyph: "·", words: "not judged" },
};
const SEVERITIES = { error: "✗", warning: "!", note: "i" };

/** A verdict as a word with its sign, so that the colour is never alone. */
const verdictBadge = (verdict) => {
  const name = verdict ?? "unjudged";
  return h("span", { class: `badge v-${name}` },
    h("span", { "aria-hidden": "true" }, VERDICTS[name].glyph + " "), verdict ?? "not judged");
};

const section = (id, title, hint, ...children) =>
  h("section", { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title, hint ? h("small", {}, hint) : null), ...children);

const facts = (rows) =>
  h("dl", { class: "facts" },
    rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value.length !== 0)
      .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

const list = (items) => h("ul", { class: "plain" }, items.map((item) => h("li", {}, item)));
const mono = (text, attributes) => h("code", attributes ?? {}, text);

/** Machine code with a space between bytes. */
const bytes = (hex) => (hex ? hex.replace(/../g, "$& ").trim() : "");

/** A button that changes to the theme that is not shown. */
const themeButton = () => {
  const root = document.documentElement;
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  return h("button", {
    class: "ghost", type: "button", title: "Light or dark", "aria-label": "Change between light and dark",
    onclick: () => { root.dataset.theme = isDark() ? "light" : "dark"; },
  }, "◐");
};

/** What a screen reader is told without moving to it. */
const LIVE = h("p", { class: "hidden", role: "status", "aria-live": "polite" });
const announce = (text) => { LIVE.textContent = printable(text); };

/** A page's frame: what stands above, in the middle and beside. */
const frame = (banner, main, panel) => {
  document.body.append(
    h("a", { class: "skip", href: "#main" }, "Skip to the report"),
    h("header", { class: "top" }, banner),
    h("div", { class: "frame" }, main, panel), LIVE);
};

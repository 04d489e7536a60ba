// The sequence and its sites, drawn.

/** The rounds that a variant runs, over those that the newest cores need. */
const rounds = (variant) => {
  const size = 11;
  const [outer, inner] = [variant.outer ?? 0, variant.inner ?? 0];
  const [rows, columns] = [Math.max(7, inner), Math.max(12, outer)];
  const dots = [];
  for (let x = 0; x < columns; x++) {
    for (let y = 0; y < rows; y++) {
      const runs = x < outer && y < inner;
      dots.push(s("rect", {
        x: x * size + 1, y: (rows - 1 - y) * size + 1, width: size - 3, height: size - 3, rx: 2,
        class: runs ? `runs ${variant.class ?? ""}` : x < 12 && y < 7 ? "wanted" : "blank",
      }));
    }
  }
  const words = `${outer} outer by ${inner} inner rounds; a long sequence has at least 12 by 7`;
  return h("figure", { class: "rounds" },
    s("svg", { viewBox: `0 0 ${columns * size} ${rows * size}`, width: columns * size, height: rows * size, role: "img", "aria-label": words }, dots),
    h("figcaption", {}, `${variant.outer ?? "?"} outer rounds →, ${variant.inner ?? "?"} inner ↑`));
};

/** What went into the history, by kind of branch. */
const branchBar = (branches) => {
  const kinds = [["call", branches.call], ["jump", branches.jump], ["cond.", branches.conditional_taken], ["ret", branches.ret]];
  return h("div", {}, h("div", { class: "bar", role: "img", "aria-label": kinds.map(([name, count]) => `${count} ${name}`).join(", ") },
    kinds.filter(([, count]) => count > 0).map(([name, count], index) =>
      h("span", { class: `b${index}`, style: `flex-grow:${Number(count)}`, title: `${count} ${name}` }, `${count} ${name}`))));
};

const variantCard = (variant) => h("article", { class: "variant" },
  h("h3", {}, `${variant.outer ?? "?"}×${variant.inner ?? "?"}`, " ", h("span", { class: `class c-${variant.class ?? "unknown"}` }, variant.class ?? "unknown")),
  rounds(variant),
  variant.branches ? branchBar(variant.branches) : null,
  h("p", { class: "muted" }, [
    variant.taken_branches === null ? "not measured" : `${variant.taken_branches} taken branches a run`,
    variant.barrier === null ? "barrier unknown" : variant.barrier ? "LFENCE inside" : "no LFENCE inside",
    `selected by ${variant.selected_by}`,
    variant.undetermined_because,
  ].filter(Boolean).join(" · ")));

/** The sequence's bytes in their cache lines, with its returns. */
const cacheLines = (sequence) => {
  if (!sequence.address || !sequence.size) return h("p", { class: "muted" }, "Address or size unknown.");
  const start = BigInt(sequence.address);
  const end = start + BigInt(sequence.size);
  const first = start & ~63n;
  const count = Math.min(32, Number((end - first + 63n) / 64n));
  const returns = new Map(sequence.returns.map((one) => [BigInt(one.address), one]));
  const [size, left, gap] = [11, 74, 5];
  const width = left + 64 * size + gap + 8;
  const x = (byte) => left + byte * size + (byte >= 32 ? gap : 0);
  const parts = [
    s("text", { x: x(0), y: 10, class: "label" }, "lower half: open to Indirect Target Selection"),
    s("text", { x: x(32), y: 10, class: "label" }, "upper half"),
  ];
  for (let line = 0; line < count; line++) {
    const y = 18 + line * (size + 6);
    const address = first + BigInt(line * 64);
    parts.push(s("text", { x: 0, y: y + 9, class: "label mono" }, `…${(address & 0xffffffffn).toString(16).padStart(8, "0")}`));
    for (let byte = 0; byte < 64; byte++) {
      const here = address + BigInt(byte);
      const inside = here >= start && here < end;
      const found = returns.get(here);
      parts.push(s("rect", { x: x(byte), y, width: size - 2, height: size - 2, rx: 1.5, class: inside ? byte < 32 ? "byte low" : "byte" : "byte out" }));
      if (found) {
        // A return may be longer than a byte; what counts is where it ends.
        const last = x(found.last_byte_in_line);
        const bad = found.last_byte_in_line < 32;
        parts.push(s("rect", { x: last - 1, y: y - 1, width: size, height: size, rx: 2, class: bad ? "ret bad" : "ret" },
          s("title", {}, `RET at ${found.address}, its last byte is byte ${found.last_byte_in_line} of the line`)),
        s("text", { x: last + size / 2 - 1, y: y + 8, class: "ret-sign" }, bad ? "✗" : "R"));
      }
    }
  }
  const height = 18 + count * (size + 6);
  const bad = sequence.returns.filter((one) => one.last_byte_in_line < 32).length;
  const words = sequence.returns.length === 0 ? "no return was found"
    : `${plural(sequence.returns.length, "return")}, ${bad ? `${bad} in the lower half` : "all in the upper half"} of their cache lines`;
  return h("figure", { class: "lines" },
    s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words }, parts), h("figcaption", {}, words));
};

const SHAPES = {
  immediate: "counts are constants in its code", alternative: "an alternative inside it exchanges the counts",
  variable: "counts come from memory that boot code may write", caller: "its callers pass the counts",
};

const sequenceSection = (image) => {
  const { sequence } = image;
  if (!sequence || sequence.shape === "absent") {
    return section("sequence", "Sequence", null, h("p", { class: "empty" }, sequence ? "The image has none." : "Unknown: it could not be read."));
  }
  return section("sequence", "Sequence", [
    sequence.symbol ?? "symbol unknown", sequence.address ?? "address unknown",
    sequence.size === null ? "size unknown" : `${sequence.size} bytes`, SHAPES[sequence.shape],
  ].join(" · "),
  h("div", { class: "drawings" }, sequence.variants.map(variantCard), cacheLines(sequence)));
};

/** What protects an entry point, over all boot paths that have it. */
const usage = (name, paths) => {
  const counts = new Map();
  for (const path of paths) {
    const point = path.entry_points[name];
    if (point) counts.set(mechanism(point), (counts.get(mechanism(point)) ?? 0) + 1);
  }
  const parts = [...counts].sort((a, b) => b[1] - a[1]);
  if (parts.length === 0) return h("span", { class: "muted" }, "on no boot path");
  return h("div", { class: "bar thin", role: "img", "aria-label": parts.map(([words, count]) => `${words} on ${count}`).join(", ") },
    parts.map(([words, count]) => h("span", {
      class: `m-${words.replace(/[^a-z]+/g, "-")}`, style: `flex-grow:${Number(count)}`, title: `${words} on ${plural(count, "path")}`,
    }, `${words} ${count}`)));
};

const siteFlow = (site) => {
  const before = site.original_text ?? bytes(site.original);
  const after = site.replacement_text ?? bytes(site.replacement);
  return h("div", { class: "flow" },
    h("code", { class: "place", title: `${site.image} ${site.section ?? ""} ${site.address}` },
      `${site.image === "vmlinux" ? "" : `${site.image}: `}${site.symbol ?? "unknown"}`, h("small", {}, short(site.address))),
    h("span", { class: "kind" }, site.kind),
    site.feature ? h("span", { class: "gate" }, `${site.negated ? "not " : ""}${feature(site.feature)}`) : null,
    before ? h("code", { title: bytes(site.original) }, before.replace(/^(nop)(; nop)+$/, (all) => `nop × ${all.split(";").length}`)) : null,
    before && after ? h("span", { "aria-label": "becomes" }, "→") : null,
    after ? h("code", { class: "after", title: bytes(site.replacement) }, after) : h("code", { class: "after" }, `runs ${site.target ?? "unknown"}`),
    site.barrier === true ? h("span", { class: "gate" }, "LFENCE") : null);
};

const sitesSection = (image) => {
  const names = Object.keys(ENTRY_POINTS).filter((name) =>
    image.sites.some((site) => site.entry_point === name) || image.missing_sites.includes(name)
    || image.unknown_sites.includes(name) || image.paths.some((path) => name in path.entry_points));
  const rows = names.map((name) => {
    const sites = image.sites.filter((site) => site.entry_point === name);
    const missing = image.missing_sites.includes(name);
    const unknown = image.unknown_sites.includes(name);
    return h("tr", { class: missing ? "missing" : unknown ? "unknown" : "" },
      h("th", { scope: "row" }, name, h("small", {}, ENTRY_POINTS[name])),
      h("td", {}, sites.map(siteFlow),
        missing ? h("p", { class: "warn" }, "✗ no site") : null,
        unknown && !sites.length ? h("p", { class: "warn" }, "? in a file that was not given") : null,
        !sites.length && !missing && !unknown ? h("p", { class: "muted" }, "no site of its own") : null),
      h("td", { class: "usage" }, usage(name, image.paths)));
  });
  const others = image.sites.filter((site) => site.entry_point === null);
  if (others.length) {
    rows.push(h("tr", {}, h("th", { scope: "row" }, "elsewhere"), h("td", {}, others.map(siteFlow)), h("td", {})));
  }
  return section("sites", "Entry points and sites", plural(image.sites.length, "site"),
    rows.length ? h("table", { class: "sites" },
      h("thead", {}, h("tr", {}, ["entry point", "its site", "protected by, over all boot paths"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows)) : h("p", { class: "empty" }, "None."));
};

/** The decision tree as nested lists. */
const treeSection = (words, matrixOf) => {
  if (!words.tree.root) return null;
  const node = (one) => {
    if (!one.question) {
      const verdict = one.verdicts[0]?.verdict === "not judged" ? "unjudged" : one.verdicts[0]?.verdict;
      return h("button", {
        type: "button", class: `leaf v-${verdict ?? "unjudged"}`, onclick: () => matrixOf().showOnly("a leaf of the tree", one.paths),
      }, h("b", {}, one.protections.join(" or ")), " ",
      one.verdicts.map((count) => `${VERDICTS[count.verdict === "not judged" ? "unjudged" : count.verdict].glyph} ${count.count}`).join("  "));
    }
    return [h("span", { class: "question" }, `${one.question}?`),
      h("ul", {}, one.branches.map((branch) => h("li", {}, h("span", { class: "answer" }, branch.answers.join(", ")), node(branch.node))))];
  };
  return section("tree", "Decision tree", "which inputs lead to which protection, derived from the grid; a leaf shows its boot paths",
    h("div", { class: "tree" }, node(words.tree.root)));
};

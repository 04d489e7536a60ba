// The decision table as a grid, with its filters. Rows are conditions (environment, statement,
// command line), columns the CPUs that more than one of them has; the others stand in a row's strip.

const DIMENSIONS = [
  ["cpu", "CPU"], ["environment", "environment"], ["statement", "statement"],
  ["command_line_name", "command line"],
];

/**
 * A grid of paths with filters above it.
 * @param paths objects with the four dimensions, an id and a `kind` that the first filter is about
 * @param look how a cell is shown: {text, className, label}
 * @param kinds [name, words, glyph] of the first filter, in its order
 * @param select called with a path that was chosen
 */
const matrix = (paths, look, kinds, select) => {
  const state = { kinds: new Set(), text: "", only: null, chosen: null };
  for (const [key] of DIMENSIONS) state[key] = "";
  const grid = h("div", { class: "grid-box" });
  const count = h("span", { class: "count", role: "status", "aria-live": "polite" });
  const onlyChip = h("span", {});

  const matches = (path) =>
    (state.kinds.size === 0 || state.kinds.has(path.kind))
    && DIMENSIONS.every(([key]) => !state[key] || path[key] === state[key])
    && (!state.only || state.only.paths.has(path.id))
    && state.text.toLowerCase().split(/\s+/).every((word) => path.search.includes(word));

  const refresh = () => {
    const shown = paths.filter(matches);
    count.textContent = `${shown.length} of ${plural(paths.length, "boot path")}`;
    grid.replaceChildren(shown.length ? table(shown) : h("p", { class: "empty" }, "No boot path fits these filters."));
    onlyChip.replaceChildren(...(state.only
      ? [h("button", { class: "chip on", type: "button", onclick: () => { state.only = null; refresh(); } },
          `only ${state.only.name} ✕`)] : []));
  };

  const cell = (path, name) => {
    const { text, className, label } = look(path);
    return h("button", {
      type: "button", class: `cell ${className}`, "aria-label": label, title: label, tabindex: "-1",
      "data-id": path.id, "aria-pressed": String(state.chosen === path.id), onclick: () => choose(path),
    }, name ? h("span", { class: "name" }, name) : null, text);
  };

  const choose = (path) => {
    state.chosen = path.id;
    for (const button of grid.querySelectorAll(".cell")) {
      button.setAttribute("aria-pressed", String(button.dataset.id === path.id));
    }
    select(path, () => grid.querySelector(`[data-id="${CSS.escape(path.id)}"]`)?.focus());
  };

  const table = (shown) => {
    const rowKey = (path) => JSON.stringify([path.environment, path.statement, path.command_line_name]);
    const rows = new Map();
    for (const environment of unique(shown.map((path) => path.environment))) {
      for (const path of shown.filter((path) => path.environment === environment)) {
        if (!rows.has(rowKey(path))) rows.set(rowKey(path), []);
        rows.get(rowKey(path)).push(path);
      }
    }
    const uses = new Map();
    for (const path of shown) uses.set(path.cpu, (uses.get(path.cpu) ?? 0) + 1);
    // A grid with few columns is complete; else a CPU of a single row would be a column of blanks.
    const all = [...uses.keys()];
    const columns = all.length <= 16 ? all : all.filter((cpu) => uses.get(cpu) > 1);
    const spans = new Map();
    for (const group of rows.values()) {
      const extra = group.some((path) => !columns.includes(path.cpu)) ? 1 : 0;
      const own = group.some((path) => columns.includes(path.cpu)) ? 1 : 0;
      spans.set(group[0].environment, (spans.get(group[0].environment) ?? 0) + own + extra);
    }
    const named = new Set();
    const body = [...rows.values()].map((group) => {
      const [first] = group;
      const heads = (isRest) => {
        const isNew = !named.has(first.environment);
        named.add(first.environment);
        return [
          isNew ? h("th", { scope: "rowgroup", rowspan: spans.get(first.environment), class: "environment" }, first.environment) : null,
          h("th", { scope: "row", class: "condition" },
            first.statement === "silent" ? null : h("span", { class: "statement" }, first.statement),
            first.statement === "silent" ? h("span", { class: "hidden" }, "silent") : null, " ",
            h("span", { class: first.command_line_name === "default" ? "default" : "line" }, first.command_line_name),
            isRest ? ", other CPUs" : null),
        ];
      };
      const byCPU = new Map(group.map((path) => [path.cpu, path]));
      const rest = group.filter((path) => !columns.includes(path.cpu));
      const lines = [];
      const isFirst = !named.has(first.environment);
      if (rest.length < group.length) {
        lines.push(h("tr", {}, heads(false), columns.map((cpu) =>
          h("td", {}, byCPU.has(cpu) ? cell(byCPU.get(cpu)) : null))));
      }
      if (rest.length) {
        lines.push(h("tr", { class: "strip" }, heads(lines.length > 0), h("td", { colspan: Math.max(1, columns.length) },
          h("div", { class: "tiles" }, rest.map((path) => cell(path, path.cpu))))));
      }
      if (isFirst) lines[0].classList.add("first");
      return lines;
    });
    const result = h("table", { class: "grid" },
      h("caption", { class: "hidden" }, "The decision table: arrow keys move, Enter shows a boot path"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "environment"), h("th", { scope: "col" }, "statement, command line"),
        columns.map((cpu) => h("th", { scope: "col", class: "cpu" }, h("span", {}, cpu))))),
      h("tbody", {}, body));
    const start = result.querySelector(`[data-id="${CSS.escape(state.chosen ?? "")}"]`) ?? result.querySelector(".cell");
    start?.setAttribute("tabindex", "0");
    return result;
  };

  // One stop for the tab key; inside of the grid the arrow keys move to the nearest cell there.
  grid.addEventListener("keydown", (event) => {
    const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    const from = event.target.closest?.(".cell");
    if (!direction || !from) return;
    event.preventDefault();
    const place = (node) => { const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    const [x, y] = place(from);
    let best = null;
    for (const button of grid.querySelectorAll(".cell")) {
      const [dx, dy] = [place(button)[0] - x, place(button)[1] - y];
      const ahead = dx * direction[0] + dy * direction[1];
      const aside = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
      if (ahead < 4 || (direction[0] && aside > 8)) continue;
      const cost = ahead + 3 * aside;
      if (!best || cost < best.cost) best = { cost, button };
    }
    if (!best) return;
    from.setAttribute("tabindex", "-1");
    best.button.setAttribute("tabindex", "0");
    best.button.focus();
  });

  for (const path of paths) {
    path.search = printable([path.id, path.kind, path.words].join(" ")).toLowerCase();
  }
  const chips = kinds.map(([name, words, glyph, className]) => {
    const number = paths.filter((path) => path.kind === name).length;
    return number === 0 ? null : h("button", {
      type: "button", class: `chip ${className}`, "aria-pressed": "false", title: words, "data-kind": name,
      onclick: (event) => {
        const isOn = !state.kinds.delete(name);
        if (isOn) state.kinds.add(name);
        event.currentTarget.setAttribute("aria-pressed", String(isOn));
        refresh();
      },
    }, h("span", { "aria-hidden": "true" }, glyph), ` ${name} `, h("b", {}, number));
  });
  const selects = DIMENSIONS.map(([key, name]) => {
    const values = unique(paths.map((path) => path[key]));
    return h("label", { class: values.length < 2 ? "field hidden" : "field" }, h("span", {}, name),
      h("select", { "data-dimension": key, onchange: (event) => { state[key] = event.target.value; refresh(); } },
        h("option", { value: "" }, `all ${values.length}`), values.map((value) => h("option", { value }, value))));
  });
  const search = h("input", {
    type: "search", placeholder: "sysfs, bhi-off, zen…", oninput: (event) => { state.text = event.target.value; refresh(); },
  });
  const reset = h("button", {
    type: "button", class: "ghost", onclick: () => {
      Object.assign(state, { text: "", only: null });
      state.kinds.clear();
      search.value = "";
      for (const [key] of DIMENSIONS) state[key] = "";
      for (const node of filters.querySelectorAll("select")) node.value = "";
      for (const node of filters.querySelectorAll("[aria-pressed]")) node.setAttribute("aria-pressed", "false");
      refresh();
    },
  }, "reset");
  const filters = h("form", { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    h("div", { class: "chips", role: "group", "aria-label": "verdict" }, chips),
    selects, h("label", { class: "field" }, h("span", {}, "contains"), search), onlyChip, count, reset);
  refresh();
  return {
    nodes: [filters, grid],
    /** Shows only the paths with these ids. */
    showOnly: (name, ids) => { reset.click(); state.only = { name, paths: new Set(ids) }; refresh(); filters.scrollIntoView({ block: "start" }); },
    choose: (id) => { const path = paths.find((path) => path.id === id); if (path) choose(path); },
  };
};

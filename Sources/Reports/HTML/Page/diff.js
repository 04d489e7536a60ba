// The page of a comparison: before and after side by side.

const { comparison: report, words } = DATA;
const { before, after, comparison } = report;
const main = h("main", { id: "main" });
const panel = detailPanel("Choose a cell of the grid: it shows what was and what is.");
const CHANGES = { worse: ["✗", "inadequate"], different: ["~", "excessive"], better: ["✓", "adequate"] };
const changeBadge = (change) => h("span", { class: `badge v-${CHANGES[change][1]}` }, `${CHANGES[change][0]} ${change}`);
const kindOf = (state) => (state.undetermined_because ? "undetermined" : state.verdict ?? "unjudged");

const side = (name, one) => h("div", { class: "tile wide" }, h("small", { class: "muted" }, name), h("b", {}, one.release ?? one.path),
  facts([["path", one.path], ["build id", one.build_id ? mono(one.build_id) : "unknown"], ["boot paths", String(one.paths)],
    ["policy", one.policy ?? "none"], ["not inspected", one.error ? `${one.error.message} (${one.error.code})` : null]]));

const stateColumn = (name, state, words) => h("div", { class: "side" }, h("h4", {}, name),
  h("p", { class: "protection" }, verdictBadge(kindOf(state) === "unjudged" ? null : kindOf(state)), " ", words),
  state.undetermined_because ? h("p", { class: "warn" }, `undetermined because ${state.undetermined_because}`) : null,
  h("p", { class: "code" }, sysfs(state.sysfs)));

const entryChanges = (path) => {
  const names = Object.keys(ENTRY_POINTS).filter((name) => name in path.before.entry_points || name in path.after.entry_points);
  const runs = (point) => (point ? [mechanism(point), " ", verdictBadge(point.verdict)] : h("span", { class: "muted" }, "not there"));
  return h("table", { class: "small" },
    h("thead", {}, h("tr", {}, ["entry point", "before", "after"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, names.map((name) => h("tr", { class: name in path.changed_entry_points ? "changed" : "" },
      h("th", { scope: "row" }, name), h("td", {}, runs(path.before.entry_points[name])), h("td", {}, runs(path.after.entry_points[name]))))));
};

const findingRow = (word, className, finding, extra) => h("article", { class: `finding s-${finding.severity}` },
  h("h3", {}, h("span", { class: `badge ${className}` }, word), " ", h("span", { class: `badge s-${finding.severity}` }, finding.severity), " ", finding.id,
    h("small", {}, RULES.get(finding.id)?.title ?? "")), findingBody(finding, extra ?? null));

const findings = (changes) => {
  const kept = changes.kept.filter((one) => one.severity_before !== one.finding.severity || one.new_paths.length || one.gone_paths.length);
  const same = changes.kept.length - kept.length;
  const column = (title, cards) => h("div", { class: "side" }, h("h3", {}, title), cards.length ? cards : h("p", { class: "muted" }, "none"));
  return section("findings", "Findings", same ? `${plural(same, "finding")} in both, unchanged` : null,
    h("div", { class: "sides" },
      column("gone", changes.gone.map((finding) => findingRow("✓ gone", "v-adequate", finding))),
      column("new", changes.new.map((finding) => findingRow("✗ new", "v-inadequate", finding)))),
    kept.map((one) => findingRow(one.worse ? "✗ worse" : "~ changed", one.worse ? "v-inadequate" : "v-excessive", one.finding,
      h("span", { class: "muted" }, [
        one.severity_before === one.finding.severity ? null : `was ${one.severity_before}`,
        one.new_paths.length ? `${plural(one.new_paths.length, "path")} more` : null,
        one.gone_paths.length ? `${plural(one.gone_paths.length, "path")} fewer` : null].filter(Boolean).join(", ")))));
};

const grid = () => {
  comparison.paths.forEach((path, index) => {
    path.kind = path.change;
    path.words = `${words[index].before} → ${words[index].after}`;
    path.sides = words[index];
  });
  return matrix(comparison.paths, (path) => ({
    text: [h("span", { class: `half v-${kindOf(path.before)}` }, pathCode(path.before.entry_points)),
      h("span", { class: `half v-${kindOf(path.after)}` }, pathCode(path.after.entry_points))],
    className: `split change-${path.change}`,
    label: `${path.id}: ${path.change}; ${kindOf(path.before)}, then ${kindOf(path.after)}; ${path.words}`,
  }), Object.entries(CHANGES).map(([name, [glyph, className]]) => [name, name, glyph, `v-${className}`]),
  (path, back) => panel.show(path, [
    h("p", {}, changeBadge(path.change)),
    h("div", { class: "sides" }, stateColumn("before", path.before, path.sides.before), stateColumn("after", path.after, path.sides.after)),
    entryChanges(path)], back));
};

const lonely = (name, ids) => (ids.length ? h("details", {}, h("summary", {}, `${plural(ids.length, "boot path")} only ${name}`), list(ids.map((id) => mono(id)))) : null);

const worth = report.worse === null ? ["not compared", "undetermined"] : report.worse ? ["worse", "inadequate"]
  : comparison.paths.length + comparison.findings.new.length + comparison.findings.gone.length === 0 ? ["no change", "adequate"] : ["no worse", "adequate"];
frame([h("strong", {}, "bhbcheck"), h("span", { class: "muted" }, `${report.tool.version} diff`), themeButton()], main, panel.panel);
append(main, [
  h("section", { class: "summary", "aria-label": "Summary" }, h("h1", {}, before.release !== after.release && before.release && after.release
    ? `${before.release} → ${after.release}` : `${before.path} → ${after.path}`),
    h("p", { class: `gate-banner v-${worth[1]}` }, h("b", {}, worth[0])),
    h("div", { class: "tiles-big" }, side("before", before), side("after", after)),
    before.policy !== after.policy ? h("p", { class: "warn" }, "Judged by different policies.") : null),
]);
if (comparison) {
  const table = comparison.paths.length ? grid() : null;
  append(main, [
    findings(comparison.findings),
    section("paths", "Boot paths", `${comparison.paths.length} changed, ${comparison.unchanged_paths} unchanged; a cell is before | after`,
      table ? [table.nodes, legend()] : h("p", { class: "empty" }, "No boot path changed."),
      lonely("before", comparison.only_before), lonely("after", comparison.only_after)),
  ]);
  const first = comparison.paths.find((path) => path.change === "worse") ?? comparison.paths[0];
  if (table && first) table.choose(first.id);
}

// The page of a report: one image at a time.

const { report } = DATA;
const panel = detailPanel("Choose a cell of the grid: a click, or the arrow keys and Enter.");
const main = h("main", { id: "main" });

/** Findings that lead, each with what follows from it; as the text report groups them. */
const findingGroups = (findings) => {
  const rank = { error: 0, warning: 1, note: 2 };
  const ids = new Set(findings.map((finding) => finding.id));
  const leads = (finding) => finding.follows_from.every((id) => !ids.has(id));
  const groups = findings.filter(leads).map((leader) => ({ leader, followers: [] }))
    .sort((a, b) => rank[a.leader.severity] - rank[b.leader.severity] || a.leader.id.localeCompare(b.leader.id));
  for (const finding of findings.filter((finding) => !leads(finding))) {
    const group = groups.find((group) => finding.follows_from.includes(group.leader.id))
      ?? groups.find((group) => group.followers.some((other) => finding.follows_from.includes(other.id)));
    if (group) group.followers.push(finding);
    else groups.push({ leader: finding, followers: [] });
  }
  return groups;
};

const findingsSection = (image, matrixOf) => {
  const anchors = new Map(image.findings.map((finding, index) => [finding, `finding-${index}`]));
  const ids = new Set(image.paths.map((path) => path.id));
  const shown = (finding) => finding.paths.filter((id) => ids.has(id));
  const card = (finding, follows) => h("article", { class: `finding s-${finding.severity}`, id: anchors.get(finding), tabindex: "-1" },
    h("h3", {}, h("span", { class: `badge s-${finding.severity}` }, `${SEVERITIES[finding.severity]} ${finding.severity}`), " ", finding.id,
      h("small", {}, RULES.get(finding.id)?.title ?? "")),
    findingBody(finding, [
      shown(finding).length ? h("button", {
        type: "button", class: "chip", onclick: () => matrixOf().showOnly(finding.id, shown(finding)),
      }, `show its ${plural(shown(finding).length, "boot path")}`) : null,
      follows ? h("span", { class: "muted" }, `follows from ${finding.follows_from.join(", ")}`) : null,
    ]));
  const groups = findingGroups(image.findings);
  return {
    node: section("findings", "Findings", image.findings.length ? null : "none",
      groups.map(({ leader, followers }) => h("div", { class: "group" }, card(leader, false),
        followers.length ? h("div", { class: "followers" }, followers.map((finding) => card(finding, true))) : null))),
    show: (finding) => {
      const node = document.getElementById(anchors.get(finding));
      node?.scrollIntoView({ block: "center" });
      node?.focus();
    },
  };
};

/** The page's first lines: what it comes to. */
const summary = (image, words) => {
  const counts = Object.keys(VERDICTS).map((name) => [name, image.paths.filter((path) => path.kind === name).length]).filter(([, count]) => count);
  const severities = Object.keys(SEVERITIES).map((name) => [name, image.findings.filter((finding) => finding.severity === name).length]).filter(([, count]) => count);
  return h("section", { class: "summary", "aria-label": "Summary" },
    h("h1", {}, image.kernel?.release ?? image.path, h("small", {}, image.path === image.kernel?.release ? "" : image.path)),
    h("div", { class: "tiles-big" },
      h("div", { class: "tile" }, h("b", {}, words.sequence), h("span", {}, "in the image")),
      h("div", { class: "tile wide" }, h("b", {}, words.paths),
        counts.length ? h("div", { class: "bar", role: "img", "aria-label": words.paths }, counts.map(([name, count]) =>
          h("span", { class: `v-${name}`, style: `flex-grow:${Number(count)}`, title: `${count} ${name}` }, `${VERDICTS[name].glyph} ${count}`))) : null,
        h("span", {}, report.policy ? `judged by the policy “${report.policy}”` : "not judged")),
      h("div", { class: "tile" }, h("b", {}, severities.length
        ? severities.map(([name, count]) => h("span", { class: `badge s-${name}` }, `${SEVERITIES[name]} ${plural(count, name)}`)) : "no finding"),
      h("span", {}, unique(image.findings.map((finding) => finding.id)).join(" "))),
      h("div", { class: "tile" }, h("b", {}, image.bits === null ? "not looked for" : image.bits.length ? image.bits.map(bitPlace).join(", ") : "none"),
        h("span", {}, "bits of a hypervisor that it listens to"))),
    gateBanner());
};

const gateBanner = () => {
  if (!report.gate) return null;
  const { passed, reasons, baseline } = report.gate;
  const word = passed === null ? "undecided" : passed ? "passed" : "failed";
  return h("div", { class: `gate-banner v-${passed === null ? "undetermined" : passed ? "adequate" : "inadequate"}` },
    h("b", {}, `gate: ${word}`), baseline ? ` against ${baseline}` : "",
    reasons.length ? list(reasons.map((reason) => [reason.rule, reason.message].filter(Boolean).join(" "))) : null);
};

const bitPlace = (bit) => (bit.source === "cpuid"
  ? `CPUID ${bit.leaf} ${(bit.register ?? "").toUpperCase()}[${bit.bit}]` : `MSR ${bit.index}[${bit.bit}]`);

const bitsSection = (image) => {
  const rows = [...(image.bits ?? []), ...(image.other_influences ?? [])];
  return section("bits", "What a hypervisor can say", null,
    image.bits === null ? h("p", { class: "empty" }, "Nobody looked for it.")
      : rows.length === 0 ? h("p", { class: "empty" }, "Nothing that a hypervisor says changes the choice.")
        : h("table", { class: "small" }, h("thead", {}, h("tr", {}, ["bit", "meaning", "contract", "read at"].map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", {}, rows.map((bit) => h("tr", {}, h("th", { scope: "row" }, mono(bitPlace(bit))),
            h("td", {}, bit.meaning ?? "none: it only influences the choice"), h("td", {}, bit.contract ?? "none"), h("td", {}, mono(bit.read_at ?? "unknown")))))));
};

/** What KVM said on hosts; nothing where it was not asked. */
const hostSection = (image, words) => {
  if (!words) return null;
  const [from, asked, fields] = [image.host.modules, image.host.asked, image.host.fields];
  const places = (locations) => list(locations.map((place) => mono(`${place.image}: ${place.symbol ?? ""} ${short(place.address)}`)));
  return section("host", "What its KVM can promise", words.summary,
    words.rows.length ? h("table", { class: "small" }, h("thead", {}, h("tr", {}, words.header.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, words.rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row[0]),
        row.slice(1, -1).map((text) => h("td", {}, text, text === row.at(-2) && row.at(-1) ? h("div", { class: "muted" }, row.at(-1)) : null)))))) : null,
    facts([["KVM from", from.length ? from.join(", ") : "the image itself"], ["contract", image.host.contract],
      ["asked", asked.length ? places(asked) : null], ["names the fields of SPEC_CTRL's mask and shadow", fields.length ? places(fields) : "nowhere"]]),
    image.host.stubs.length ? h("details", {}, h("summary", {}, `${plural(image.host.stubs.length, "function")} replaced while KVM ran`),
      facts(image.host.stubs.map((stub) => [stub.symbol, stub.reason]))) : null);
};

const kernelSection = (image) => {
  const kernel = image.kernel ?? {};
  return section("kernel", "Kernel", null, facts([
    ["release", kernel.release], ["build id", kernel.build_id ? mono(kernel.build_id) : "unknown"], ["banner", kernel.banner],
    ["architecture", kernel.architecture], ["size", kernel.size ? `${kernel.size} bytes` : null], ["symbols from", image.symbols_from],
    ["sha256", image.sha256 ? mono(image.sha256) : null],
    ["built-in command line", kernel.built_in_command_line ? mono(kernel.built_in_command_line) : null],
    ["its own command line", kernel.artefact_command_line ? mono(kernel.artefact_command_line) : null],
    ["bootconfig", kernel.bootconfig ? mono(kernel.bootconfig) : null],
    ["configuration", kernel.configuration ? list(Object.keys(kernel.configuration).sort().map((name) => mono(`${name}=${kernel.configuration[name]}`))) : "unknown"],
    ["notes", image.notes.length ? list(image.notes) : null],
    ["data of the user's", report.overrides.length ? list(report.overrides.map((one) => `${one.file} (sha256 ${one.hash})`)) : null],
  ]),
  image.stubs.length ? h("details", {}, h("summary", {}, `${plural(image.stubs.length, "function")} replaced in the boot machine`),
    facts(image.stubs.map((stub) => [stub.symbol, stub.reason]))) : null);
};

const showImage = (index) => {
  const image = report.images[index];
  const words = DATA.images[index];
  if (image.error) {
    main.replaceChildren(h("section", { class: "summary" }, h("h1", {}, image.path),
      h("p", { class: "gate-banner v-inadequate" }, `not inspected: ${image.error.message} (${image.error.code}${image.error.offset ? ` at offset ${image.error.offset}` : ""})`)));
    return;
  }
  image.paths.forEach((path, number) => {
    path.words = words.words[number].protection;
    path.inputs = words.words[number].inputs;
    path.kind = path.outcome.undetermined_because ? "undetermined" : path.verdict ?? "unjudged";
  });
  let grid = null;
  const findings = findingsSection(image, () => grid);
  grid = matrix(image.paths, (path) => ({
    text: [h("i", { "aria-hidden": "true" }, VERDICTS[path.kind].glyph), pathCode(path.entry_points)], className: `v-${path.kind}`,
    label: `${path.id}: ${path.kind}; ${path.words}`,
  }), Object.entries(VERDICTS).map(([name, { glyph, words }]) => [name, words, glyph, `v-${name}`]),
  (path, back) => {
    history.replaceState(null, "", `#path=${index}/${encodeURIComponent(path.id)}`);
    panel.show(path, explanation(path, image.path, image.findings.filter((finding) => finding.paths.includes(path.id)), findings.show), back);
  });
  main.replaceChildren(...append(document.createDocumentFragment(), [
    summary(image, words), findings.node,
    section("paths", "Boot paths", "what each one runs, by environment and CPU",
      image.paths.length ? [grid.nodes, legend()] : h("p", { class: "empty" }, "None was run.")),
    sequenceSection(image), sitesSection(image), treeSection(words, () => grid), bitsSection(image), hostSection(image, words.hosts), kernelSection(image),
  ]).childNodes);
  return grid;
};

const tabs = report.images.length < 2 ? null : h("label", { class: "field" }, h("span", {}, "image"),
  h("select", { id: "image", onchange: (event) => showImage(Number(event.target.value)) },
    report.images.map((image, index) => h("option", { value: index }, image.path))));
frame([
  h("strong", {}, "bhbcheck"), h("span", { class: "muted" }, report.tool.version), tabs,
  h("nav", { "aria-label": "Sections" }, [["findings", "findings"], ["paths", "boot paths"], ["sequence", "sequence"], ["sites", "sites"], ["tree", "tree"], ["bits", "bits"], ...(report.images.some((image) => image.host) ? [["host", "host"]] : []), ["kernel", "kernel"]]
    .map(([id, name]) => h("a", { href: `#${id}` }, name))), themeButton(),
], main, panel.panel);

const target = /^#path=(\d+)\/(.*)$/.exec(location.hash);
const first = target && Number(target[1]) < report.images.length ? Number(target[1]) : 0;
if (report.images.length === 0) main.append(h("p", { class: "empty" }, "The report has no image."));
else {
  const grid = showImage(first);
  const chosen = report.images[first].paths ?? [];
  if (tabs) tabs.querySelector("select").value = String(first);
  // Something is shown from the start: what was linked to, else the first of the worst.
  const order = Object.keys(VERDICTS);
  const worst = [...chosen].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))[0];
  let wanted = null;
  try { wanted = target && decodeURIComponent(target[2]); } catch { /* a link that somebody cut */ }
  if (grid && worst) grid.choose(chosen.some((path) => path.id === wanted) ? wanted : worst.id);
  if (matchMedia("(max-width: 1100px)").matches && !wanted) panel.panel.classList.remove("open");
}

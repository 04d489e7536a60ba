// One boot path in words: what runs at its entry points, and how that is known.

const RULES = new Map(DATA.rules.map((rule) => [rule.id, rule]));
const ENTRY_POINTS = {
  "syscall64": "SYSCALL, 64-bit", "sysenter-compat": "SYSENTER, 32-bit", "syscall-compat": "SYSCALL, 32-bit",
  "int80": "int $0x80", "fred-user": "entry with FRED", "vmexit": "VM exit into the host",
  "exit-to-user": "back to user space after a guest ran", "bpf": "BPF programs of users",
};
const inOrder = (points) => Object.keys(ENTRY_POINTS).filter((name) => name in points);

/** A mechanism in two or three letters, as cells show it. */
const CODES = { hardware: "HW", retpoline: "RP", off: "off", none: "–", ibhf: "IB" };
const SEQUENCE_CODES = { short: "S", long: "L", deficient: "D" };
const code = (point) =>
  point.mechanism === null ? "?"
    : point.mechanism === "sequence" ? SEQUENCE_CODES[point.sequence] ?? "S?" : CODES[point.mechanism];

/** What most entry points have, with a star where others differ. */
const pathCode = (points) => {
  const codes = inOrder(points).map((name) => code(points[name]));
  if (codes.length === 0) return "?";
  const counts = new Map();
  for (const one of codes) counts.set(one, (counts.get(one) ?? 0) + 1);
  const main = [...counts].sort((a, b) => b[1] - a[1])[0][0];
  return counts.size === 1 ? main : main + "*";
};

const LEGEND = [
  ["S", "short sequence"], ["L", "long sequence"], ["D", "deficient sequence"], ["HW", "BHI_DIS_S"],
  ["RP", "retpolines"], ["IB", "IBHF"], ["off", "switched off"], ["–", "nothing"], ["?", "unknown"],
  ["*", "not the same at all entry points"],
];
const legend = () => h("p", { class: "legend" },
  LEGEND.map(([sign, words]) => [h("b", {}, sign), ` ${words}  `]));

const REQUIREMENTS = { "opted-out": "nothing (opted out)", "short-or-long": "short or long" };
const mechanism = (point) =>
  (point.mechanism ?? "unknown")
  + (point.sequence && point.sequence !== "none" ? ` ${point.sequence}` : "")
  + (point.followed_by_ibhf ? " + IBHF" : "");

/** The bits of IA32_SPEC_CTRL (Intel SDM, volume 4, table 2-2). */
const SPEC_CTRL = ["IBRS", "STIBP", "SSBD", "IPRED_DIS_U", "IPRED_DIS_S", "RRSBA_DIS_U", "RRSBA_DIS_S", "PSFD", "DDPD_U", null, "BHI_DIS_S"];
const specCtrl = (value) => {
  if (value === null) return "never written";
  const number = BigInt(value);
  const names = SPEC_CTRL.filter((name, bit) => name && (number >> BigInt(bit)) & 1n);
  return `0x${number.toString(16)}${names.length ? ` = ${names.join(" | ")}` : ""}`;
};

const feature = ({ name, number }) => (name ? `${name} (${number >> 5}*32+${number & 31})` : `${number >> 5}*32+${number & 31}`);

/** The line of sysfs with its BHI part set off. */
const sysfs = (line) =>
  line === null ? "unknown"
    : line.split(/(;\s*)/).map((part) => (part.startsWith("BHI:") ? h("mark", {}, part) : part));

const entryTable = (points) => h("table", { class: "small" },
  h("thead", {}, h("tr", {}, ["entry point", "runs", "needs", ""].map((name) => h("th", { scope: "col" }, name)))),
  h("tbody", {}, inOrder(points).map((name) => h("tr", {},
    h("th", { scope: "row", title: ENTRY_POINTS[name] }, name), h("td", {}, mechanism(points[name])),
    h("td", {}, REQUIREMENTS[points[name].required] ?? points[name].required ?? "not judged"),
    h("td", {}, verdictBadge(points[name].verdict))))));

/** Words for a shell, so that the command can be pasted. */
const shellQuoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const command = (path, image) =>
  ["bhbcheck paths", shellQuoted(image), "--cpu", shellQuoted(path.cpu), "--hypervisor", shellQuoted(path.environment),
    "--statement", path.statement, "--cmdline", shellQuoted(path.command_line), "--explain"].join(" ");

const patchedSites = (sites) => h("table", { class: "small" },
  h("thead", {}, h("tr", {}, ["site", "bytes as patched"].map((name) => h("th", { scope: "col" }, name)))),
  h("tbody", {}, sites.map((site) => h("tr", {},
    h("th", { scope: "row", title: `${site.symbol} (${site.address})` }, site.entry_point ?? "unknown",
      h("small", {}, short(site.address))),
    h("td", {}, mono(bytes(site.bytes)), h("small", { class: site.runs_sequence ? "runs" : "" },
      (site.text ?? "") + (site.runs_sequence ? " – runs the sequence" : "")))))));

/** Everything known of a path, for the panel. */
const explanation = (path, image, findings, showRule) => {
  const { evidence, trace } = path.outcome;
  const inputs = Object.entries(path.inputs ?? {});
  return [
    h("p", { class: "protection" }, verdictBadge(path.outcome.undetermined_because ? "undetermined" : path.verdict), " ", path.words),
    path.outcome.undetermined_because ? h("p", { class: "warn" }, `undetermined because ${path.outcome.undetermined_because}`) : null,
    findings.length ? h("p", { class: "links" }, findings.map((finding) => h("button", {
      type: "button", class: `chip s-${finding.severity}`, onclick: () => showRule(finding), title: finding.message,
    }, `${SEVERITIES[finding.severity]} ${finding.id}`))) : null,
    Object.keys(path.entry_points).length ? entryTable(path.entry_points) : null,
    h("h4", {}, "sysfs: spectre_v2"), h("p", { class: "code" }, sysfs(path.outcome.sysfs)),
    inputs.length ? [h("h4", {}, "What the kernel was answered"), h("p", { class: "inputs" }, inputs.map(([name, answer]) =>
      h("span", { class: `input ${answer}` }, `${name} `, h("b", {}, answer))))] : null,
    trace?.sites.length ? [h("h4", {}, "Patched bytes"), patchedSites(trace.sites)] : null,
    h("h4", {}, "Evidence", h("small", {}, evidence.kind)),
    facts([
      ["command line", path.command_line === "" ? "empty" : mono(path.command_line)],
      ["X86_BUG_BHI", evidence.affected === null ? "unknown" : evidence.affected ? "set" : "not set"],
      ["SPEC_CTRL", mono(specCtrl(evidence.spec_ctrl))],
      ["features", evidence.features.map(feature).join(", ")],
      ["sequence", trace?.sequence ? `${trace.sequence.outer}×${trace.sequence.inner} as it ran, ${trace.sequence.taken_branches} taken branches` : null],
      ["static calls", trace?.static_calls?.length ? list(trace.static_calls.map((call) => mono(`${call.key} → ${call.target}`))) : null],
      ["contradictions", evidence.disagreements.length ? list(evidence.disagreements) : null],
      ["kernel log", evidence.log.length ? list(evidence.log.map((line) => mono(line))) : null],
      ["chain", evidence.chain.join(" → ")],
      ["narrowed", evidence.narrowed.length ? list(evidence.narrowed) : null],
      ["given", evidence.given.length ? list(evidence.given) : null],
      ["derived", evidence.derived.length ? list(evidence.derived) : null],
      ["warnings", trace?.warnings.length ? list(trace.warnings) : null],
    ]),
    h("h4", {}, "Run this path again"), h("p", { class: "code" }, command(path, image)),
  ];
};

/** The panel beside the grid. */
const detailPanel = (hint) => {
  const body = h("div", { class: "panel-body" }, h("p", { class: "empty" }, hint));
  const title = h("h3", { tabindex: "-1" }, "Boot path");
  let giveBack = null;
  const panel = h("aside", { class: "panel", "aria-label": "Boot path" },
    h("div", { class: "panel-head" }, title, h("button", {
      type: "button", class: "ghost close", "aria-label": "Close", onclick: () => close(),
    }, "✕")), body);
  const close = () => { panel.classList.remove("open"); giveBack?.(); };
  panel.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  return {
    panel,
    show: (path, content, back) => {
      giveBack = back;
      title.replaceChildren(printable(path.cpu), h("small", {}, [path.environment, path.statement, path.command_line_name].join(" / ")));
      body.replaceChildren(...append(document.createDocumentFragment(), content).childNodes);
      body.scrollTop = 0;
      panel.classList.add("open");
      announce(`${path.id}: ${path.words}`);
    },
  };
};

/** A finding with its rule's reason and what to do. */
const findingBody = (finding, links) => [
  h("p", { class: "message" }, finding.message),
  h("div", { class: "links" }, links,
    finding.locations.map((place) => h("code", { title: `${place.image} ${place.address}` },
      `${place.image === "vmlinux" ? "" : `${place.image}: `}${place.symbol ?? ""} ${short(place.address)}`)),
    h("details", {}, h("summary", {}, "why, and what to do"),
      RULES.has(finding.id) ? h("span", {}, RULES.get(finding.id).why) : null, h("span", { class: "advice" }, finding.advice))),
];

// The table of runs: filtered, sorted, a piece at a time.

const ROWS = 50;
const MOST_FIELDS = 6;
const FIRST = ["run_id", "kind", "status"];

const HELP = "Numbers: 5, <5, >=5, 1..5. Texts: part of it, =all of it, !what is not in it. Both: none.";

const table = document.getElementById("table");

/** The columns that are chosen, or else those that tell the runs in view apart, and their last numbers. */
function shownColumns() {
  const chosen = get("show")
    .split(",")
    .filter((name) => columns.has(name));
  if (chosen.length) return chosen.map((name) => columns.get(name));
  const runs = runsInView();
  return [
    ...FIRST.map((name) => columns.get(name)),
    ...best(withoutTwins(specColumns, runs), (column) => entropy(column, runs)),
    ...best(metricColumns, (column) => runs.filter((run) => column.cells[run] !== null).length),
    columns.get("seconds"),
  ];
}

/** The columns of the largest worth, in their own order; none that is worth nothing. */
function best(candidates, worth) {
  const worths = new Map(candidates.map((column) => [column, worth(column)]));
  const first = candidates.filter((column) => worths.get(column) > 0).sort((a, b) => worths.get(b) - worths.get(a));
  const kept = new Set(first.slice(0, MOST_FIELDS));
  return candidates.filter((column) => kept.has(column));
}

/** The columns but those that tell the same runs apart as one before them, such as the parts of what is there or not. */
function withoutTwins(candidates, runs) {
  const seen = new Set();
  return candidates.filter((column) => {
    const places = new Map();
    const parts = runs.map((run) => {
      const cell = column.cells[run];
      if (!places.has(cell)) places.set(cell, places.size);
      return places.get(cell);
    });
    const known = parts.join();
    return !seen.has(known) && seen.add(known);
  });
}

/** How much a column tells runs apart: 0 where all have the same. */
function entropy(column, runs) {
  const shares = [...grouped(runs, (run) => column.cells[run]).values()].map((same) => same.length / runs.length);
  return shares.length > 1 ? -shares.reduce((sum, share) => sum + share * Math.log(share), 0) : 0;
}

function renderTable(filtered) {
  const shownNow = shownColumns();
  renderControls();
  renderHead(shownNow);
  const order = sorted(filtered);
  const from = Math.min(Math.max(1, Number(get("from")) || 1), Math.max(1, order.length));
  const ticked = new Set(tickedRuns());
  const rows = order.slice(from - 1, from - 1 + ROWS).map((run) => tableRow(run, shownNow, ticked.has(run)));
  table.querySelector("tbody").replaceChildren(...rows);
  renderPages(from, order.length);
  renderNote(filtered, ticked);
  showSQL(table.querySelector("details.sql"), tableSQL(shownNow));
}

function renderControls() {
  const place = table.querySelector(".controls");
  if (!place.firstChild) {
    const select = (key, text) =>
      labelled(
        text,
        element("select", { id: `choose-${key}`, onchange: (e) => change({ [key]: e.target.value, from: "1" }) }),
      );
    place.append(
      select("study", "study"),
      select("kind", "kind"),
      select("status", "status"),
      element("details", { id: "choose-columns" }, element("summary", {}, "columns"), columnChoice()),
      element("button", { type: "button", id: "clear", onclick: clear }, "clear all"),
    );
  }
  const any = [["", "all"]];
  setOptions(document.getElementById("choose-study"), [...any, ...page.studies.map(studyName)], get("study"));
  for (const name of ["kind", "status"]) {
    setOptions(
      document.getElementById(`choose-${name}`),
      [...any, ...distinct(columns.get(name).cells).sort()],
      get(name),
    );
  }
  const shownNames = new Set(shownColumns().map((column) => column.name));
  for (const box of place.querySelectorAll("#choose-columns input")) box.checked = shownNames.has(box.value);
}

function clear() {
  state.clear();
  change({});
}

function columnChoice() {
  const box = (column) =>
    element(
      "label",
      {},
      element("input", { type: "checkbox", value: column.name, onchange: chooseColumns }),
      ` ${column.name}`,
    );
  return element("div", { className: "choices" }, ...[...columns.values()].map(box));
}

function chooseColumns() {
  const boxes = table.querySelectorAll("#choose-columns input:checked");
  change({ show: [...boxes].map((box) => box.value).join(",") });
}

/** The head is made anew only if its columns have changed: a filter that is being typed stays. */
function renderHead(shownNow) {
  const head = table.querySelector("thead");
  const names = JSON.stringify(shownNow.map((column) => column.name));
  if (head.dataset.names !== names) {
    head.dataset.names = names;
    head.replaceChildren(
      element(
        "tr",
        {},
        element("th", { scope: "col", title: "What is ticked is drawn" }, ""),
        ...shownNow.map(headCell),
      ),
      element("tr", { className: "filters" }, element("td", {}), ...shownNow.map(filterCell)),
    );
  }
  for (const button of head.querySelectorAll("button")) {
    const direction = { [button.value]: "ascending", [`-${button.value}`]: "descending" }[get("sort")];
    button.parentElement.setAttribute("aria-sort", direction ?? "none");
  }
  for (const input of head.querySelectorAll("input")) {
    const text = get(FILTER + input.name);
    if (document.activeElement !== input) input.value = text;
    const isWrong = text.trim() && !readFilter(columns.get(input.name), text);
    input.toggleAttribute("aria-invalid", Boolean(isWrong));
    input.title = isWrong ? `Not read. ${HELP}` : HELP;
  }
}

function headCell(column) {
  const [, meaning] = metrics.get(column.name.replace(/^(train_running|train|test)_/, "")) ?? [];
  const button = element("button", {
    type: "button",
    value: column.name,
    title: column.view === "final" ? (meaning ?? "") : "",
    onclick: () => sortBy(column),
  });
  // Long names have their joints.
  const words = column.name.split(/(?<=_)/);
  button.append(...words.flatMap((word, at) => (at ? [element("wbr"), word] : [word])));
  return element("th", { scope: "col", className: column.number ? "number" : "" }, button);
}

/** Once up, once down, then as it was; what is a metric first down. */
function sortBy(column) {
  const turns = column.view === "final" ? [`-${column.name}`, column.name, ""] : [column.name, `-${column.name}`, ""];
  change({ sort: turns[(turns.indexOf(get("sort")) + 1) % turns.length] });
}

let typing = 0;

function filterCell(column) {
  const input = element("input", {
    name: column.name,
    type: "text",
    autocomplete: "off",
    spellcheck: false,
    placeholder: column.number ? "5, <5, …" : "text",
    "aria-label": `filter ${column.name}`,
    oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => change({ [FILTER + column.name]: input.value, from: "1" }), 200);
    },
  });
  return element("td", {}, input);
}

function tableRow(run, shownNow, isTicked) {
  const box = element("input", {
    type: "checkbox",
    checked: isTicked,
    "aria-label": `draw ${runIds[run]}`,
    onchange: (event) => tick(run, event.target.checked),
  });
  return element("tr", {}, element("td", {}, box), ...shownNow.map((column) => tableCell(column, run)));
}

function tableCell(column, run) {
  const text = shown(column.cells[run], column);
  if (column.name === "run_id") {
    return element(
      "td",
      {},
      element("button", { type: "button", className: "link", onclick: () => change({ run: text }) }, text.slice(0, 8)),
    );
  }
  if (column.name === "status") return element("td", {}, statusMark(text));
  return element("td", { className: column.number ? "number" : "text", title: text.length > 24 ? text : "" }, text);
}

const TONES = { done: "good", failed: "bad", diverged: "mixed", interrupted: "mixed" };
const statusMark = (status) => element("span", { className: TONES[status] ?? "open" }, status);

function renderPages(from, count) {
  const go = (text, to, isThere) =>
    element("button", { type: "button", disabled: !isThere, onclick: () => change({ from: String(to) }) }, text);
  const to = Math.min(from - 1 + ROWS, count);
  table
    .querySelector(".pages")
    .replaceChildren(
      go("first", 1, from > 1),
      go("earlier", Math.max(1, from - ROWS), from > 1),
      element("span", {}, count ? `${from} to ${to} of ${count.toLocaleString("en")}` : "none"),
      go("later", from + ROWS, to < count),
    );
}

function renderNote(filtered, ticked) {
  const wrong = readFilters()
    .filter(({ read }) => !read)
    .map(({ column }) => column.name);
  const hidden = filters().filter(
    ([name, text]) => text.trim() && !shownColumns().some((column) => column.name === name),
  );
  const parts = [
    `${filtered.length.toLocaleString("en")} of ${page.runs.toLocaleString("en")} runs`,
    ticked.size ? `${ticked.size} ticked, which are drawn` : "all of them are drawn; tick some to draw these alone",
    ...(wrong.length ? [`not read: the filter of ${wrong.join(", ")}`] : []),
    ...(hidden.length ? [`also filtered by ${hidden.map(([name, text]) => `${name} ${text}`).join(", ")}`] : []),
  ];
  const untick = element("button", { type: "button", onclick: () => change({ ticked: "" }) }, "untick");
  table.querySelector(".note").replaceChildren(`${parts.join("; ")}. `, ...(ticked.size ? [untick] : []));
}

function tableSQL(shownNow) {
  const order = columns.get(get("sort").replace("-", ""));
  const by = order ? `${nameSQL(order.name)}${get("sort").startsWith("-") ? " DESC" : ""} NULLS LAST, ` : "";
  const names = shownNow.map((column) => nameSQL(column.name));
  return [
    `SELECT ${names.join(", ")}`,
    "FROM runs JOIN final USING (run_id, status)",
    `WHERE ${whereSQL(filterConditions())}`,
    `ORDER BY ${by}run_id`,
  ].join("\n");
}

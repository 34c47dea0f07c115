// The panel of one run: its spec, numbers, attempts and log.

const panel = document.getElementById("run");
panel.addEventListener("close", () => get("run") && change({ run: "" }));
panel.addEventListener("click", (event) => event.target === panel && panel.close());

function renderRun() {
  const run = places.get(get("run"));
  if (run === undefined) {
    if (panel.open) panel.close();
    return;
  }
  if (panel.dataset.run !== get("run")) {
    panel.dataset.run = get("run");
    panel.replaceChildren(...panelOf(run));
    panel.scrollTop = 0;
  }
  if (!panel.open) panel.showModal();
}

function panelOf(run) {
  const id = runIds[run];
  return [
    element(
      "header",
      {},
      element("h2", {}, element("code", {}, id)),
      element("button", { type: "button", onclick: () => panel.close() }, "close"),
    ),
    element("p", {}, statusMark(statusOf(run)), ` ${cell("kind", run)}, ${inStudies(run)}`),
    ...part("Last numbers", lastNumbers(run)),
    ...part("Spec", element("pre", {}, writeSpec(specOf(run)))),
    ...part("Needs", linksTo(page.needs.filter(([of]) => of === run).map(([, role, needs]) => [role, needs]))),
    ...part("Needed by", linksTo(page.needs.filter(([, , needs]) => needs === run).map(([of, role]) => [role, of]))),
    ...part("Attempts", attemptsOf(run)),
    ...part("Artifacts", artifactsOf(run)),
    sqlOf([
      `FROM runs JOIN final USING (run_id, status) WHERE run_id = ${textSQL(id)}`,
      `FROM attempt WHERE run_id = ${textSQL(id)} ORDER BY attempt_id`,
      `FROM artifact WHERE run_id = ${textSQL(id)} ORDER BY ALL`,
    ]),
  ];
}

const part = (title, content) => (content ? [element("h3", {}, title), content] : []);

function inStudies(run) {
  const names = page.studies.filter((study) => study.runs.includes(run)).map(studyName);
  return names.length ? `of ${names.join("; ")}` : "of no study";
}

/** As a study would have it: indented, without braces. */
function writeSpec(value, indent = "") {
  return Object.entries(value)
    .map(([key, inner]) =>
      inner && typeof inner === "object" && !Array.isArray(inner) && Object.keys(inner).length
        ? `${indent}${key}:\n${writeSpec(inner, `${indent}  `)}`
        : `${indent}${key}: ${JSON.stringify(inner)}`,
    )
    .join("\n");
}

function lastNumbers(run) {
  const found = metricColumns.filter((column) => column.cells[run] !== null);
  return found.length ? terms(found.map((column) => [column.name, shown(column.cells[run], column)])) : null;
}

/** Names and what is theirs, texts or elements. */
function terms(pairs) {
  return element(
    "dl",
    {},
    ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}

/** Runs by their role: places on the page, or ids of runs that are not there. */
function linksTo(pairs) {
  if (!pairs.length) return null;
  const link = (run) =>
    typeof run === "number"
      ? element(
          "button",
          { type: "button", className: "link", onclick: () => change({ run: runIds[run] }) },
          runIds[run],
        )
      : `${run} (not on this page)`;
  const words = (run) => (typeof run === "number" ? ` ${cell("kind", run)}, ${statusOf(run)}` : "");
  return element("ul", {}, ...pairs.map(([role, run]) => element("li", {}, `${role}: `, link(run), words(run))));
}

function attemptsOf(run) {
  const found = rowsOf(page.attempts)
    .filter((attempt) => attempt.run === run)
    .sort((a, b) => (a.started < b.started ? 1 : -1));
  return found.length ? element("div", {}, ...found.map(attemptOf)) : null;
}

function attemptOf(attempt) {
  const told = ["started", "seconds", "host", "device", "fused_group", "methods", "git_commit", "dirty", "versions"];
  const pairs = told.filter((name) => attempt[name] !== null).map((name) => [name, shown(attempt[name])]);
  const long = (summary, text) =>
    text ? element("details", {}, element("summary", {}, summary), element("pre", {}, text)) : null;
  return element(
    "section",
    { className: "attempt" },
    element("p", {}, statusMark(attempt.status)),
    attempt.error ? element("pre", { className: "error" }, attempt.error) : null,
    attempt.notices?.length ? element("ul", {}, ...attempt.notices.map((notice) => element("li", {}, notice))) : null,
    terms([...pairs, ...(attempt.log ? [["log", attempt.log]] : [])]),
    long("Traceback", attempt.traceback),
    long("End of the log", attempt.end_of_log),
  );
}

function artifactsOf(run) {
  const found = rowsOf(page.artifacts).filter((artifact) => artifact.run === run);
  const text = ({ name, epoch, bytes }) =>
    `${name}${epoch === null ? "" : `, epoch ${epoch}`}: ${bytes.toLocaleString("en")} bytes`;
  return found.length ? element("ul", {}, ...found.map((artifact) => element("li", {}, text(artifact)))) : null;
}

const sqlOf = (statements) =>
  element("details", { className: "sql" }, element("summary", {}, "SQL"), ...statements.flatMap(statement));

// What all charts have: a place on the page, their choices, a note, their SQL, and how Vega-Lite draws.

const MOST_LINES = 60;
const MOST_HOVERED = 6000;
const MOST_NAMES = 10;
const HEIGHT = 360;

const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

class Chart {
  /**
   * `choices` are [key, text]. `draw` is given a `selection()` and gives {rows, kept, spec, sql, notes}, `kept` being the
   * rows that can be seen.
   */
  constructor(id, title, choices, draw) {
    Object.assign(this, { id, draw, view: null, drawn: "", turn: 0, waiting: Promise.resolve() });
    this.section = element("section", { id });
    this.link = element("a", { className: "share", title: "this chart, with all that is chosen" }, "link");
    this.controls = element("div", { className: "controls" });
    this.note = element("p", { className: "note" });
    this.plot = element("div", { className: "plot", role: "img", "aria-label": title });
    this.details = element("details", { className: "sql" }, element("summary", {}, "SQL"));
    this.section.append(element("h2", {}, title, " ", this.link), this.controls, this.note, this.plot, this.details);
    document.querySelector("main").append(this.section);
    this.selects = new Map(choices.map(([key, text]) => [key, this.choice(key, text)]));
  }

  choice(key, text) {
    const select = element("select", { name: key, onchange: () => change({ [`${this.id}.${key}`]: select.value }) });
    this.controls.append(labelled(text, select));
    return select;
  }

  /** What is chosen, or else what `fallback` says; the options are what can be chosen now. */
  pick(key, options, fallback) {
    const values = options.map((option) => (Array.isArray(option) ? option[0] : option));
    const wanted = get(`${this.id}.${key}`);
    const chosen = values.includes(wanted) ? wanted : values.includes(fallback) ? fallback : (values[0] ?? "");
    setOptions(this.selects.get(key), options, chosen);
    return chosen;
  }

  render(chosen) {
    const { rows, kept, spec, sql, notes } = this.draw(chosen);
    this.rows = rows;
    this.link.href = `#${fragment({ at: this.id })}`;
    this.note.textContent = notes.join(" ");
    this.plot.hidden = !kept.length;
    this.details.hidden = !sql;
    if (sql) showSQL(this.details, sql);
    const now = JSON.stringify([spec, sql, dark.matches]); // these say which rows there are, and are shorter
    if (now === this.drawn) return;
    this.drawn = now;
    this.view?.finalize();
    this.view = null;
    const turn = ++this.turn;
    if (kept.length) this.waiting = this.waiting.then(() => this.embed(kept, spec, turn));
  }

  /** One after the other, and of those that wait the last alone. */
  async embed(rows, spec, turn) {
    if (turn !== this.turn) return;
    const options = {
      mode: "vega-lite",
      renderer: "canvas",
      logLevel: 1, // errors alone
      ast: true, // an interpreter in place of `new Function`, which the page's policy forbids
      actions: { export: true, source: false, compiled: false, editor: false },
      downloadFileName: `linstudy-${this.id}`,
      tooltip: { theme: dark.matches ? "dark" : "light" },
      config: look(),
    };
    const base = { width: "container", height: HEIGHT, autosize: { type: "fit-x", contains: "padding" } };
    try {
      const { view } = await vegaEmbed(this.plot, { ...base, ...spec, data: { name: "rows", values: rows } }, options);
      if (turn === this.turn) this.view = view;
      else view.finalize();
    } catch (error) {
      this.note.textContent = `This cannot be drawn: ${error.message}`;
    }
  }
}

/** Colours and sizes of the page. */
function look() {
  const text = {
    labelColor: colour("soft"),
    titleColor: colour("text"),
    labelFontSize: 12,
    titleFontSize: 13,
    titleFontWeight: "normal",
  };
  return {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    axis: {
      ...text,
      gridColor: colour("line"),
      domainColor: colour("soft"),
      tickColor: colour("soft"),
      titlePadding: 8,
    },
    legend: { ...text, labelColor: colour("text"), symbolStrokeWidth: 3 },
    view: { stroke: null },
    line: { strokeWidth: 1.6 },
    range: { category: { scheme: "tableau10" }, ramp: { scheme: "viridis" } },
  };
}

/** Numbers of an axis, the very large and the very small by their power of ten; Vega leaves some labels empty. */
const SHORT =
  "datum.label == '' ? '' : datum.value != 0 && (abs(datum.value) < 0.001 || abs(datum.value) >= 1e6) ? format(datum.value, '.3~e') : format(datum.value, ',.6~g')";

function axis(field, title, isLog, padding = 0) {
  return {
    field,
    type: "quantitative",
    title,
    scale: { ...(isLog ? { type: "log" } : { zero: false }), padding },
    axis: { labelExpr: SHORT, tickCount: 6, labelFlush: true },
  };
}

/** A name for each colour, or a scale of numbers; the legend stands below, in as many columns as have room. */
function colouring(rows, title, isNumber, width) {
  const names = distinct(rows.map((row) => row.colour));
  if (isNumber && names.length > MOST_NAMES) {
    return {
      field: "colour",
      type: "quantitative",
      title,
      legend: { orient: "bottom", gradientLength: Math.min(300, width - 80) },
    };
  }
  const longest = Math.max(...names.map((name) => String(name).length));
  const across = Math.max(1, Math.min(names.length, 4, Math.floor(width / (longest * 7 + 40))));
  return {
    field: "colour",
    type: "nominal",
    title,
    sort: isNumber ? "ascending" : null,
    scale: { scheme: names.length > 10 ? "tableau20" : "tableau10" },
    legend: {
      orient: "bottom",
      columns: across,
      labelLimit: Math.floor(width / across) - 40,
      symbolLimit: 24,
      symbolOpacity: 1,
      symbolType: "circle",
      titleLimit: width - 40,
      disable: names.length < 2,
    },
  };
}

/** Drag and Shift with the wheel move and zoom; a double click undoes it. A finger scrolls the page. */
const zooming = () =>
  matchMedia("(pointer: coarse)").matches
    ? {}
    : { params: [{ name: "zoom", bind: "scales", select: { type: "interval", zoom: "wheel![event.shiftKey]" } }] };

/** What a logarithmic axis can show: its lines have gaps where it cannot; and in words how often that is. */
function visible(rows, [logX, logY]) {
  const isLow = (row) => (logX && row.x <= 0) || (logY && row.y !== null && row.y <= 0);
  const lost = rows.filter(isLow).length;
  const kept = rows
    .filter((row) => !logX || row.x > 0)
    .map((row) => (isLow(row) ? { ...row, y: null, low: null, high: null } : row))
    .map((row) => (logY && row.low <= 0 ? { ...row, low: row.y } : row));
  return {
    kept,
    notes: lost ? [`${count(lost, "point", "points")} at 0 or below not on a logarithmic axis.`] : [],
  };
}

/** As few fields as tell runs apart, but for their seeds. */
function tellingFields(runs) {
  let keys = runs.map(() => "");
  return specColumns.filter((column) => {
    if (column.name === "seed") return false;
    const longer = keys.map((key, place) => `${key}\n${column.cells[runs[place]]}`);
    if (distinct(longer).length === distinct(keys).length) return false;
    keys = longer;
    return true;
  });
}

/** The words in which settings differ among some runs. */
function settingNames(runs) {
  const bySetting = grouped(runs, (run) => settings[run]);
  const fields = tellingFields([...bySetting.values()].map(([run]) => run));
  const word = (column, value) =>
    column.type === "VARCHAR" ? value : `${column.name.slice(column.name.indexOf("_") + 1)} ${shown(value, column)}`;
  const names = new Map();
  for (const [setting, [run]] of bySetting) {
    const words = fields
      .filter((column) => column.cells[run] !== null)
      .map((column) => word(column, column.cells[run]));
    const plain = [cell("model_kind", run), cell("task_kind", run)].filter(Boolean);
    const text = (words.length ? words : plain).join(", ") || setting.slice(0, 8);
    names.set(setting, text.length > 90 ? `${text.slice(0, 89)}…` : text);
  }
  const counts = grouped([...names.values()], (name) => name);
  for (const [setting, name] of names) {
    if (counts.get(name).length > 1) names.set(setting, `${name}, ${setting.slice(0, 6)}`);
  }
  return names;
}

/** Of runs in some order, those of the first settings; what more there is, in words. */
function limited(runs, keyOf, what) {
  const keys = distinct(runs.map(keyOf));
  if (keys.length <= MOST_LINES) return { kept: runs, notes: [], isCut: false };
  const first = new Set(keys.slice(0, MOST_LINES));
  const notes = [
    `The first ${MOST_LINES} of ${keys.length.toLocaleString("en")} ${what} in the table's order: filter, sort or tick.`,
  ];
  return { kept: runs.filter((run) => first.has(keyOf(run))), notes, isCut: true };
}

const isSettled = (run) => statusOf(run) === "done" && cell("diverged", run) !== "true";
const SETTLED = ["status = 'done'", "NOT diverged"];

// The three charts: curves over epochs, spectra over j, and last numbers against a field.

const HOW = [
  ["mean", "mean and range"],
  ["runs", "each run"],
];
const SCALES = ["linear", "log"];
const SETTING = "setting";
const NONE = "none";
const MOST_SHORT = 20;

const curves = new Chart(
  "curves",
  "Curves",
  [
    ["metric", "metric"],
    ["how", "draw"],
    ["colour", "colour"],
    ["x", "epochs"],
    ["y", "values"],
  ],
  (chosen) => drawLines(curves, page.curves, page.sources.curves, chosen),
);
const spectra = new Chart(
  "spectra",
  "Spectra",
  [
    ["metric", "metric"],
    ["epoch", "at"],
    ["how", "draw"],
    ["colour", "colour"],
    ["x", "j"],
    ["y", "values"],
  ],
  (chosen) => drawLines(spectra, page.spectra, page.sources.spectra, chosen),
);
const last = new Chart(
  "last",
  "Last numbers",
  [
    ["metric", "metric"],
    ["field", "against"],
    ["how", "draw"],
    ["colour", "colour"],
    ["x", "field"],
    ["y", "values"],
  ],
  (chosen) => drawLast(last, chosen),
);
const charts = [curves, spectra, last];

const empty = (note) => ({ rows: [], kept: [], spec: {}, sql: "", notes: [note] });
const scalesOf = (chart, usual) => ["x", "y"].map((name) => chart.pick(name, SCALES, usual) === "log");

/** Fields of the spec that tell some runs apart. */
const fieldsOf = (runs) =>
  specColumns
    .filter((column) => distinct(runs.map((run) => column.cells[run])).length > 1)
    .map((column) => column.name);

/** Settings have colours while there are few; of many, the field has that most often says what is compared. */
function usualColour(runs) {
  const fields = fieldsOf(runs).filter((name) => distinct(columns.get(name).cells).length <= MOST_NAMES);
  if (distinct(runs.map((run) => settings[run])).length <= MOST_NAMES || !fields.length) return SETTING;
  return fields.includes("model_kind") ? "model_kind" : fields[0];
}

// Curves and spectra

function drawLines(chart, groups, source, chosen) {
  const here = groups.filter((group) => chosen.runs.some((run) => hasSeries(group, run)));
  const options = here.map((group) => [keyOf(group), wordsOf(group)]);
  const key = chart.pick("metric", options, hasEpoch(source) ? "eigenvalues" : "loss|train");
  const isMean = chart.pick("how", HOW, "mean") === "mean";
  const scales = scalesOf(chart, hasEpoch(source) ? "log" : "linear");
  const group = here.find((one) => keyOf(one) === key);
  const having = group ? chosen.runs.filter((run) => hasSeries(group, run)) : [];
  const able = isMean ? having.filter(isSettled) : having;
  const fields = fieldsOf(able).filter((name) => !isMean || name !== "seed");
  const by = chart.pick("colour", [SETTING, ...fields], usualColour(able));
  const at = hasEpoch(source) ? pickEpoch(chart, group, able) : null;
  if (!group) return empty("None of these runs has any.");
  if (!able.length) return empty("None of these runs is done: draw each run to see them.");
  const {
    kept: runs,
    notes,
    isCut,
  } = isMean ? limited(able, (run) => settings[run], "settings") : limited(able, (run) => run, "runs");
  const series = seriesOf(group, runs, at);
  const rows = lineRows(series, runs, isMean, by);
  const { kept, notes: hidden } = visible(rows, scales);
  const isThinned = series.some((one) => one.points > page.most);
  const conditions = [...(isCut ? [idsSQL(runs)] : chosen.conditions), ...(isMean ? SETTLED : [])];
  return {
    rows,
    kept,
    spec: lineSpec(kept, [source.x, wordsOf(group)], scales, isMean, by, chart.section.clientWidth),
    sql: pointsSQL({ source, group, at, conditions, isThinned, isMean }),
    notes: [
      countNote(runs, having.length - able.length, isMean),
      ...notes,
      ...hidden,
      ...(isThinned ? [thinned(series)] : []),
    ],
  };
}

/** The epoch of the spectra; null for all of them. */
function pickEpoch(chart, group, runs) {
  const epochs = group ? epochsOf(group, runs) : [];
  const words = epochs.map((epoch) => [String(epoch), epoch < 0 ? "no epoch" : `epoch ${epoch}`]);
  const chosen = chart.pick("epoch", words.length === 1 ? words : [["all", "all epochs"], ...words], "all");
  return chosen === "all" ? null : Number(chosen);
}

function countNote(runs, left, isMean) {
  const drawn = count(runs.length, "run", "runs");
  if (!isMean) return `${drawn}.`;
  const settled = `${count(distinct(runs.map((run) => settings[run])).length, "setting", "settings")}, ${drawn}`;
  return left
    ? `${settled}; ${left} more not drawn: means are of runs that are done and did not diverge.`
    : `${settled}.`;
}

const thinned = (series) =>
  `Thinned: at most ${page.most} of up to ${largest(series.map((one) => one.points)).toLocaleString("en")} points a line, ` +
  "the least and the largest of each interval; the SQL thins in the same way.";

/** A row for each point: its line, the line's name and colour, x, y, and for a mean its range and seeds. */
function lineRows(series, runs, isMean, by) {
  const names = settingNames(runs);
  const several = distinct(series.map((one) => one.at)).length > 1;
  const lines = isMean
    ? [...grouped(series, (one) => `${settings[one.run]} ${one.at}`).values()].map(meanOf)
    : series.map((one) => ({ ...one, points: one.x.map((x, place) => ({ x, y: one.values[place] })) }));
  return lines.flatMap(({ run, at, points }) => {
    const setting = names.get(settings[run]) + (several ? `, epoch ${at}` : "");
    const name = isMean ? setting : `${setting}, seed ${cell("seed", run)}`;
    const line = `${isMean ? settings[run] : runIds[run]} ${at}`;
    const colour = by === SETTING ? setting : (cell(by, run) ?? NONE);
    return points.map((point) => ({ line, name, colour, ...point }));
  });
}

/** Of the series of one setting: at each x the mean, the least, the largest, and of how many. */
function meanOf(series) {
  const at = new Map();
  for (const one of series) {
    one.x.forEach((x, place) => {
      if (!at.has(x)) at.set(x, []);
      if (one.values[place] !== null) at.get(x).push(one.values[place]);
    });
  }
  const points = [...at].sort(([a], [b]) => a - b).map(([x, values]) => ({ x, ...summary(values) }));
  return { run: series[0].run, at: series[0].at, points };
}

function summary(values) {
  if (!values.length) return { y: null, low: null, high: null, seeds: 0 };
  const total = values.reduce((sum, value) => sum + value, 0);
  return { y: total / values.length, low: Math.min(...values), high: Math.max(...values), seeds: values.length };
}

function lineSpec(rows, [xTitle, yTitle], [logX, logY], isMean, by, width) {
  const column = columns.get(by);
  const encoding = {
    x: axis("x", xTitle, logX),
    y: axis("y", yTitle, logY),
    color: colouring(rows, column ? by : null, column?.number, width),
    detail: { field: "line" },
  };
  const isShort = largest([...grouped(rows, (row) => row.line).values()].map((line) => line.length)) <= MOST_SHORT;
  const hover = rows.length <= MOST_HOVERED || isShort;
  const points = {
    mark: { type: "point", filled: true, size: isShort ? 40 : 150, opacity: isShort ? 1 : 0 },
    encoding: { tooltip: tooltip(xTitle, isMean) },
  };
  const area = {
    mark: { type: "area", opacity: 0.18 },
    encoding: { y: { ...encoding.y, field: "low" }, y2: { field: "high" } },
  };
  const hasRange = isMean && rows.some((row) => row.low < row.high);
  const line = { mark: { type: "line", ...(hover ? {} : { tooltip: { content: "encoding" } }) }, ...zooming() };
  return { encoding, layer: [...(hasRange ? [area] : []), line, ...(hover ? [points] : [])] };
}

function tooltip(xTitle, isMean) {
  const number = (field, title) => ({ field, title, type: "quantitative", format: ".5~g" });
  const range = [number("low", "least"), number("high", "largest"), number("seeds", "seeds")];
  return [
    { field: "name", title: isMean ? "setting" : "run", type: "nominal" },
    { field: "x", title: xTitle },
    number("y", isMean ? "mean" : "value"),
    ...(isMean ? range : []),
  ];
}

// Last numbers against a field

function drawLast(chart, chosen) {
  const hasValue = (column) => (run) => column.cells[run] !== null;
  const here = metricColumns.filter((column) => chosen.runs.some(hasValue(column)));
  const y = columns.get(
    chart.pick(
      "metric",
      here.map(({ name }) => name),
      "test_accuracy",
    ),
  );
  const isMean = chart.pick("how", HOW, "mean") === "mean";
  const having = y ? chosen.runs.filter(hasValue(y)) : [];
  const able = isMean ? having.filter(isSettled) : having;
  const fields = fieldsOf(able);
  const all = specColumns.map(({ name }) => name).filter((name) => able.some(hasValue(columns.get(name))));
  const x = columns.get(
    chart.pick("field", [...fields, ...all.filter((name) => !fields.includes(name))], usualField(fields)),
  );
  const by = chart.pick("colour", [NONE, ...fields], fields.find((name) => name === "model_kind") ?? NONE);
  const scales = scalesOf(chart, "linear").map((isLog, place) => isLog && (place === 1 || Boolean(x?.number)));
  if (!x || !y) return empty("None of these runs has a number.");
  if (!able.length) return empty("None of these runs is done: draw each run to see them.");
  const runs = able.filter(hasValue(x));
  const rows = lastRows(runs, x, y, by, isMean);
  const { kept, notes } = visible(rows, [scales[0], scales[1]]);
  const without = able.length - runs.length;
  return {
    rows,
    kept,
    spec: lastSpec(kept, x, y, scales, isMean, by, chart.section.clientWidth),
    sql: lastSQL(x, y, by, isMean, [...chosen.conditions, ...(isMean ? SETTLED : [])]),
    notes: [
      countNote(runs, having.length - able.length, isMean),
      ...(without ? [`${count(without, "run", "runs")} without ${x.name} not drawn.`] : []),
      ...notes,
    ],
  };
}

/** What runs are most likely to be compared along: the first number that is not the seed. */
const usualField = (fields) => fields.find((name) => columns.get(name).number && !name.endsWith("seed")) ?? fields[0];

function lastRows(runs, x, y, by, isMean) {
  const names = settingNames(runs);
  const colourOf = (run) => (by === NONE ? "" : (cell(by, run) ?? NONE));
  const row = (run) => ({
    line: runIds[run],
    name: `${names.get(settings[run])}, seed ${cell("seed", run)}`,
    colour: colourOf(run),
    x: x.cells[run],
    y: y.cells[run],
  });
  if (!isMean) return runs.map(row);
  const same = (run) => JSON.stringify([settings[run], x.cells[run], colourOf(run)]);
  return [...grouped(runs, same).values()].map((those) => ({
    ...row(those[0]),
    line: settings[those[0]],
    name: names.get(settings[those[0]]),
    ...summary(those.map((run) => y.cells[run])),
  }));
}

function lastSpec(rows, x, y, [logX, logY], isMean, by, width) {
  const across = x.number
    ? axis("x", x.name, logX, 12)
    : { field: "x", type: "nominal", title: x.name, axis: { labelLimit: 140, labelOverlap: true } };
  const color = by === NONE ? { value: "#4c78a8" } : colouring(rows, by, columns.get(by).number, width);
  const encoding = { x: across, y: axis("y", y.name, logY, 12), color };
  const points = {
    mark: { type: "point", filled: true, size: 60, opacity: 0.85 },
    encoding: { tooltip: tooltip(x.name, isMean) },
    ...(x.number ? zooming() : {}),
  };
  const range = {
    mark: { type: "rule", strokeWidth: 2, opacity: 0.5 },
    encoding: { y: { ...encoding.y, field: "low" }, y2: { field: "high" } },
  };
  return { encoding, layer: [...(isMean ? [range] : []), points] };
}

function lastSQL(x, y, by, isMean, conditions) {
  const [xName, yName] = [nameSQL(x.name), nameSQL(y.name)];
  const fields = distinct([xName, ...(by === NONE ? [] : [nameSQL(by)])]);
  const key = isMean ? "coalesce(setting_id, run_id) AS setting" : "run_id";
  const numbers = isMean
    ? [`avg(${yName}) AS mean`, `min(${yName}) AS least`, `max(${yName}) AS largest`, `count(${yName}) AS seeds`]
    : [yName];
  return [
    `SELECT ${[key, ...fields, ...numbers].join(", ")}`,
    "FROM runs JOIN final USING (run_id, status)",
    `WHERE ${whereSQL([`${yName} IS NOT NULL`, `${xName} IS NOT NULL`, ...conditions])}`,
    isMean ? "GROUP BY ALL ORDER BY ALL" : "ORDER BY run_id",
  ].join("\n");
}

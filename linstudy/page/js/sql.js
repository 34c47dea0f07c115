// The SQL that gives what is shown, as `linstudy query` takes it.

const PLAIN = /^[a-z]+(_[a-z0-9]+)+$|^(kind|status|seed|seconds|epoch)$/;

const nameSQL = (name) => (PLAIN.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
const textSQL = (text) => `'${text.replaceAll("'", "''")}'`;
const listSQL = (texts) => `(${texts.map(textSQL).join(", ")})`;
const whereSQL = (conditions) => conditions.join("\n    AND ") || "true";

/** Text of a column, to compare with: numbers and lists as SQL writes them. */
const asText = (column) =>
  column.type === "VARCHAR" ? nameSQL(column.name) : `CAST(${nameSQL(column.name)} AS VARCHAR)`;

const idsSQL = (runs) => `run_id IN ${listSQL(runs.map((run) => runIds[run]))}`;

/** Whether the points of one run and metric may belong to several epochs. */
const hasEpoch = (source) => source.at_epoch !== "NULL";

/** Which points of a metric: conditions on `curves` and `spectra`. */
const metricSQL = (group) => ["name", "label", "split"].map((part) => `${part} = ${textSQL(group[part])}`);

/**
 * Points of a metric, thinned as the page has them, or all.
 *
 * `source` says what of its view is x, `at` which epoch (null for all), `conditions` which of `runs`.
 */
function pointsSQL({ source, group, at, conditions, isThinned, isMean }) {
  const atEpoch = at === null ? [] : [at < 0 ? "epoch IS NULL" : `epoch = ${at}`];
  const of = [...metricSQL(group), ...(source.which === "true" ? [] : [source.which]), ...atEpoch];
  const key = isMean ? "setting" : "run_id";
  const epoch = hasEpoch(source) ? ["epoch"] : [];
  const numbers = isMean
    ? ["avg(value) AS mean", "min(value) AS least", "max(value) AS largest", "count(value) AS seeds"]
    : ["value"];
  const ends = [
    ...(isMean ? [`GROUP BY ${[key, ...epoch, source.x].join(", ")}`] : []),
    `ORDER BY ${[key, ...epoch, source.x].join(", ")}`,
  ];
  if (!isThinned) {
    const shown = [isMean ? "coalesce(setting_id, run_id) AS setting" : "run_id", ...epoch, source.x, ...numbers];
    return [
      `SELECT ${shown.join(", ")}`,
      `FROM ${source.view}`,
      `WHERE ${whereSQL([...of, ...conditions])}`,
      ...ends,
    ].join("\n");
  }
  const words = { view: source.view, x: source.x, at_epoch: source.at_epoch, which: of.join(" AND "), most: page.most };
  const thinning = page.thinning.replace(/\{(\w+)\}/g, (_, word) => words[word]);
  const shown = [key, ...epoch.map(() => "nullif(at_epoch, -1) AS epoch"), `x AS ${source.x}`, ...numbers];
  return [
    thinning,
    `SELECT ${shown.join(", ")}`,
    "FROM drawn",
    `WHERE run_id IN (SELECT run_id FROM runs WHERE ${whereSQL(conditions)})`,
    ...ends,
  ].join("\n");
}

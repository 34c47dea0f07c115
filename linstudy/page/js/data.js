"use strict";

// What the page says of its runs. A run is its place, 0 to page.runs - 1, in the order of the ids.

const page = JSON.parse(document.getElementById("data").textContent);

/** The cells of a column, as `encode` of contents.py packs them. */
function decode(column, count) {
  if (column.cells) return column.cells;
  if (column.codes) return column.codes.map((code) => column.values[code]);
  return Array(count).fill(column.values[0]);
}

const columns = new Map();
for (const column of page.columns) {
  if (!columns.has(column.name)) columns.set(column.name, { ...column, cells: decode(column, page.runs) });
}

const runIds = columns.get("run_id").cells;
const places = new Map(runIds.map((id, run) => [id, run]));
const everyRun = runIds.map((_, run) => run);

/** A run without its seed; a run of an earlier linstudy stands for itself. */
const settings = columns.get("setting_id").cells.map((setting, run) => setting ?? runIds[run]);

const cell = (name, run) => columns.get(name).cells[run];
const statusOf = (run) => cell("status", run);

/** Columns of the spec that say something by themselves: `train_optimizer` is told by its own fields. */
const specColumns = [...columns.values()].filter(
  (column) =>
    column.spec &&
    !(column.type === "JSON" && page.columns.some((other) => other.spec && other.name.startsWith(`${column.name}_`))),
);

const metricColumns = [...columns.values()].filter((column) => column.view === "final");

/** Of each metric its unit and its meaning. */
const metrics = new Map(Object.entries(page.metrics));

function specOf(run) {
  const parts = page.specs.map((part) => [part.part, partCells(part)[run]]);
  return Object.fromEntries(parts.filter(([, value]) => value !== null));
}

function partCells(part) {
  part.all ??= decode(part, page.runs);
  return part.all;
}

/** Rows of a packed table, each an object; they are made when first asked for. */
function rowsOf(table) {
  if (!table.rows) {
    const cells = table.columns.map((column) => [column.name, decode(column, table.count)]);
    table.rows = Array.from({ length: table.count }, (_, row) =>
      Object.fromEntries(cells.map(([name, found]) => [name, found[row]])),
    );
  }
  return table.rows;
}

function grouped(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}

const distinct = (values) => [...new Set(values)];

/** Of many numbers, more than a call has room for arguments. */
const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

const numbers = (text) => text.split(" ").map((word) => (word === "" ? null : Number(word)));

/** The places of the series of a metric, by run. */
function seriesByRun(group) {
  group.byRun ??= grouped(group.run.keys(), (series) => group.run[series]);
  return group.byRun;
}

const hasSeries = (group, run) => seriesByRun(group).has(run);

/** The series of a metric that belong to runs: {run, at, points, x, values}; `at` is an epoch, or -1. */
function seriesOf(group, runs, at = null) {
  return runs
    .flatMap((run) => seriesByRun(group).get(run) ?? [])
    .filter((series) => at === null || group.at_epoch[series] === at)
    .map((series) => ({
      run: group.run[series],
      at: group.at_epoch[series],
      points: group.points[series],
      x: numbers(group.xs[group.x[series]]),
      values: numbers(group.values[series]),
    }));
}

/** The epochs that the series of some runs belong to. */
const epochsOf = (group, runs) =>
  distinct(runs.flatMap((run) => seriesByRun(group).get(run) ?? []).map((series) => group.at_epoch[series])).sort(
    (a, b) => a - b,
  );

/** Of a metric, what tells it from the others; as a key, and in words. */
const keyOf = (group) => [group.name, group.split, group.label].join("|").replace(/\|+$/, "");
const wordsOf = (group) => [group.name, group.split, group.label && `“${group.label}”`].filter(Boolean).join(", ");

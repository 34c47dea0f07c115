// Which runs the filters leave, in JavaScript and in SQL.

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const COMPARED = new RegExp(`^(<=|>=|<|>|=)?\\s*(${NUMBER})$`, "i");
const RANGE = new RegExp(`^(${NUMBER})\\s*\\.\\.\\s*(${NUMBER})$`, "i");
const COMPARE = {
  "=": (a, b) => a === b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/** What is written over a column: a test of its cells, and the same as a condition; null if it means nothing. */
function readFilter(column, text) {
  text = text.trim();
  const name = nameSQL(column.name);
  if (text === "none") return { test: (value) => value === null, sql: `${name} IS NULL` };
  return column.number ? readNumberFilter(name, text) : readTextFilter(asText(column), text);
}

function readNumberFilter(name, text) {
  const range = text.match(RANGE);
  if (range) {
    const [low, high] = [Number(range[1]), Number(range[2])];
    return {
      test: (value) => value !== null && low <= value && value <= high,
      sql: `${name} BETWEEN ${low} AND ${high}`,
    };
  }
  const compared = text.match(COMPARED);
  if (!compared) return null;
  const [sign, number] = [compared[1] ?? "=", Number(compared[2])];
  return { test: (value) => value !== null && COMPARE[sign](value, number), sql: `${name} ${sign} ${number}` };
}

function readTextFilter(name, text) {
  if (text.startsWith("=")) {
    const wanted = text.slice(1).trim();
    return { test: (value) => String(value) === wanted && value !== null, sql: `${name} = ${textSQL(wanted)}` };
  }
  const isNot = text.startsWith("!");
  const word = (isNot ? text.slice(1).trim() : text).toLowerCase();
  const has = (value) => value !== null && String(value).toLowerCase().includes(word);
  const sql = `contains(lower(${name}), ${textSQL(word)})`;
  return isNot ? { test: (value) => !has(value), sql: `coalesce(NOT ${sql}, true)` } : { test: has, sql };
}

const studyName = (study) => [study.name, study.variant].filter(Boolean).join(" ");
const chosenStudy = () => page.studies.find((study) => studyName(study) === get("study"));

/** The runs that study, kind and status leave: tables show the columns in which these differ. */
function runsInView() {
  const study = chosenStudy();
  return (study ? study.runs : everyRun).filter((run) =>
    ["kind", "status"].every((name) => !get(name) || cell(name, run) === get(name)),
  );
}

/** The filters of columns that can be read. */
const readFilters = () =>
  filters()
    .filter(([name, text]) => columns.has(name) && text.trim())
    .map(([name, text]) => ({ column: columns.get(name), read: readFilter(columns.get(name), text) }));

function filteredRuns() {
  const tests = readFilters()
    .filter(({ read }) => read)
    .map(
      ({ column, read }) =>
        (run) =>
          read.test(column.cells[run]),
    );
  return runsInView().filter((run) => tests.every((test) => test(run)));
}

/** The same as conditions on `runs`. */
function filterConditions() {
  const study = chosenStudy();
  const among = ({ name, variant }) =>
    `run_id IN (SELECT run_id FROM study_run WHERE study = ${textSQL(name)} AND variant = ${textSQL(variant)})`;
  return [
    ...(page.condition ? [`run_id IN (SELECT run_id FROM runs WHERE (\n${page.condition}\n))`] : []),
    ...(study ? [among(study)] : []),
    ...["kind", "status"].filter(get).map((name) => `${name} = ${textSQL(get(name))}`),
    ...readFilters()
      .filter(({ read }) => read)
      .map(({ column, read }) =>
        column.view === "final" ? `run_id IN (SELECT run_id FROM final WHERE ${read.sql})` : read.sql,
      ),
  ];
}

/** In the order of the table; what has no value comes last. */
function sorted(runs) {
  const isDown = get("sort").startsWith("-");
  const column = columns.get(get("sort").replace("-", ""));
  if (!column) return runs;
  const sign = isDown ? -1 : 1;
  return [...runs].sort((a, b) => {
    const [left, right] = [column.cells[a], column.cells[b]];
    if (left === right) return a - b;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -sign : sign;
  });
}

/** What is drawn: the ticked runs, or else all that the filters leave, and the conditions that say so. */
function selection() {
  const ticked = tickedRuns();
  if (ticked.length) return { runs: sorted(ticked), conditions: [idsSQL(ticked)], isTicked: true };
  return { runs: sorted(filteredRuns()), conditions: filterConditions(), isTicked: false };
}

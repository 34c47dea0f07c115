// What a reader has chosen. The fragment of the address has all of it, so that a link shows the same again.

const DEFAULTS = {
  study: "",
  kind: "",
  status: "",
  sort: "-started",
  show: "",
  ticked: "",
  from: "1",
  run: "",
};
const FILTER = "where.";

const state = new Map();

const get = (key) => state.get(key) ?? DEFAULTS[key] ?? "";
const filters = () =>
  [...state].filter(([key]) => key.startsWith(FILTER)).map(([key, text]) => [key.slice(FILTER.length), text]);

function fragment(further = {}) {
  const words = new URLSearchParams([...state].filter(([key, value]) => value !== (DEFAULTS[key] ?? "")));
  for (const [key, value] of Object.entries(further)) words.set(key, value);
  return words.toString();
}

function change(changes) {
  for (const [key, value] of Object.entries(changes)) state.set(key, value);
  remember();
  render();
}

function remember() {
  history.replaceState(null, "", `#${fragment()}`);
}

/** Take what the address says; what it says of runs that are not here is left out. */
function readFragment() {
  const words = new URLSearchParams(location.hash.slice(1));
  const at = words.get("at");
  words.delete("at");
  state.clear();
  for (const [key, value] of words) state.set(key, value);
  return at;
}

const ticks = () => get("ticked").split(",").filter(Boolean);

/** The runs that are ticked. */
const tickedRuns = () =>
  ticks()
    .filter((id) => places.has(id))
    .map((id) => places.get(id));

function tick(run, isTicked) {
  const others = ticks().filter((id) => id !== runIds[run]);
  change({ ticked: [...others, ...(isTicked ? [runIds[run]] : [])].join(",") });
}

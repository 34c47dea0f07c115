// The page as a whole: what is drawn when, and how it keeps up with a study that runs.

// A page that takes long to load is loaded anew less often: after five times as long at the earliest.
const LOADINGS = 5;

function render() {
  const filtered = filteredRuns();
  renderTable(filtered);
  const chosen = selection();
  for (const chart of charts) chart.render(chosen);
  renderRun();
}

function renderAbout() {
  const statuses = grouped(everyRun, statusOf);
  const counts = [...statuses].map(([status, runs]) => `${runs.length.toLocaleString("en")} ${status}`);
  const longest = largest([...page.curves, ...page.spectra].map((group) => largest(group.points)));
  const room =
    longest > page.most
      ? `Curves and spectra of over ${page.most} points (the longest has ${longest.toLocaleString("en")}) are thinned to as many`
      : "No curve or spectrum is thinned";
  document.getElementById("about").textContent =
    `${page.runs.toLocaleString("en")} runs of ${page.source}: ${counts.join(", ")}. ` +
    (page.condition ? `Only those for which: ${page.condition}. ` : "") +
    `Written ${page.written} by linstudy ${page.version}. ${room}; their numbers are rounded to ${page.digits} digits.`;
}

function renderStudies() {
  const details = document.getElementById("studies");
  details.querySelector("summary").textContent = `${count(page.studies.length, "study", "studies")}`;
  const row = (study) => {
    const done = study.runs.filter((run) => statusOf(run) === "done").length;
    const name = element(
      "button",
      { type: "button", className: "link", onclick: () => change({ study: studyName(study), from: "1" }) },
      studyName(study),
    );
    return element(
      "tr",
      {},
      element("td", {}, name, element("small", {}, study.title)),
      element("td", { className: "number" }, `${done} of ${study.runs.length}`),
    );
  };
  const head = ["study", "done"].map((text) => element("th", { scope: "col" }, text));
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...page.studies.map(row)),
  );
  details.querySelector("div").append(table);
}

/** While the page is written anew, it is loaded anew: not while somebody types, reads a panel or has marked text. */
function keepUp() {
  if (!page.every) return;
  const label = document.getElementById("live");
  label.hidden = false;
  label.querySelector("span").textContent = `reload every ${page.every} s`;
  const isBusy = () =>
    document.activeElement?.matches("input[type=text], select") || panel.open || String(getSelection());
  const wait = Math.max(page.every * 1000, LOADINGS * performance.now());
  setInterval(() => label.querySelector("input").checked && !isBusy() && location.reload(), wait);
}

function show() {
  const at = readFragment();
  render();
  document.getElementById(at)?.scrollIntoView();
}

addEventListener("hashchange", show);
dark.addEventListener("change", render);
let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(render, 200);
});
renderAbout();
renderStudies();
show();
keepUp();

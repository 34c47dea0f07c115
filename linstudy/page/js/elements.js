// Elements of the page. Whatever a study says is text: nothing is ever parsed as HTML.

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

const labelled = (text, control) => element("label", {}, element("span", {}, text), control);

/** A choice whose options are [value, text] or texts; they are replaced only if they have changed. */
function setOptions(select, options, chosen) {
  const pairs = options.map((option) => (Array.isArray(option) ? option : [option, option]));
  const now = JSON.stringify(pairs);
  if (select.dataset.options !== now) {
    select.dataset.options = now;
    select.replaceChildren(...pairs.map(([value, text]) => element("option", { value }, text)));
  }
  select.value = chosen;
}

/** A number as people read it: five digits, whole ones as they are. */
function shown(value, column) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return column?.type === "TIMESTAMP" ? value.replace(/\.\d+$/, "") : String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
}

/** A statement of SQL with a button that copies it; what is open stays open. */
function showSQL(details, sql) {
  if (details.dataset.sql === sql) return;
  details.dataset.sql = sql;
  details.replaceChildren(details.querySelector("summary"), ...statement(sql));
}

function statement(sql) {
  const text = element("pre", {}, sql);
  const button = element("button", { type: "button", onclick: () => copy(text, button) }, "copy");
  return [button, text];
}

/** Where the clipboard is closed to the page, the text is marked for the reader to copy. */
async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "copied";
    setTimeout(() => (button.textContent = "copy"), 1500);
  } catch {
    getSelection().selectAllChildren(text);
  }
}

"use strict";
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const root = document.documentElement;
const drawn = new Map(); // element → how it is drawn again

// A text that lsim.report.packing packed.
async function inflate(element) {
  const bytes = Uint8Array.from(atob(element.textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

function theme() {
  const style = getComputedStyle(root);
  const [back, text, line] = ["--back", "--text", "--line"].map((name) => style.getPropertyValue(name).trim());
  return { back, text, line };
}

// What every layout has, with what is the figure's own.
function layout(own) {
  const { back, text, line } = theme();
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, fixedrange: true, exponentformat: "SI" };
  const made = {
    paper_bgcolor: back, plot_bgcolor: back, font: { color: text, size: 12, family: "system-ui, sans-serif" },
    margin: { l: 10, r: 12, t: 8, b: 40 }, dragmode: false, hoverlabel: { namelength: -1 },
    ...own, legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0, ...own.legend },
  };
  for (const name of Object.keys(own)) if (/^[xy]axis/.test(name)) made[name] = { ...axis, ...own[name] };
  return made;
}

const config = { displaylogo: false, responsive: true, displayModeBar: false };

function drawFigure(element, spec) {
  drawn.set(element, () => Plotly.react(element, spec.data, layout(spec.layout), config));
  return drawn.get(element)();
}

function redraw() { for (const draw of drawn.values()) draw(); }

function setTheme() {
  const dark = getComputedStyle(root).getPropertyValue("--back").trim() !== "#ffffff";
  root.dataset.theme = dark ? "light" : "dark";
  redraw();
}

function define(event) {
  const button = event.target.closest("[data-definition]");
  if (!button) return;
  const note = document.getElementById("definition");
  note.textContent = `${button.textContent}: ${button.dataset.definition}.`;
  note.showPopover();
}

async function start() {
  document.getElementById("theme").addEventListener("click", setTheme);
  document.addEventListener("click", define);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const library = document.createElement("script");
  library.textContent = await inflate(document.getElementById("plotly"));
  document.head.append(library);
  const figures = read("figures");
  const jobs = new Map([...document.querySelectorAll("[data-figure]")].map((e) => [e, () => drawFigure(e, figures[e.dataset.figure])]));
  const explorer = document.getElementById("timeline-plot");
  if (explorer) jobs.set(explorer, () => new Explorer(explorer).show());
  const draw = (element) => { const job = jobs.get(element); jobs.delete(element); return job && job(); };
  const watch = new IntersectionObserver((seen) => seen.filter((s) => s.isIntersecting).forEach((s) => draw(s.target)), { rootMargin: "400px" });
  for (const element of jobs.keys()) watch.observe(element);
  addEventListener("beforeprint", () => [...jobs.keys()].forEach(draw));
  const visible = [...jobs.keys()].filter((element) => element.getBoundingClientRect().top < innerHeight);
  await Promise.all(visible.map(draw));
  performance.mark("lsim-open");
}

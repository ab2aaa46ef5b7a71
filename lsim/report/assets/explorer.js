// Draws [begin, end) from the finest window that holds all of it in no more bins than a screen has room for.
const MOST_BINS = 1100;

class Explorer {
  constructor(element) {
    this.element = element;
    this.index = read("timeline-index");
    [this.operators, ...this.packed] = document.querySelectorAll("script.timeline-data");
    this.inks = new Map(this.index.inks.map(([name, colour, hatch]) => [name, { colour, hatch }]));
    this.read = new Map(); // number of a window → its ticks, [part][column][bin]
    this.view = [0, this.index.ticks];
    this.control = (name) => document.getElementById(`timeline-${name}`);
    for (const name of ["part", "mode"]) this.control(name).addEventListener("change", () => this.draw());
    this.control("place").addEventListener("change", (e) => this.go(Number(e.target.value)));
    for (const button of document.querySelectorAll("[data-move]")) button.addEventListener("click", () => this.move(button.dataset.move));
    element.addEventListener("keydown", (e) => {
      const move = { ArrowLeft: "left", ArrowRight: "right", "+": "in", "-": "out" }[e.key];
      if (move) { e.preventDefault(); this.move(move); }
    });
  }

  async show() {
    this.ran = JSON.parse(await inflate(this.operators));
    await this.draw();
    drawn.set(this.element, () => this.draw());
    this.element.on("plotly_relayout", (change) => {
      if (change["xaxis.autorange"]) this.set(0, this.index.ticks);
      else if ("xaxis.range[0]" in change) this.set(change["xaxis.range[0]"], change["xaxis.range[1]"]);
    });
    this.element.on("plotly_click", ({ points }) => {
      if (points[0].data.type !== "heatmap") return;
      this.control("part").value = points[0].y;
      this.draw();
    });
  }

  set(begin, end) {
    const span = Math.min(this.index.ticks, Math.max(8, Math.round(end - begin)));
    const from = Math.max(0, Math.min(Math.round(begin), this.index.ticks - span));
    this.view = [from, from + span];
    return this.draw();
  }

  go(place) {
    const window = place < 0 ? this.index.windows[0] : this.finest((w) => w[3] === place) || this.index.windows[0];
    return this.set(window[0], window[1]);
  }

  move(how) {
    const [a, b] = this.view, span = b - a;
    const [from, to] = { left: [a - span / 2, b - span / 2], right: [a + span / 2, b + span / 2], in: [a + span / 4, b - span / 4], out: [a - span / 2, b + span / 2] }[how];
    return this.set(from, to);
  }

  finest(holds) {
    const bin = (w) => (w[1] - w[0]) / w[2];
    return this.index.windows.filter(holds).sort((one, other) => bin(one) - bin(other))[0];
  }

  // The window to draw the view from, and its first and last bin in it.
  chosen() {
    const [a, b] = this.view;
    const bins = (w) => [Math.floor(((a - w[0]) * w[2]) / (w[1] - w[0])), Math.min(w[2], Math.ceil(((b - w[0]) * w[2]) / (w[1] - w[0])))];
    const window = this.finest((w) => w[0] <= a && b <= w[1] && bins(w)[1] - bins(w)[0] <= MOST_BINS) || this.index.windows[0];
    return { window, number: this.index.windows.indexOf(window), bins: bins(window) };
  }

  async ticks(number) {
    if (!this.read.has(number)) this.read.set(number, JSON.parse(await inflate(this.packed[number])));
    return this.read.get(number);
  }

  async draw() {
    const { window, number, bins: [low, high] } = this.chosen();
    const ticks = await this.ticks(number);
    const edge = (i) => window[0] + Math.floor(((window[1] - window[0]) * i) / window[2]);
    const edges = Array.from({ length: high - low + 1 }, (_, i) => edge(low + i));
    const part = this.control("part").value;
    const told = ticks[this.index.parts.indexOf(part)];
    const columns = this.order().filter((c) => told[c] && told[c].slice(low, high).some((n) => n));
    const data = [this.rows(ticks, edges, low, high), ...columns.map((c) => this.area(c, told[c].slice(low, high), edges))];
    await Plotly.react(this.element, data, this.layout(part), { ...config, scrollZoom: false, doubleClick: "reset" });
    this.tell(part, told, columns, edges, low, high);
  }

  // Columns in the order in which they are stacked.
  order() { return [...this.inks.keys()].map((name) => this.index.columns.indexOf(name)); }

  rows(ticks, edges, low, high) {
    const { columns, parts } = this.index, most = this.control("mode").value === "most";
    const length = (i) => edges[i - low + 1] - edges[i - low];
    const busy = (told, i) => (told[0] ? told[0][i] : 0) / length(i);
    const largest = (told, i) => Number(Object.keys(told).reduce((best, c) => (told[c][i] > told[best][i] ? c : best)));
    const z = ticks.map((told) => Array.from({ length: high - low }, (_, k) => (most ? largest : busy)(told, low + k)));
    const steps = columns.flatMap((name, c) => [c, c + 1].map((i) => [i / columns.length, this.inks.get(name).colour]));
    return {
      type: "heatmap", x: edges, y: parts, z, yaxis: "y2", showscale: false,
      zmin: most ? -0.5 : 0, zmax: most ? columns.length - 0.5 : 1,
      colorscale: most ? steps : [[0, theme().back], [1, this.inks.get("busy").colour]],
      text: most ? z.map((row) => row.map((c) => columns[c])) : undefined,
      hovertemplate: most ? "%{y}, tick %{x:,d}<br>mostly %{text}<extra></extra>" : "%{y}, tick %{x:,d}<br>busy %{z:.1%}<extra></extra>",
    };
  }

  area(column, ticks, edges) {
    const name = this.index.columns[column], { colour, hatch } = this.inks.get(name);
    const shares = ticks.map((n, i) => n / (edges[i + 1] - edges[i]));
    return {
      type: "scatter", mode: "lines", stackgroup: "part", name, x: edges, y: [...shares, shares.at(-1)],
      line: { shape: "hv", width: 0, color: colour }, fillcolor: colour,
      fillpattern: { shape: hatch, size: 6, solidity: 0.2, fillmode: "overlay" },
      customdata: [...ticks, ticks.at(-1)], hovertemplate: `${name} %{customdata:,d} ticks (%{y:.1%})<extra></extra>`,
    };
  }

  layout(part) {
    const { parts, clock } = this.index, [a, b] = this.view;
    return layout({
      xaxis: { range: [a, b], title: { text: `tick (1 tick = ${+(1e12 / clock).toPrecision(4)} ps)` }, fixedrange: false, tickformat: ",d", hoverformat: ",d", nticks: innerWidth < 600 ? 3 : 8, anchor: "y" },
      yaxis: { domain: [0, 0.34], range: [0, 1], tickformat: ".0%", title: { text: part }, automargin: true },
      yaxis2: { domain: [0.4, 1], autorange: "reversed", type: "category", dtick: 1, tickfont: { size: 11 }, automargin: true, showgrid: false },
      showlegend: false, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", hovermode: "x",
      uirevision: `${a}:${b}`, height: 330 + 15 * parts.length,
    });
  }

  // In words and exact numbers: what is seen, how fine it is, and what is not here.
  tell(part, told, columns, edges, low, high) {
    const number = (n) => n.toLocaleString("en");
    const [a, b] = this.view, widest = Math.max(...edges.slice(1).map((e, i) => e - edges[i]));
    const fine = widest === 1 ? "every single tick" : `bins of ${number(widest)} ticks${high - low < 24 ? "; this page has nothing finer here" : ""}`;
    const running = this.ran.filter(([, start, end]) => start < b && end > a).map(([name]) => name);
    const names = running.slice(0, 5).join(", ") + (running.length > 5 ? ` and ${number(running.length - 5)} more` : "");
    this.control("depth").textContent = `Ticks ${number(a)} to ${number(b)}: ${fine}. In flight: ${names || "nothing"}.`;
    this.control("command").textContent = `lsim inspect DIR --window ${a}:${b}`;
    const begin = edges[0], end = edges.at(-1);
    const sums = columns.map((c) => [this.index.columns[c], told[c].slice(low, high).reduce((x, y) => x + y, 0)]);
    const cells = sums.map(([name, n]) => `<tr><th scope="row">${name}</th><td class="n"><data value="${n}">${number(n)}</data></td><td class="n">${((100 * n) / (end - begin)).toFixed(1)} %</td></tr>`);
    this.control("sums").innerHTML = `<table data-begin="${begin}" data-end="${end}"><caption>${part} in the bins shown, ticks ${number(begin)} to ${number(end)}</caption><tbody>${cells.join("")}</tbody></table>`;
  }
}

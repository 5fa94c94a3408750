"use strict";
(() => {
  const data = JSON.parse(document.getElementById("payload").textContent);
  const byId = (id) => document.getElementById(id);
  const blue = "#0072B2", vermillion = "#D55E00", ink = "#333", grey = "#8C8C8C";
  const pale = "#C9CDD2", wash = "rgba(0,114,178,.18)", bar = "rgba(0,114,178,.38)";
  const level = `${Math.round(100 * data.level)}% interval`;

  // --- words and numbers -----------------------------------------------------------

  /** Plotly reads some HTML in labels; names are to be shown as they are. */
  const plain = (text) =>
    String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  /** Break a long name into lines, for the box under the pointer. */
  const wrapped = (text, width = 44) => {
    const lines = [];
    const letters = Array.from(String(text));
    while (letters.length) lines.push(plain(letters.splice(0, width).join("")));
    return lines.slice(0, 6).join("<br>");
  };

  const number = (value, digits = 3) => {
    if (value === null || !Number.isFinite(value)) return "–";
    const sizes = [[1e12, "tn"], [1e9, "bn"], [1e6, "M"], [1e3, "k"]];
    for (const [size, suffix] of sizes) {
      if (Math.abs(Number(value.toPrecision(digits))) >= size) {
        return `${Number((value / size).toPrecision(digits))}\u2009${suffix}`;
      }
    }
    const small = value !== 0 && Math.abs(value) < 1e-4;
    return small ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
  };
  const units = [[1e12, "tn"], [1e9, "bn"], [1e6, "M"], [1e3, "k"], [1, ""]];

  /** A function that writes the numbers of a column with one unit and one number of
   * decimals, so that they stand below each other; report/_words.py does the same. */
  function aligned(...lists) {
    const sizes = lists.flat().filter((v) => v !== null && v !== 0).map(Math.abs);
    if (!sizes.length) return number;
    const most = Math.max(...sizes), least = Math.min(...sizes);
    const [unit, suffix] = units.find(([size]) => Number(most.toPrecision(3)) >= size) ?? [1, ""];
    const digits = (v) => Math.floor(Math.log10(v / unit) + 1e-12);
    const decimals = Math.max(0, 2 - digits(most), 1 - digits(least));
    if (decimals > 4) return number;
    const after = suffix && `\u2009${suffix}`;
    return (v) => (v === null ? "–" : `${(v / unit).toFixed(decimals)}${after}`);
  }
  const share = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)}%`);
  const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

  const percent = (value, sign = false) => {
    if (value === null || !Number.isFinite(value)) return "–";
    if (value !== 0 && Math.abs(value) < 0.0005) return sign ? "±0%" : "< 0.1%";
    const text = (100 * value).toFixed(Math.abs(value) < 0.095 ? 1 : 0);
    return `${sign && value >= 0 ? "+" : ""}${text}%`;
  };

  // --- charts ----------------------------------------------------------------------

  const narrow = () => window.innerWidth < 600;

  function draw(id, traces, layout) {
    const base = {
      font: { family: "system-ui, sans-serif", size: 12.5, color: ink },
      margin: { l: 60, r: 16, t: 12, b: 44 },
      paper_bgcolor: "#fff", plot_bgcolor: "#fff", separators: ".\u2009",
      hoverlabel: { align: "left" },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      height: 340,
    };
    for (const axis of ["xaxis", "yaxis"]) {
      const { title, ...rest } = layout[axis] ?? {};
      base[axis] = {
        gridcolor: "#e8e8e8", zerolinecolor: "#999", automargin: true,
        ...(narrow() && axis === "xaxis" ? { nticks: 5 } : {}), ...rest,
        ...(title ? { title: { text: onLines(title.text), font: { size: 13 } } } : {}),
      };
    }
    const options = { responsive: true, displaylogo: false, displayModeBar: false };
    // A window that changes its size must not take the height from the card.
    byId(id).style.minHeight = `${layout.height ?? base.height}px`;
    Plotly.react(byId(id), traces, { ...base, ...layout, ...pick(base) }, options);
  }
  const pick = ({ xaxis, yaxis }) => ({ xaxis, yaxis });

  /** Break a title between words, so that it fits beside its axis. */
  const onLines = (text, width = narrow() ? 26 : 34) => text.split(" ").reduce((lines, word) => {
    const last = lines[lines.length - 1];
    return last && `${last} ${word}`.length <= width
      ? [...lines.slice(0, -1), `${last} ${word}`] : [...lines, word];
  }, []).join("<br>");

  /** The name of the KPI at a length that fits beside a chart. */
  const kpi = plain(Array.from(data.kpi).length > 34 ? `${Array.from(data.kpi).slice(0, 33).join("")}…` : data.kpi);
  const kpiPer = `${kpi} per ${data.period}`;

  /** The space that names need at the left of a chart. */
  const names = (list) => list.map((name) => plain(name));

  function ordered(values) {
    const index = values.map((_, i) => i);
    return index.sort((a, b) => (values[a] ?? -Infinity) - (values[b] ?? -Infinity));
  }

  const symbols = {
    "data-driven": "circle", "prior-driven": "circle-open", "not identified": "x",
  };

  const within = (value, low, high, write) =>
    write(value) + (low === null ? "" : ` (${write(low)} to ${write(high)})`);

  /** Points with intervals, the highest on top. */
  function points(values, low, high, order, extra = {}) {
    const at = (list) => order.map((i) => list[i]);
    const error = { type: "data", symmetric: false, thickness: 5, width: 0 };
    error.color = extra.wash ?? bar;
    error.array = order.map((i) => (high[i] === null ? 0 : high[i] - values[i]));
    error.arrayminus = order.map((i) => (low[i] === null ? 0 : values[i] - low[i]));
    return {
      type: "scatter", mode: "markers", x: at(values),
      y: order.map((_, row) => row + (extra.shift ?? 0)), error_x: error,
      name: extra.name, showlegend: Boolean(extra.name),
      marker: {
        size: 9, color: extra.color ?? blue,
        symbol: extra.symbol ?? at(data.summary.verdict).map((v) => symbols[v] ?? "circle"),
        line: { width: 1.6, color: extra.color ?? blue },
      },
      text: order.map((i) => `${wrapped((extra.names ?? data.names)[i])}<br>` +
        within(values[i], low[i], high[i], extra.write ?? number)),
      hoverinfo: "text",
    };
  }

  const nameAxis = (list) => ({
    tickvals: list.map((_, row) => row), ticktext: names(list),
    range: [-0.6, list.length - 0.4], showgrid: false, zeroline: false, ticks: "",
  });
  const rowHeight = (n) => 90 + 27 * Math.max(n, 3);
  const shortNames = () => (narrow() ? data.tiny : data.short);
  const shortIn = (order) => order.map((i) => shortNames()[i]);
  const cut = (text, width) =>
    (Array.from(text).length > width ? `${Array.from(text).slice(0, width - 1).join("")}…` : text);

  /** An axis from zero over all values and intervals, none of which is cut. */
  function whole(...lists) {
    const values = lists.flat().filter((v) => v !== null);
    const low = Math.min(0, ...values), high = Math.max(0, ...values);
    const room = 0.05 * (high - low || 1);
    return [low < 0 ? low - room : 0, high > 0 ? high + room : 0];
  }

  function drawEffects() {
    const s = data.summary, order = ordered(s.contribution);
    const all = [s.contribution, s.contribution_low, s.contribution_high];
    draw("chart-effects", [points(...all, order)], {
      xaxis: { title: { text: kpi }, range: whole(...all) },
      yaxis: nameAxis(shortIn(order)), height: rowHeight(order.length),
      margin: { l: 20, r: 16, t: 8, b: 44 },
    });
  }

  function drawWaterfall() {
    const order = ordered(data.summary.contribution.map(Math.abs)).reverse();
    const shown = order.slice(0, 12), rest = order.slice(12);
    const sum = (list) => list.reduce((a, b) => a + (b ?? 0), 0);
    const w = data.waterfall;
    const labels = [...(narrow() ? w.tiny : w.short), ...shortIn(shown)];
    const values = [...w.values, ...shown.map((i) => data.summary.contribution[i])];
    if (rest.length) {
      labels.push(counted(rest.length, "other channel"));
      values.push(sum(rest.map((i) => data.summary.contribution[i])));
    }
    labels.push(w.total);
    values.push(sum(values));
    const full = [...w.names, ...shown.map((i) => data.names[i]), ...labels.slice(w.names.length + shown.length)];
    const last = values.length - 1;
    const rows = labels.map((_, i) => last - i);
    const said = values.map((v, i) => (v || i === last ? number(v) : "sums to 0"));
    draw("chart-waterfall", [{
      type: "waterfall", orientation: "h", y: rows, x: values,
      measure: values.map((_, i) => (i ? (i === last ? "total" : "relative") : "absolute")),
      increasing: { marker: { color: blue } }, decreasing: { marker: { color: vermillion } },
      totals: { marker: { color: grey } }, connector: { line: { color: "#bbb", width: 1 } },
      text: said, textposition: "outside", cliponaxis: false,
      hovertext: full.map((name, i) => `${wrapped(name)}<br>${said[i]}`),
      hoverinfo: "text",
    }], {
      yaxis: { ...nameAxis([...labels].reverse()) },
      xaxis: { title: { text: kpi } }, height: rowHeight(labels.length),
      margin: { l: 20, r: 62, t: 8, b: 44 },
    });
  }

  // --- one region, or all -----------------------------------------------------------

  const now = { region: 0, channel: 0, measure: 0, planRegion: 0 };
  const series = () => data.series[now.region];
  /** What a channel is counted in: money where its cost is known, people reached where
   * it has a frequency, else the units of its column. */
  const unitOf = (i) => (data.priced && data.paid[i] ? "spend"
    : data.shapes[i].byFrequency ? "reach" : "units of the column");
  const unitsOfAll = ["spend", "reach", "units of the column"]
    .filter((unit) => data.names.some((_, i) => unitOf(i) === unit));
  const units_of_all = unitsOfAll.join(", or ");
  const timeAxis = () => ({
    type: typeof data.times[0] === "number" ? "linear" : "date",
    title: typeof data.times[0] === "number" ? { text: "period" } : undefined,
    showgrid: false,
  });

  /** On a narrow screen, the space of a legend below the chart. */
  const below = (n, height = 340) => (narrow()
    ? { legend: { orientation: "h", x: 0, y: -0.16, yanchor: "top" }, height: height + 20 * n, margin: { l: 60, r: 16, t: 12, b: 60 + 20 * n } }
    : { height });

  /** A band between two lines. */
  const band = (x, low, high, name) => ({
    type: "scatter", x: [...x, ...[...x].reverse()], y: [...high, ...[...low].reverse()],
    fill: "toself", fillcolor: wash, line: { width: 0 }, name, hoverinfo: "skip",
    mode: "lines",
  });

  function drawFit() {
    const s = series(), n = data.nFitted, x = data.times;
    const line = (y, color, name, width) => ({
      type: "scatter", mode: "lines", x, y, name, line: { color, width },
      connectgaps: false,
      hovertemplate: "%{y:.4s}",
    });
    const traces = [];
    if (s.low) traces.push(band(x, s.low, s.high, level));
    traces.push(line(s.observed, ink, "observed", 1.2));
    const fitted = s.predicted.map((v, i) => (i < n ? v : null));
    traces.push(line(fitted, blue, "fitted", 2));
    const shapes = [];
    if (n < x.length) {
      const later = s.predicted.map((v, i) => (i < n ? null : v));
      traces.push(line(later, vermillion, "holdout forecast", 2));
      shapes.push({
        type: "rect", xref: "x", yref: "paper", x0: x[n], x1: x[x.length - 1], y0: 0,
        y1: 1, fillcolor: "#f0f0f0", line: { width: 0 }, layer: "below",
      });
    }
    draw("chart-fit", traces, {
      xaxis: timeAxis(), yaxis: { title: { text: kpiPer } }, hovermode: "x unified",
      shapes, height: 380,
    });
  }

  function drawScatter() {
    const all = now.region === 0 && data.series.length > 1;
    const blocks = all ? data.series.slice(1) : [series()];
    const count = blocks.length * data.times.length;
    const step = Math.max(1, Math.round(count / 3000)); // enough to see the cloud
    const found = { fitted: [[], []], holdout: [[], []] };
    let seen = 0;
    for (const block of blocks) {
      block.observed.forEach((value, t) => {
        if (value === null || block.predicted[t] === null) return;
        const later = t >= data.nFitted;
        seen += 1;
        if (seen % step && !(later && step < 4)) return;
        const pair = found[later ? "holdout" : "fitted"];
        pair[0].push(value);
        pair[1].push(block.predicted[t]);
      });
    }
    const values = [...found.fitted.flat(), ...found.holdout.flat()];
    const low = Math.min(...values), high = Math.max(...values);
    const log = low > 0 && high > 100 * low;
    const trace = ([x, y], name, color) => ({
      type: "scatter", mode: "markers", x, y, name,
      marker: { size: 5, color, opacity: 0.55 }, hovertemplate: "%{x:.4s}, %{y:.4s}",
    });
    const traces = [trace(found.fitted, "fitted", blue)];
    if (found.holdout[0].length) traces.push(trace(found.holdout, "holdout", vermillion));
    traces.push({
      type: "scatter", mode: "lines", x: [low, high], y: [low, high], name: "equal",
      line: { color: grey, dash: "dot", width: 1 }, hoverinfo: "skip",
    });
    const axis = (text) => ({ type: log ? "log" : "linear", title: { text } });
    draw("chart-scatter", traces, {
      xaxis: axis(`observed ${kpiPer}`), yaxis: axis("predicted"),
      height: 380,
    });
  }

  function drawBaseline() {
    const n = data.nFitted, x = data.times.slice(0, n);
    // The first is the constant.
    draw("chart-baseline", data.baseNames.slice(1).map((name, i) => ({
      type: "scatter", mode: "lines", x, y: series().base[i + 1].slice(0, n), name: plain(name),
      line: { color: data.palette[i % data.palette.length], width: 1.6 }, hovertemplate: "%{y:.4s}",
    })), {
      xaxis: timeAxis(), yaxis: { title: { text: kpiPer } }, hovermode: "x unified",
      ...below(data.baseNames.length - 1),
    });
  }

  function drawDemand() {
    const order = data.names.map((_, i) => i).reverse();
    const colors = { local: blue, national: vermillion };
    const traces = Object.entries(data.demand).map(([kind, loading]) => ({
      type: "bar", orientation: "h", name: kind, marker: { color: colors[kind] },
      x: order.map((i) => loading[i]), y: order.map((_, row) => row), hoverinfo: "text",
      hovertext: order.map((i) => `${wrapped(data.names[i])}<br>${kind} ${number(loading[i])}`),
    }));
    draw("chart-demand", traces, {
      barmode: "group", bargap: 0.25, showlegend: true, yaxis: nameAxis(shortIn(order)),
      xaxis: { title: { text: "correlation of log spend with demand" },
        range: whole(Object.values(data.demand).flat()) },
      height: rowHeight(1.35 * order.length), margin: { l: 20, r: 16, t: 30, b: 44 },
    });
  }

  function drawResiduals() {
    const r = data.residuals;
    const traces = r.low.some((v) => v !== null)
      ? [band(r.times, r.low, r.high, "90% of the regions")] : [];
    traces.push({
      type: "scatter", mode: "lines", x: r.times, y: r.mean, name: "mean",
      line: { color: blue, width: 1.5 }, hovertemplate: "%{y:.2f}",
    });
    draw("chart-residuals", traces, {
      xaxis: timeAxis(), yaxis: { title: { text: "standard deviations" } }, height: 300,
    });
    const x = Array.from({ length: 81 }, (_, i) => -4 + i / 10);
    draw("chart-histogram", [
      { type: "bar", x: r.middles, y: r.density, name: "errors", marker: { color: "#7FB8D8" }, hoverinfo: "skip" },
      { type: "scatter", mode: "lines", x, y: x.map((v) => Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI)),
        name: "normal", line: { color: ink, width: 1.3 }, hoverinfo: "skip" },
    ], {
      bargap: 0.05, xaxis: { title: { text: "standard deviations" } },
      yaxis: { showticklabels: false }, height: 300,
    });
    const edge = (y) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color: grey, dash: "dash", width: 1 } });
    const most = Math.max(0.4, ...r.correlation.map((v) => 1.1 * Math.abs(v ?? 0)));
    draw("chart-acf", [{
      type: "bar", x: r.lags, y: r.correlation, marker: { color: blue }, name: "",
      hovertemplate: "%{x} later: %{y:.2f}",
    }], {
      shapes: [edge(r.chance), edge(-r.chance)], showlegend: false, height: 300,
      xaxis: { title: { text: "periods later" } }, yaxis: { range: [-most, most] },
    });
  }

  function drawContributions() {
    const s = series(), x = data.times.slice(0, data.nFitted);
    const size = data.summary.contribution.map(Math.abs);
    const order = ordered(size).reverse();
    const area = (y, name, color, key) => {
      const trace = (values, group, legend) => ({
        type: "scatter", mode: "lines", x, y: values, name: plain(name), legendgroup: key,
        stackgroup: group, line: { width: 0.4, color }, fillcolor: color,
        showlegend: legend, hovertemplate: "%{y:.4s}",
      });
      const values = y.slice(0, data.nFitted).map((v) => v ?? 0);
      const up = trace(values.map((v) => Math.max(v, 0)), "up", true);
      const down = values.some((v) => v < 0)
        ? [trace(values.map((v) => Math.min(v, 0)), "down", false)] : [];
      return [up, ...down];
    };
    const baseline = x.map((_, t) => s.base.reduce((sum, part) => sum + (part[t] ?? 0), 0));
    const traces = area(baseline, "baseline and controls", pale, "base");
    order.forEach((i) => traces.push(...area(s.parts[i], shortNames()[i], data.colors[i], String(i))));
    draw("chart-contributions", traces, {
      xaxis: timeAxis(), yaxis: { title: { text: kpiPer } }, hovermode: "x unified",
      legend: { traceorder: "reversed" }, ...below(order.length + 1, 420),
    });
  }

  function drawSpend() {
    const x = data.times.slice(0, data.nFitted);
    const traces = shortNames().map((name, i) => ({
      type: "scatter", mode: "lines", x, y: data.spend[i].slice(0, data.nFitted),
      name: plain(name), line: { color: data.colors[i], width: 1.4 },
      visible: i < 7 ? true : "legendonly", hovertemplate: "%{y:.4s}",
    }));
    draw("chart-spend", traces, {
      xaxis: timeAxis(), yaxis: { title: { text: units_of_all } },
      legend: {}, hovermode: "x unified", ...below(data.names.length, 400),
    });
  }

  // --- channels --------------------------------------------------------------------

  function drawReturns() {
    const s = data.returns[now.region];
    const shown = ordered(s.roi).filter((i) => s.roi[i] !== null);
    const marginal = points(s.mroi, s.mroi_low, s.mroi_high, shown, {
      name: "next unit", color: vermillion, wash: "rgba(213,94,0,.38)", shift: -0.18,
      symbol: "diamond",
    });
    const average = points(s.roi, s.roi_low, s.roi_high, shown, {
      name: "all spend", shift: 0.18,
    });
    const values = shown.flatMap((i) => [s.roi[i], s.mroi[i]]).filter((v) => v > 0);
    const names = ["roi", "roi_low", "roi_high", "mroi", "mroi_low", "mroi_high"];
    const all = shown.flatMap((i) => names.map((name) => s[name][i])).filter((v) => v !== null);
    // Over decades a logarithmic axis, unless an interval comes down to nothing.
    const apart = Math.max(...values) > 30 * Math.min(...values) && Math.min(...all) > Math.max(...all) / 1e4;
    draw("chart-returns", [average, marginal], {
      xaxis: {
        title: { text: `${kpi} per unit of ${data.priced ? "money" : "the column"}` },
        ...(apart
          ? { type: "log", range: [Math.log10(Math.min(...all) / 1.5), Math.log10(1.5 * Math.max(...all))] }
          : { type: "linear", range: whole(all) }),
      },
      yaxis: nameAxis(shortIn(shown)), height: rowHeight(1.35 * shown.length),
      margin: { l: 20, r: 16, t: 30, b: 44 },
    });
  }

  function drawShares() {
    const s = data.returns[now.region];
    const shares = (list) => {
      const total = list.reduce((a, b) => a + (b ?? 0), 0);
      return list.map((v) => (total ? (v ?? 0) / total : 0));
    };
    const effect = shares(s.contribution);
    const spend = shares(s.spend.map((v, i) => (data.paid[i] ? v : null)));
    const order = ordered(effect);
    const bars = (values, name, color) => ({
      type: "bar", orientation: "h", name, marker: { color },
      x: order.map((i) => values[i]), y: order.map((_, row) => row),
      hovertext: order.map((i) => `${wrapped(data.names[i])}<br>${percent(values[i])} of all ${name}`),
      hoverinfo: "text",
    });
    const traces = [bars(effect, "effect", blue)];
    if (data.priced) traces.unshift(bars(spend, "spend", pale));
    draw("chart-shares", traces, {
      barmode: "group", bargap: 0.25,
      xaxis: { tickformat: ".0%", title: { text: "share of all media" } },
      yaxis: nameAxis(shortIn(order)), height: rowHeight(1.35 * order.length),
      margin: { l: 20, r: 16, t: 30, b: 44 },
    });
  }

  // --- response ---------------------------------------------------------------------

  function curveTraces(i, axes = {}) {
    const c = data.curves[i];
    const begun = c.spend.map((x) => x >= c.from - 1e-9 * c.from).indexOf(true);
    const first = begun < 0 ? c.spend.length - 1 : begun;
    const last = c.spend.map((x) => x <= c.until + 1e-9 * c.until).lastIndexOf(true);
    const line = (from, to, dash) => ({
      type: "scatter", mode: "lines", x: c.spend.slice(from, to), y: c.incremental.slice(from, to),
      line: { color: blue, width: 2, dash }, name: dash === "solid" ? "response" : "outside the data",
      hovertemplate: "%{x:.4s}: %{y:.4s}", ...axes,
    });
    const traces = [];
    if (c.low.every((v) => v !== null)) {
      traces.push({ ...band(c.spend, c.low, c.high, level), ...axes });
    }
    if (first > 0) traces.push(line(0, first + 1, "dash"));
    traces.push(line(first, last + 1, "solid"));
    if (last + 1 < c.spend.length) traces.push(line(last, c.spend.length, "dash"));
    traces.push({
      type: "scatter", mode: "markers", x: [c.now], y: [c.causes], name: "today",
      marker: { color: vermillion, size: 9 }, ...axes,
      hovertemplate: `today ${number(c.now)}: ${number(c.causes)}, next unit ${number(c.mroi)}`,
    });
    return traces;
  }

  function drawShapes() {
    const s = data.shapes[now.channel], bounded = s.adstock.low[0] !== null;
    const lags = s.adstock.share.map((_, lag) => lag);
    draw("chart-adstock", [{
      type: "bar", x: lags, y: s.adstock.share, marker: { color: "#7FB8D8" },
      error_y: bounded ? {
        type: "data", symmetric: false, color: ink, thickness: 1.2, width: 2,
        array: lags.map((l) => s.adstock.high[l] - s.adstock.share[l]),
        arrayminus: lags.map((l) => s.adstock.share[l] - s.adstock.low[l]),
      } : undefined,
      hovertemplate: "%{x} later: %{y:.1%}", name: "",
    }], {
      xaxis: { title: { text: `${data.periods} later` } },
      yaxis: { tickformat: ".0%", rangemode: "tozero" }, showlegend: false, height: 300,
    });
    const f = s.saturation;
    const seen = (share) => {
      const i = f.observed.findIndex((v) => v >= share);
      return f.spend[i < 0 ? f.spend.length - 1 : i];
    };
    const traces = bounded ? [band(f.spend, f.low, f.high, level)] : [];
    traces.push({
      type: "scatter", mode: "lines", x: f.spend, y: f.share, name: "share",
      line: { color: blue, width: 2 }, hovertemplate: "%{x:.4s}: %{y:.0%}",
    });
    draw("chart-saturation", traces, {
      xaxis: {
        title: { text: s.byFrequency ? "frequency" : "spend after carry-over, per row" },
        rangemode: "tozero",
      },
      yaxis: { tickformat: ".0%", range: [0, 1] }, showlegend: false, height: 300,
      shapes: [{
        type: "rect", xref: "x", yref: "paper", x0: seen(0.1), x1: seen(0.9), y0: 0, y1: 1,
        fillcolor: "#ededed", line: { width: 0 }, layer: "below",
      }],
    });
    const e = s.effectiveness, x = data.fittedTimes;
    const moving = e.low[0] === null ? [] : [band(x, e.low, e.high, level)];
    moving.push({
      type: "scatter", mode: "lines", x, y: e.multiple, name: "multiple",
      line: { color: blue, width: 2 }, hovertemplate: "%{y:.2f}",
    });
    const all = [...e.multiple, ...e.low, ...e.high].filter((v) => v !== null);
    draw("chart-effectiveness", moving, {
      xaxis: timeAxis(), showlegend: false, height: 280,
      yaxis: { range: [Math.min(0.5, ...all), Math.max(1.5, ...all)] },
    });
  }

  const curveRange = (c) => whole(c.incremental, c.low, c.high, [c.causes]);

  function drawCurve() {
    const i = now.channel, c = data.curves[i];
    const inside = (x) => Math.min(x, Math.max(...c.spend));
    const shapes = [{
      type: "rect", xref: "x", yref: "paper", x0: inside(c.from), x1: inside(c.until),
      y0: 0, y1: 1, fillcolor: "#f3f3f3", line: { width: 0 }, layer: "below",
    }];
    const notes = [];
    if (c.half !== null && c.half < Math.max(...c.spend)) {
      shapes.push({
        type: "line", xref: "x", yref: "paper", x0: c.half, x1: c.half, y0: 0, y1: 1,
        line: { color: grey, width: 1, dash: "dot" },
      });
      notes.push({
        x: c.half, xref: "x", y: 1, yref: "paper", text: "half of the most it can cause", showarrow: false,
        xanchor: c.half < 0.5 * Math.max(...c.spend) ? "left" : "right", yanchor: "top",
        font: { color: "#666", size: 11.5 },
      });
    }
    draw("chart-curve", curveTraces(i), {
      shapes, annotations: notes,
      xaxis: { title: { text: `${unitOf(i)} over all rows` }, range: whole(c.spend, [c.now]) },
      yaxis: { title: { text: `incremental ${kpi}` }, range: curveRange(c) },
      height: 400,
    });
  }

  function drawCurves() {
    const shown = ordered(data.summary.contribution).reverse().filter((i) => data.curves[i]);
    const columns = narrow() ? 2 : Math.min(4, shown.length);
    const rows = Math.ceil(shown.length / columns);
    const traces = [], layout = { annotations: [], showlegend: false, height: 60 + 190 * rows };
    const gap = 0.06, height = 1 / rows;
    shown.forEach((i, k) => {
      const row = Math.floor(k / columns), column = k % columns;
      const suffix = k ? String(k + 1) : "";
      const x0 = column / columns + (column ? gap / 2 : 0), x1 = (column + 1) / columns - gap / 2;
      const y1 = 1 - row * height - 0.2 * height, y0 = 1 - (row + 1) * height + 0.16 * height;
      const small = { tickfont: { size: 10 }, nticks: 4, gridcolor: "#eee", zerolinecolor: "#999", tickformat: "~s" };
      layout[`xaxis${suffix}`] = { ...small, domain: [x0, x1], anchor: `y${suffix}`, range: whole(data.curves[i].spend) };
      layout[`yaxis${suffix}`] = { ...small, domain: [y0, y1], anchor: `x${suffix}`, range: curveRange(data.curves[i]) };
      layout.annotations.push({
        text: plain(shortNames()[i]) + (unitsOfAll.length > 1 ? `, by ${unitOf(i)}` : ""),
        xref: "paper", yref: "paper", x: x0, y: y1,
        xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 11.5 },
      });
      traces.push(...curveTraces(i, { xaxis: `x${suffix}`, yaxis: `y${suffix}` }));
    });
    draw("chart-curves", traces, { ...layout, margin: { l: 34, r: 8, t: 8, b: 24 } });
  }

  /** Small charts of what the same impressions cause, by frequency. */
  function drawFrequencies() {
    const found = data.frequencies, columns = narrow() ? 1 : Math.min(3, found.length);
    const rows = Math.ceil(found.length / columns), traces = [];
    const layout = { annotations: [], shapes: [], showlegend: false, height: 70 + 250 * rows };
    found.forEach((f, k) => {
      const suffix = k ? String(k + 1) : "", row = Math.floor(k / columns), column = k % columns;
      const axes = { xaxis: `x${suffix}`, yaxis: `y${suffix}` };
      const x0 = (column + 0.12) / columns, x1 = (column + 1) / columns;
      const y1 = 1 - (row + 0.1) / rows, y0 = 1 - (row + 0.8) / rows;
      const all = whole(f.contribution, f.low, f.high);
      layout[`xaxis${suffix}`] = { domain: [x0, x1], anchor: `y${suffix}`, title: { text: "frequency", font: { size: 13 } } };
      layout[`yaxis${suffix}`] = {
        domain: [y0, y1], anchor: `x${suffix}`, range: all, tickformat: "~s", nticks: 5,
        title: column ? undefined : { text: `${kpi} caused`, font: { size: 13 } },
      };
      layout.annotations.push({
        text: plain(shortNames()[f.channel]), xref: "paper", yref: "paper", x: x0, y: y1,
        xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 12.5 },
      });
      if (f.from !== null) {
        layout.shapes.push({
          type: "rect", xref: `x${suffix}`, yref: `y${suffix}`, x0: f.from, x1: f.until, y0: all[0], y1: all[1],
          fillcolor: "#ededed", line: { width: 0 }, layer: "below",
        });
      }
      layout.shapes.push({
        type: "line", xref: `x${suffix}`, yref: `y${suffix}`, x0: f.now, x1: f.now, y0: all[0], y1: all[1],
        line: { color: grey, width: 1.2, dash: "dash" },
      });
      if (f.low.every((v) => v !== null)) traces.push({ ...band(f.frequency, f.low, f.high, level), ...axes });
      traces.push({
        type: "scatter", mode: "lines", x: f.frequency, y: f.contribution, name: "caused",
        line: { color: blue, width: 2 }, hovertemplate: "%{x:.1f} times: %{y:.4s}", ...axes,
      });
      const at = f.frequency.reduce((best, v, i) => (
        Math.abs(v - f.best) < Math.abs(f.frequency[best] - f.best) ? i : best), 0);
      traces.push({
        type: "scatter", mode: "markers", x: [f.best], y: [f.contribution[at]], name: "optimum",
        marker: { color: vermillion, size: 9 }, hovertemplate: "optimum %{x:.1f}: %{y:.4s}", ...axes,
      });
    });
    draw("chart-frequency", traces, { ...layout, margin: { l: 20, r: 12, t: 8, b: 30 } });
  }

  // --- what changed --------------------------------------------------------------------

  function drawChanges() {
    const c = data.changes, order = c.names.map((_, i) => i).reverse();
    const none = c.names.map(() => null), told = { symbol: "circle", names: c.names };
    const before = points(c.before, c.low, c.high, order, {
      ...told, name: "before", color: "#777", wash: "#cfcfcf", shift: 0.16,
    });
    const now = points(c.now, none, none, order, { ...told, name: "now", shift: -0.16 });
    draw("chart-changes", [before, now], {
      xaxis: {
        title: { text: `${kpi} per unit of ${data.priced ? "money" : "the column"}` },
        range: whole(c.before, c.low, c.high, c.now),
      },
      yaxis: nameAxis(order.map((i) => (narrow() ? c.tiny : c.short)[i])),
      height: rowHeight(1.35 * order.length), margin: { l: 20, r: 16, t: 30, b: 44 },
    });
  }

  // --- experiments --------------------------------------------------------------------

  function drawExperiments() {
    const e = data.experiments, order = e.names.map((_, i) => i).reverse();
    const bySize = (list) => list.map((v, i) => (v === null ? null : v / e.size[i]));
    const traces = e.shown.map((s, k) => {
      const value = bySize(s.value), ends = [bySize(s.low), bySize(s.high)];
      // A negative size turns an interval around.
      const [low, high] = [Math.min, Math.max].map((pick) =>
        value.map((_, i) => (ends[0][i] === null ? null : pick(ends[0][i], ends[1][i]))));
      return {
        low, high,
        ...points(value, low, high, order, {
          name: s.name, color: s.color, wash: `${s.color}60`, shift: 0.22 * (1 - k),
          symbol: "circle", names: e.names,
        }),
        text: order.map((i) => `${wrapped(e.names[i])}<br>${s.name} ` +
          within(s.value[i], s.low[i], s.high[i], number)),
      };
    });
    const shown = traces.flatMap((t) => [...t.x, ...t.low, ...t.high]);
    draw("chart-experiments", traces.map(({ low, high, ...trace }) => trace), {
      xaxis: { title: { text: "by what the experiment measured" }, range: whole(shown) },
      yaxis: nameAxis(order.map((i) => (narrow() ? e.tiny : e.short)[i])),
      shapes: [{
        type: "line", yref: "paper", x0: 1, x1: 1, y0: 0, y1: 1, layer: "below",
        line: { color: ink, width: 1, dash: "dash" },
      }],
      height: rowHeight(1.5 * order.length), margin: { l: 20, r: 16, t: 30, b: 44 },
    });
  }

  // --- channel graph -------------------------------------------------------------------

  const svg = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    parent.append(element);
    return element;
  };

  /** Break a name into at most three lines. */
  function lines(name, width = 20) {
    const found = [""];
    for (const piece of String(name).match(/[^\s_.-]{1,20}[\s_.-]?|[\s_.-]/g) ?? [""]) {
      if (found[found.length - 1].length + piece.length > width) found.push("");
      found[found.length - 1] += piece;
    }
    return found.length > 3 ? [...found.slice(0, 2), `${found[2].trim().slice(0, width - 1)}…`] : found;
  }

  const shade = (p) => {
    const mix = (a, b) => Math.round(a + (b - a) * p);
    return `rgb(${mix(184, 0)},${mix(209, 51)},${mix(230, 107)})`;
  };

  function drawGraph() {
    const g = data.graph, place = byId("graph-drawing");
    const placed = g.layer.map((_, m) => m).filter((m) => g.layer[m] !== null);
    place.replaceChildren();
    if (!placed.length) {
      const note = document.createElement("p");
      note.textContent = "No channel was found to drive another.";
      place.append(note);
      return;
    }
    // From left to right; on a narrow screen from the top down.
    const down = narrow(), wide = down ? 150 : 160, high = 58;
    const stepLayer = down ? 130 : 260, stepRow = down ? 168 : 92, side = down ? 8 : 46;
    const rows = placed.map((m) => g.row[m]), highest = Math.max(...rows);
    const along = stepLayer * Math.max(...placed.map((m) => g.layer[m]));
    const across = stepRow * (highest - Math.min(...rows));
    const width = (down ? across + 46 : along) + wide + 8;
    const height = (down ? along : across) + high + 8 + side;
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": "Graph of the channels; the table below holds its edges" }, place);
    const at = (m) => {
      const layer = 4 + stepLayer * g.layer[m], row = stepRow * (highest - g.row[m]);
      return down ? [4 + row, layer] : [layer, side + row];
    };
    const strongest = Math.max(...g.weight.map(Math.abs), 1e-12);
    g.parent.forEach((parent, k) => {
      const child = g.child[k], edge = g.verdict[k] === "edge";
      const [x0, y0] = at(parent), [x1, y1] = at(child);
      const straight = g.layer[child] === g.layer[parent] + 1;
      const rise = Math.min(44, 24 + 10 * Math.abs(g.layer[child] - g.layer[parent]));
      let start, end, bends, head;
      const right = ([x, y]) => `${x},${y - 6} ${x + 8},${y} ${x},${y + 6}`;
      const lower = ([x, y]) => `${x - 6},${y} ${x},${y + 8} ${x + 6},${y}`;
      const left = ([x, y]) => `${x},${y - 6} ${x - 8},${y} ${x},${y + 6}`;
      if (straight && down) {
        [start, end, head] = [[x0 + wide / 2, y0 + high], [x1 + wide / 2, y1 - 8], lower];
        bends = [[start[0], (start[1] + end[1]) / 2], [end[0], (start[1] + end[1]) / 2]];
      } else if (straight) {
        [start, end, head] = [[x0 + wide, y0 + high / 2], [x1 - 8, y1 + high / 2], right];
        bends = [[(start[0] + end[0]) / 2, start[1]], [(start[0] + end[0]) / 2, end[1]]];
      } else if (down) {
        [start, end, head] = [[x0 + wide, y0 + high / 2], [x1 + wide + 8, y1 + high / 2], left];
        bends = [[start[0] + rise, start[1]], [end[0] + rise, end[1]]];
      } else {
        [start, end, head] = [[x0 + wide / 2, y0], [x1 + wide / 2, y1 - 8], lower];
        bends = [[start[0], start[1] - rise], [end[0], end[1] - rise]];
      }
      const color = edge ? shade(g.probability[k]) : grey;
      const thick = edge ? 1 + (4 * Math.abs(g.weight[k])) / strongest : 1.2;
      const line = svg("path", {
        d: `M${start} C${bends[0]} ${bends[1]} ${end}`, fill: "none", stroke: color,
        "stroke-width": thick, ...(edge ? {} : { "stroke-dasharray": "5 4" }),
      }, root);
      svg("polygon", { points: head(end), fill: color }, root);
      const about = svg("title", {}, line);
      about.textContent = `${data.names[parent]} drives ${data.names[child]}: ` +
        `${edge ? `weight ${number(g.weight[k], 2)}, ` : "undecided, "}probability ${percent(g.probability[k])}`;
      if (edge) label(line, thick, (g.weight[k] > 0 ? "+" : "") + g.weight[k].toFixed(2), root);
    });
    for (const m of placed) {
      const [x, y] = at(m);
      svg("rect", { x, y, width: wide, height: high, rx: 8, fill: "#fff", stroke: ink }, root);
      const text = lines(data.names[m]);
      text.forEach((line, i) => {
        const shown = svg("text", { x: x + wide / 2, y: y + high / 2 + 4 + 15 * (i - (text.length - 1) / 2),
          "text-anchor": "middle", "font-size": 12.5, fill: ink }, root);
        shown.textContent = line.trim();
      });
    }
  }

  /** Write beside the middle of a line, so that the text does not break it. */
  function label(line, thick, words, parent) {
    const half = line.getTotalLength() / 2, point = (length) => line.getPointAtLength(length);
    const middle = point(half), before = point(half - 1), after = point(half + 1);
    const size = Math.hypot(after.x - before.x, after.y - before.y) || 1;
    let normal = [(after.y - before.y) / size, -(after.x - before.x) / size];
    if (normal[1] > 0) normal = normal.map((v) => -v);
    const away = 4 + thick / 2 + 17 * Math.abs(normal[0]) + 6 * Math.abs(normal[1]);
    const text = svg("text", { x: middle.x + away * normal[0], y: middle.y + away * normal[1] + 4,
      "text-anchor": "middle", "font-size": 12, fill: ink }, parent);
    text.textContent = words;
  }

  const drawPairs = () => matrix("chart-graph", data.graph.probabilities.map((row, i) =>
    row.map((p, j) => (i === j ? null : p))), [[0, "#ffffff"], [1, "#08306b"]], 0,
  data.graph.verdicts);

  // --- plan --------------------------------------------------------------------------

  /** Fill a table; cells are texts, pairs with a smaller second line, or classed. */
  function cells(table, rows) {
    const heads = Array.from(byId(table).tHead.rows[0].cells);
    byId(table).tBodies[0].replaceChildren(...rows.map((row) => {
      const line = document.createElement("tr");
      row.forEach((content, column) => {
        const cell = document.createElement("td"), value = document.createElement("span");
        const { text, second, kind } = typeof content === "string" ? { text: content } : content;
        cell.className = kind ?? (heads[column].className.includes("text") ? "text" : "");
        cell.dataset.label = heads[column].dataset.name ?? heads[column].textContent;
        value.textContent = text;
        if (second) {
          const doubt = document.createElement("span");
          doubt.className = "doubt";
          doubt.textContent = second;
          value.append(doubt);
        }
        cell.append(value);
        line.append(cell);
      });
      return line;
    }));
  }

  /** A value and, below it, its interval. */
  const interval = (write, value, low, high) => ({
    text: write(value), second: low === null ? "" : `${write(low)} to ${write(high)}`,
  });

  /** The cell of a verdict, which is about all regions. */
  function verdict(i) {
    const found = data.summary.verdict[i] ?? "none";
    return {
      text: found, kind: `text verdict ${found.replace(" ", "-")}`,
      second: data.summary.alarm[i],
    };
  }

  function fillChannels() {
    const s = data.returns[now.region];
    const column = (name) => {
      const lists = [s[name], s[`${name}_low`], s[`${name}_high`]];
      const write = aligned(...lists);
      return (i) => interval(write, ...lists.map((list) => list[i]));
    };
    const [caused, roi, mroi] = ["contribution", "roi", "mroi"].map(column);
    const spend = aligned(s.spend);
    cells("channels-table", ordered(s.contribution).reverse().map((i) => [
      data.names[i], verdict(i), spend(s.spend[i]), caused(i), share(s.share[i]), roi(i), mroi(i),
    ]));
  }

  function fillScores() {
    cells("scores-table", data.scores[now.region].map(([name, wmape, r2, coverage]) => [
      name, share(wmape), r2 === null ? "–" : r2.toFixed(3), share(coverage),
    ]));
  }

  /** What the plan says, as a text. */
  function planText(p, k) {
    if (!p.found[k]) return p.message[k];
    const budget = p.budget[k], more = p.outcome[k] - p.currentOutcome;
    const signed = (value, write) => `${value < 0 ? "−" : "+"}${write(Math.abs(value))}`;
    let text = `In ${p.when}, the best split of ${number(budget)} causes ${number(p.outcome[k])} ${data.kpi}`;
    if (p.outcome_low[k] !== null) {
      text += ` (${number(p.outcome_low[k])} to ${number(p.outcome_high[k])})`;
    }
    text += `, ${signed(more, number)} against unchanged spend (${number(p.currentOutcome)}): `;
    text += `${signed(more / p.predicted, percent)} of the ${number(p.predicted)} ${data.kpi} predicted for these periods`;
    if (p.better[k] !== null) text += `. It causes more in ${percent(p.better[k])} of draws`;
    if (p.better[k] !== null && (more >= 0 ? p.better[k] : 1 - p.better[k]) < 0.5) {
      text += "; fewer than half of them agree, so that the difference is within the uncertainty of the model";
    }
    return `${text}. Scaling every channel alike to this budget would cause ${number(p.as_today[k])}.`;
  }

  function doubtText(p, k) {
    const names = (of) => of.map((i) => `“${cut(data.names[i], 42)}”`).join(", ");
    const said = [];
    if (!p.found[k]) return "";
    if (p.unsure[k].length) {
      said.push(`This plan spends more on ${names(p.unsure[k])}, whose effect is not identified: what it gains there is an assumption. Test it before moving the money.`);
    }
    if (p.cut[k].length) {
      said.push(`This plan takes money from ${names(p.cut[k])}, whose effect is not identified: what it loses there, nobody knows.`);
    }
    if (p.kept.length) {
      said.push(`Plans leave ${names(p.kept)} at unchanged spend, because the fit warns of ${p.kept.length > 1 ? "them" : "it"}.`);
    }
    return said.join(" ");
  }

  function fillPlan(p, k) {
    const money = aligned(p.today, p.spend[k]), returns = aligned(p.mrois_now, p.mrois[k]);
    const causes = aligned(p.causes[k]);
    cells("plan-table", ordered(p.today).reverse().map((i) => [
      data.names[i], verdict(i), money(p.today[i]), money(p.spend[k][i]),
      p.today[i] ? `${p.spend[k][i] < p.today[i] ? "" : "+"}${share(p.spend[k][i] / p.today[i] - 1)}` : "–",
      causes(p.causes[k][i]), returns(p.mrois_now[i]), returns(p.mrois[k][i]), p.reason[k][i],
    ]));
  }

  function fillRows(p, k) {
    const block = p.rows[now.planRegion];
    const planned = block.map((column, i) => {
      const factor = p.today[i] && p.spend[k][i] !== null ? p.spend[k][i] / p.today[i] : 1;
      return column.map((v) => (v === null ? null : v * factor));
    });
    const write = planned.map((column) => aligned(column));
    cells("rows-table", p.times.map((time, t) => [
      String(time), ...planned.map((column, i) => write[i](column[t])),
    ]));
  }

  function drawPlan() {
    const p = data.plan, k = Number(byId("budget").value);
    const budget = p.budget[k], change = budget / p.current - 1;
    byId("budget-text").value =
      `${number(budget)} (${Math.abs(change) < 0.0005 ? "unchanged" : percent(change, true)})`;
    byId("plan-text").textContent = planText(p, k);
    const doubt = doubtText(p, k);
    byId("plan-doubt").textContent = doubt;
    byId("plan-doubt").hidden = !doubt;
    fillPlan(p, k);
    fillRows(p, k);
    const order = ordered(p.today).filter((i) => data.paid[i] && p.today[i] !== null);
    const bars = (values, name, color) => ({
      type: "bar", orientation: "h", name, marker: { color }, x: order.map((i) => values[i]),
      y: order.map((_, row) => row), hoverinfo: "text",
      hovertext: order.map((i) => `${wrapped(data.names[i])}<br>${name} ${number(values[i])}`),
    });
    const spends = order.flatMap((i) => [p.today[i], ...p.spend.map((plan) => plan[i])]);
    draw("chart-plan", [bars(p.today, "unchanged", pale), bars(p.spend[k], "plan", blue)], {
      barmode: "group", bargap: 0.25, yaxis: nameAxis(shortIn(order)),
      xaxis: { title: { text: data.priced ? "spend" : "units of the column" }, range: whole(spends) },
      height: rowHeight(1.35 * order.length), margin: { l: 20, r: 16, t: 30, b: 44 },
    });
    const traces = [];
    if (p.outcome_low.some((v) => v !== null)) {
      const found = p.budget.map((_, i) => i).filter((i) => p.outcome_low[i] !== null);
      const at = (list) => found.map((i) => list[i]);
      traces.push(band(at(p.budget), at(p.outcome_low), at(p.outcome_high), level));
    }
    const line = (y, name, color, dash) => ({
      type: "scatter", mode: "lines", x: p.budget, y, name, line: { color, dash, width: 2 },
      hovertemplate: "%{x:.4s}: %{y:.4s}",
    });
    traces.push(line(p.outcome, "best plan", blue, "solid"));
    traces.push(line(p.as_today, "scaled alike", grey, "dot"));
    const point = (x, y, name, color, symbol) => ({
      type: "scatter", mode: "markers", x: [x], y: [y], name,
      marker: { size: 11, color, symbol }, hovertemplate: `${name} %{x:.4s}: %{y:.4s}`,
    });
    traces.push(point(p.current, p.currentOutcome, "unchanged", vermillion, "circle"));
    if (p.found[k]) traces.push(point(budget, p.outcome[k], "this plan", blue, "diamond"));
    draw("chart-path", traces, {
      xaxis: { title: { text: data.priced ? "total spend" : "total units" } },
      yaxis: { title: { text: `caused ${kpi}` }, range: whole(p.outcome, p.outcome_low, p.outcome_high, p.as_today) },
      height: Math.max(360, rowHeight(1.35 * order.length)),
    });
  }

  // --- regions -----------------------------------------------------------------------

  const measures = [
    ["share", "share of KPI that media caused", percent],
    ["contribution", "KPI caused by media", number],
    ["observed", "KPI", number],
    ["spend", "spend", number],
    ["roi", "KPI per unit of money", number],
  ];

  function drawRegions() {
    const r = data.ranking;
    const [key, , write] = shownMeasures()[now.measure];
    const order = ordered(r[key]).reverse();
    const most = 30; // more bars than this cannot be read
    const shown = order.length > most ? [...order.slice(0, 20), ...order.slice(-10)] : order;
    const rows = [...shown].reverse();
    const axis = nameAxis(rows.map((i) => (narrow() ? r.tiny : r.short)[i]));
    const shapes = [];
    if (order.length > most) {
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: 9.5, y1: 9.5, line: { color: grey, dash: "dot", width: 1 } });
    }
    const none = r[key].map(() => null);
    const dots = points(r[key], r[`${key}_low`] ?? none, r[`${key}_high`] ?? none, rows, {
      symbol: "circle", names: r.regions, write,
    });
    draw("chart-regions", [dots], {
      shapes, yaxis: axis, height: 90 + 20 * rows.length, margin: { l: 20, r: 16, t: 12, b: 44 },
      xaxis: { title: { text: plain(cut(measureName(now.measure), 60)) }, tickformat: key === "share" ? "~%" : "", range: whole(r[key], r[`${key}_low`] ?? [], r[`${key}_high`] ?? []) },
      annotations: order.length > most ? [{
        text: `${counted(order.length - most, "region")} in between`, xref: "paper", x: 1, xanchor: "right",
        y: 9.5, yanchor: "bottom", showarrow: false, font: { color: "#666", size: 11.5 },
      }] : [],
    });
  }
  const shownMeasures = () => (data.priced ? measures : measures.slice(0, 3));
  const measureName = (m) => shownMeasures()[m][1].replace("KPI", () => cut(data.kpi, narrow() ? 14 : 40));

  function fillRegions() {
    const r = data.ranking;
    const columns = [r.observed, r.spend, r.contribution, r.share, ...(data.priced ? [r.roi] : [])];
    const write = columns.map((column) => (column === r.share ? share : aligned(column)));
    const fill = (order) => cells("regions-table", order.map((i) => [
      r.regions[i], ...columns.map((column, c) => write[c](column[i])),
    ]));
    fill(r.regions.map((_, i) => i));
    Array.from(byId("regions-table").tHead.rows[0].cells).forEach((head, c) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.dataset.name = head.textContent;
      head.replaceChildren(button);
      let falling = false;
      button.addEventListener("click", () => {
        falling = !falling;
        const order = c ? ordered(columns[c - 1])
          : r.regions.map((_, i) => i).sort((a, b) => r.regions[a].localeCompare(r.regions[b]));
        fill(falling === Boolean(c) ? order.reverse() : order);
      });
    });
  }

  // --- skill, correlation ---------------------------------------------------------------

  function drawSkill() {
    const s = data.skill;
    draw("chart-skill", s.contenders.map((name, i) => ({
      type: "bar", name: plain(name), x: names(s.origins), y: s.skill[i],
      marker: { color: data.palette[i % data.palette.length] },
      hovertemplate: "skill %{y:.2f}",
    })), {
      barmode: "group", xaxis: { type: "category", title: { text: "forecast from" } },
      yaxis: { title: { text: "skill" } },
    });
  }

  /** Draw a value per pair; with verdicts edges are framed, undecided pairs dotted. */
  function matrix(id, z, scale, least = -1, verdicts = null) {
    const size = data.names.length, shown = shortNames();
    const readable = size <= (narrow() ? 7 : 16); // numbers fit into their cells
    const verdict = (i, j) => (verdicts === null || i === j ? "" : verdicts[i][j]);
    const frames = z.flatMap((row, i) => row.flatMap((_, j) => {
      const line = { edge: { color: ink, width: 2 },
        undecided: { color: "#888888", width: 1.5, dash: "dot" } }[verdict(i, j)];
      return line === undefined ? [] : [{ type: "rect", line,
        x0: j - 0.46, x1: j + 0.46, y0: i - 0.46, y1: i + 0.46 }];
    }));
    draw(id, [{
      type: "heatmap", z, x: shown.map((_, i) => i), y: shown.map((_, i) => i),
      zmin: least, zmax: 1, colorscale: scale, xgap: 1, ygap: 1,
      hovertext: data.names.map((a, i) => data.names.map((b, j) =>
        `${wrapped(a)}<br>${wrapped(b)}<br>${z[i][j] === null ? "" : number(z[i][j], 2)}`
        + (verdict(i, j) ? `, ${verdict(i, j)}` : ""))),
      hoverinfo: "text", colorbar: { thickness: 12 },
      text: z.map((row, i) => row.map((v, j) => (v === null ? ""
        : v.toFixed(2).replace("0.", ".") + (verdict(i, j) === "undecided" ? " ?" : "")))),
      texttemplate: readable ? "%{text}" : undefined,
    }], {
      shapes: frames,
      xaxis: { ...nameAxis(shown), range: [-0.5, size - 0.5], tickangle: -40 },
      yaxis: { ...nameAxis(shown), range: [size - 0.5, -0.5] },
      height: 160 + 34 * size, margin: { l: 20, r: 16, t: 12, b: 20 },
    });
  }
  const drawCorrelation = () => matrix("chart-correlation", data.correlation, [
    [0, "#D55E00"], [0.5, "#ffffff"], [1, "#0072B2"],
  ]);

  // --- which chart is drawn when -----------------------------------------------------

  const charts = {
    summary: [["chart-effects", drawEffects], ["chart-waterfall", drawWaterfall]],
    changes: [["chart-changes", drawChanges]],
    fit: [["chart-fit", drawFit], ["chart-scatter", drawScatter], ["scores-table", fillScores],
      ["chart-baseline", drawBaseline], ["chart-demand", drawDemand], ["chart-skill", drawSkill]],
    channels: [["chart-contributions", drawContributions], ["chart-returns", drawReturns],
      ["chart-shares", drawShares], ["channels-table", fillChannels]],
    response: [["chart-curve", drawCurve], ["chart-adstock", drawShapes],
      ["chart-frequency", drawFrequencies],
      ["chart-curves", drawCurves]],
    experiments: [["chart-experiments", drawExperiments]],
    graph: [["graph-drawing", drawGraph], ["chart-graph", drawPairs]],
    plan: [["chart-plan", drawPlan]],
    regions: [["chart-regions", drawRegions]],
    diagnostics: [["chart-residuals", drawResiduals]],
    data: [["chart-spend", drawSpend], ["chart-correlation", drawCorrelation]],
  };
  const followRegion = ["fit", "channels"]; // sections with the list of regions
  const drawn = new Set();
  const sections = Array.from(document.querySelectorAll("main > section"));

  function drawSection(id) {
    if (drawn.has(id)) return;
    drawn.add(id);
    for (const [place, make] of charts[id] ?? []) if (byId(place)) make();
  }

  function show(id, focus = false) {
    const found = sections.find((section) => section.id === id) ?? sections[0];
    for (const section of sections) {
      const current = section === found;
      section.hidden = !current;
      const tab = byId(`tab-${section.id}`);
      tab.setAttribute("aria-selected", String(current));
      tab.tabIndex = current ? 0 : -1;
      if (current && focus) tab.focus();
    }
    byId("region-control").hidden = data.series.length < 2 || !followRegion.includes(found.id);
    drawSection(found.id);
    window.scrollTo(0, 0);
  }

  function fillSelect(id, texts, change) {
    const select = byId(id);
    if (!select) return;
    texts.forEach(([value, text]) => select.add(new Option(text, value)));
    select.addEventListener("change", () => change(Number(select.value)));
  }

  fillSelect("region", data.regions.map((name, i) => [i, name]), (region) => {
    now.region = region;
    const name = region ? data.regions[region] : "all regions";
    for (const about of document.querySelectorAll(".scope.region")) about.textContent = `: ${name}`;
    for (const id of followRegion) {
      if (!drawn.has(id)) continue;
      charts[id].forEach(([place, make]) => byId(place) && make());
    }
  });
  if (data.regionsLeftOut) {
    byId("region-note").textContent =
      `In the total only, to keep this file small: ${counted(data.regionsLeftOut, "smaller region")}.`;
  }
  const withCurve = ordered(data.summary.contribution).reverse().filter((i) => data.curves[i]);
  now.channel = withCurve[0];
  fillSelect("channel", withCurve.map((i) => [i, data.names[i]]), (channel) => {
    now.channel = channel;
    drawCurve();
    drawShapes();
  });
  if (data.ranking) {
    fillSelect("measure", shownMeasures().map((_, m) => [m, measureName(m)]), (measure) => {
      now.measure = measure;
      drawRegions();
    });
    fillRegions();
  }
  if (data.plan) {
    const slider = byId("budget"), p = data.plan;
    slider.max = p.budget.length - 1;
    slider.value = p.nearest;
    slider.addEventListener("input", drawPlan);
    fillSelect("plan-region", data.regions.map((name, i) => [i, name]), (region) => {
      now.planRegion = region;
      fillRows(p, Number(slider.value));
    });
  }

  // Arrow keys move between tabs, as in any list of tabs.
  document.querySelector("nav").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = sections.findIndex((section) => !section.hidden);
    const next = sections[(at + step + sections.length) % sections.length];
    history.replaceState(null, "", `#${next.id}`);
    show(next.id, true);
  });
  window.addEventListener("hashchange", () => show(location.hash.slice(1)));
  window.addEventListener("beforeprint", () => sections.forEach((section) => {
    section.hidden = false;
    drawSection(section.id);
  }));
  window.addEventListener("afterprint", () => show(location.hash.slice(1)));
  show(location.hash.slice(1));
})();

// The dimuon spectrum with a slider for the muon pT cut, drawn as SVG from a small table of counts.
"use strict";

(function () {
  const SVG = "http://www.w3.org/2000/svg";
  const MARGIN = { left: 62, right: 12, top: 26, bottom: 50 };

  function element(name, attributes, text) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  // Values 1, 2, 5, 10, ... inside the range; on a narrow screen only powers of ten and the rest unlabelled.
  function massTicks(low, high) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const digit of [1, 2, 5]) {
        const value = digit * 10 ** power;
        if (value >= low && value <= high) ticks.push(value);
      }
    }
    return ticks;
  }

  function scales(data, width, height) {
    const edges = data.mass_edges_gev;
    const most = Math.max(...data.counts[0]);
    const low = Math.log(edges[0]);
    const high = Math.log(edges[edges.length - 1]);
    const decades = Math.log10(most * 1.6) - Math.log10(0.5);
    return {
      most: most,
      x: (mass) => MARGIN.left + ((Math.log(mass) - low) / (high - low)) * (width - MARGIN.left - MARGIN.right),
      y: (count) => {
        const share = (Math.log10(Math.max(count, 0.5)) - Math.log10(0.5)) / decades;
        return height - MARGIN.bottom - share * (height - MARGIN.top - MARGIN.bottom);
      },
    };
  }

  function steps(edges, counts, scale) {
    let path = `M${scale.x(edges[0]).toFixed(1)},${scale.y(0).toFixed(1)}`;
    counts.forEach(function (count, i) {
      const y = scale.y(count).toFixed(1);
      path += `L${scale.x(edges[i]).toFixed(1)},${y}L${scale.x(edges[i + 1]).toFixed(1)},${y}`;
    });
    return path + `L${scale.x(edges[edges.length - 1]).toFixed(1)},${scale.y(0).toFixed(1)}`;
  }

  function axes(svg, data, scale, width, height) {
    const bottom = height - MARGIN.bottom;
    const right = width - MARGIN.right;
    svg.append(element("path", { class: "axis", d: `M${MARGIN.left},${MARGIN.top}V${bottom}H${right}` }));
    for (const mass of massTicks(data.mass_edges_gev[0], data.mass_edges_gev[data.mass_edges_gev.length - 1])) {
      const x = scale.x(mass);
      svg.append(element("path", { class: "axis", d: `M${x},${bottom}v6` }));
      svg.append(element("text", { x: x, y: bottom + 20, "text-anchor": "middle" }, String(mass)));
    }
    for (let count = 1; count <= scale.most * 1.6; count *= 10) {
      const y = scale.y(count);
      svg.append(element("path", { class: "axis", d: `M${MARGIN.left},${y}h-6` }));
      svg.append(element("text", { x: MARGIN.left - 9, y: y + 4, "text-anchor": "end" }, String(count)));
    }
    svg.append(element("text", { x: right, y: height - 8, "text-anchor": "end" }, "mass of the muon pair [GeV]"));
    const middle = (MARGIN.top + bottom) / 2;
    const turned = { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` };
    svg.append(element("text", turned, "pairs per bin"));
    svg.append(element("text", { x: right, y: 16, "text-anchor": "end", class: "badge-text" }, "Simulation"));
  }

  function sentence(data, index) {
    const windows = data.windows.map((window) => `${window.pairs[index]} near the ${window.name}`).join(", ");
    return `Cut ${data.cuts_gev[index]} GeV: ${data.pairs[index]} of ${data.pairs[0]} pairs are left; ${windows}.`;
  }

  function draw(figure, data, index) {
    const place = figure.querySelector(".pt-slider-plot");
    const width = Math.max(260, place.clientWidth);
    const height = Math.round(Math.min(420, Math.max(270, width * 0.55)));
    const scale = scales(data, width, height);
    const label = `Histogram of the dimuon mass, logarithmic axes. ${sentence(data, index)}`;
    const svg = element("svg", { width: width, height: height, viewBox: `0 0 ${width} ${height}`, role: "img" });
    svg.setAttribute("aria-label", label);
    svg.append(element("path", { class: "spectrum", d: steps(data.mass_edges_gev, data.counts[index], scale) + "Z" }));
    svg.append(element("path", { class: "reference", d: steps(data.mass_edges_gev, data.counts[0], scale) }));
    axes(svg, data, scale, width, height);
    place.replaceChildren(svg);
  }

  function start(figure) {
    const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
    const input = figure.querySelector("input[type=range]");
    const output = figure.querySelector("output");
    const text = figure.querySelector(".pt-slider-text");
    let timer = null;
    function update() {
      const index = Number(input.value);
      const cut = `${data.cuts_gev[index]} GeV`;
      output.textContent = cut;
      input.setAttribute("aria-valuetext", cut);
      draw(figure, data, index);
      // Speak once the reader has stopped, not at every step.
      clearTimeout(timer);
      timer = setTimeout(() => (text.textContent = sentence(data, index)), 250);
    }
    figure.querySelector(".pt-slider-control").hidden = false;
    input.addEventListener("input", update);
    new ResizeObserver(update).observe(figure.querySelector(".pt-slider-plot"));
    update();
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("figure.pt-slider").forEach(start);
  });
})();

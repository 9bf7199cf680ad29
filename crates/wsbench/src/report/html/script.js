"use strict";
// Everything can be read without this: it shows values under the pointer, and remembers
// which language and theme were chosen.
(() => {
  const remember = (name, value) => { try { localStorage.setItem("wsbench-" + name, value); } catch { /* not from a file */ } };
  const recall = (name) => { try { return localStorage.getItem("wsbench-" + name); } catch { return null; } };
  for (const name of ["lang", "theme"]) {
    const known = document.getElementById(name + "-" + recall(name));
    if (known) known.checked = true;
    for (const input of document.getElementsByName(name)) {
      input.addEventListener("change", () => remember(name, input.value));
    }
  }
  const chinese = () => document.getElementById("lang-zh").checked ? 1 : 0;
  const node = (name, text, classes) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (classes) made.className = classes;
    return made;
  };
  for (const figure of document.querySelectorAll("figure[data-values]")) {
    const plot = JSON.parse(figure.dataset.values);
    if (!plot.x.length) continue;
    const tip = node("div", undefined, "tip");
    tip.hidden = true;
    figure.append(tip);
    for (const svg of figure.querySelectorAll("svg.wide, svg.narrow")) {
      const at = (name) => Number(svg.dataset[name]);
      const log = svg.dataset.log === "true";
      const scale = (x) => log ? Math.log10(x / at("from")) / Math.log10(at("to") / at("from")) : (x - at("from")) / (at("to") - at("from"));
      const place = (x) => at("left") + scale(x) * (at("right") - at("left"));
      const cross = document.createElementNS("http://www.w3.org/2000/svg", "line");
      cross.setAttribute("class", "cross");
      cross.setAttribute("y1", at("top"));
      cross.setAttribute("y2", at("bottom"));
      svg.append(cross);
      const hide = () => { tip.hidden = true; cross.setAttribute("visibility", "hidden"); };
      hide();
      svg.addEventListener("pointerleave", hide);
      svg.addEventListener("pointermove", (event) => {
        const box = svg.getBoundingClientRect();
        const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
        let best = 0;
        plot.x.forEach((value, index) => {
          if (Math.abs(place(value) - x) < Math.abs(place(plot.x[best]) - x)) best = index;
        });
        const there = place(plot.x[best]);
        cross.setAttribute("x1", there);
        cross.setAttribute("x2", there);
        cross.setAttribute("visibility", "visible");
        const title = plot.xUnit === "%"
          ? (100 * (1 - 10 ** -plot.x[best])).toFixed(Math.min(5, Math.max(1, Math.ceil(plot.x[best])))) + " %"
          : Number(plot.x[best].toPrecision(4)) + " " + plot.xUnit;
        const table = node("table");
        for (const layer of plot.layers) {
          if (layer.y[best] === null) continue;
          const row = node("tr");
          const name = node("td", undefined, "s" + layer.colour);
          name.append(node("i"), layer.name[chinese()]);
          row.append(name, node("td", layer.y[best] + " " + plot.yUnit));
          table.append(row);
        }
        tip.replaceChildren(node("b", title), table);
        tip.hidden = false;
        const outer = figure.getBoundingClientRect();
        const left = event.clientX - outer.left + 16;
        tip.style.left = (left + tip.offsetWidth > outer.width - 8 ? left - tip.offsetWidth - 32 : left) + "px";
        tip.style.top = box.top - outer.top + 26 + "px";
      });
    }
  }
})();

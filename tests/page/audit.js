// What a reader could stumble over: a list of sentences, empty where there is nothing.
() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push(`scrolls sideways: ${root.scrollWidth} px in ${innerWidth}`);

  const parse = (text) => {
    const parts = (text.match(/[\d.]+/g) || []).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : text === "transparent" ? 0 : 1 };
  };
  const over = (top, below) => top.rgb.map((part, i) => top.alpha * part + (1 - top.alpha) * below[i]);
  const light = (rgb) => {
    const [r, g, b] = rgb.map((part) => {
      const share = part / 255;
      return share <= .04045 ? share / 12.92 : ((share + .055) / 1.055) ** 2.4;
    });
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const contrast = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + .05) / (low + .05);
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const given = getComputedStyle(at);
      if (given.backgroundColor) layers.push(parse(given.backgroundColor));
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && element.getClientRects().length > 0;
  // Behind an annotation in a cell lies the cell's colour.
  const cell = (element) => {
    const plot = element.closest(".js-plotly-plot");
    const at = element.closest("[data-index]");
    if (!plot || !at || !element.closest(".annotation")) return null;
    const heat = plot.data.find((trace) => trace.type === "heatmap");
    const note = plot.layout.annotations[Number(at.dataset.index)];
    if (!heat || note.xref === "paper" || note.yref === "paper") return null;
    const place = (axis, names) => typeof axis === "number" ? axis : names.indexOf(axis);
    const value = heat.z[place(note.y, heat.y || [])]?.[place(note.x, heat.x || [])];
    if (value === null || value === undefined) return null;
    const [low, high] = [heat.zmin, heat.zmax];
    const share = Math.min(Math.max((value - low) / (high - low), 0), 1);
    const stops = plot.data.find((trace) => trace === heat).colorscale;
    const next = Math.max(1, stops.findIndex(([stop]) => stop >= share));
    const [[a, from], [b, to]] = [stops[next - 1], stops[next]];
    const t = (share - a) / (b - a || 1);
    const [one, two] = [parse(from).rgb, parse(to).rgb];
    return one.map((part, i) => part + t * (two[i] - part));
  };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || /^(SCRIPT|STYLE|NOSCRIPT|OPTION)$/.test(element.tagName) || !seen(element)) continue;
    const style = getComputedStyle(element);
    const drawn = element instanceof SVGElement;
    const below = cell(element) || ground(element);
    const ink = parse(drawn ? style.fill : style.color);
    if (drawn) ink.alpha *= Number(style.fillOpacity);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = contrast(over(ink, below), below);
    const said = `contrast ${found.toFixed(2)} of “${node.textContent.trim().slice(0, 30)}” (${style.color} on ${below.map(Math.round)})`;
    if (found < (large ? 3 : 4.5) - .005 && !told.has(said)) { told.add(said); faults.push(said); }
  }

  for (const element of document.querySelectorAll("[tabindex]")) {
    if (element.tabIndex > 0) faults.push(`tabindex ${element.tabIndex} of ${element.tagName}#${element.id}`);
  }
  const focusable = "a[href], button, input, select, summary, [tabindex]";
  for (const element of document.querySelectorAll("[onclick], .more, .download, .save, .play, .ask, [role=button]")) {
    if (!element.hidden && !element.matches(focusable)) faults.push(`no keyboard reaches ${element.tagName}.${element.className}`);
  }
  for (const element of document.querySelectorAll("*")) {
    const style = getComputedStyle(element);
    const scrolls = element.scrollWidth > element.clientWidth + 1 && /auto|scroll/.test(style.overflowX);
    if (scrolls && element.clientWidth && seen(element) && !element.matches(focusable) && !element.querySelector(focusable)) {
      faults.push(`no keyboard scrolls ${element.tagName}.${element.className}`);
    }
  }
  for (const element of document.querySelectorAll("button, a[href], input, select, summary")) {
    const name = element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.[0]?.textContent.trim();
    if (!name && seen(element)) faults.push(`no name: ${element.tagName}.${element.className}`);
  }
  for (const figure of document.querySelectorAll("[data-figure]")) {
    if (!figure.querySelector(".main-svg, canvas")) faults.push(`not drawn: ${figure.id}`);
  }
  return faults;
}

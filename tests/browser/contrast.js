// Contrast of every visible text with the ground behind it, shadow roots included, as WCAG 2
// defines it; opacity counts. Returns what falls short of `least`, each text once.

(least) => {
  const channels = (colour) => {
    const canvas = (globalThis.contrastCanvas ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const luminance = ([r, g, b]) => [[r, 0.2126], [g, 0.7152], [b, 0.0722]].reduce((sum, [c, weight]) =>
    sum + weight * (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4), 0);
  const above = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = above(at)) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour[3]) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  // Texts whose ground this cannot tell: drawn, or beside the part of a slider that holds them.
  const unknown = "script, style, svg, option, [data-testid=stIconMaterial], [data-testid=stSliderThumbValue]";
  const wrong = new Set();
  const look = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) look(element.shadowRoot);
      const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
      if (!text || element.closest(unknown) || element.closest(":disabled")) continue;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      let opacity = 1;
      for (let at = element; at; at = above(at)) opacity *= Number(getComputedStyle(at).opacity);
      const behind = ground(element);
      const [r, g, b, a] = channels(getComputedStyle(element).color);
      const [light, dark] = [luminance(over([r, g, b, a * opacity], behind)), luminance(behind)].sort((x, y) => y - x);
      const ratio = (light + 0.05) / (dark + 0.05);
      if (ratio < least) wrong.add(`${ratio.toFixed(2)}: ${text.slice(0, 60)}`);
    }
  };
  look(document);
  return [...wrong];
}

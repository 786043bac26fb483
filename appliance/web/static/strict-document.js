// A document for scripts that make <style> elements and style attributes, which our content security policy refuses:
// they get stand-ins, whose rules become those of a style sheet that is adopted. Everything else is the real document.

export function strictDocument(real) {
  const make = (name, ...more) => {
    if (name.toLowerCase() === "style") return styleStandIn(real);
    const element = real.createElement(name, ...more);
    element.setAttribute = setAttribute;
    return element;
  };
  return new Proxy(real, {
    get(target, name) {
      if (name === "createElement") return make;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
}

// By the object model, style can be set; by the attribute it cannot.
function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

function styleStandIn(real) {
  const sheet = new CSSStyleSheet();
  const element = real.createElement("span");
  element.hidden = true;
  real.adoptedStyleSheets = [...real.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", {
    get: () => [...sheet.cssRules].map((rule) => rule.cssText).join("\n"),
    set: (rules) => sheet.replaceSync(rules),
  });
  element.remove = () => {
    real.adoptedStyleSheets = real.adoptedStyleSheets.filter((each) => each !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

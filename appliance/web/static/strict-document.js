// For scripts that make <style> elements and style attributes, which our content security policy refuses: what this
// page's document makes for them are stand-ins, whose rules become those of a style sheet that is adopted.

export function beStrict(page) {
  const create = page.createElement;
  page.createElement = (name, ...more) => {
    const element = create.call(page, name.toLowerCase() === "style" ? "span" : name, ...more);
    if (name.toLowerCase() === "style") adoptRules(page, element);
    element.setAttribute = setAttribute;
    return element;
  };
}

// By the object model, style can be set; by the attribute it cannot.
function setAttribute(name, value) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}

function adoptRules(page, element) {
  const sheet = new CSSStyleSheet();
  element.hidden = true;
  page.adoptedStyleSheets = [...page.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", {
    get: () => [...sheet.cssRules].map((rule) => rule.cssText).join("\n"),
    set: (rules) => sheet.replaceSync(rules),
  });
  element.remove = () => {
    page.adoptedStyleSheets = page.adoptedStyleSheets.filter((each) => each !== sheet);
    Element.prototype.remove.call(element);
  };
}

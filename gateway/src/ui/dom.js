// Makes elements. Text enters the document as text and never as markup: no module of the page writes HTML.

// Returns an element with attributes and children. Attributes that are null, undefined or false and children that are
// null or undefined are left out.
export function element(name, attributes = {}, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    created.setAttribute(key, value === true ? '' : String(value));
  }
  created.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return created;
}

export function byId(id) {
  return document.getElementById(id);
}

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

// Returns the selected part of an element's text as { start, end } in UTF-16 units, without white space around it; null
// if nothing in it is selected.
export function selectionIn(container) {
  const selection = getSelection();
  if (selection.rangeCount === 0 || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!container.contains(range.commonAncestorContainer)) return null;
  const before = document.createRange();
  before.selectNodeContents(container);
  before.setEnd(range.startContainer, range.startOffset);
  const text = range.toString();
  const start = before.toString().length + text.length - text.trimStart().length;
  const end = start + text.trim().length;
  return start < end ? { start, end } : null;
}

// The focus in the list of values: where it is, and where keys and decisions put it.

export class ValueList {
  #fields;

  // Takes the element with the fields.
  constructor(fields) {
    this.#fields = fields;
  }

  get hasFocus() {
    return this.#fields.contains(document.activeElement);
  }

  // The id of the value in whose row the focus is, null for none.
  get focusedId() {
    const value = document.activeElement.closest('li')?.querySelector('button.value');
    return value ? Number(value.dataset.value) : null;
  }

  // Returns the element of a value, null if there is none.
  row(id) {
    return this.#fields.querySelector(`button.value[data-value="${id}"]`)?.closest('li') ?? null;
  }

  section(field) {
    return this.#fields.querySelector(`section[data-field="${field}"]`);
  }

  focusFirst() {
    this.#stops()[0]?.focus();
  }

  // Puts the focus on a value; if it is gone, on the first of its field.
  focusValue(id, field) {
    (this.row(id) ?? this.section(field)).querySelector('button.value, button.field-name').focus();
  }

  // Puts the focus on the next or the previous stop.
  move(command) {
    const at = document.activeElement;
    const is = (where) => (stop) => (at.compareDocumentPosition(stop) & where) !== 0;
    const stops = this.#stops();
    const next = command === 'next' ? stops.find(is(Node.DOCUMENT_POSITION_FOLLOWING)) : stops.findLast(is(Node.DOCUMENT_POSITION_PRECEDING));
    next?.focus();
  }

  // The values, and the names of the fields that have none, because a value can be added there.
  #stops() {
    const all = [...this.#fields.querySelectorAll('button.value, button.field-name')];
    return all.filter((stop) => stop.matches('.value') || !stop.closest('section').querySelector('button.value'));
  }
}

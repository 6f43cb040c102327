// Elements by their names.

export const element = (id) => document.getElementById(id);

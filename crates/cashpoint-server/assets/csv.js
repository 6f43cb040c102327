// What a statement shows, as a file for a spreadsheet.

const COLUMNS = ["sequence", "timestamp", "type", "amount", "balance_after", "idempotency_key"];

/** What a spreadsheet would run: keys are whatever a client sent. */
const FORMULA = /^[=+\-@\t\r]/;

function cell(value) {
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Has the browser save transactions, a line each, with times in UTC and amounts as the service printed them. */
export function saveAsCsv(number, transactions) {
  const lines = transactions.map((transaction) => COLUMNS.map((name) => cell(transaction[name] ?? "")).join(","));
  const text = [COLUMNS.join(","), ...lines].map((line) => `${line}\r\n`).join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `statement-${number}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

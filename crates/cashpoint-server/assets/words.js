// What people read: money, times, and what a refusal means.

/** An amount as people write it: two decimals, the digits in groups. What is no amount stays as it is. */
export function money(text) {
  const [, whole, cents = ""] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  return whole === undefined ? text : `${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${cents.padEnd(2, "0")}`;
}

const PLAIN_WORDS = {
  decimal_max_places: () => "Money goes down to the cent: use at most two decimals, as in 100.50.",
  float_parsing: () => "That is not a number. Write an amount such as 100.50.",
  greater_than: ({ gt }) => `The amount must be more than ${gt}.`,
  greater_than_equal: ({ ge }) => `The balance cannot begin below ${ge}.`,
  less_than_equal: ({ le }) => `That is too much: the most is ${le}.`,
};

/** Why an answer is no success, for a person. */
export function refusal(answer) {
  if (answer === null) {
    return "The service does not answer. Nothing is known of what became of the request.";
  }
  const detail = answer.value?.detail;
  if (Array.isArray(detail)) {
    return detail.map(invalidInput).join(" ");
  }
  switch (answer.status) {
    case 400:
      return `${detail}: the account holds less than that.`;
    case 404:
      return `${detail}: there is none of this number, or it was deleted.`;
    case 507:
      return `${detail}. Delete one to make room.`;
    default:
      return typeof detail === "string" ? `${detail}.` : `The service answered ${answer.status}.`;
  }
}

function invalidInput({ type, msg, ctx }) {
  return PLAIN_WORDS[type]?.(ctx ?? {}) ?? `${msg}.`;
}

/** Shows a time, which came in UTC, by the clock of whoever looks at it. UTC is told on hover. */
export function showTime(node, time) {
  const inUtc = new Date(`${time}Z`);
  // The same instant with the offset taken off, so that what is printed as UTC is local.
  const local = new Date(inUtc.getTime() - inUtc.getTimezoneOffset() * 60_000);
  const isTime = !Number.isNaN(inUtc.getTime());
  const shown = isTime ? local.toISOString() : time;
  node.textContent = shown.replace("T", " ").slice(0, "yyyy-mm-dd hh:mm:ss".length);
  node.title = `${time.replace("T", " ")} UTC`;
}

/** The instant at which a day begins by the clock of whoever chose it, in UTC; of the day after it with `after` of 1. */
export function beginOfDay(date, after = 0) {
  const [year, month, day] = date.split("-").map(Number);
  return new Date(year, month - 1, day + after).toISOString();
}

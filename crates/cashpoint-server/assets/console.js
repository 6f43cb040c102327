// The console: a page of steps. Each sends one request to this service, and shows the curl line that does
// the same, with the status and the body of the answer.
//
// Money is text here. It is sent as the text that was typed, and shown as the digits that the service
// printed, in groups and with two decimals; no amount ever becomes a JavaScript number, which would be a binary float.
//
// Whatever changes something is sent with an idempotency key. Where no answer came, the same request goes out with the
// same key again, so that a second click does not do it twice.

const HEALTH_INTERVAL_MS = 3000;
const HEALTH_TIMEOUT_MS = 2500;
const COPIED_SHOWN_MS = 1500;
const STATEMENT_LIMIT = 10;
const KEY_SHOWN_MAX = 40;

/** The tokens of a JSON text that matter here: a key, a string, a number, a word. */
const JSON_TOKENS =
  /(?<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?<string>"(?:[^"\\]|\\.)*")|(?<number>-?\d[\d.eE+-]*)|(?<word>true|false|null)/g;

const element = (id) => document.getElementById(id);

// ---------------------------------------------------------------------------------------------------
// Requests and answers

/** @typedef {{method: string, path: string, body?: string, key?: string}} Request */
/** @typedef {{status: number, reason: string, text: string, value: any, took_ms: number}} Answer */

/** A request that sends `value` as JSON. */
function post(path, value) {
  return { method: "POST", path, body: JSON.stringify(value) };
}

function accountPath(number, operation = "") {
  return `/accounts/${encodeURIComponent(number)}${operation}`;
}

/**
 * Sends a request.
 *
 * @param {Request} request
 * @returns {Promise<Answer | null>} `null` if the service does not answer
 */
async function send({ method, path, body, key }, signal) {
  const headers = {};
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  if (key !== undefined) {
    headers["Idempotency-Key"] = key;
  }
  const started_ms = performance.now();
  try {
    const response = await fetch(path, { method, headers, body, signal, cache: "no-store" });
    const text = await response.text();
    const took_ms = performance.now() - started_ms;
    const { status, statusText: reason } = response;
    return { status, reason, text, value: parsed(text), took_ms };
  } catch {
    return null;
  }
}

/** The value of a JSON text, in which every number stays the text that it was printed as. */
function parsed(text) {
  const quoted = text.replace(JSON_TOKENS, (token, ...rest) =>
    rest.at(-1).number === undefined ? token : `"${token}"`,
  );
  try {
    return JSON.parse(quoted);
  } catch {
    // No body, or the page of some proxy.
    return null;
  }
}

/** A key of 128 random bits. `crypto.randomUUID` is only there on https and on localhost. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// ---------------------------------------------------------------------------------------------------
// Money

/** An amount as people write it: two decimals, the digits in groups. What is no amount stays as it is. */
function money(text) {
  const [, whole, cents = ""] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  return whole === undefined ? text : `${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${cents.padEnd(2, "0")}`;
}

// ---------------------------------------------------------------------------------------------------
// What a refusal means

const PLAIN_WORDS = {
  decimal_max_places: () => "Money goes down to the cent: use at most two decimals, as in 100.50.",
  float_parsing: () => "That is not a number. Write an amount such as 100.50.",
  greater_than: ({ gt }) => `The amount must be more than ${gt}.`,
  greater_than_equal: ({ ge }) => `The balance cannot begin below ${ge}.`,
  less_than_equal: ({ le }) => `That is too much: the most is ${le}.`,
};

/** Why an answer is no success, for a person. */
function refusal(answer) {
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

// ---------------------------------------------------------------------------------------------------
// The curl line

/** `text` as one word of a POSIX shell. */
function shellQuoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function curlLine({ method, path, body }) {
  const parts = ["curl"];
  if (method === "DELETE") {
    // Its answer has no body: without the head, curl would print nothing.
    parts.push("-i");
  }
  if (method !== "GET") {
    parts.push("-X", method);
  }
  parts.push(shellQuoted(location.origin + path));
  if (body !== undefined) {
    parts.push("\\\n  -H", shellQuoted("Content-Type: application/json"));
    parts.push("\\\n  -d", shellQuoted(body));
  }
  return parts.join(" ");
}

/** Copies the text of a node; leaves it selected where the browser does not allow that. */
async function copy(node) {
  try {
    // Only there on https and on localhost.
    await navigator.clipboard.writeText(node.textContent);
    return "Copied";
  } catch {
    getSelection().selectAllChildren(node);
    return document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
  }
}

/** The panel of a step that shows a request as a curl line, and what came back. */
class Exchange {
  constructor(step) {
    const panel = element("exchange").content.cloneNode(true);
    this.curl = panel.querySelector(".curl");
    this.received = panel.querySelector(".received");
    this.status = panel.querySelector(".status");
    this.body = panel.querySelector(".body");
    const button = panel.querySelector(".copy");
    button.addEventListener("click", async () => {
      button.textContent = await copy(this.curl);
      setTimeout(() => (button.textContent = "Copy"), COPIED_SHOWN_MS);
    });
    step.append(panel);
  }

  /** Shows a request that is about to be sent, or that would be. */
  ask(request) {
    this.curl.textContent = curlLine(request);
    this.received.hidden = true;
  }

  /** Shows what came back. */
  answer(answer) {
    this.received.hidden = false;
    this.received.dataset.kind = answer !== null && answer.status < 400 ? "success" : "refusal";
    if (answer === null) {
      this.status.textContent = "No answer";
      this.body.replaceChildren();
      return;
    }
    const { status, reason, text, took_ms } = answer;
    this.status.textContent = `${status} ${reason} · ${Math.max(1, Math.round(took_ms))} ms`;
    this.body.replaceChildren(...coloured(text));
    // What scrolls must be reachable by keyboard; what does not would only be a stop on the way.
    this.body.tabIndex = this.body.scrollHeight > this.body.clientHeight ? 0 : -1;
  }
}

/**
 * The nodes that show a JSON text, with its tokens coloured and a line for each member. The text of the nodes is what
 * came: the lines are only drawn, so that what is copied is what was answered.
 */
function coloured(text) {
  const nodes = [];
  let end = 0;
  let depth = 0;
  const lineBreak = () => {
    const node = document.createElement("span");
    node.className = "break";
    node.dataset.indent = `\n${"  ".repeat(depth)}`;
    nodes.push(node);
  };
  const punctuation = (between) => {
    for (const [index, character] of [...between].entries()) {
      const isEmpty = "{[".includes(between[index - 1] ?? " ");
      if ("}]".includes(character)) {
        depth -= 1;
        if (!isEmpty) {
          lineBreak();
        }
      }
      nodes.push(character);
      if ("{[".includes(character)) {
        depth += 1;
        if (!"}]".includes(between[index + 1] ?? " ")) {
          lineBreak();
        }
      } else if (character === ",") {
        lineBreak();
      }
    }
  };
  for (const match of text.matchAll(JSON_TOKENS)) {
    const token = document.createElement("span");
    token.className = Object.keys(match.groups).find((kind) => match.groups[kind] !== undefined);
    token.textContent = match[0];
    punctuation(text.slice(end, match.index));
    nodes.push(token);
    end = match.index + match[0].length;
  }
  punctuation(text.slice(end));
  return nodes;
}

// ---------------------------------------------------------------------------------------------------
// Steps

/** One step: a form, its outcome in words, and its exchange. */
class Step {
  /**
   * @param {() => Request} request what the form asks for now
   * @param {(value: any, request: Request) => string | null} succeeded
   *   takes the answer in, and says what happened; `null` keeps silent
   */
  constructor(id, request, succeeded) {
    this.id = id;
    this.request = request;
    this.succeeded = succeeded;
    this.form = element(id).querySelector("form");
    this.field = this.form.querySelector("input");
    this.outcome = element(`${id}-outcome`);
    this.exchange = new Exchange(element(id));
    this.isRunning = false;
    this.unanswered = null;
    this.form.addEventListener("input", () => this.preview());
    this.preview();
  }

  /** Shows the curl line of what the form asks for now. */
  preview() {
    this.exchange.ask(this.request());
    this.say("");
  }

  /** Sends what the form asks for. Does nothing while an answer is awaited: a double click is one deposit. */
  async run() {
    if (this.isRunning) {
      return null;
    }
    this.isRunning = true;
    try {
      return await this.perform(this.request());
    } finally {
      this.isRunning = false;
    }
  }

  async perform(request) {
    this.exchange.ask(request);
    const answer = await send({ ...request, key: this.keyOf(request) });
    this.exchange.answer(answer);
    if (answer !== null) {
      this.unanswered = null;
    }
    if (answer !== null && answer.status < 400) {
      this.say(this.succeeded(answer.value, request) ?? "");
    } else {
      this.refuse(answer);
    }
    void showHealth();
    return answer;
  }

  /** The key of a request that changes something: that of the last one, if it was the same and had no answer. */
  keyOf({ method, path, body = "" }) {
    if (method === "GET") {
      return undefined;
    }
    const what = `${method} ${path} ${body}`;
    if (this.unanswered?.what !== what) {
      this.unanswered = { what, key: randomKey() };
    }
    return this.unanswered.key;
  }

  /** Says what happened. */
  say(text) {
    this.outcome.classList.remove("refused");
    announce(this.outcome, text);
    this.field?.removeAttribute("aria-invalid");
  }

  /** Says why an answer, or the lack of one, is no success, and marks the field that is to blame. */
  refuse(answer) {
    this.complain(refusal(answer));
    if (answer?.status === 404) {
      blame(accountField);
    } else if (answer !== null) {
      blame(this.field);
    }
  }

  /** Says what is wrong. */
  complain(text) {
    this.outcome.classList.add("refused");
    announce(this.outcome, text);
  }
}

/** The way through what comes in pages. */
class Pages {
  constructor(id) {
    this.id = id;
    this.restart();
  }

  /** Goes back to the first page. */
  restart() {
    // Those of the pages up to the one that is shown. The first page has none.
    this.cursors = [null];
    this.next = null;
  }

  /** Goes back to the page before. */
  back() {
    this.cursors.pop();
  }

  get cursor() {
    return this.cursors.at(-1);
  }

  get isFirst() {
    return this.cursors.length === 1;
  }

  /** Shows where the page stands that has just come. */
  show(next) {
    this.next = next;
    element(`${this.id}-pages`).hidden = this.isFirst && next === null;
    element(`${this.id}-page`).textContent = `Page ${this.cursors.length}`;
    // Not `disabled`: that would take the focus away from someone who leafs through by keyboard.
    element(`${this.id}-previous`).setAttribute("aria-disabled", this.isFirst);
    element(`${this.id}-next`).setAttribute("aria-disabled", next === null);
  }

  /** Lets the buttons turn the pages of a step. */
  turn(step) {
    const leaf = (id, turn) => {
      const button = element(id);
      button.addEventListener("click", () => {
        if (button.getAttribute("aria-disabled") !== "true" && !step.isRunning) {
          turn();
          void step.run();
        }
      });
    };
    leaf(`${this.id}-previous`, () => this.back());
    leaf(`${this.id}-next`, () => this.cursors.push(this.next));
  }
}

function blame(field) {
  field?.setAttribute("aria-invalid", "true");
}

/** Writes to a live region. Only a change is read out. */
function announce(region, text) {
  if (region.textContent !== text) {
    region.textContent = text;
  }
}

const accountField = element("account");

/** What stands for the number in a curl line while no account is chosen. */
const NO_ACCOUNT = "{account_number}";

function pathOfChosen(operation) {
  // Not encoded, so that it is seen for what it is.
  return accountField.value === ""
    ? `/accounts/${NO_ACCOUNT}${operation}`
    : accountPath(accountField.value, operation);
}

const create = new Step(
  "create",
  () => {
    const amount = element("create-amount").value;
    return post("/accounts", amount === "" ? {} : { initial_balance: amount });
  },
  ({ account_number, balance }) => {
    choose(account_number, balance);
    return `Created with ${money(balance)}. The steps below use it.`;
  },
);

const balance = new Step(
  "balance",
  () => ({ method: "GET", path: pathOfChosen("/balance") }),
  ({ account_number, balance }) => {
    showBalance(account_number, balance);
    // The balance itself is read out: it is an `<output>`.
    return null;
  },
);

const deposit = new Step(
  "deposit",
  () => post(pathOfChosen("/deposit"), { amount: element("deposit-amount").value }),
  ({ account_number, transaction_amount, new_balance }) => {
    showBalance(account_number, new_balance);
    return `${money(transaction_amount)} put in: the account holds ${money(new_balance)}.`;
  },
);

const withdraw = new Step(
  "withdraw",
  () => post(pathOfChosen("/withdraw"), { amount: element("withdraw-amount").value }),
  ({ account_number, transaction_amount, new_balance }) => {
    showBalance(account_number, new_balance);
    return `${money(transaction_amount)} taken out: the account holds ${money(new_balance)}.`;
  },
);

const statementPages = new Pages("statement");

const statement = new Step(
  "statement",
  () => {
    const query = new URLSearchParams({ limit: STATEMENT_LIMIT, order: element("statement-order").value });
    if (statementPages.cursor !== null) {
      query.set("cursor", statementPages.cursor);
    }
    return { method: "GET", path: `${pathOfChosen("/transactions")}?${query}` };
  },
  showStatement,
);

const listPages = new Pages("list");

const list = new Step(
  "list",
  () => {
    const query = new URLSearchParams({ limit: element("list-limit").value });
    if (listPages.cursor !== null) {
      query.set("after", listPages.cursor);
    }
    return { method: "GET", path: `/accounts?${query}` };
  },
  showListing,
);

const remove = new Step(
  "delete",
  () => ({ method: "DELETE", path: pathOfChosen("") }),
  (_, { path }) => {
    if (path === pathOfChosen("")) {
      choose("", "–");
    }
    return "Deleted.";
  },
);

const stepsOfChosen = [balance, deposit, withdraw, statement, remove];

// ---------------------------------------------------------------------------------------------------
// The account in use

/** Makes an account the one that the steps work on. */
function choose(number, itsBalance) {
  accountField.value = number;
  element("balance-now").textContent = money(itsBalance);
  keepInAddress(number);
  hideStatement();
  for (const step of stepsOfChosen) {
    // What a step has just shown stays: it is about the account that was chosen then.
    if (!step.isRunning) {
      step.preview();
    }
  }
}

/** Shows the balance of an account, if it is still the one that is chosen. */
function showBalance(number, itsBalance) {
  if (number === accountField.value) {
    element("balance-now").textContent = money(itsBalance);
  }
}

/** Keeps the account in the address of the page, so that it is still chosen when the page is loaded again. */
function keepInAddress(number) {
  const place = number === "" ? location.pathname : `#account=${encodeURIComponent(number)}`;
  history.replaceState(null, "", place);
}

/** The account in the address of the page. */
function accountInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("account") ?? "";
}

/** Runs a step on the account that is chosen; if none is, says so. */
async function runOnChosen(step) {
  if (accountField.value === "") {
    step.complain("Create an account first, or enter the number of one.");
    blame(accountField);
    accountField.focus();
    return;
  }
  await step.run();
  void refreshListing();
  if (step === deposit || step === withdraw) {
    void refreshStatement();
  }
}

// ---------------------------------------------------------------------------------------------------
// The list

/** Shows a page of accounts. */
function showListing({ accounts, total_accounts, has_more, next_after }) {
  element("list-rows").replaceChildren(...accounts.map(row));
  element("listing").hidden = accounts.length === 0;
  listPages.show(has_more === true ? next_after : null);
  return total_accounts === "0" ? "There are no accounts yet." : `${accounts.length} of ${total_accounts} shown.`;
}

function row({ account_number, balance, last_updated }) {
  const fragment = element("list-row").content.cloneNode(true);
  fragment.querySelector(".number").textContent = account_number;
  fragment.querySelector(".money").textContent = money(balance);
  showTime(fragment.querySelector(".time"), last_updated);
  const use = fragment.querySelector(".use");
  use.setAttribute("aria-label", `Use account ${account_number}`);
  use.addEventListener("click", () => {
    choose(account_number, balance);
    accountField.focus();
  });
  const button = fragment.querySelector(".delete");
  button.setAttribute("aria-label", `Delete account ${account_number}`);
  button.addEventListener("click", async () => {
    choose(account_number, balance);
    await deleteChosen();
    // The row may be gone, and the focus with it.
    element("list-title").focus();
  });
  return fragment;
}

/** Lists again what is shown, after a change. Steps back when the last account of a page is gone. */
async function refreshListing() {
  const answer = await list.run();
  if (answer?.value?.accounts?.length === 0 && !listPages.isFirst) {
    listPages.back();
    await list.run();
  }
}

/** Shows a time, which came in UTC, by the clock of whoever looks at it. UTC is told on hover. */
function showTime(node, time) {
  const inUtc = new Date(`${time}Z`);
  // The same instant with the offset taken off, so that what is printed as UTC is local.
  const local = new Date(inUtc.getTime() - inUtc.getTimezoneOffset() * 60_000);
  const isTime = !Number.isNaN(inUtc.getTime());
  const shown = isTime ? local.toISOString() : time;
  node.textContent = shown.replace("T", " ").slice(0, "yyyy-mm-dd hh:mm:ss".length);
  node.title = `${time.replace("T", " ")} UTC`;
}

// ---------------------------------------------------------------------------------------------------
// The statement

/** What is said of a transaction, and the sign of its amount. */
const KINDS = {
  opening: ["Opened", "+"],
  deposit: ["Deposit", "+"],
  withdrawal: ["Withdrawal", "−"],
  closing: ["Closed", "−"],
};

/** Shows a page of transactions, if they are those of the account that is still chosen. */
function showStatement({ account_number, transactions, next_cursor }) {
  if (account_number !== accountField.value) {
    return null;
  }
  element("statement-rows").replaceChildren(...transactions.map(transactionRow));
  element("statement-table").hidden = transactions.length === 0;
  statementPages.show(next_cursor);
  return transactions.length === 1 ? "1 transaction shown." : `${transactions.length} transactions shown.`;
}

function transactionRow({ type, amount, balance_after, timestamp, idempotency_key }) {
  const fragment = element("statement-row").content.cloneNode(true);
  const [kind, sign] = KINDS[type] ?? [type, ""];
  showTime(fragment.querySelector(".time"), timestamp);
  fragment.querySelector(".kind").textContent = kind;
  showKey(fragment.querySelector(".number"), idempotency_key ?? "");
  fragment.querySelector(".amount").textContent = sign + money(amount);
  fragment.querySelector(".after").textContent = money(balance_after);
  return fragment;
}

/** Shows an idempotency key. A long one would take the room of the sums: its begin tells it apart. */
function showKey(node, key) {
  const isLong = key.length > KEY_SHOWN_MAX;
  node.textContent = isLong ? `${key.slice(0, KEY_SHOWN_MAX)}…` : key;
  if (isLong) {
    node.title = key;
  }
}

function hideStatement() {
  statementPages.restart();
  element("statement-table").hidden = true;
}

/** Reads again what is shown, after a change, from its beginning. */
async function refreshStatement() {
  if (!element("statement-table").hidden) {
    statementPages.restart();
    await statement.run();
  }
}

/** What a mode means for those whose money it is. */
const MODES = {
  memory: "in memory: gone when it stops",
  durable: "durable: on disk when it is answered",
};

/** Only a durable service has statements; the other one says how to become one. */
function showMode(mode) {
  element("statement-ask").hidden = mode === "memory";
  element("statement-hint").hidden = mode !== "memory";
}

// ---------------------------------------------------------------------------------------------------
// Deleting

/** Asks whether the account that is chosen shall go, naming the money left on it, and deletes it. */
async function deleteChosen() {
  const number = accountField.value;
  const answer = await send({ method: "GET", path: accountPath(number, "/balance") });
  if (answer?.status !== 200) {
    remove.refuse(answer);
    return;
  }
  const left = answer.value.balance;
  showBalance(number, left);
  if (await isConfirmed(number, left)) {
    await runOnChosen(remove);
  }
}

/** Asks in the dialog. Escape means to keep it. */
function isConfirmed(number, left) {
  const dialog = element("confirm");
  element("confirm-account").textContent = number;
  element("confirm-text").textContent =
    left === "0.0"
      ? "No money is left on it."
      : `${money(left)} is left on it. That money is gone with the account; withdraw it first to keep it.`;
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}

// ---------------------------------------------------------------------------------------------------
// Health

/** Asks the service how it is, and shows it. */
async function showHealth() {
  const answer = await send({ method: "GET", path: "/health" }, AbortSignal.timeout(HEALTH_TIMEOUT_MS));
  if (answer === null) {
    showState("silent", "does not answer");
  } else if (answer.status !== 200 || answer.value === null) {
    showState("silent", `answers ${answer.status}`);
  } else {
    const { status, accounts_count, max_accounts, max_transaction_amount, version, mode } = answer.value;
    showState("alive", status);
    showMode(mode);
    element("health-accounts").textContent = accounts_count;
    element("health-limit").textContent = max_accounts;
    element("health-largest").textContent = money(max_transaction_amount);
    element("health-mode").textContent = MODES[mode] ?? mode;
    element("health-version").textContent = version;
  }
}

function showState(state, text) {
  element("vitals").dataset.state = state;
  element("rosette").dataset.state = state;
  announce(element("health-status"), text);
}

async function watchHealth() {
  if (!document.hidden) {
    await showHealth();
  }
  setTimeout(watchHealth, HEALTH_INTERVAL_MS);
}

// ---------------------------------------------------------------------------------------------------
// Beginning

function onSubmit(step, action) {
  step.form.addEventListener("submit", (event) => {
    event.preventDefault();
    void action();
  });
}

onSubmit(create, async () => {
  await create.run();
  void refreshListing();
});
onSubmit(balance, () => runOnChosen(balance));
onSubmit(deposit, () => runOnChosen(deposit));
onSubmit(withdraw, () => runOnChosen(withdraw));
onSubmit(statement, () => {
  statementPages.restart();
  return runOnChosen(statement);
});
onSubmit(list, () => {
  listPages.restart();
  return list.run();
});
onSubmit(remove, () => (accountField.value === "" ? runOnChosen(remove) : deleteChosen()));

listPages.turn(list);
statementPages.turn(statement);
element("list-limit").addEventListener("input", () => {
  listPages.restart();
  list.preview();
});
element("statement-order").addEventListener("input", () => {
  hideStatement();
  statement.preview();
});
accountField.addEventListener("input", () => {
  accountField.removeAttribute("aria-invalid");
  // What was copied often has blanks around it, and no number has one.
  choose(accountField.value.trim(), "–");
});

if (accountInAddress() !== "") {
  choose(accountInAddress(), "–");
  void balance.run();
}
void watchHealth();
void refreshListing();

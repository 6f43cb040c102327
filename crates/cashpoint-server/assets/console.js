// The console: a list of accounts, and the one that is chosen, with what can be done to it. Every action sends one request
// to this service, and has the curl line that does the same.
//
// Money is text here. It is sent as the text that was typed, and shown as the digits that the service
// printed, in groups and with two decimals; no amount ever becomes a JavaScript number, which would be a binary float.
//
// Whatever changes something is sent with an idempotency key. Where it is not known what became of it, the same request
// goes out with the same key again, so that a second click does not do it twice.

import { saveAsCsv } from "./csv.js";
import { element } from "./element.js";
import { accountPath, post, send } from "./request.js";
import { Pages, Step, announce, blame } from "./step.js";
import { beginOfDay, money, showTime } from "./words.js";

const HEALTH_INTERVAL_MS = 3000;
const HEALTH_TIMEOUT_MS = 2500;

/** How many transactions are shown on a page, and how many are looked through for those of a kind. */
const STATEMENT_LIMIT = 10;
const STATEMENT_SEARCH_LIMIT = 1000;

const accountField = Step.accountField;

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
    void refreshStatement();
    return `Created with ${money(balance)}.`;
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
    const limit = element("statement-kind").value === "" ? STATEMENT_LIMIT : STATEMENT_SEARCH_LIMIT;
    const query = new URLSearchParams({ limit, order: element("statement-order").value });
    const [from, to] = [element("statement-from").value, element("statement-to").value];
    if (from !== "") {
      query.set("from", beginOfDay(from));
    }
    if (to !== "") {
      query.set("to", beginOfDay(to, 1));
    }
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
  markChosen();
  hideStatement();
  for (const step of stepsOfChosen) {
    // What a step has just shown stays: it is about the account that was chosen then.
    if (step.running === null) {
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

/** Marks the account that is chosen in the list. */
function markChosen() {
  for (const line of element("list-rows").children) {
    line.setAttribute("aria-current", line.dataset.account === accountField.value);
  }
}

/** Opens an account: its balance, and its statement where there are any. */
async function openChosen() {
  await runOnChosen(balance);
  await refreshStatement();
}

/** Runs a step on the account that is chosen; if none is, says so. */
async function runOnChosen(step) {
  if (accountField.value === "") {
    step.complain("Choose an account first, or create one.");
    blame(accountField);
    accountField.focus();
    return;
  }
  await step.run();
  if (step !== balance && step !== statement) {
    void refreshListing();
  }
  if (step === deposit || step === withdraw) {
    void refreshStatement();
  }
}

// ---------------------------------------------------------------------------------------------------
// The list

/** Shows a page of accounts. */
function showListing({ accounts, total_accounts, has_more, next_after }) {
  element("list-rows").replaceChildren(...accounts.map(row));
  markChosen();
  element("listing").hidden = accounts.length === 0;
  listPages.show(has_more === true ? next_after : null);
  return total_accounts === "0" ? "There are no accounts yet." : `${accounts.length} of ${total_accounts} shown.`;
}

function row({ account_number, balance: itsBalance, last_updated }) {
  const fragment = element("list-row").content.cloneNode(true);
  fragment.firstElementChild.dataset.account = account_number;
  fragment.querySelector(".money").textContent = money(itsBalance);
  showTime(fragment.querySelector(".time"), last_updated);
  const use = fragment.querySelector(".use");
  use.textContent = account_number;
  use.title = account_number;
  use.addEventListener("click", () => {
    choose(account_number, itsBalance);
    element("chosen-title").focus();
    void openChosen();
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

// ---------------------------------------------------------------------------------------------------
// The statement

/** What is said of a transaction, and the sign of its amount. */
const KINDS = {
  opening: ["Opened", "+"],
  deposit: ["Deposit", "+"],
  withdrawal: ["Withdrawal", "−"],
  closing: ["Closed", "−"],
};

/** What the statement shows, as it came. */
let shown = [];

/** Shows a page of transactions, if they are those of the account that is still chosen. */
function showStatement({ account_number, transactions, next_cursor }) {
  if (account_number !== accountField.value) {
    return null;
  }
  const kind = element("statement-kind").value;
  shown = kind === "" ? transactions : transactions.filter(({ type }) => type === kind);
  element("statement-rows").replaceChildren(...shown.map(transactionRow));
  element("statement-table").hidden = shown.length === 0 && next_cursor === null;
  element("statement-csv").hidden = shown.length === 0;
  statementPages.show(next_cursor);
  const count = shown.length === 1 ? "1 transaction shown" : `${shown.length} transactions shown`;
  return kind === "" ? `${count}.` : `${count}, of ${transactions.length} looked through.`;
}

function transactionRow({ type, amount, balance_after, timestamp, idempotency_key }) {
  const fragment = element("statement-row").content.cloneNode(true);
  const [kind, sign] = KINDS[type] ?? [type, ""];
  showTime(fragment.querySelector(".time"), timestamp);
  fragment.querySelector(".kind").textContent = kind;
  const key = fragment.querySelector(".number");
  key.textContent = idempotency_key ?? "";
  key.title = key.textContent;
  fragment.querySelector(".amount").textContent = sign + money(amount);
  fragment.querySelector(".after").textContent = money(balance_after);
  return fragment;
}

function hideStatement() {
  statementPages.restart();
  element("statement-table").hidden = true;
  element("statement-csv").hidden = true;
}

/** Reads the statement of the account that is chosen, after a change, from its beginning, if the service keeps any. */
async function refreshStatement() {
  // The one that is on its way may be that of another account.
  await statement.running;
  if (keepsStatements && accountField.value !== "") {
    statementPages.restart();
    await statement.run();
  }
}

/** What a mode means for those whose money it is. */
const MODES = {
  memory: "in memory: gone when it stops",
  durable: "durable: on disk when it is answered",
};

let keepsStatements = false;

/** Only a durable service has statements; the other one says how to become one. */
function showMode(mode) {
  keepsStatements = mode === "durable";
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
onSubmit(balance, openChosen);
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
element("statement-ask").addEventListener("input", () => {
  hideStatement();
  statement.preview();
});
element("statement-csv").addEventListener("click", () => saveAsCsv(accountField.value, shown));
accountField.addEventListener("input", () => {
  accountField.removeAttribute("aria-invalid");
  // What was copied often has blanks around it, and no number has one.
  choose(accountField.value.trim(), "–");
});

Step.answered = () => void showHealth();
if (accountInAddress() !== "") {
  choose(accountInAddress(), "–");
}
void refreshListing();
await watchHealth();
if (accountField.value !== "") {
  void openChosen();
}

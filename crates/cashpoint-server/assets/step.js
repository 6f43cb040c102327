// One action: a form, its outcome in words, and its slip. And the way through what comes in pages.

import { element } from "./element.js";
import { isDecided, randomKey, send } from "./request.js";
import { Exchange } from "./slip.js";
import { refusal } from "./words.js";

/** One action: a form, its outcome in words, and its slip. */
export class Step {
  /** The field of the account that actions are about: it is to blame if there is none. */
  static accountField = element("account");

  /** Is called after every answer. */
  static answered = () => {};

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
    // The answer that is awaited.
    this.running = null;
    // The request whose outcome is not known, with its key.
    this.undecided = null;
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
    if (this.running !== null) {
      return null;
    }
    this.running = this.perform(this.request());
    try {
      return await this.running;
    } finally {
      this.running = null;
    }
  }

  async perform(request) {
    this.exchange.ask(request);
    const answer = await send({ ...request, key: this.keyOf(request) });
    this.exchange.answer(answer);
    if (isDecided(answer)) {
      this.undecided = null;
    }
    if (answer !== null && answer.status < 400) {
      this.say(this.succeeded(answer.value, request) ?? "");
    } else {
      this.refuse(answer);
    }
    Step.answered();
    return answer;
  }

  /** The key of a request that changes something: that of the last one, if it was the same and may have been done. */
  keyOf({ method, path, body = "" }) {
    if (method === "GET") {
      return undefined;
    }
    const what = `${method} ${path} ${body}`;
    if (this.undecided?.what !== what) {
      this.undecided = { what, key: randomKey() };
    }
    return this.undecided.key;
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
      blame(Step.accountField);
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
export class Pages {
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
        if (button.getAttribute("aria-disabled") !== "true" && step.running === null) {
          turn();
          void step.run();
        }
      });
    };
    leaf(`${this.id}-previous`, () => this.back());
    leaf(`${this.id}-next`, () => this.cursors.push(this.next));
  }
}

export function blame(field) {
  field?.setAttribute("aria-invalid", "true");
}

/** Writes to a live region. Only a change is read out. */
export function announce(region, text) {
  if (region.textContent !== text) {
    region.textContent = text;
  }
}

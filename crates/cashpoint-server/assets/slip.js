// The slip below an action: the request as a curl line, and what came back.

import { element } from "./element.js";
import { JSON_TOKENS } from "./request.js";

const COPIED_SHOWN_MS = 1500;

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

/** The part of a step that shows, unfolded, a request as a curl line, and what came back. */
export class Exchange {
  constructor(step) {
    const panel = element("exchange").content.cloneNode(true).firstElementChild;
    this.panel = panel;
    this.curl = panel.querySelector(".curl");
    this.received = panel.querySelector(".received");
    this.status = panel.querySelector(".status");
    this.body = panel.querySelector(".body");
    const button = panel.querySelector(".copy");
    button.addEventListener("click", async () => {
      button.textContent = await copy(this.curl);
      setTimeout(() => (button.textContent = "Copy"), COPIED_SHOWN_MS);
    });
    // What is folded has no size: whether it scrolls shows when it is unfolded.
    panel.addEventListener("toggle", () => this.letKeyboardScroll());
    step.append(panel);
  }

  /** Shows a request that is about to be sent, or that would be. */
  ask(request) {
    this.curl.textContent = curlLine(request);
    this.status.textContent = "";
    this.received.hidden = true;
  }

  /** Shows what came back. */
  answer(answer) {
    this.received.hidden = false;
    this.panel.dataset.kind = answer !== null && answer.status < 400 ? "success" : "refusal";
    if (answer === null) {
      this.status.textContent = "No answer";
      this.body.replaceChildren();
      return;
    }
    const { status, reason, text, took_ms } = answer;
    this.status.textContent = `${status} ${reason} · ${Math.max(1, Math.round(took_ms))} ms`;
    this.body.replaceChildren(...coloured(text));
    this.letKeyboardScroll();
  }

  /** What scrolls must be reachable by keyboard; what does not would only be a stop on the way. */
  letKeyboardScroll() {
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

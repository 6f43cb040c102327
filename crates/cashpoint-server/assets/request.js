// Requests to this service and their answers, in which every number stays text.

/** The tokens of a JSON text that matter here: a key, a string, a number, a word. */
export const JSON_TOKENS =
  /(?<key>"(?:[^"\\]|\\.)*"(?=\s*:))|(?<string>"(?:[^"\\]|\\.)*")|(?<number>-?\d[\d.eE+-]*)|(?<word>true|false|null)/g;

/** @typedef {{method: string, path: string, body?: string, key?: string}} Request */
/** @typedef {{status: number, reason: string, text: string, value: any, took_ms: number}} Answer */

/** A request that sends `value` as JSON. */
export function post(path, value) {
  return { method: "POST", path, body: JSON.stringify(value) };
}

export function accountPath(number, operation = "") {
  return `/accounts/${encodeURIComponent(number)}${operation}`;
}

/**
 * Sends a request.
 *
 * @param {Request} request
 * @returns {Promise<Answer | null>} `null` if the service does not answer
 */
export async function send({ method, path, body, key }, signal) {
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

/** Statuses beside which it is not known whether the request was done, or that say: not now. */
const UNDECIDED = new Set([408, 429, 500, 502, 503, 504]);

/** Whether an answer says what became of its request. */
export function isDecided(answer) {
  return answer !== null && !UNDECIDED.has(answer.status);
}

/** A key of 128 random bits. `crypto.randomUUID` is only there on https and on localhost. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

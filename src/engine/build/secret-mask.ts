// Secrets of a build, blotted out wherever the build speaks: logs, names, errors, warnings.
import { Buffer } from "node:buffer";
import type { BuildEvent, Session, Warning } from "../../api/index.ts";
import { type Digest, KilnError } from "../../base/index.ts";
import { secretForms } from "./secret-forms.ts";

/** What stands where a secret was. */
const blot = new TextEncoder().encode("***");

/** Forms that are looked for in all: of more, the first, which are the secrets themselves. */
const mostForms = 4096;

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Learns the secrets that a build asks for, and masks them and their base64 in all that the build says from then on, also
 * where a secret comes in several pieces. Values of fewer than four bytes are not masked: they are in every text.
 */
export class SecretMask {
  readonly #forms = new Map<string, Uint8Array>();
  /** The end of a stream that may be the beginning of a secret. */
  readonly #held = new Map<string, Extract<BuildEvent, { type: "log" }>>();

  /** The same session; the secrets that it gives are masked. */
  watch(session: Session): Session {
    const learn = (data: Uint8Array | undefined) => {
      if (data) this.add(data);
      return data;
    };
    const secret: Session["secret"] = async (id, call) => learn(await session.secret(id, call));
    return new Proxy(session, {
      get(target, name) {
        if (name === "secret") return secret;
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }

  add(secret: Uint8Array): void {
    for (const form of secretForms(secret)) {
      if (this.#forms.size >= mostForms) return;
      this.#forms.set(Buffer.from(form).toString("latin1"), form);
    }
  }

  /** The event as it may be seen; several where text that was held back comes first. */
  event(event: BuildEvent): readonly BuildEvent[] {
    if (this.#forms.size === 0) return [event];
    switch (event.type) {
      case "log":
        return this.#log(event);
      case "step": {
        const { name, error, group } = event;
        const masked = {
          ...event,
          name: this.text(name),
          ...(error === undefined ? {} : { error: this.text(error) }),
          ...(group?.name === undefined
            ? {}
            : { group: { ...group, name: this.text(group.name) } }),
        };
        return isOver(event.state) ? [...this.#release(event.step), masked] : [masked];
      }
      case "progress":
        return [{ ...event, id: this.text(event.id) }];
      case "warning":
        return [{ ...event, warning: this.#warning(event.warning) }];
      case "explanation":
        return [{ ...event, explanation: this.#everyText(event.explanation) }];
    }
  }

  /** What is still held back when nothing more will come. */
  end(): readonly BuildEvent[] {
    return [...this.#held.keys()].flatMap((key) => this.#releaseKey(key));
  }

  text(text: string): string {
    if (this.#forms.size === 0) return text;
    const data = new TextEncoder().encode(text);
    const spans = this.#find(data);
    return spans.length === 0 ? text : new TextDecoder().decode(cover(data, spans));
  }

  /** The error with its causes; itself where it tells no secret. */
  error(error: unknown): unknown {
    if (this.#forms.size === 0 || !(error instanceof Error)) return error;
    return error instanceof KilnError ? this.#kilnError(error) : this.#plainError(error);
  }

  #kilnError(error: KilnError): KilnError {
    const { code, hint, at, details } = error;
    const masked = new KilnError(code, this.text(error.message), {
      cause: this.error(error.cause),
      others: error.others.map((other) => this.#kilnError(other)),
      details: Object.fromEntries(
        Object.entries(details).map(([key, value]) => [
          key,
          typeof value === "string" ? this.text(value) : value,
        ]),
      ),
      ...(hint === undefined ? {} : { hint: this.text(hint) }),
      ...(at === undefined
        ? {}
        : { at: at.text === undefined ? at : { ...at, text: this.text(at.text) } }),
    });
    if (error.stack !== undefined) masked.stack = this.text(error.stack);
    return masked;
  }

  #plainError(error: Error): Error {
    const [message, stack] = [this.text(error.message), this.text(error.stack ?? "")];
    const cause = this.error(error.cause);
    if (message === error.message && stack === (error.stack ?? "") && cause === error.cause)
      return error;
    const masked = new Error(message, { cause });
    masked.name = error.name;
    masked.stack = stack;
    return masked;
  }

  /** Any plain data with its texts masked. */
  #everyText<T>(value: T): T {
    if (typeof value === "string") return this.text(value) as T;
    if (typeof value !== "object" || value === null || value instanceof Date) return value;
    if (Array.isArray(value)) return value.map((one) => this.#everyText(one)) as T;
    const entries = Object.entries(value).map(([key, one]) => [key, this.#everyText(one)]);
    return Object.fromEntries(entries) as T;
  }

  #warning(warning: Warning): Warning {
    const { message, detail, at } = warning;
    return {
      ...warning,
      message: this.text(message),
      ...(detail ? { detail: detail.map((line) => this.text(line)) } : {}),
      ...(at?.text === undefined ? {} : { at: { ...at, text: this.text(at.text) } }),
    };
  }

  #log(event: Extract<BuildEvent, { type: "log" }>): readonly BuildEvent[] {
    const key = `${event.step} ${event.stream}`;
    const before = this.#held.get(key);
    const data = before ? Buffer.concat([before.data, event.data]) : event.data;
    const spans = this.#find(data);
    const cut = this.#safeEnd(data, spans);
    if (cut < data.length) this.#held.set(key, { ...event, data: data.slice(cut) });
    else this.#held.delete(key);
    if (cut === 0) return [];
    const known = spans.filter((span) => span.end <= cut);
    return [{ ...event, data: cover(data.subarray(0, cut), known) }];
  }

  #release(step: Digest): readonly BuildEvent[] {
    if (this.#held.size === 0) return [];
    return ([1, 2] as const).flatMap((stream) => this.#releaseKey(`${step} ${stream}`));
  }

  #releaseKey(key: string): readonly BuildEvent[] {
    const held = this.#held.get(key);
    if (!held) return [];
    this.#held.delete(key);
    return [{ ...held, data: cover(held.data, this.#find(held.data)) }];
  }

  /** Where secrets are, in order, overlapping ones as one. */
  #find(data: Uint8Array): readonly Span[] {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const found: Span[] = [];
    for (const form of this.#forms.values()) {
      for (let at = bytes.indexOf(form); at !== -1; at = bytes.indexOf(form, at + 1)) {
        found.push({ start: at, end: at + form.length });
      }
    }
    const merged: Span[] = [];
    for (const span of found.toSorted((a, b) => a.start - b.start)) {
      const last = merged.at(-1);
      if (last && span.start <= last.end) {
        merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, span.end) };
      } else {
        merged.push(span);
      }
    }
    return merged;
  }

  /** Up to where the text can be told: what follows may be the beginning of a secret. */
  #safeEnd(data: Uint8Array, spans: readonly Span[]): number {
    let cut = data.length;
    for (const form of this.#forms.values()) {
      const first = Math.max(0, data.length - form.length + 1);
      for (let at = first; at < cut; at++) {
        if (data[at] === form[0] && begins(form, data, at)) cut = at;
      }
    }
    return spans.find((span) => span.start < cut && span.end > cut)?.start ?? cut;
  }
}

/** Whether `form` begins with all of `data` from `at` on. */
function begins(form: Uint8Array, data: Uint8Array, at: number): boolean {
  for (let i = at; i < data.length; i++) if (data[i] !== form[i - at]) return false;
  return true;
}

function cover(data: Uint8Array, spans: readonly Span[]): Uint8Array {
  if (spans.length === 0) return data;
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { start, end } of spans) {
    parts.push(data.subarray(from, start), blot);
    from = end;
  }
  parts.push(data.subarray(from));
  return Uint8Array.from(Buffer.concat(parts));
}

function isOver(state: string): boolean {
  return state !== "planned" && state !== "started";
}

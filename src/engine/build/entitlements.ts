// What a process may do beyond the sandbox: asked here by everything that starts one, allowed by request and engine both.
import { closest, KilnError, type SourcePlace } from "../../base/index.ts";
import {
  type Definition,
  type LlbGraph,
  type LlbVertex,
  readDefinition,
} from "../../formats/llb/index.ts";
import { isSameOrKind, type ProcessSpec } from "../executor/index.ts";
import { placeOf } from "../ops/index.ts";

/** BuildKit's words, each with what it allows. */
export const entitlements = {
  "network.host": "the machine's own network",
  "security.insecure": "all privileges, without a sandbox",
  device: "the machine's devices",
} as const;

export type Entitlement = keyof typeof entitlements;

export const allEntitlements: readonly Entitlement[] = Object.keys(entitlements) as Entitlement[];

/** What a request was granted. */
export interface Grants {
  has(entitlement: Entitlement): boolean;
  /** Whether a step may have that device, by its name, though not every one; none where absent. */
  readonly allowsDevice?: (name: string) => boolean;
}

/**
 * What a request may have: each word must be known, and allowed by the engine. Throws `FLAG_INVALID` or
 * `ENTITLEMENT_MISSING`. `device=NAME` and `device=KIND` grant that device or kind alone; devices that `isAutoAllowed` names
 * are everybody's.
 */
export function grantEntitlements(
  wanted: readonly string[],
  engine: readonly Entitlement[],
  isAutoAllowed: (device: string) => boolean = () => false,
): Grants {
  const granted = new Set<Entitlement>();
  const devices: string[] = [];
  for (const text of wanted) {
    const word = text.split("=", 1)[0] ?? "";
    if (!isEntitlement(word)) throw unknownEntitlement(text);
    if (!engine.includes(word)) {
      const message = `granting entitlement ${word} is not allowed by build daemon configuration`;
      throw new KilnError("ENTITLEMENT_MISSING", message, {
        hint: `Add "${word}" to insecure-entitlements in its configuration.`,
      });
    }
    const [which] = text.slice(word.length + 1).split(",");
    if (word === "device" && which) devices.push(which);
    else granted.add(word);
  }
  return {
    has: (one) => granted.has(one),
    allowsDevice: (name) => isAutoAllowed(name) || devices.some((one) => isSameOrKind(one, name)),
  };
}

/** A process as far as its privileges go. Any other value than the named ones counts as the most that there is. */
export interface Privileges extends Pick<ProcessSpec, "network" | "security"> {
  readonly devices?: readonly { readonly name: string }[];
}

/** Throws `ENTITLEMENT_MISSING` for a process that asks for more than is granted. */
export function checkPrivileges(process: Privileges, granted: Grants, at?: SourcePlace): void {
  const refused = refusal(process, granted, at);
  if (refused) throw refused;
}

/**
 * Reads a definition that is to be solved, and checks every step of it, cached or not; all that are refused are told at
 * once. Nothing is solved that did not come through here.
 */
export function readAllowed(definition: Definition, granted: Grants): LlbGraph {
  const graph = readDefinition(definition);
  checkGraph(graph, granted);
  return graph;
}

/** Throws `ENTITLEMENT_MISSING` for the steps that ask for more than is granted. */
export function checkGraph(graph: LlbGraph, granted: Grants): void {
  const errors = graph.vertices.flatMap((vertex) => {
    const process = privilegesOf(vertex);
    return (process && refusal(process, granted, placeOf(vertex), vertex.name)) ?? [];
  });
  const [first, ...others] = errors;
  if (first === undefined) return;
  throw new KilnError(first.code, first.message, {
    others,
    details: first.details,
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    ...(first.at === undefined ? {} : { at: first.at }),
  });
}

/** Undefined for what is no process. */
function privilegesOf({ op }: LlbVertex): Privileges | undefined {
  if (op.kind !== "exec") return undefined;
  const network = op.network === "sandbox" ? "default" : op.network;
  return { network, security: op.security, devices: op.devices };
}

function missingFor(process: Privileges, granted: Grants): readonly Entitlement[] {
  const { network, security } = process;
  const needed: Entitlement[] = [];
  if (network !== "default" && network !== "none") needed.push("network.host");
  if (security !== "sandbox") needed.push("security.insecure");
  if (refusedDevices(process, granted).length > 0) needed.push("device");
  return needed.filter((one) => !granted.has(one));
}

/** Those that are not allowed by their names. */
function refusedDevices({ devices = [] }: Privileges, granted: Grants): readonly string[] {
  return devices.map(({ name }) => name).filter((name) => granted.allowsDevice?.(name) !== true);
}

/** Undefined for a process that asks for nothing that is not granted. */
function refusal(
  process: Privileges,
  granted: Grants,
  at: SourcePlace | undefined,
  step?: string,
): KilnError | undefined {
  const missing = missingFor(process, granted);
  if (missing.length === 0) return undefined;
  const flags = missing.map((one) => `--allow ${one}`).join(" ");
  return new KilnError("ENTITLEMENT_MISSING", refusalWords(missing, process, granted), {
    hint: `Add ${flags} if you trust what is built.`,
    details: { entitlement: missing.join(","), ...(step === undefined ? {} : { step }) },
    ...(at === undefined ? {} : { at }),
  });
}

/** BuildKit's, where it is devices alone. */
function refusalWords(
  missing: readonly Entitlement[],
  process: Privileges,
  granted: Grants,
): string {
  if (missing.length === 1 && missing[0] === "device") {
    const names = refusedDevices(process, granted);
    const subject =
      names.length === 1 ? `device ${names[0]} is` : `devices ${names.join(", ")} are`;
    return `${subject} requested by the build but not allowed`;
  }
  const what = missing.map((one) => entitlements[one]).join(" and ");
  const refused = missing.map((one) => `${one} is not allowed`).join(", ");
  return `${refused}: a step asks for ${what}`;
}

function isEntitlement(word: string): word is Entitlement {
  return Object.hasOwn(entitlements, word);
}

function unknownEntitlement(text: string): KilnError {
  const near = closest(text, Object.keys(entitlements));
  return new KilnError("FLAG_INVALID", `there is no entitlement ${JSON.stringify(text)}`, {
    hint:
      near === undefined
        ? `Entitlements are ${Object.keys(entitlements).join(", ")}.`
        : `Did you mean ${near}?`,
  });
}
